"""The arithmetic of lots: when points become available, when they expire. Pure; ``now`` is passed in."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class PendingTerms:
    """How long points stay pending: ``days`` from the activity, or, where None, until it is completed."""

    days: int | None


@dataclass(frozen=True, slots=True)
class ExpiryTerms:
    """Points live ``months`` months, then to the end of that ``month``, ``quarter`` or ``year``, or of that day."""

    months: int
    round_to: str | None


def available_time(terms: PendingTerms | None, occurred_at: datetime, is_completed: bool) -> datetime | None:
    """Return when points of an activity become available, or None while they wait for its completion."""
    if terms is None:
        return occurred_at
    if terms.days is None:
        return occurred_at if is_completed else None
    return occurred_at + timedelta(days=terms.days)


@functools.lru_cache(maxsize=4096)
def _expiry_of_day(terms: ExpiryTerms, day: date, zone: ZoneInfo) -> datetime:
    last = day + relativedelta(months=terms.months)
    if terms.round_to == "month":
        last += relativedelta(day=31)
    elif terms.round_to == "quarter":
        last += relativedelta(months=(3 - last.month) % 3) + relativedelta(day=31)
    elif terms.round_to == "year":
        last = date(last.year, 12, 31)
    return datetime.combine(last, END_OF_DAY, zone).astimezone(UTC)


def expiry_time(terms: ExpiryTerms | None, occurred_at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when points of an activity expire: the last second of a day in the programme's zone; None is never.

    A month has its own length: 31 January and one month is the last day of February.
    """
    if terms is None:
        return None
    return _expiry_of_day(terms, occurred_at.astimezone(zone).date(), zone)


@dataclass(frozen=True, slots=True)
class OpenLot:
    """What time can do to a lot: the part that is neither spent, held nor gone, and its moments."""

    lot_id: int
    remaining: int
    held: int
    is_matured: bool
    available_at: datetime | None
    expires_at: datetime | None
    void_at: datetime | None


@dataclass(frozen=True, slots=True)
class Movement:
    """Points of some lots that move from one bucket to another at one moment: (lot_id, points) pairs."""

    at: datetime
    source: str
    target: str
    parts: tuple[tuple[int, int], ...]

    @property
    def amount(self) -> int:
        """The points that move."""
        return sum(points for _, points in self.parts)


def due_movements(lots: Iterable[OpenLot], now: datetime) -> list[Movement]:
    """Return what time has done to ``lots`` up to ``now``, in the order in which it happened.

    1. A lot matures at ``available_at``: pending to available. 2. What remains of it at ``expires_at`` expires, from
    available, or from pending where it never matured; at one moment maturing comes first. 3. A lot that still waits
    for completion at ``void_at`` is voided: pending to expired. Held points are not touched.
    """
    found: dict[tuple[datetime, str, str], list[tuple[int, int]]] = {}
    for lot in lots:
        if lot.remaining == 0:
            continue
        matures_at = None if lot.is_matured else lot.available_at
        ends_at = lot.expires_at
        if not lot.is_matured and lot.available_at is None:
            ends_at = min((at for at in (lot.void_at, lot.expires_at) if at is not None), default=None)
        has_matured = matures_at is not None and matures_at <= now and (ends_at is None or matures_at <= ends_at)
        if has_matured and matures_at is not None:
            found.setdefault((matures_at, "pending", "available"), []).append((lot.lot_id, lot.remaining))
        if ends_at is not None and ends_at <= now:
            source = "available" if lot.is_matured or has_matured else "pending"
            found.setdefault((ends_at, source, "expired"), []).append((lot.lot_id, lot.remaining))
    ordered = sorted(found.items(), key=lambda item: (item[0][0], item[0][2] == "expired", item[0][1]))
    return [Movement(at, source, target, tuple(parts)) for (at, source, target), parts in ordered]
