"""Evaluate a reported activity: what rules and impact say, and the rows that book it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.activities.again import posting_key, without_duplicates
from app.activities.outcome import (
    Accepted,
    award_of,
    note_certificates,
    note_duplicates,
    note_kept,
    note_taken,
    outcome_of,
)
from app.activities.proofs import CLAIMED_PROOF, Duplicate, Proof, proof_rows, proofs_of, repeated_within
from app.activities.queries import MemberFacts
from app.activities.reading import (
    Report,
    check_against_reference,
    check_time,
    facts_of,
    impact_subject,
    kept_certificates,
)
from app.activities.schemas import CartSchema
from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core import schemas
from app.core.evidence import GRADES
from app.core.guarded_write import RowShape
from app.core.ids import new_id
from app.core.outbox import FactKind
from app.core.strict_json import dumps
from app.impact import service as impact
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal
from app.programme import service as programme

REGISTRY = RowShape("activity_registry", (
    ("member_id", "uuid"), ("merchant_id", "uuid"), ("live", "boolean"), ("external_id", "text"),
    ("activity_id", "uuid"), ("revision", "integer"), ("digest", "bytea"),
))  # fmt: skip
ACTIVITY = RowShape("activity", (
    ("member_id", "uuid"), ("activity_id", "uuid"), ("revision", "integer"), ("merchant_id", "uuid"),
    ("occurred_at", "timestamptz"), ("recorded_at", "timestamptz"), ("body", "jsonb"), ("outcome", "jsonb"),
))  # fmt: skip

_cart = CartSchema()
# what rules see of a member of whom nothing is known: a preview of nobody
NEWCOMER: dict[str, Any] = {"id": None, "tier": "seed", "region": None, "tags": [], "age_days": 0}


@dataclass(frozen=True, slots=True)
class Source:
    """Who reports, and whether the age of what is reported is bounded (an import of the past is not).

    Points of what ``waits_for_review`` wait until that is done, whatever their terms; it earns ``points_max`` at most.
    """

    merchant: MerchantPrincipal
    is_age_bounded: bool = True
    waits_for_review: bool = False
    points_max: int | None = None

    def __hash__(self) -> int:
        return hash(self.merchant.key_id)  # sources are looked up several times a report; equality compares it all


@dataclass(frozen=True, slots=True)
class Prepared:
    """A report with its facts as rules see them, the limits and budgets that bind it, and what it claims once."""

    report: Report
    facts: Mapping[str, Any]
    bounds: campaigns.Bounds
    proofs: Sequence[Proof] = ()


@dataclass(slots=True)
class Evaluated:
    """A report that was evaluated, with the id that it gets."""

    report: Report
    member_id: UUID
    activity_id: UUID
    facts: Mapping[str, Any]
    outcome: dict[str, Any]
    awards: list[ledger.Award]
    impact: impact.Impact
    settlement: campaigns.Settlement
    taken: list[campaigns.Taken] = field(default_factory=list)
    spent: dict[UUID, int] = field(default_factory=dict)
    proofs: Sequence[Proof] = ()

    def take(self, board: campaigns.UsageBoard, bounds: campaigns.Bounds, member: MemberFacts) -> None:
        """Note on ``board``, and in the outcome, what it takes of limits and budgets."""
        self.taken = board.take(bounds.asks, member.counted, self.settlement)
        self.spent = bounds.spent(self.settlement)
        note_taken(self.outcome, self.taken, self.spent)

    def awarded_activity(self, origin: Source) -> ledger.AwardedActivity:
        """Return what the ledger books."""
        return ledger.AwardedActivity(
            key=posting_key(self.activity_id, self.report.read["revision"]),
            fingerprint=self.report.digest[:16],
            activity_id=self.activity_id,
            actor=f"merchant:{origin.merchant.merchant_key}",
            awards=self.awards,
            fact_kind=FactKind.ACTIVITY,
            payload=dumps(self.fact()).decode(),
            extends_until=self._extends_until(),
        )

    def _extends_until(self) -> datetime | None:
        """Return until when this activity lets all points of its member live, by the programme's policy, or None."""
        settings = programme.current()
        if settings.activity_extends_expiry_months is None or not self.awards:
            return None
        terms = ledger.ExpiryTerms(settings.activity_extends_expiry_months, None)
        return ledger.expiry_time(terms, self.facts["occurred_at"], settings.zone)

    def fact(self) -> dict[str, Any]:
        """Return what projections learn of the activity."""
        metrics: dict[str, int] = {}
        for entry in self.impact.entries:
            metrics[entry.metric] = metrics.get(entry.metric, 0) + entry.value
        return {
            "kind": self.facts["kind"],
            "occurred_at": self.facts["occurred_at"],
            "activities": 0 if None in self.outcome.get("duplicates", ()) else 1,
            "points": self.outcome["points"]["awarded"],
            "impact": metrics,
        }

    def pay_debt(self, points: int) -> None:
        """Say in the outcome that ``points`` of the award repaid debt at once."""
        self.outcome["points"]["paid_debt"] = points
        self.outcome["points"]["available"] -= points

    def rows(self, origin: Source, moment: datetime) -> list[tuple[RowShape, list[tuple[Any, ...]]]]:
        """Return the rows of activities and impact, with those that register its id and what it claims once."""
        merchant, report = origin.merchant, self.report
        registered = (
            self.member_id, merchant.id, merchant.live, report.external_id, self.activity_id, report.read["revision"],
            report.digest,
        )  # fmt: skip
        proofs = proof_rows(self.member_id, merchant.live, self.activity_id, self.proofs)
        return [(REGISTRY, [registered]), (CLAIMED_PROOF, proofs), *self.rows_of_registered(origin, moment)]

    def rows_of_registered(self, origin: Source, moment: datetime) -> list[tuple[RowShape, list[tuple[Any, ...]]]]:
        """Return the rows of activities and impact where the activity's id is registered already."""
        occurred_at = self.facts["occurred_at"]
        stored = (
            self.member_id, self.activity_id, self.report.read["revision"], origin.merchant.id, occurred_at, moment,
            dumps(self.report.body).decode(), dumps(self.outcome).decode(),
        )  # fmt: skip
        claimed = impact.entry_rows(self.member_id, self.activity_id, self.impact, occurred_at, moment)
        counted = campaigns.usage_rows(self.member_id, self.taken)
        return [(ACTIVITY, [stored]), (impact.IMPACT_ENTRY, claimed), *counted]

    def accepted(self) -> Accepted:
        """Return the answer."""
        return Accepted(
            self.activity_id, self.report.external_id, self.report.read["revision"], self.member_id,
            self.facts["occurred_at"], self.outcome,
        )  # fmt: skip


