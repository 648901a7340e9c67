"""The arithmetic of lots: when points become available, when they expire. Pure; ``now`` is passed in."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
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


@dataclass(slots=True)
class LotState:
    """A lot's points by where they are, and its moments; ``expires_at`` is the one in force, extensions included."""

    lot_id: int
    amount: int
    remaining: int
    held: int
    spent: int
    expired: int
    reversed: int
    repaid: int
    clawed_back: int
    is_matured: bool
    available_at: datetime | None
    expires_at: datetime | None
    void_at: datetime | None

    @property
    def is_spendable(self) -> bool:
        """Whether points of the lot are available."""
        return self.is_matured and self.remaining > 0

    @property
    def owable(self) -> int:
        """The points that have left the lot and were not taken back: a reversal of them becomes debt."""
        return self.held + self.spent + self.repaid - self.clawed_back

    @property
    def returnable(self) -> int:
        """The points by which the lot has repaid for others, as far as they can come back to it."""
        if self.repaid <= self.clawed_back:
            return 0
        return self.repaid - max(0, self.clawed_back - self.held - self.spent)

    @property
    def reversible(self) -> int:
        """The points of the award that no reversal has named yet, expired ones included."""
        return self.amount - self.reversed - self.clawed_back


@dataclass(frozen=True, slots=True)
class HoldState:
    """An open hold: what it took of which lots, and when it ends by itself."""

    hold_id: UUID
    expires_at: datetime
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """Points of some lots that move from one bucket to another at one moment: (lot_id, points) pairs."""

    at: datetime
    source: str
    target: str
    parts: tuple[tuple[int, int], ...]
    hold_id: UUID | None = None

    @property
    def amount(self) -> int:
        """The points that move."""
        return sum(points for _, points in self.parts)


# what a movement between two buckets does inside a lot: the part it takes from and the part it adds to
LOT_EFFECTS: dict[tuple[str, str], tuple[str | None, str | None]] = {
    ("pending", "available"): (None, None),
    ("available", "held"): ("remaining", "held"),
    ("held", "available"): ("held", "remaining"),
    ("held", "spent"): ("held", "spent"),
    ("spent", "available"): ("spent", "remaining"),
    ("available", "spent"): ("remaining", "spent"),
    ("available", "expired"): ("remaining", "expired"),
    ("pending", "expired"): ("remaining", "expired"),
    ("available", "reversed"): ("remaining", "reversed"),
    ("pending", "reversed"): ("remaining", "reversed"),
    ("available", "debt"): ("remaining", "repaid"),
    ("debt", "reversed"): (None, "clawed_back"),
}


def apply_to_lot(lot: LotState, source: str, target: str, points: int) -> None:
    """Move ``points`` inside ``lot`` as the movement from ``source`` to ``target`` does."""
    if (source, target) == ("pending", "available"):
        lot.is_matured = True
        return
    taken, added = LOT_EFFECTS[source, target]
    if taken is not None:
        setattr(lot, taken, getattr(lot, taken) - points)
    if added is not None:
        setattr(lot, added, getattr(lot, added) + points)


def take(lots: Iterable[LotState], points: int) -> tuple[list[tuple[int, int]], int]:
    """Return what to take of ``lots``, which come first expiring first, to have ``points``; and what is missing."""
    parts: list[tuple[int, int]] = []
    for lot in lots:
        if points == 0:
            break
        if lot.is_spendable:
            taken = min(lot.remaining, points)
            parts.append((lot.lot_id, taken))
            points -= taken
    return parts, points


def expiry_order(lot: LotState) -> tuple[bool, datetime, int]:
    """Return the key by which lots are spent: first expiring first, never expiring last, ties by age."""
    never = lot.expires_at is None
    return never, lot.expires_at or datetime.max.replace(tzinfo=UTC), lot.lot_id


_MATURES, _RELEASES, _EXPIRES = range(3)


