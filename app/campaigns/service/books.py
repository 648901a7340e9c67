"""The rules in force, compiled and kept in each process; evaluation by them, and the words for what they say."""

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from flask import current_app
from prometheus_client import Counter
from sqlalchemy import ARRAY, any_, literal, select
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from app.campaigns import queries
from app.campaigns.engine import Evaluation, Rule, RuleBook
from app.campaigns.engine import evaluate as evaluate_book
from app.campaigns.explanations import explain, label
from app.campaigns.lifecycle import RUNNING
from app.campaigns.limits import Settlement
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.prospects import Prospects
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import cache
from app.core.database import db
from app.merchants import service as merchants

_schema = CampaignSchema()
BOOKS_KEPT_MAX = 32
rule_errors_total = Counter("greenpoints_rule_errors_total", "Rules that failed on an activity", ["campaign", "rule"])


@dataclass(frozen=True, slots=True)
class Running:
    """A campaign that runs, or is about to: the rules of one version, and from when on these are in force."""

    active_from: datetime
    rules: Sequence[Rule]


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
    budgets: Mapping[UUID, int]
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

    def running(self, moment: datetime, until: datetime) -> list[Running]:
        found: dict[UUID, Running] = {}
        for start, (campaign_id, rules) in zip(self.starts, self.versions, strict=True):
            if start <= moment or (start <= until and campaign_id not in found):
                found[campaign_id] = Running(start, rules)
        return [each for campaign_id, each in found.items() if campaign_id not in self.paused]

    @cached_property
    def languages(self) -> Sequence[str]:
        rules = [rule for _, rules in self.versions for rule in rules]
        return sorted({locale for rule in rules for locale in (*rule.labels, *rule.campaign_labels)})


def _load() -> _Books:
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(Campaign.campaign_id, Campaign.state, CampaignVersion.campaign_version_id,
                   CampaignVersion.active_from)
            .join(CampaignVersion, CampaignVersion.campaign_id == Campaign.campaign_id)
            .where(Campaign.state.in_(RUNNING), CampaignVersion.active_from.is_not(None))
            .order_by(CampaignVersion.active_from, CampaignVersion.number)
        ).all()  # fmt: skip
    compiled = _compiled([row.campaign_version_id for row in rows])
    versions = [(row.campaign_id, compiled[row.campaign_version_id]) for row in rows]
    paused = frozenset(row.campaign_id for row in rows if row.state == "paused")
    known = {(rule.version_id, rule.key): rule for _, rules in versions for rule in rules}
    newest = dict(versions)
    budgets = {
        campaign_id: rules[0].budget_points
        for campaign_id, rules in newest.items()
        if rules[0].budget_points is not None
    }
    return _Books([row.active_from for row in rows], versions, paused, known, budgets)


def _compiled(version_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Rule]]:
    """Return the rules of these versions; a version never changes, so each is read and compiled once a process."""
    known: Mapping[UUID, Sequence[Rule]] = current_app.extensions.get("compiled_campaigns", {})
    unknown = [version_id for version_id in version_ids if version_id not in known]
    compiled = {version_id: known[version_id] for version_id in version_ids if version_id in known}
    if unknown:
        compiled |= compile_versions(unknown)
    current_app.extensions["compiled_campaigns"] = compiled  # without those that run no longer
    return compiled


def compile_versions(version_ids: Sequence[UUID]) -> dict[UUID, Sequence[Rule]]:
    """Return the rules of these versions, compiled anew; in force or not."""
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(CampaignVersion.campaign_id, CampaignVersion.campaign_version_id, CampaignVersion.number,
                   CampaignVersion.document)
            .where(CampaignVersion.campaign_version_id == any_(literal(version_ids, ARRAY(PgUUID))))
        ).all()  # fmt: skip
    documents = [_schema.load(row.document) for row in rows]
    by_key = funders_of(documents)
    return {
        row.campaign_version_id: compile_rules(
            document, campaign_id=row.campaign_id, version_id=row.campaign_version_id, version=row.number,
            merchants=by_key,
        )
        for row, document in zip(rows, documents, strict=True)
    }  # fmt: skip


def funders_of(documents: Iterable[Mapping[str, Any]]) -> dict[str, UUID]:
    """Return by key the ids of the merchants that pay for any of these read documents, as far as there are such."""
    keys = {document["funder"] for document in documents if document["funder"] is not None}
    return {merchant.key: merchant.merchant_id for merchant in merchants.list_merchants(keys=keys)}


_snapshot = cache.Snapshot("campaigns", _load)


def list_in_force() -> tuple[Sequence[datetime], Sequence[tuple[UUID, Sequence[Rule]]], frozenset[UUID]]:
    """Return the moments from which versions are in force, what each puts in force, and the campaigns paused now.

    A version is in force until the next of its campaign; both lists are in the order of the moments.
    """
    books = _snapshot.get()
    return books.starts, books.versions, books.paused


def in_force_at(moment: datetime) -> tuple[dict[UUID, Sequence[Rule]], frozenset[UUID]]:
    """Return the rules in force at ``moment`` by campaign, of campaigns that have not ended, and those paused now."""
    books = _snapshot.get()
    return dict(books.versions[: bisect.bisect_right(books.starts, moment)]), books.paused


def evaluate(
    activity: Mapping[str, Any],
    member: Mapping[str, Any],
    merchant: Mapping[str, Any],
    moment: datetime,
    *,
    names_untried: bool = True,
) -> Evaluation:
    """Return what ``activity`` earns by the campaign versions in force when it occurred; see ``engine.evaluate``.

    Rules that failed are counted.
    """
    book = _snapshot.get().at(activity["occurred_at"])
    evaluation = evaluate_book(book, activity, member, merchant, moment, names_untried=names_untried)
    for missed in evaluation.missed:
        if missed.code == "rule_error":
            rule_errors_total.labels(missed.rule.campaign_key, missed.rule.key).inc()
    return evaluation


def candidates(activity: Mapping[str, Any], merchant: Mapping[str, Any]) -> Sequence[Rule]:
    """Return the rules that ``evaluate`` would try on ``activity``: no other limit or budget can concern it."""
    return _snapshot.get().at(activity["occurred_at"]).candidates_of(activity, merchant)


# What keeps a rule from paying whatever is bought.
_BARRED = (
    "outside_schedule", "paused", "not_in_audience", "evidence_too_weak", "currency_differs", "limit_reached",
    "budget_exhausted",
)  # fmt: skip


def prospects_of(activity: Mapping[str, Any], merchant: Mapping[str, Any], settlement: Settlement) -> Prospects:
    """Return what changes could earn that do not go beyond ``activity``; ``settlement`` says which rules are barred."""
    barred = [missed.rule for missed in settlement.missed if missed.code.startswith(_BARRED)]
    return Prospects(candidates(activity, merchant), barred, activity)


def running(moment: datetime, until: datetime) -> Sequence[Running]:
    """Return the campaigns of which a version is in force at ``moment``, and those whose first is by ``until``.

    Neither their schedules nor their audiences are asked; those that are paused are left out.
    """
    return _snapshot.get().running(moment, until)


def languages() -> Sequence[str]:
    """Return the locales in which any campaign has a name."""
    return _snapshot.get().languages


def budgets_of(campaign_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the budgets, in points, of those of these campaigns that have one now, whatever version paid."""
    budgets = _snapshot.get().budgets
    return {campaign_id: budgets[campaign_id] for campaign_id in campaign_ids if campaign_id in budgets}


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