def check(origin: Source, report: Report, moment: datetime) -> None:
    """Raise the problem of a report that names unknown things, or is too early or too old."""
    check_against_reference(report.read, catalog.reference(), origin.merchant.max_evidence)
    age_days_max = programme.current().activity_age_days_max if origin.is_age_bounded else None
    check_time(report.read["occurred_at"], moment, age_days_max)


def check_revision(origin: Source, report: Report, stored_at: datetime, moment: datetime) -> None:
    """Do as ``check`` of a new revision, which may be of any age where it occurred when the one before it did."""
    is_moved = report.read["occurred_at"] != stored_at
    check(origin if is_moved else replace(origin, is_age_bounded=False), report, moment)


def prepare(origin: Source, report: Report) -> Prepared:
    """Return ``report`` with what can be said of it before anything is read."""
    return prepare_many(origin, [report])[0]


def prepare_many(origin: Source, reports: Sequence[Report]) -> list[Prepared]:
    """Return each of ``reports`` with what can be said of it before anything is read but products."""
    merchant = origin.merchant
    asked = [(report.read["lines"], report.read["occurred_at"]) for report in reports]
    terms = catalog.certificate_terms(merchant.id, merchant.live, asked)
    return [_prepared(merchant, report, of_report) for report, of_report in zip(reports, terms, strict=True)]


def _prepared(merchant: MerchantPrincipal, report: Report, terms: catalog.CertificateTerms | None) -> Prepared:
    facts = facts_of(report.read, report.read["occurred_at"], merchant.default_evidence, terms)
    return Prepared(report, facts, bounds_of(merchant, facts), proofs_of(report.read))


def bounds_of(merchant: MerchantPrincipal, facts: Mapping[str, Any]) -> campaigns.Bounds:
    """Return the limits and budgets that bind ``facts``."""
    return campaigns.bounds_of(facts, for_rules(merchant), subjects_of(merchant, facts))


def subjects_of(merchant: MerchantPrincipal, facts: Mapping[str, Any]) -> campaigns.Subjects:
    """Return whose limits ``facts`` concern beside the member's."""
    return campaigns.Subjects(merchant.id, merchant.live, facts["device"], facts["station"])


