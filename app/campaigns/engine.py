"""The pure evaluation: an activity, a member's facts and rules in, desired awards with reasons out.

No database, no Flask; ``now`` is passed in. The same function serves the award and the preview. The rules, in order:

1. A rule is tried if it is for the activity's kind and its campaign runs when the activity occurred. Of these, the
   prefilter picks those whose match lists meet what the activity holds; the others miss without being tried, and
   the first 20 of them are named, so that an answer does not grow with the number of campaigns.
2. A paused campaign pays nothing; nor does evidence below the rule's grade.
3. Base rules first. A line rule looks at each line alone, an activity rule at the whole. The points of a rule are an
   exact fraction until all its lines are summed.
4. Multipliers then add (factor - 1) times the exact base points of the lines, or of the activity, they match.
5. Rounding once a rule, last. Then ``minimum`` (less pays nothing) and ``maximum`` (the rest is cut). The points of
   a line rule are shared among its lines by largest remainder, earlier lines first where remainders are equal.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Any
from uuid import UUID

import cel
from prometheus_client import Counter

from app.campaigns.expressions import Condition, ExpressionError, make_context, set_line
from app.core.evidence import RANK
from app.ledger.service import ExpiryTerms, PendingTerms

UNTRIED_MAX = 20
rule_errors_total = Counter("greenpoints_rule_errors_total", "Rules that failed on an activity", ["campaign", "rule"])
_DIMENSIONS = ("certifications", "packaging", "materials", "categories", "merchants")


@dataclass(frozen=True)
class Rule:
    """A rule of one campaign version, compiled."""

    campaign_id: UUID
    campaign_key: str
    version_id: UUID
    version: int
    key: str
    kind: str
    scope: str
    match: Mapping[str, frozenset[str]]
    condition: Condition | None
    award: Mapping[str, Any]
    minimum: int | None
    maximum: int | None
    rounding: str
    pending: PendingTerms | None
    expiry: ExpiryTerms | None
    minimum_rank: int
    priority: int
    starts_at: datetime
    ends_at: datetime | None
    is_paused: bool
    labels: Mapping[str, str]

    @cached_property
    def factor(self) -> Fraction | None:
        """A multiplier's factor, None for a base rule."""
        return Fraction(self.award["factor"]) if self.award["type"] == "multiplier" else None

    @cached_property
    def anchors(self) -> tuple[tuple[str, str], ...]:
        """What the prefilter indexes: the values of the rule's most selective list."""
        for dimension in _DIMENSIONS:
            if dimension in self.match:
                return tuple((dimension, value) for value in sorted(self.match[dimension]))
        return ()


@dataclass(frozen=True, slots=True)
class Desired:
    """What a rule wants to pay: whole points, by line where it is a line rule (None is the activity)."""

    rule: Rule
    points: int
    lines: tuple[tuple[str | None, int], ...]
    certificates: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Missed:
    """A rule that did not pay, and the stable code that says why."""

    rule: Rule
    code: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The desired awards and the rules that missed, in the order of priority, campaign and rule."""

    desired: tuple[Desired, ...]
    missed: tuple[Missed, ...]


class RuleBook:
    """The rules of a stretch of time, by kind, with their prefilter index."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_kind: dict[str, list[Rule]] = {}
        self._anchored: dict[tuple[str, str, str], list[int]] = {}
        self._always: dict[str, list[int]] = {}
        for rule in sorted(rules, key=lambda rule: (rule.priority, rule.campaign_key, rule.key)):
            siblings = self._by_kind.setdefault(rule.kind, [])
            position = len(siblings)
            siblings.append(rule)
            for dimension, value in rule.anchors:
                self._anchored.setdefault((rule.kind, dimension, value), []).append(position)
            if not rule.anchors:
                self._always.setdefault(rule.kind, []).append(position)

    def rules(self, kind: str) -> Sequence[Rule]:
        """Return the rules for activities of ``kind``, in order."""
        return self._by_kind.get(kind, ())

    def candidates(self, kind: str, held: Iterable[tuple[str, str]]) -> set[int]:
        """Return the positions of the rules that something in ``held`` anchors."""
        found = set(self._always.get(kind, ()))
        for dimension, value in held:
            found.update(self._anchored.get((kind, dimension, value), ()))
        return found


