"""Add up what is booked, never across methods, and liken it to something known: pure, no database, no framework.

The rules, in order:

1. Figures are added up where metric and method are the same; what was counted or weighed is a method of its own.
2. What comes to nothing, because all of it was taken back, is left out.
3. A total names the factors it rests on and whatever their sources warn of, once each.
4. One equivalent at most, of the largest total that has one, in whole units, rounded down.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

MEASURED = "measured"
ESTIMATED = "estimated from pieces of typical weight (weak)"


@dataclass(frozen=True, slots=True)
class BookedSum:
    """What is booked of a member in one month by one metric and factor; None is what was counted or weighed."""

    month: date
    metric: str
    factor_id: UUID | None
    is_estimated: bool
    value: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Basis:
    """By which method a factor was made, and what its source warns of."""

    method: str
    note: str


@dataclass(frozen=True, slots=True)
class Total:
    """Grams or items by one metric and one method, with the band, what it rests on and what is to be known of that."""

    metric: str
    method: str
    value: int
    low: int
    high: int
    factors: tuple[UUID, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Equivalent:
    """What so many of a metric are as much as; ``value`` is how many of the metric make one ``unit``."""

    metric: str
    unit: str
    value: int
    source: str
    year: int
    region: str
    baseline: str
    note: str
    texts: Mapping[str, str]


def totals_of(sums: Iterable[BookedSum], bases: Mapping[UUID, Basis]) -> list[Total]:
    """Return the totals by metric and method, in their order."""
    groups: dict[tuple[str, str], list[BookedSum]] = {}
    for item in sums:
        method = MEASURED if item.factor_id is None else bases[item.factor_id].method
        groups.setdefault((item.metric, method), []).append(item)
    totals = (_total(*key, items, bases) for key, items in sorted(groups.items()))
    return [total for total in totals if (total.value, total.low, total.high) != (0, 0, 0)]


def _total(metric: str, method: str, items: Sequence[BookedSum], bases: Mapping[UUID, Basis]) -> Total:
    value, low, high = (sum(getattr(item, name) for item in items) for name in ("value", "low", "high"))
    by_basis: dict[tuple[UUID | None, bool], tuple[int, int, int]] = {}
    for item in items:
        key = (item.factor_id, item.is_estimated)
        before = by_basis.get(key, (0, 0, 0))
        by_basis[key] = (before[0] + item.value, before[1] + item.low, before[2] + item.high)
    standing = [key for key, band in by_basis.items() if band != (0, 0, 0)]
    factors = {factor_id for factor_id, _ in standing if factor_id is not None}
    notes = {bases[factor_id].note for factor_id in factors} - {""}
    if any(is_estimated for _, is_estimated in standing):
        notes.add(ESTIMATED)
    return Total(metric, method, value, low, high, tuple(sorted(factors)), tuple(sorted(notes)))


def liken(totals: Iterable[Total], equivalents: Iterable[Equivalent]) -> tuple[Total, Equivalent, int] | None:
    """Return a total, what it is likened to and how many units of that it is as much as, at least one; or None."""
    known = {equivalent.metric: equivalent for equivalent in equivalents}
    likened = [total for total in totals if total.metric in known]
    if not likened:
        return None
    largest = max(likened, key=lambda total: total.value)
    equivalent = known[largest.metric]
    amount = largest.value // equivalent.value
    return (largest, equivalent, amount) if amount >= 1 else None
