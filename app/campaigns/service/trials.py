"""Versions tried without being in force: drafts too, alone or in the place of what their campaign has in force."""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.campaigns.engine import Rule, RuleBook, evaluate
from app.campaigns.errors import CampaignNotFound, CampaignVersionNotFound
from app.campaigns.explanations import explain, label
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.books import Words, compile_versions, list_in_force
from app.core import schemas
from app.core.database import db

__all__ = ["EVERY_RULE", "RuleBook", "Substitution", "Trial", "book_of", "evaluate", "get_trial", "words_for"]

BOOKS_KEPT_MAX = 32
EVERY_RULE = 10**9  # more than there are
_schema = CampaignSchema()


@dataclass(frozen=True)
class Trial:
    """A version of a campaign, its rules compiled; ``document`` as ``CampaignSchema`` reads it."""

    campaign_id: UUID
    version_id: UUID
    version: int
    document: Mapping[str, Any]
    rules: Sequence[Rule]

    @property
    def key(self) -> str:
        """The campaign's key."""
        return str(self.document["key"])

    @property
    def depends_on_others(self) -> bool:
        """Whether what its rules pay depends on the rules of other campaigns: a multiplier, or a group."""
        return any(rule.is_multiplier or rule.stacking is not None for rule in self.rules)

    def runs_in(self, start: datetime, end: datetime) -> bool:
        """Return whether the campaign's run, as it is written, has a moment in [start, end)."""
        ends_at = self.document["ends_at"]
        return self.document["starts_at"] < end and (ends_at is None or ends_at > start)

    def moved_to(self, start: datetime, end: datetime) -> "Trial":
        """Return the same with a run from ``start`` to ``end``; its windows recur as they would from there."""
        if not self.rules:
            return self
        schedule = replace(self.rules[0].schedule, starts_at=start, ends_at=end)
        return replace(self, rules=[replace(rule, schedule=schedule) for rule in self.rules])


def get_trial(campaign_id: UUID, number: int | None = None, at: datetime | None = None) -> Trial:
    """Return a version of the campaign, whatever its state: that of ``number``, or in force ``at``, or the newest.

    Where none is in force ``at`` that moment it is the newest too. Raises CampaignNotFound, CampaignVersionNotFound,
    and ValidationProblem for one that was stored under rules that were wider than today's.
    """
    versions = select(CampaignVersion).where(CampaignVersion.campaign_id == campaign_id)
    newest = versions.order_by(CampaignVersion.number.desc()).limit(1)
    found = None
    if number is not None:
        found = db.session.scalar(versions.where(CampaignVersion.number == number))
    else:
        if at is not None:
            in_force = versions.where(CampaignVersion.active_from <= at)
            order = (CampaignVersion.active_from.desc(), CampaignVersion.number.desc())
            found = db.session.scalar(in_force.order_by(*order).limit(1))
        found = found or db.session.scalar(newest)
    if found is None:
        is_known = number is not None and db.session.get(Campaign, campaign_id) is not None
        raise CampaignVersionNotFound if is_known else CampaignNotFound
    document = schemas.load(_schema, found.document)
    rules = compile_versions([found.campaign_version_id])[found.campaign_version_id]
    return Trial(campaign_id, found.campaign_version_id, found.number, document, rules)


def book_of(trials: Sequence[Trial], untried_max: int = 0) -> RuleBook:
    """Return a book of these versions alone; of so many rules that are not tried, evaluation says why."""
    return RuleBook((rule for trial in trials for rule in trial.rules), untried_max=untried_max)


class Substitution:
    """The rules in force at any moment, with a trial in the place of what its campaign had in force.

    They are those known when it is made. A campaign that is paused then pays nothing if ``is_pause_kept``, but for the
    trial's own: that one is tried as if it ran. Campaigns that have ended are in no book.
    """

    def __init__(self, trial: Trial, *, is_pause_kept: bool, untried_max: int = 0) -> None:
        self._trial = trial
        self._untried_max = untried_max
        self._starts, self._versions, paused = list_in_force()
        self._paused = paused - {trial.campaign_id} if is_pause_kept else frozenset[UUID]()
        self._books: dict[int, RuleBook] = {}

    def at(self, moment: datetime) -> RuleBook:
        """Return the book for activities of ``moment``."""
        count = bisect.bisect_right(self._starts, moment)
        book = self._books.get(count)
        if book is None:
            in_force = dict(self._versions[:count]) | {self._trial.campaign_id: self._trial.rules}
            book = RuleBook((rule for rules in in_force.values() for rule in rules), self._paused, self._untried_max)
            if len(self._books) >= BOOKS_KEPT_MAX:
                self._books.clear()
            self._books[count] = book
        return book


def words_for(rules: Sequence[Rule], locale: str) -> Words:
    """Return a function from version id, rule and reason code to the sentence and next step, for rules not in force."""
    by_key = {(str(rule.version_id), rule.key): rule for rule in rules}

    def words(version_id: str, key: str, code: str) -> tuple[str, str | None]:
        return explain(code, label(by_key[version_id, key].labels, locale), locale)

    return words