@dataclass(slots=True)
class _Subject:
    """An activity made ready for rules: what each line, and the whole, holds by dimension."""

    activity: Mapping[str, Any]
    member: Mapping[str, Any]
    merchant: Mapping[str, Any]
    now: datetime
    lines: Sequence[Mapping[str, Any]]
    held_by_line: list[dict[str, frozenset[str]]]
    held: dict[str, frozenset[str]]
    _context: cel.Context | None = None
    base: list[tuple[int | None, Fraction]] = field(default_factory=list)

    def context(self, position: int | None) -> cel.Context:
        if self._context is None:
            whole = {key: value for key, value in self.activity.items() if key != "lines"}
            self._context = make_context(
                {"activity": whole, "member": self.member, "merchant": self.merchant, "now": self.now}
            )
        if position is not None:
            set_line(self._context, self.lines[position])
        return self._context


def _subject(
    activity: Mapping[str, Any], member: Mapping[str, Any], merchant: Mapping[str, Any], now: datetime
) -> _Subject:
    lines: Sequence[Mapping[str, Any]] = activity["lines"]
    merchants = frozenset((merchant["key"],))
    of_activity = frozenset(activity["packaging"])
    held_by_line = [
        {
            "certifications": frozenset(line["certifications"]),
            "packaging": frozenset(line["packaging"]) | of_activity if of_activity else frozenset(line["packaging"]),
            "materials": frozenset((line["material"],)) if line["material"] else frozenset(),
            "categories": frozenset((line["category"],)) if line["category"] else frozenset(),
            "merchants": merchants,
        }
        for line in lines
    ]
    held = {dimension: frozenset().union(*(line[dimension] for line in held_by_line)) for dimension in _DIMENSIONS}
    held["packaging"] |= of_activity
    held["merchants"] = merchants
    return _Subject(activity, member, merchant, now, lines, held_by_line, held)


def _matches(rule: Rule, held: Mapping[str, frozenset[str]]) -> bool:
    return all(not values.isdisjoint(held[dimension]) for dimension, values in rule.match.items())


def _why_no_match(rule: Rule, held: Mapping[str, frozenset[str]]) -> str:
    wanted = rule.match.get("certifications")
    if wanted is not None and wanted.isdisjoint(held["certifications"]):
        return "certificate_missing"
    return "condition_not_met"


def _places(rule: Rule, subject: _Subject) -> list[int | None]:
    """Return where the rule holds: positions of lines, or [None] for the activity; [] where nowhere."""
    if rule.scope == "activity":
        if not _matches(rule, subject.held):
            return []
        return [None] if rule.condition is None or rule.condition.holds(subject.context(None)) else []
    return [
        position
        for position, held in enumerate(subject.held_by_line)
        if _matches(rule, held) and (rule.condition is None or rule.condition.holds(subject.context(position)))
    ]


def _raw_points(rule: Rule, subject: _Subject, position: int | None) -> Fraction | int:
    """Return the exact points of a base rule at one place."""
    award = rule.award
    kind = award["type"]
    if kind == "fixed":
        return int(award["points"])
    lines = subject.lines if position is None else (subject.lines[position],)
    if kind == "per_unit":
        quantity: int = sum(line["quantity"] for line in lines)
        return int(award["points"]) * quantity
    if kind == "per_amount":
        total = subject.activity["total"] if position is None else lines[0]["total"]
        return Fraction(award["points"] * total, award["per"])
    return Fraction(award["points"] * sum(line["weight_g"] or 0 for line in lines), award["per_g"])


def _round(rounding: str, exact: Fraction | int) -> int:
    if rounding == "floor":
        return math.floor(exact)
    if rounding == "ceil":
        return math.ceil(exact)
    return math.floor(exact + Fraction(1, 2))