def evaluate_report(
    origin: Source, prepared: Prepared, member: MemberFacts, board: campaigns.UsageBoard, moment: datetime
) -> Evaluated:
    """Check and evaluate a report, take what it takes from ``board``, and give it an id; writes nothing."""
    check(origin, prepared.report, moment)
    return evaluate_prepared(origin, prepared, member, board, moment, new_id(), ())


def evaluate_prepared(
    origin: Source,
    prepared: Prepared,
    member: MemberFacts,
    board: campaigns.UsageBoard,
    moment: datetime,
    activity_id: UUID,
    duplicates: Sequence[Duplicate],
) -> Evaluated:
    """Evaluate what is checked, and take what it takes from ``board``; writes nothing.

    What others have claimed, ``duplicates``, and what it names twice itself earns nothing.
    """
    headroom = board.headroom(prepared.bounds.asks, member.counted)
    if origin.points_max is not None:
        headroom = replace(headroom, points=origin.points_max)
    lines = duplicate_lines(prepared.proofs, duplicates, activity_id)
    settlement, outcome, awards, claimed = evaluate(
        origin.merchant, prepared.facts, member, headroom, moment, lines, origin.waits_for_review
    )
    evaluated = Evaluated(
        prepared.report, member.member_id, activity_id, prepared.facts, outcome, awards, claimed, settlement,
        proofs=own_proofs(prepared.proofs, duplicates),
    )  # fmt: skip
    evaluated.take(board, prepared.bounds, member)
    note_kept(outcome, member.for_rules(prepared.facts["occurred_at"]), prepared.facts["evidence"])
    note_certificates(outcome, kept_certificates(prepared.facts))
    return evaluated


def duplicate_lines(proofs: Sequence[Proof], duplicates: Sequence[Duplicate], activity_id: UUID) -> list[str | None]:
    """Return the lines that earn nothing, None for the whole: others have claimed them, or they stand there twice."""
    return [each.proof.line for each in (*duplicates, *repeated_within(proofs, activity_id))]


def own_proofs(proofs: Sequence[Proof], duplicates: Sequence[Duplicate]) -> list[Proof]:
    """Return those of ``proofs`` that nobody has claimed."""
    taken = {each.proof.key for each in duplicates}
    return [proof for proof in proofs if proof.key not in taken]


def evaluate(
    merchant: MerchantPrincipal,
    facts: Mapping[str, Any],
    member: MemberFacts | None,
    headroom: campaigns.Headroom,
    moment: datetime,
    duplicates: Sequence[str | None] = (),
    waits_for_review: bool = False,
) -> tuple[campaigns.Settlement, dict[str, Any], list[ledger.Award], impact.Impact]:
    """Return what is paid of ``facts``, the outcome, the awards and the impact; the same for award and preview.

    ``duplicates`` are lines that another activity has claimed, None the whole of it: they earn and avoid nothing.
    """
    settings = programme.current()
    of_member = member.for_rules(facts["occurred_at"]) if member else NEWCOMER
    evaluation = campaigns.evaluate(facts, of_member, for_rules(merchant), moment)
    left: Mapping[str, Any] | None = facts
    if duplicates:
        left = without_duplicates(facts, duplicates)
        rest = None if left is None else campaigns.evaluate(left, of_member, for_rules(merchant), moment)
        evaluation = campaigns.without_duplicates(evaluation, rest)
    settlement = campaigns.settle(evaluation, headroom)
    void_at = facts["occurred_at"] + timedelta(days=settings.completion_days_max)
    awards = [award_of(granted, facts, settings.zone, void_at, waits_for_review) for granted in settlement.granted]
    claimed = impact.Impact() if left is None else impact.claim_impact(impact_subject(left))
    outcome = outcome_of(settlement, awards, claimed, moment)
    note_duplicates(outcome, duplicates, is_whole=left is None)
    return settlement, outcome, awards, claimed


def for_rules(merchant: MerchantPrincipal) -> dict[str, Any]:
    """Return the merchant as rules see it."""
    return {"id": str(merchant.id), "key": merchant.merchant_key}


def example_facts(body: Mapping[str, Any], occurred_at: datetime) -> dict[str, Any]:
    """Return the facts of an activity as a campaign's example tells it; it occurs then unless it names a time.

    Its evidence is staff's unless it names a grade. Raises ValidationProblem, PackagingConflict.
    """
    read = schemas.load(_cart, dict(body))
    check_against_reference(read, catalog.reference(), GRADES[-1])
    return facts_of(read, read["occurred_at"] or occurred_at, "staff")
