"""Evaluate a reported activity: what rules and impact say, and the rows that book it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.activities.outcome import Accepted, award_of, outcome_of
from app.activities.queries import MemberFacts
from app.activities.reading import Report, check_against_reference, check_time, facts_of, impact_subject
from app.campaigns import service as campaigns
from app.catalog import service as catalog
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


@dataclass(frozen=True, slots=True)
class Source:
    """Who reports, and whether the age of what is reported is bounded (an import of the past is not)."""

    merchant: MerchantPrincipal
    is_age_bounded: bool = True


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

    def awarded_activity(self, origin: Source) -> ledger.AwardedActivity:
        """Return what the ledger books."""
        return ledger.AwardedActivity(
            key=f"activity:{self.activity_id}:rev{self.report.read['revision']}",
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
            "points": self.outcome["points"]["awarded"],
            "impact": metrics,
        }

    def pay_debt(self, points: int) -> None:
        """Say in the outcome that ``points`` of the award repaid debt at once."""
        self.outcome["points"]["paid_debt"] = points
        self.outcome["points"]["available"] -= points

    def rows(self, origin: Source, moment: datetime) -> list[tuple[RowShape, list[tuple[Any, ...]]]]:
        """Return the rows of activities and impact."""
        merchant, report = origin.merchant, self.report
        revision, occurred_at = report.read["revision"], self.facts["occurred_at"]
        registered = (
            self.member_id, merchant.id, merchant.live, report.external_id, self.activity_id, revision, report.digest,
        )  # fmt: skip
        stored = (
            self.member_id, self.activity_id, revision, merchant.id, occurred_at, moment, dumps(report.body).decode(),
            dumps(self.outcome).decode(),
        )  # fmt: skip
        claimed = impact.entry_rows(self.member_id, self.activity_id, self.impact, occurred_at, moment)
        return [(REGISTRY, [registered]), (ACTIVITY, [stored]), (impact.IMPACT_ENTRY, claimed)]

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


def evaluate_report(origin: Source, report: Report, member: MemberFacts, moment: datetime) -> Evaluated:
    """Check and evaluate ``report`` and give it an id; writes nothing."""
    check(origin, report, moment)
    facts = facts_of(report.read, report.read["occurred_at"], origin.merchant.default_evidence)
    outcome, awards, claimed = evaluate(origin.merchant, facts, member, moment)
    return Evaluated(report, member.member_id, new_id(), facts, outcome, awards, claimed)


def evaluate(
    merchant: MerchantPrincipal, facts: Mapping[str, Any], member: MemberFacts | None, moment: datetime
) -> tuple[dict[str, Any], list[ledger.Award], impact.Impact]:
    """Return the outcome, the awards and the impact of ``facts``, writing nothing; the same for award and preview."""
    settings = programme.current()
    nobody: dict[str, Any] = {"id": None, "tier": "seed", "region": None, "tags": [], "age_days": 0}
    of_member = member.for_rules(moment) if member else nobody
    of_merchant = {"id": str(merchant.id), "key": merchant.merchant_key}
    evaluation = campaigns.evaluate(facts, of_member, of_merchant, moment)
    void_at = facts["occurred_at"] + timedelta(days=settings.completion_days_max)
    awards = [award_of(desired, facts, settings.zone, void_at) for desired in evaluation.desired]
    claimed = impact.claim_impact(impact_subject(facts))
    return outcome_of(evaluation, awards, claimed, moment), awards, claimed
