"""Use cases of campaigns: store a version, evaluate an activity by the rules in force when it occurred."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.engine import Row

from app.campaigns.engine import Desired, Evaluation, Missed, Rule, RuleBook
from app.campaigns.engine import evaluate as evaluate_book
from app.campaigns.explanations import explain, label
from app.campaigns.expressions import Condition, ExpressionError
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.schemas import KINDS, CampaignSchema
from app.core import cache, schemas
from app.core.clock import now
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.evidence import RANK
from app.core.ids import new_id
from app.core.strict_json import pointer
from app.core.unit_of_work import unit_of_work
from app.ledger.service import ExpiryTerms, PendingTerms

__all__ = ["KINDS", "Desired", "Evaluation", "Missed", "Rule", "Words", "evaluate", "explainer", "save_campaign"]
_schema = CampaignSchema()
_RUNNING = ("active", "paused")
BOOKS_KEPT_MAX = 32


@dataclass(frozen=True)
class _Books:
    """The versions in the order of their starts, and the rule books of the stretches between them that were asked for.

    A book is made when it is first needed: with ten thousand campaigns there are as many stretches, and activities
    fall into few of them.
    """

    starts: Sequence[datetime]
    versions: Sequence[tuple[UUID, Sequence[Rule]]]
    rules: Mapping[tuple[UUID, str], Rule]
    books: dict[int, RuleBook] = field(default_factory=dict)
    words: dict[tuple[str, str, str, str], tuple[str, str | None]] = field(default_factory=dict)

    def at(self, moment: datetime) -> RuleBook:
        count = bisect.bisect_right(self.starts, moment)
        book = self.books.get(count)
        if book is None:
            in_force = dict(self.versions[:count])  # a later version of a campaign takes the place of the earlier
            book = RuleBook(rule for rules in in_force.values() for rule in rules)
            if len(self.books) >= BOOKS_KEPT_MAX:
                self.books.clear()
            self.books[count] = book
        return book


def compile_rules(
    document: Mapping[str, Any], *, campaign_id: UUID, version_id: UUID, version: int, is_paused: bool
) -> list[Rule]:
    """Return the rules of a campaign document, as ``CampaignSchema`` reads it; raise ValidationProblem."""
    return [
        Rule(
            campaign_id=campaign_id,
            campaign_key=document["key"],
            version_id=version_id,
            version=version,
            key=rule["key"],
            kind=rule["kind"],
            scope=rule["scope"],
            match={dimension: frozenset(values) for dimension, values in rule["match"].items()},
            condition=_compile_condition(rule, place),
            award=rule["award"],
            minimum=rule["minimum"],
            maximum=rule["maximum"],
            rounding=rule["rounding"],
            pending=None if rule["pending"] is None else PendingTerms(rule["pending"].get("days")),
            expiry=None
            if rule["expiry"] is None
            else ExpiryTerms(rule["expiry"]["months"], rule["expiry"]["round_to"]),
            minimum_rank=RANK[rule["minimum_evidence"]] if rule["minimum_evidence"] else 0,
            priority=document["priority"],
            starts_at=document["starts_at"],
            ends_at=document["ends_at"],
            is_paused=is_paused,
            labels=rule["labels"],
        )
        for place, rule in enumerate(document["rules"])
    ]


def _compile_condition(rule: Mapping[str, Any], place: int) -> Condition | None:
    if rule["when"] is None:
        return None
    try:
        condition = Condition(rule["when"])
    except ExpressionError as error:
        raise ValidationProblem([{"pointer": pointer("rules", place, "when"), "detail": str(error)}]) from error
    known = {"activity", "member", "merchant", "now"} | ({"line", "product"} if rule["scope"] == "line" else set())
    for name in condition.unknown_variables(known):
        detail = f"{name!r} is not known to a rule of scope {rule['scope']}; known are {', '.join(sorted(known))}"
        raise ValidationProblem([{"pointer": pointer("rules", place, "when"), "detail": detail}])
    return condition


def _load() -> _Books:
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(Campaign.campaign_id, Campaign.state, CampaignVersion.campaign_version_id, CampaignVersion.number,
                   CampaignVersion.document, CampaignVersion.active_from)
            .join(CampaignVersion, CampaignVersion.campaign_id == Campaign.campaign_id)
            .where(Campaign.state.in_(_RUNNING))
            .order_by(CampaignVersion.active_from, CampaignVersion.number)
        ).all()  # fmt: skip
    return _make_books(rows)


def _make_books(rows: Sequence[Row[Any]]) -> _Books:
    versions = [
        (
            row.campaign_id,
            compile_rules(
                _schema.load(row.document), campaign_id=row.campaign_id, version_id=row.campaign_version_id,
                version=row.number, is_paused=row.state == "paused",
            ),
        )
        for row in rows
    ]  # fmt: skip
    known = {(rule.version_id, rule.key): rule for _, rules in versions for rule in rules}
    return _Books([row.active_from for row in rows], versions, known)


_snapshot = cache.Snapshot("campaigns", _load)


def evaluate(
    activity: Mapping[str, Any], member: Mapping[str, Any], merchant: Mapping[str, Any], moment: datetime
) -> Evaluation:
    """Return what ``activity`` earns by the campaign versions in force when it occurred; see ``engine.evaluate``."""
    return evaluate_book(_snapshot.get().at(activity["occurred_at"]), activity, member, merchant, moment)


Words = Callable[[str, str, str], tuple[str, str | None]]


def explainer(locale: str) -> Words:
    """Return a function from version id, rule and reason code to the sentence and next step in ``locale``."""
    books = _snapshot.get()

    def words(version_id: str, key: str, code: str) -> tuple[str, str | None]:
        known = books.words.get((version_id, key, code, locale))
        if known is None:
            rule = books.rules.get((UUID(version_id), key))
            known = explain(code, label(rule.labels, locale) if rule else key, locale)
            books.words[(version_id, key, code, locale)] = known
        return known

    return words


def rule_words(locale: str) -> Callable[[UUID, str], str]:
    """Return a function from version id and rule to the sentence in ``locale`` that says that it paid."""
    words = explainer(locale)
    return lambda version_id, key: words(str(version_id), key, "matched")[0]


def save_campaign(document: dict[str, Any], active_from: datetime | None = None) -> UUID:
    """Store ``document`` as the newest version of the campaign of its key, active, and return the version's id.

    The version pays for activities that occurred from ``active_from`` on, by default from now. The same document as
    the newest version changes nothing. Raises ValidationProblem.
    """
    read = schemas.load(_schema, document)
    compile_rules(read, campaign_id=new_id(), version_id=new_id(), version=1, is_paused=False)
    moment = now()
    with unit_of_work() as session:
        # a row lock would not hold before the campaign's first version
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('campaign:' || :key))"), {"key": read["key"]})
        campaign = session.scalar(select(Campaign).where(Campaign.key == read["key"]))
        if campaign is None:
            campaign = Campaign(campaign_id=new_id(), key=read["key"], state="active", created_at=moment)
            session.add(campaign)
            session.flush()
        newest = session.scalar(
            select(CampaignVersion)
            .where(CampaignVersion.campaign_id == campaign.campaign_id)
            .order_by(CampaignVersion.number.desc())
            .limit(1)
        )
        if newest is not None and _schema.load(newest.document) == read:
            known_id: UUID = newest.campaign_version_id
            return known_id
        version = CampaignVersion(
            campaign_version_id=new_id(), campaign_id=campaign.campaign_id, number=(newest.number if newest else 0) + 1,
            document=document, active_from=active_from or moment, created_at=moment,
        )  # fmt: skip
        session.add(version)
        cache.bump("campaigns")
        version_id: UUID = version.campaign_version_id
        return version_id
