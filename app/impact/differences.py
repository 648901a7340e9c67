"""Bring what is booked of an activity's impact to what it is now: pure arithmetic, no database, no framework.

The rules, in order:

1. What is booked stands by its keys: metric, subject, factor, line, whether it was estimated, and when it occurred.
2. What stands and is claimed no more is taken back whole: the same entry with its sign turned, its band mirrored.
3. What is claimed and does not stand yet is booked whole.
4. Of what is claimed otherwise than it stands, the difference is booked where that is a band of its own, low to high
   or high to low. Where rounding or another band makes it none, what stands is taken back and what is claimed booked.

So the entries of an activity always sum up to its last impact: value, low, high and units, key by key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.impact.calculation import Factor, Impact, band_of

Key = tuple[str, str, UUID | None, str | None, bool, datetime]
Amounts = tuple[int, int, int, int]
_NOTHING: Amounts = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Booked:
    """What stands of an activity under one key: the sums of its entries; or one entry that is to be booked."""

    metric: str
    subject_code: str
    factor_id: UUID | None
    line: str | None
    is_estimated: bool
    occurred_at: datetime
    value: int
    low: int
    high: int
    units_micros: int

    @property
    def key(self) -> Key:
        """Return under what it stands."""
        return self.metric, self.subject_code, self.factor_id, self.line, self.is_estimated, self.occurred_at

    @property
    def amounts(self) -> Amounts:
        """Return value, low, high and units."""
        return self.value, self.low, self.high, self.units_micros


def booked_of(impact: Impact, occurred_at: datetime) -> list[Booked]:
    """Return ``impact`` as it stands once it is booked, of an activity that occurred then."""
    return [
        Booked(
            claim.metric, claim.subject_code, claim.factor_id, claim.line, claim.is_estimated, occurred_at,
            claim.value, claim.low, claim.high, claim.units_micros,
        )
        for claim in impact.entries
    ]  # fmt: skip


def differences(before: Iterable[Booked], after: Iterable[Booked]) -> list[Booked]:
    """Return the entries that bring what is booked from ``before`` to ``after``, by the rules above."""
    stands, claimed = _summed(before), _summed(after)
    return [
        Booked(*key, *amounts)
        for key in stands | claimed
        for amounts in _steps(stands.get(key, _NOTHING), claimed.get(key, _NOTHING))
    ]


def restated(standing: Booked, factor: Factor) -> Booked:
    """Return what would stand if it had been claimed by ``factor``, which is for the same unit."""
    band = band_of(factor, standing.units_micros)
    return Booked(
        standing.metric, standing.subject_code, factor.id, standing.line, standing.is_estimated,
        standing.occurred_at, *band, standing.units_micros,
    )  # fmt: skip


def changes_by_time(entries: Iterable[Booked]) -> dict[datetime, dict[str, int]]:
    """Return what ``entries`` change in all, by when it occurred and by metric; what they leave alone is left out."""
    sums: dict[datetime, dict[str, int]] = {}
    for entry in entries:
        metrics = sums.setdefault(entry.occurred_at, {})
        metrics[entry.metric] = metrics.get(entry.metric, 0) + entry.value
    changed = {moment: {name: value for name, value in metrics.items() if value} for moment, metrics in sums.items()}
    return {moment: metrics for moment, metrics in changed.items() if metrics}


def _summed(items: Iterable[Booked]) -> dict[Key, Amounts]:
    sums: dict[Key, Amounts] = {}
    for item in items:
        value, low, high, units = sums.get(item.key, _NOTHING)
        sums[item.key] = (value + item.value, low + item.low, high + item.high, units + item.units_micros)
    return sums


def _steps(stands: Amounts, claimed: Amounts) -> Iterator[Amounts]:
    """Yield the amounts, each with a band in order, that lead from the one to the other."""
    if stands == claimed:
        return
    value, low, high, units = (now - then for now, then in zip(claimed, stands, strict=True))
    if low <= value <= high or high <= value <= low:
        yield value, low, high, units
        return
    value, low, high, units = stands
    yield -value, -low, -high, -units
    yield claimed
