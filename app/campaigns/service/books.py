"""The rules in force, compiled and kept in each process; evaluation by them, and the words for what they say."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import current_app
from prometheus_client import Counter
from sqlalchemy import ARRAY, any_, literal, select
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from app.campaigns.engine import Evaluation, Rule, RuleBook
from app.campaigns.engine import evaluate as evaluate_book
from app.campaigns.explanations import explain, label
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import cache
from app.core.database import db
from app.merchants import service as merchants

_schema = CampaignSchema()
_RUNNING = ("active", "paused")
BOOKS_KEPT_MAX = 32
rule_errors_total = Counter("greenpoints_rule_errors_total", "Rules that failed on an activity", ["campaign", "rule"])


@dataclass(frozen=True)
class _Books:
    """The versions in the order of their starts, and the rule books of the stretches between them that were asked for.

    A book is made when it is first needed: with ten thousand campaigns there are as many stretches, and activities
    fall into few of them.
    """

    starts: Sequence[datetime]
    versions: Sequence[tuple[UUID, Sequence[Rule]]]
    paused: frozenset[UUID]
    rules: Mapping[tuple[UUID, str], Rule]
    books: dict[int, RuleBook] = field(default_factory=dict)
    words: dict[tuple[str, str, str, str], tuple[str, str | None]] = field(default_factory=dict)

    def at(self, moment: datetime) -> RuleBook:
        count = bisect.bisect_right(self.starts, moment)
        book = self.books.get(count)
        if book is None:
            in_force = dict(self.versions[:count])  # a later version of a campaign takes the place of the earlier
            book = RuleBook((rule for rules in in_force.values() for rule in rules), self.paused)
            if len(self.books) >= BOOKS_KEPT_MAX:
                self.books.clear()
            self.books[count] = book
        return book


def _load() -> _Books:
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(Campaign.campaign_id, Campaign.state, CampaignVersion.campaign_version_id,
                   CampaignVersion.active_from)
            .join(CampaignVersion, CampaignVersion.campaign_id == Campaign.campaign_id)
            .where(Campaign.state.in_(_RUNNING))
            .order_by(CampaignVersion.active_from, CampaignVersion.number)
        ).all()  # fmt: skip
    compiled = _compiled([row.campaign_version_id for row in rows])
    versions = [(row.campaign_id, compiled[row.campaign_version_id]) for row in rows]
    paused = frozenset(row.campaign_id for row in rows if row.state == "paused")
    known = {(rule.version_id, rule.key): rule for _, rules in versions for rule in rules}
    return _Books([row.active_from for row in rows], versions, paused, known)


def _compiled(version_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Rule]]:
    """Return the rules of these versions; a version never changes, so each is read and compiled once a process."""
    known: Mapping[UUID, Sequence[Rule]] = current_app.extensions.get("compiled_campaigns", {})
    unknown = [version_id for version_id in version_ids if version_id not in known]
    compiled = {version_id: known[version_id] for version_id in version_ids if version_id in known}
    if unknown:
        compiled |= _compile_versions(unknown)
    current_app.extensions["compiled_campaigns"] = compiled  # without those that run no longer
    return compiled


def _compile_versions(version_ids: Sequence[UUID]) -> dict[UUID, Sequence[Rule]]:
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(CampaignVersion.campaign_id, CampaignVersion.campaign_version_id, CampaignVersion.number,
                   CampaignVersion.document)
            .where(CampaignVersion.campaign_version_id == any_(literal(version_ids, ARRAY(PgUUID))))
        ).all()  # fmt: skip
    documents = [_schema.load(row.document) for row in rows]
    funders = {document["funder"] for document in documents if document["funder"] is not None}
    found = [merchants.find_merchant_by_key(key) for key in sorted(funders)]
    by_key = {merchant.key: merchant.merchant_id for merchant in found if merchant is not None}
    return {
        row.campaign_version_id: compile_rules(
            document, campaign_id=row.campaign_id, version_id=row.campaign_version_id, version=row.number,
            merchants=by_key,
        )
        for row, document in zip(rows, documents, strict=True)
    }  # fmt: skip


_snapshot = cache.Snapshot("campaigns", _load)


def evaluate(
    activity: Mapping[str, Any], member: Mapping[str, Any], merchant: Mapping[str, Any], moment: datetime
) -> Evaluation:
    """Return what ``activity`` earns by the campaign versions in force when it occurred; see ``engine.evaluate``.

    Rules that failed are counted.
    """
    evaluation = evaluate_book(_snapshot.get().at(activity["occurred_at"]), activity, member, merchant, moment)
    for missed in evaluation.missed:
        if missed.code == "rule_error":
            rule_errors_total.labels(missed.rule.campaign_key, missed.rule.key).inc()
    return evaluation


def candidates(activity: Mapping[str, Any], merchant: Mapping[str, Any]) -> Sequence[Rule]:
    """Return the rules that ``evaluate`` would try on ``activity``: no other limit or budget can concern it."""
    return _snapshot.get().at(activity["occurred_at"]).candidates_of(activity, merchant)


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
