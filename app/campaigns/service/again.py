"""Evaluate again what was evaluated before: by the versions that did it then, whether or not they still run."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import current_app

from app.campaigns.engine import Rule, RuleBook
from app.campaigns.engine import evaluate as evaluate_by
from app.campaigns.service.books import compile_versions, in_force_at
from app.campaigns.service.bounds import Bounds
from app.campaigns.service.budgets import read_budgets
from app.campaigns.usage import Subjects, asks_of
from app.programme import service as programme

__all__ = ["book_at", "book_of_versions", "bounds_in", "evaluate_by", "rules_of_versions"]

VERSIONS_KEPT_MAX = 1024
BOOKS_KEPT_MAX = 64


def rules_of_versions(version_ids: Iterable[UUID]) -> dict[UUID, Sequence[Rule]]:
    """Return the rules of these versions: compiled once a process, kept while they are among the last thousand."""
    running: Mapping[UUID, Sequence[Rule]] = current_app.extensions.get("compiled_campaigns", {})
    kept: OrderedDict[UUID, Sequence[Rule]] = current_app.extensions.setdefault("compiled_before", OrderedDict())
    wanted = sorted(set(version_ids))
    found = {each: rules for each in wanted if (rules := running.get(each) or kept.get(each)) is not None}
    missing = [each for each in wanted if each not in found]
    if missing:
        compiled = compile_versions(missing)
        found |= compiled
        kept.update(compiled)
        while len(kept) > VERSIONS_KEPT_MAX:
            kept.popitem(last=False)
    return found


def book_of_versions(version_ids: Iterable[UUID], paused: Iterable[UUID]) -> RuleBook:
    """Return the book of these versions alone; ``paused`` are the campaigns that paid nothing then."""
    key = (frozenset(version_ids), frozenset(paused))
    books: OrderedDict[Any, RuleBook] = current_app.extensions.setdefault("books_before", OrderedDict())
    book = books.get(key)
    if book is None:
        rules = (rule for rules in rules_of_versions(key[0]).values() for rule in rules)
        book = books[key] = RuleBook(rules, key[1])
        while len(books) > BOOKS_KEPT_MAX:
            books.popitem(last=False)
    return book


def book_at(activity: Mapping[str, Any], version_ids: Iterable[UUID], paused: Iterable[UUID]) -> RuleBook:
    """Return the book for a new revision of an activity that ``version_ids`` evaluated when it came first.

    They are the versions in force when it occurs, as known now, and those of the first evaluation whose campaigns have
    ended meanwhile. What was ``paused`` then pays nothing; what was evaluated then and is paused now pays all the same.
    """
    versions, paused_now = in_force_at(activity["occurred_at"])
    before = {rules[0].campaign_id: rules for rules in rules_of_versions(version_ids).values() if rules}
    rules = [rule for rules in (before | versions).values() for rule in rules]
    return RuleBook(rules, frozenset(paused) | (paused_now - before.keys()))


def bounds_in(book: RuleBook, activity: Mapping[str, Any], merchant: Mapping[str, Any], subjects: Subjects) -> Bounds:
    """Return what binds ``activity`` when it is evaluated by ``book``, budgets of ended campaigns included."""
    rules = book.candidates_of(activity, merchant)
    found = read_budgets({rule.campaign_id for rule in rules}, subjects.live)
    budgets = {campaign_id: budget.points for campaign_id, budget in found.items()}
    return Bounds(asks_of(rules, subjects, activity["occurred_at"], programme.current().zone), budgets)
