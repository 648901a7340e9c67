"""The rules in force, compiled and kept in each process; evaluation by them, and the words for what they say."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.engine import Row

from app.campaigns import queries
from app.campaigns.engine import Evaluation, Rule, RuleBook
from app.campaigns.engine import evaluate as evaluate_book
from app.campaigns.explanations import explain, label
from app.campaigns.lifecycle import RUNNING
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import cache
from app.core.database import db

_schema = CampaignSchema()
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


def _load() -> _Books:
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(Campaign.campaign_id, Campaign.state, CampaignVersion.campaign_version_id, CampaignVersion.number,
                   CampaignVersion.document, CampaignVersion.active_from)
            .join(CampaignVersion, CampaignVersion.campaign_id == Campaign.campaign_id)
            .where(Campaign.state.in_(RUNNING), CampaignVersion.active_from.is_not(None))
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
            labels = rule.labels if rule else _labels_of_what_is_over(UUID(version_id), key)
            known = explain(code, label(labels, locale) or key, locale)
            books.words[(version_id, key, code, locale)] = known
        return known

    return words


def _labels_of_what_is_over(version_id: UUID, key: str) -> Mapping[str, str]:
    """Return the labels of a rule of a campaign that runs no longer; none where there never was such a rule."""
    document = queries.find_document(db.session, version_id) or {"rules": ()}
    return next((rule["labels"] for rule in document["rules"] if rule["key"] == key), {})


def rule_words(locale: str) -> Callable[[UUID, str], str]:
    """Return a function from version id and rule to the sentence in ``locale`` that says that it paid."""
    words = explainer(locale)
    return lambda version_id, key: words(str(version_id), key, "matched")[0]