def share_by_largest_remainder(points: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Return ``points`` shared in proportion to ``weights`` (>= 0, not all 0); the sum is exactly ``points``."""
    total = sum(weights)
    exact = [Fraction(points) * weight / total for weight in weights]
    shares = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[: points - sum(shares)]:
        shares[place] += 1
    return shares


def _desire(rule: Rule, subject: _Subject, exact: Sequence[tuple[int | None, Fraction | int]]) -> Desired | Missed:
    """Round what ``rule`` earns at its places and bound it."""
    points = _round(rule.rounding, sum(value for _, value in exact))
    if points <= 0 or (rule.minimum is not None and points < rule.minimum):
        return Missed(rule, "below_minimum")
    if rule.maximum is not None:
        points = min(points, rule.maximum)
    shares = [points] if len(exact) == 1 else share_by_largest_remainder(points, [value for _, value in exact])
    lines: list[tuple[str | None, int]] = []
    certificates: dict[str, Mapping[str, Any]] = {}
    wanted = rule.match.get("certifications", frozenset())
    for (position, _), share in zip(exact, shares, strict=True):
        line = None if position is None else subject.lines[position]
        lines.append((line["id"] if line is not None else None, share))
        if line is not None and wanted:
            code = next(code for code in line["certifications"] if code in wanted)
            certificates[line["id"]] = line["certificates"][code]
    return Desired(rule, points, tuple(lines), certificates)


def _try_base(rule: Rule, subject: _Subject) -> Desired | Missed:
    award = rule.award
    if award["type"] == "per_amount" and award["currency"] != subject.activity["currency"]:
        return Missed(rule, "currency_differs")
    places = _places(rule, subject)
    if not places:
        return Missed(rule, _why_no_match(rule, subject.held))
    exact = [(place, _raw_points(rule, subject, place)) for place in places]
    outcome = _desire(rule, subject, exact)
    if isinstance(outcome, Desired):
        subject.base.extend((place, Fraction(value)) for place, value in exact)
    return outcome


def _try_multiplier(rule: Rule, subject: _Subject) -> Desired | Missed:
    assert rule.factor is not None
    places = _places(rule, subject)
    if not places:
        return Missed(rule, _why_no_match(rule, subject.held))
    extra = rule.factor - 1
    if rule.scope == "activity":
        total = sum((value for _, value in subject.base), Fraction(0))
        exact: list[tuple[int | None, Fraction | int]] = [(None, total * extra)]
    else:
        exact = [
            (place, sum((value for at, value in subject.base if at == place), Fraction(0)) * extra) for place in places
        ]
        exact = [(place, value) for place, value in exact if value]
    if not exact or not exact[0][1]:
        return Missed(rule, "below_minimum")
    return _desire(rule, subject, exact)


def _barred(rule: Rule, activity: Mapping[str, Any]) -> str | None:
    """Return the code that keeps the rule from being tried at all, or None."""
    occurred_at = activity["occurred_at"]
    if occurred_at < rule.starts_at or (rule.ends_at is not None and occurred_at >= rule.ends_at):
        return "outside_schedule"
    if rule.is_paused:
        return "paused"
    if RANK[activity["evidence"]] < rule.minimum_rank:
        return "evidence_too_weak"
    return None


def _try(rule: Rule, subject: _Subject) -> Desired | Missed:
    code = _barred(rule, subject.activity)
    if code is not None:
        return Missed(rule, code)
    try:
        return _try_base(rule, subject) if rule.factor is None else _try_multiplier(rule, subject)
    except ExpressionError:
        rule_errors_total.labels(rule.campaign_key, rule.key).inc()
        return Missed(rule, "rule_error")


def evaluate(
    book: RuleBook,
    activity: Mapping[str, Any],
    member: Mapping[str, Any],
    merchant: Mapping[str, Any],
    now: datetime,
) -> Evaluation:
    """Return what ``activity`` earns by ``book``, and why the other rules do not pay; see the module for the rules.

    ``activity`` is the read contract body with ``total`` (minor units), each line with ``total``, ``certifications``
    (valid codes) and ``certificates`` by code. A rule whose condition fails is ``rule_error`` and pays nothing.
    """
    rules = book.rules(activity["kind"])
    subject = _subject(activity, member, merchant, now)
    held = [(dimension, value) for dimension, values in subject.held.items() for value in values]
    candidates = book.candidates(activity["kind"], held)
    outcomes: dict[int, Desired | Missed] = {}
    for position in sorted(candidates, key=lambda place: (rules[place].factor is not None, place)):
        outcomes[position] = _try(rules[position], subject)
    untried = (position for position in range(len(rules)) if position not in candidates)
    for position in itertools.islice(untried, UNTRIED_MAX):
        rule = rules[position]
        outcomes[position] = Missed(rule, _barred(rule, activity) or _why_no_match(rule, subject.held))
    ordered = [outcomes[position] for position in sorted(outcomes)]
    return Evaluation(
        tuple(outcome for outcome in ordered if isinstance(outcome, Desired)),
        tuple(outcome for outcome in ordered if isinstance(outcome, Missed)),
    )
