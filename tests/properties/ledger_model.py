"""The ledger's rules once more, as plainly as they can be written: what the state machine compares the ledger with.

Written from the rules (the table of operations, the docstrings), not from the code: whole lists are gone through,
nothing is aggregated, stored or indexed, and balances are sums over the lots.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

GRACE = timedelta(days=7)
NEVER = datetime.max.replace(tzinfo=UTC)


class Refused(Exception):
    """The operation is refused; the text is the name of the error."""


@dataclass
class ModelLot:
    """The points of one award, by where they are."""

    number: int
    amount: int
    is_matured: bool
    available_at: datetime | None
    expires_at: datetime | None
    void_at: datetime | None
    remaining: int = 0
    held: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0
    repaid: int = 0
    clawed_back: int = 0

    def places(self) -> tuple[int, ...]:
        return self.remaining, self.held, self.spent, self.expired, self.reversed, self.repaid, self.clawed_back

    def gone(self) -> int:
        """What has left the lot for good or for now, and could be owed."""
        return self.held + self.spent + self.repaid


@dataclass
class ModelHold:
    number: int
    expires_at: datetime
    parts: dict[int, int]
    status: str = "open"
    captured: int = 0


@dataclass
class ModelSpend:
    parts: dict[int, int]  # what is left to give back, by lot


@dataclass
class Purse:
    """One member's points and history."""

    lots: list[ModelLot] = field(default_factory=list)
    holds: dict[int, ModelHold] = field(default_factory=dict)
    spends: dict[str, ModelSpend] = field(default_factory=dict)
    issues: dict[str, list[int]] = field(default_factory=dict)  # the lots of each posting that issued points
    history: list[tuple[Any, ...]] = field(default_factory=list)
    seq: int = 0
    settling: tuple[Any, ...] | None = None  # the movement that was told last while settling; () is none yet
    debt: int = 0
    written_off: int = 0
    extended_until: datetime | None = None
    running: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("pending", "available", "held", "debt"), 0))

    # what there is

    def lot(self, number: int) -> ModelLot:
        return next(lot for lot in self.lots if lot.number == number)

    def end(self, lot: ModelLot) -> datetime:
        """When the lot expires: not before the extension; ``NEVER`` where it does not."""
        if lot.expires_at is None:
            return NEVER
        return max(lot.expires_at, self.extended_until or lot.expires_at)

    def order(self, lot: ModelLot) -> tuple[datetime, int]:
        return self.end(lot), lot.number

    def balances(self) -> dict[str, int]:
        lots = self.lots
        return {
            "issued": sum(lot.amount for lot in lots),
            "pending": sum(lot.remaining for lot in lots if not lot.is_matured),
            "available": sum(lot.remaining for lot in lots if lot.is_matured),
            "held": sum(lot.held for lot in lots),
            "spent": sum(lot.spent for lot in lots),
            "expired": sum(lot.expired for lot in lots),
            "reversed": sum(lot.reversed + lot.clawed_back for lot in lots),
            "debt": self.debt,
            "written_off": self.written_off,
        }

    @property
    def available(self) -> int:
        return self.balances()["available"]

    def check(self) -> None:
        """The equations of the ledger, and that nothing is owed while there are points."""
        found = self.balances()
        assert found["issued"] + self.debt + self.written_off == sum(
            found[name] for name in ("pending", "available", "held", "spent", "expired", "reversed")
        )
        assert sum(lot.clawed_back for lot in self.lots) == (
            sum(lot.repaid for lot in self.lots) + self.debt + self.written_off
        )
        assert not (self.debt and found["available"])
        for lot in self.lots:
            assert min(lot.places()) >= 0
            assert lot.amount == sum(lot.places()) - lot.clawed_back
            assert lot.clawed_back <= lot.gone()

    # how points move

    def record(self, kind: str, source: str, target: str, points: int, at: datetime) -> None:
        if points == 0:
            return
        # what time does in one way at one moment is one entry; a hold's end is one of its own
        same = (kind, source, target, at)
        if self.settling is None or self.settling != same or kind == "release":
            self.seq += 1
        self.settling = None if self.settling is None else same
        # what happened before the last entry, because it came late, is told after it
        at = max(at, self.history[-1][4]) if self.history else at
        running = self.running
        for bucket, change in ((source, -points), (target, points)):
            if bucket in ("pending", "available", "held"):
                running[bucket] += change
        if "debt" in (source, target):
            running["debt"] += points if target == "reversed" else -points
        self.history.append((kind, source, target, points, at, *running.values()))

    def move(self, kind: str, parts: Mapping[int, int], places: tuple[str, str], at: datetime) -> None:
        """Move points of lots from one place to another, and tell it as one movement."""
        source, target = places
        for number, points in parts.items():
            lot = self.lot(number)
            for place, change in ((source, -points), (target, points)):
                name = {"available": "remaining", "pending": "remaining", "debt": "repaid"}.get(place, place)
                setattr(lot, name, getattr(lot, name) + change)
        self.record(kind, source, target, sum(parts.values()), at)

    def pick(self, points: int) -> dict[int, int]:
        """The available lots that make up ``points``, first expiring first."""
        parts: dict[int, int] = {}
        for lot in sorted(self.lots, key=self.order):
            if lot.is_matured and lot.remaining and points:
                parts[lot.number] = min(points, lot.remaining)
                points -= parts[lot.number]
        return parts

    def repay(self, kind: str, freed: Iterable[int], at: datetime) -> int:
        """Points that have become available repay what is owed, first expiring first; return how many."""
        parts = {}
        for lot in sorted((self.lot(number) for number in set(freed)), key=self.order):
            part = min(self.debt, lot.remaining) if lot.is_matured else 0
            if part:
                parts[lot.number] = part
                self.debt -= part
        self.move(kind, parts, ("available", "debt"), at)
        return sum(parts.values())

    def cancel(self, freed: Iterable[int]) -> int:
        """Reverse what came back to a lot though it had been taken back before; return how much that is."""
        cancelled = 0
        for lot in map(self.lot, freed):
            points = max(0, lot.clawed_back - lot.gone())
            lot.remaining -= points
            lot.clawed_back -= points
            lot.reversed += points
            cancelled += points
        return cancelled

    def give_back(self, kind: str, points: int, now: datetime) -> None:
        """Lots that repaid get their points back, last to expire first; the rest makes good what was written off."""
        for lot in sorted(self.lots, key=self.order, reverse=True):
            if lot.repaid > lot.clawed_back and points:
                part = min(points, lot.repaid, lot.gone() - lot.clawed_back)
                lot.repaid -= part
                lot.remaining += part
                points -= part
                if part and self.end(lot) <= now:
                    lot.expires_at = now + GRACE
        self.written_off -= points
        self.record(kind, "available", "written_off", points, now)

    def expire(self, numbers: Iterable[int], at: datetime) -> None:
        for number in numbers:
            lot = self.lot(number)
            place = "available" if lot.is_matured else "pending"
            self.move("expire", {number: lot.remaining}, (place, "expired"), at)

    # time

    def next_event(self, now: datetime) -> tuple[datetime, int, int] | None:
        """The first thing that has happened by ``now``: a lot matures (0), a hold ends (1), a lot expires (2)."""
        events = [(hold.expires_at, 1, number) for number, hold in self.holds.items() if hold.status == "open"]
        for lot in self.lots:
            if lot.remaining:
                end = self.end(lot)
                if not lot.is_matured and lot.available_at is None:
                    end = min(end, lot.void_at or NEVER)
                elif not lot.is_matured:
                    events.append((lot.available_at or NEVER, 0, lot.number))
                events.append((end, 2, lot.number))
        return min((event for event in events if event[0] <= now and event[0] < NEVER), default=None)

    def settle(self, now: datetime) -> None:
        returned, self.settling = 0, ()
        while event := self.next_event(now):
            at, kind, number = event
            if kind == 2:
                self.expire([number], at)
                continue
            if kind == 0:
                freed = [number]
                lot = self.lot(number)
                lot.is_matured = True
                self.record("mature", "pending", "available", lot.remaining, at)
            else:
                hold = self.holds[number]
                hold.status = "expired"
                freed = sorted(hold.parts)
                self.move("release", hold.parts, ("held", "available"), at)
            self.repay("repay", freed, at)
            returned += self.cancel(freed)
            self.expire([each for each in freed if self.end(self.lot(each)) <= at], at)
        self.give_back("repay", returned, now)
        self.settling = None

    def settled(self, now: datetime) -> "Purse":
        after = copy.deepcopy(self)
        after.settle(now)
        return after

    # the operations; ``key`` is the posting's

    def issue(self, kind: str, key: str, lots: Iterable[tuple[Any, ...]], now: datetime) -> int:
        """Issue lots (points, available_at, expires_at, void_at); return what repaid debt."""
        numbers = []
        for points, available_at, expires_at, void_at in lots:
            is_matured = available_at is not None and available_at <= now
            self.record(kind, "issued", "available" if is_matured else "pending", points, now)
            lot = ModelLot(self.seq, points, is_matured, available_at, expires_at, void_at, remaining=points)
            self.lots.append(lot)
            numbers.append(lot.number)
        self.issues[key] = numbers
        return self.repay(kind, numbers, now)

    def take(self, points: int) -> dict[int, int]:
        if self.debt:
            raise Refused("InDebt")
        if points > self.available:
            raise Refused("InsufficientPoints")
        return self.pick(points)

    def hold(self, number: int, points: int, expires_at: datetime, now: datetime) -> None:
        parts = self.take(points)
        self.move("hold", parts, ("available", "held"), now)
        self.holds[number] = ModelHold(number, expires_at, parts)

    def open_hold(self, number: int) -> ModelHold:
        if self.holds[number].status != "open":
            raise Refused(f"Hold{self.holds[number].status.capitalize()}")
        return self.holds[number]

    def capture(self, number: int, points: int, key: str, now: datetime) -> None:
        hold = self.open_hold(number)
        if points > sum(hold.parts.values()):
            raise Refused("CaptureExceedsHold")
        spent: dict[int, int] = {}
        for lot in sorted(map(self.lot, hold.parts), key=self.order):
            part = min(points - sum(spent.values()), hold.parts[lot.number])
            if part:
                spent[lot.number] = part
        rest = {lot: part - spent.get(lot, 0) for lot, part in hold.parts.items() if part > spent.get(lot, 0)}
        self.move("capture", spent, ("held", "spent"), now)
        self.put_back("capture", rest, now)
        hold.status, hold.captured = "captured", points
        self.spends[key] = ModelSpend(spent)

    def put_back(self, kind: str, parts: dict[int, int], now: datetime) -> None:
        """Release held points: they repay, and what is left in a lot that has expired meanwhile expires."""
        self.move(kind, parts, ("held", "available"), now)
        self.repay(kind, parts, now)
        self.give_back(kind, self.cancel(parts), now)
        late = {lot: self.lot(lot).remaining for lot in parts if self.end(self.lot(lot)) <= now}
        self.move(kind, late, ("available", "expired"), now)

    def release(self, number: int, now: datetime) -> None:
        hold = self.open_hold(number)
        self.put_back("release", hold.parts, now)
        hold.status = "released"

    def spend(self, points: int, key: str, now: datetime) -> None:
        parts = self.take(points)
        self.move("spend", parts, ("available", "held"), now)
        self.move("spend", parts, ("held", "spent"), now)
        self.spends[key] = ModelSpend(parts)

    def refund(self, key: str, points: int, now: datetime) -> None:
        left = self.spends[key].parts
        if points > sum(left.values()):
            raise Refused("RefundExceedsSpend")
        parts: dict[int, int] = {}
        for lot in sorted(map(self.lot, left), key=self.order, reverse=True):
            part = min(points - sum(parts.values()), left[lot.number])
            if part:
                parts[lot.number] = part
                left[lot.number] -= part
        self.move("refund", parts, ("spent", "available"), now)
        for lot in map(self.lot, parts):
            if self.end(lot) <= now:
                lot.expires_at = now + GRACE
        self.repay("refund", parts, now)
        self.give_back("refund", self.cancel(parts), now)

    def reverse(self, key: str, shares: Mapping[int, int] | None, is_written_off: bool, now: datetime) -> None:
        left = {number: self.lot(number) for number in self.issues[key]}
        rest = {number: lot.amount - lot.reversed - lot.clawed_back for number, lot in left.items()}
        wanted = rest if shares is None else dict(shares)
        if any(points > rest[number] for number, points in wanted.items()):
            raise Refused("ReversalExceedsAward")
        pending, available, owed = {}, {}, {}
        for number, points in wanted.items():
            lot = left[number]
            (available if lot.is_matured else pending)[number] = min(points, lot.remaining)
            owed[number] = min(points - min(points, lot.remaining), lot.gone() - lot.clawed_back)
        if not sum(pending.values()) + sum(available.values()) + sum(owed.values()):
            raise Refused("ReversalExceedsAward")
        self.move("reverse", pending, ("pending", "reversed"), now)
        self.move("reverse", available, ("available", "reversed"), now)
        before = self.debt
        for number, points in owed.items():
            left[number].clawed_back += points
            self.debt += points
        self.record("reverse", "debt", "reversed", self.debt - before, now)
        self.repay("reverse", [lot.number for lot in self.lots], now)
        if is_written_off and self.debt > before:
            self.write_off(self.debt - before, now, "reverse")

    def write_off(self, points: int, now: datetime, kind: str = "write_off") -> None:
        if points > self.debt:
            raise Refused("WriteOffExceedsDebt")
        self.debt -= points
        self.written_off += points
        self.record(kind, "debt", "written_off", points, now)

    def adjust_down(self, points: int, now: datetime) -> None:
        if points > self.available:
            raise Refused("InsufficientPoints")
        self.move("adjust", self.pick(points), ("available", "reversed"), now)

    def extend(self, until: datetime) -> None:
        self.extended_until = max(until, self.extended_until or until)

    def give(self, points: int, now: datetime) -> list[tuple[Any, ...]]:
        """Give points away; return the lots that the receiver gets."""
        parts = self.take(points)
        self.move("gift", parts, ("available", "spent"), now)
        given = []
        for number, part in parts.items():
            end = self.end(self.lot(number))
            given.append((part, now, None if end == NEVER else end, None))
        return given