def _events(
    lots: Iterable[LotState], holds: Iterable[HoldState], now: datetime
) -> list[tuple[datetime, int, int, LotState | HoldState]]:
    events: list[tuple[datetime, int, int, LotState | HoldState]] = []
    for lot in lots:
        ends_at = lot.expires_at
        if not lot.is_matured:
            if lot.available_at is not None and lot.available_at <= now:
                events.append((lot.available_at, _MATURES, lot.lot_id, lot))
            elif lot.available_at is None and lot.void_at is not None:
                ends_at = lot.void_at if ends_at is None else min(ends_at, lot.void_at)
        if ends_at is not None and ends_at <= now:
            events.append((ends_at, _EXPIRES, lot.lot_id, lot))
    events += [(hold.expires_at, _RELEASES, 0, hold) for hold in holds if hold.expires_at <= now]
    return sorted(events, key=lambda event: event[:3])


def due_movements(
    lots: Iterable[LotState], holds: Iterable[HoldState], debt: int, now: datetime
) -> tuple[list[Movement], int]:
    """Return what time has done up to ``now``, in the order in which it happened, and move ``lots`` on.

    1. A lot matures at ``available_at``: pending to available. 2. A hold ends at its time: held to available, back to
    its lots; what belongs to a lot that has expired meanwhile expires then. 3. What remains of a lot at ``expires_at``
    expires; a lot that still waits for completion at ``void_at`` is voided. At one moment they happen in this order.
    Points that become available repay ``debt`` at once. Held points are not touched by expiry. The second value are
    points to give back to lots that have repaid for a lot whose own points came back: see ``cancel_claw_back``.
    """
    by_id = {lot.lot_id: lot for lot in lots}
    found: list[Movement] = []
    given_back = 0

    def move(at: datetime, source: str, target: str, parts: list[tuple[int, int]], hold: UUID | None = None) -> None:
        parts = [(lot_id, points) for lot_id, points in parts if points > 0]
        if not parts:
            return
        for lot_id, points in parts:
            apply_to_lot(by_id[lot_id], source, target, points)
        last = found[-1] if found else None
        if last is not None and hold is None and last.hold_id is None and (last.at, last.source, last.target) == (
            at, source, target,
        ):  # fmt: skip
            found[-1] = Movement(at, source, target, (*last.parts, *parts))
        else:
            found.append(Movement(at, source, target, tuple(parts), hold))

    for at, kind, _, subject in _events(by_id.values(), holds, now):
        if isinstance(subject, HoldState):
            move(at, "held", "available", list(subject.parts), subject.hold_id)
            freed = [by_id[lot_id] for lot_id, _ in subject.parts]
        elif kind == _MATURES:
            move(at, "pending", "available", [(subject.lot_id, subject.remaining)])
            freed = [subject]
        else:
            source = "available" if subject.is_matured else "pending"
            move(at, source, "expired", [(subject.lot_id, subject.remaining)])
            continue
        for parts in repayments(freed, debt):
            move(at, "available", "debt", [parts])
            debt -= parts[1]
        given_back += sum(cancel_claw_back(lot) for lot in freed)
        late = [lot for lot in freed if lot.expires_at is not None and lot.expires_at <= at and lot.is_matured]
        move(at, "available", "expired", [(lot.lot_id, lot.remaining) for lot in late])
    return found, given_back


def repayments(lots: Iterable[LotState], debt: int) -> list[tuple[int, int]]:
    """Return what each of ``lots`` repays of ``debt``, first expiring first."""
    parts, _ = take(sorted(lots, key=expiry_order), debt)
    return parts


def reversal_of(lot: LotState, points: int) -> tuple[int, int]:
    """Return what a reversal of ``points`` takes of what remains in ``lot``, and what of it becomes debt.

    What remains is taken first; then what has left the lot (held, spent, repaid) is owed. What has expired is neither
    taken nor owed. ``points`` is at most ``lot.reversible``.
    """
    taken = min(points, lot.remaining)
    return taken, min(points - taken, lot.owable)


def cancel_claw_back(lot: LotState) -> int:
    """Reverse directly what came back into ``lot`` although it had been taken back before; return how much.

    Another lot repaid that debt meanwhile: the caller gives it as many points back, and the balances stay. What was
    written off of it instead, the points make good.
    """
    points = max(0, -lot.owable)
    lot.remaining -= points
    lot.clawed_back -= points
    lot.reversed += points
    return points
