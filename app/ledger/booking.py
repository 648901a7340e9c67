"""The book of one locked account: movements are entered in memory and written together.

Whoever opens a book holds the account's lock. The book keeps the account's buckets, the lots it has loaded, and the
rows of postings, entries, lots and allocations that come of it; ``write_books`` writes those of many members with one
statement a table. An unbalanced posting can't be entered: a row is a movement from one bucket to another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from app.core.guarded_write import RowShape, form_of, source_text, source_values
from app.core.outbox import partition_of
from app.core.strict_json import dumps
from app.ledger.awarding import ENTRY, LOT, OUTBOX, later
from app.ledger.lots import LotState, Movement, apply_to_lot, expiry_order, repayments, take

POSTING = RowShape("posting", (
    ("member_id", "uuid"), ("idempotency_key", "text"), ("kind", "text"), ("fingerprint", "bytea"),
    ("first_seq", "bigint"), ("entry_count", "integer"), ("recorded_at", "timestamptz"), ("activity_id", "uuid"),
    ("actor", "text"), ("reason", "text"), ("reverses", "text"),
))  # fmt: skip
ALLOCATION = RowShape("lot_allocation", (
    ("member_id", "uuid"), ("seq", "bigint"), ("lot_id", "bigint"), ("amount", "bigint"),
))  # fmt: skip
LOT_UPDATE = (
    ("member_id", "uuid"), ("lot_id", "bigint"), ("remaining", "bigint"), ("held", "bigint"), ("spent", "bigint"),
    ("expired", "bigint"), ("reversed", "bigint"), ("repaid", "bigint"), ("clawed_back", "bigint"),
    ("is_matured", "boolean"), ("available_at", "timestamptz"), ("expires_at", "timestamptz"),
)  # fmt: skip
BUCKETS = ("issued", "debt", "written_off", "pending", "available", "held", "spent", "expired", "reversed")
ACCOUNT_UPDATE = (
    ("member_id", "uuid"), *((bucket, "bigint") for bucket in BUCKETS), ("version", "bigint"), ("last_seq", "bigint"),
    ("next_due_at", "timestamptz"), ("extended_until", "timestamptz"), ("last_entry_at", "timestamptz"),
)  # fmt: skip


@dataclass(slots=True)
class AccountBook:
    """A locked account and what is entered into it at ``moment``."""

    member_id: UUID
    moment: datetime
    buckets: dict[str, int]
    version: int
    last_seq: int
    next_due_at: datetime | None
    extended_until: datetime | None
    last_entry_at: datetime | None = None
    lots: dict[int, LotState] = field(default_factory=dict)
    stored: dict[int, LotState] = field(default_factory=dict)
    postings: list[list[Any]] = field(default_factory=list)
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    new_lots: dict[int, tuple[UUID | None, UUID | None, str | None]] = field(default_factory=dict)
    allocations: list[tuple[Any, ...]] = field(default_factory=list)
    facts: list[tuple[Any, ...]] = field(default_factory=list)
    written: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        self.written = self.account_row()

    def account_row(self) -> tuple[Any, ...]:
        """Return the account as a row of ``ACCOUNT_UPDATE``."""
        return (
            self.member_id, *(self.buckets[bucket] for bucket in BUCKETS), self.version, self.last_seq,
            self.next_due_at, self.extended_until, self.last_entry_at,
        )  # fmt: skip

    def has_changes(self) -> bool:
        """Return whether there is anything to write."""
        return self.account_row() != self.written or bool(self.lot_changes())

    def add_lots(self, lots: Iterable[LotState]) -> None:
        """Take lots into the book as they are stored; those that are there already stay as they are."""
        for lot in lots:
            if lot.lot_id not in self.lots:
                self.lots[lot.lot_id] = lot
                self.stored[lot.lot_id] = replace(lot)

    def spendable(self) -> list[LotState]:
        """Return the loaded lots with available points, first expiring first, ties by age."""
        return sorted((lot for lot in self.lots.values() if lot.is_spendable), key=expiry_order)

    def open_posting(
        self,
        key: str,
        kind: str,
        *,
        fingerprint: bytes = b"",
        activity_id: UUID | None = None,
        actor: str | None = None,
        reason: str | None = None,
        reverses: str | None = None,
    ) -> None:
        """Begin a posting; the movements that follow belong to it."""
        self.postings.append([
            self.member_id, key, kind, fingerprint, self.last_seq + 1, 0, self.moment, activity_id, actor, reason,
            reverses,
        ])  # fmt: skip

    def move(
        self,
        source: str,
        target: str,
        parts: Sequence[tuple[int, int]],
        *,
        at: datetime | None = None,
        is_applied: bool = False,
    ) -> int:
        """Enter one movement of ``parts`` (lot, points) in the open posting and return its seq; 0 for no points.

        ``is_applied`` says that the lots have been moved on already.
        """
        points = sum(part for _, part in parts)
        if points == 0:
            return 0
        if not is_applied:
            for lot_id, part in parts:
                apply_to_lot(self.lots[lot_id], source, target, part)
        seq = self._enter(source, target, points, at)
        self.allocations += [(self.member_id, seq, lot_id, part) for lot_id, part in parts]
        return seq

    def move_debt(self, target: str, points: int) -> None:
        """Enter a movement from debt that belongs to no lot: to ``written_off``."""
        self._enter("debt", target, points, None)

    def make_good(self, points: int) -> None:
        """Let available points, which no lot holds any more, make good what was written off."""
        self._enter("available", "written_off", points, None)

    def note_due(self) -> None:
        """Bring ``next_due_at`` forward to what falls due of the lots that are to be written."""
        for lot_id, lot in self.lots.items():
            if lot.remaining > 0 and lot != self.stored.get(lot_id):
                for moment in (None if lot.is_matured else lot.available_at or lot.void_at, lot.expires_at):
                    if moment is not None and (self.next_due_at is None or moment < self.next_due_at):
                        self.next_due_at = moment

    def issue(
        self,
        points: int,
        *,
        available_at: datetime | None,
        expires_at: datetime | None,
        void_at: datetime | None = None,
        funder: UUID | None = None,
        campaign_version_id: UUID | None = None,
        rule: str | None = None,
    ) -> LotState:
        """Enter new points, available or pending as ``available_at`` says, as a lot of their own and return it."""
        is_matured = available_at is not None and available_at <= self.moment
        seq = self._enter("issued", "available" if is_matured else "pending", points, None)
        lot = LotState(seq, points, points, 0, 0, 0, 0, 0, 0, is_matured, available_at, expires_at, void_at)
        self.lots[seq] = lot
        self.new_lots[seq] = (funder, campaign_version_id, rule)
        return lot

    def repay(self, freed: Iterable[LotState]) -> int:
        """Let points that have just become available in ``freed`` repay what is owed; return how many did."""
        parts = repayments([lot for lot in freed if lot.is_spendable], self.buckets["debt"])
        self.move("available", "debt", parts)
        return sum(points for _, points in parts)

    def take_available(self, points: int) -> list[tuple[int, int]]:
        """Return the parts of the loaded lots that make up ``points``; the caller has made sure there are enough."""
        parts, missing = take(self.spendable(), points)
        assert missing == 0
        return parts

    def add_fact(self, kind: str, payload: dict[str, Any]) -> None:
        """Tell projections what happened."""
        self.version += 1
        row = (self.member_id, self.version, partition_of(self.member_id), kind, dumps(payload).decode(), self.moment)
        self.facts.append(row)

    def book(self, movements: Iterable[Movement]) -> None:
        """Enter what time has done, which ``due_movements`` has applied to the lots: a posting for each kind and time.

        The points of a hold that ended by itself go under the hold's own key.
        """
        told = []
        for movement in movements:
            if movement.hold_id is not None:
                kind, key = "release", f"hold:{movement.hold_id}:expired"
            else:
                kind = {"available": "mature", "expired": "expire", "debt": "repay"}[movement.target]
                key = f"{kind}:{self.last_seq + 1}"
            self.open_posting(key, kind, actor="clock")
            self.move(movement.source, movement.target, movement.parts, at=movement.at, is_applied=True)
            told.append({"kind": kind, "points": movement.amount, "at": movement.at})
        if told:
            self.add_fact("settled", {"movements": told})

    def _enter(self, source: str, target: str, points: int, at: datetime | None) -> int:
        buckets, pair = self.buckets, (source, target)
        # what is issued, owed and written off stands on the other side of the equation: points come from there
        buckets[source] += points if source == "issued" or pair == ("debt", "reversed") else -points
        buckets[target] += -points if target == "debt" or pair == ("available", "written_off") else points
        self.last_seq += 1
        # never before the entry before it: not for a lot that was expired when it came, nor for a slower clock
        effective_at = later(at or self.moment, self.last_entry_at)
        self.last_entry_at = effective_at
        self.entries.append((
            self.member_id, self.last_seq, points, buckets["pending"], buckets["available"], buckets["held"],
            buckets["debt"], effective_at, self.moment, source, target, self.postings[-1][1],
        ))  # fmt: skip
        self.postings[-1][5] += 1
        return self.last_seq

    def lot_rows(self) -> list[tuple[Any, ...]]:
        """Return the rows of new lots."""
        return [
            (self.member_id, lot.lot_id, lot.amount, lot.remaining, lot.available_at, lot.expires_at, lot.void_at,
             funder, version_id, lot.is_matured, lot.remaining + lot.held > 0, rule, lot.held, lot.spent, lot.expired,
             lot.reversed, lot.repaid, lot.clawed_back)
            for seq, (funder, version_id, rule) in self.new_lots.items()
            for lot in (self.lots[seq],)
        ]  # fmt: skip

    def lot_changes(self) -> list[tuple[Any, ...]]:
        """Return the stored lots that have changed, as rows of ``LOT_UPDATE``."""
        return [
            (self.member_id, lot.lot_id, lot.remaining, lot.held, lot.spent, lot.expired, lot.reversed, lot.repaid,
             lot.clawed_back, lot.is_matured, lot.available_at, lot.expires_at)
            for lot_id, before in self.stored.items()
            if (lot := self.lots[lot_id]) != before
        ]  # fmt: skip


NEW_LOT = RowShape("lot", (
    *LOT.columns, ("held", "bigint"), ("spent", "bigint"), ("expired", "bigint"), ("reversed", "bigint"),
    ("repaid", "bigint"), ("clawed_back", "bigint"),
))  # fmt: skip


def write_books(connection: psycopg.Connection[Any], books: Sequence[AccountBook]) -> None:
    """Write what is entered in ``books``, whose accounts the caller has locked: one statement a table."""
    inserts: list[tuple[RowShape, list[tuple[Any, ...]]]] = [
        (POSTING, [tuple(row) for book in books for row in book.postings if row[5]]),
        (ENTRY, [row for book in books for row in book.entries]),
        (NEW_LOT, [row for book in books for row in book.lot_rows()]),
        (ALLOCATION, [row for book in books for row in book.allocations]),
        (OUTBOX, [row for book in books for row in book.facts]),
    ]
    changes = [row for book in books for row in book.lot_changes()]
    accounts = [book.account_row() for book in books]
    with psycopg.RawCursor(connection) as cursor:
        for shape, rows in inserts:
            if rows:
                _insert(cursor, shape, rows)
        if changes:
            is_open = ", is_open = (given.remaining + given.held > 0)"
            _update(cursor, "lot", ("member_id", "lot_id"), LOT_UPDATE, changes, is_open)
        _update(cursor, "account", ("member_id",), ACCOUNT_UPDATE, accounts, "")


def _insert(cursor: psycopg.RawCursor[Any], shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(name for name, _ in shape.columns)
    values = ", ".join(f"given.{name}::jsonb" if kind == "jsonb" else f"given.{name}" for name, kind in shape.columns)
    given = source_text(shape.columns, form_of(len(rows)), 1)
    statement = f"INSERT INTO {shape.table} ({names}) SELECT {values} FROM ({given}) AS given"  # noqa: S608 - constants
    cursor.execute(statement.encode(), source_values(shape.columns, rows))


def _update(
    cursor: psycopg.RawCursor[Any],
    table: str,
    key: tuple[str, ...],
    columns: tuple[tuple[str, str], ...],
    rows: Sequence[tuple[Any, ...]],
    computed: str,
) -> None:
    assigned = ", ".join(f"{name} = given.{name}" for name, _ in columns if name not in key)
    matched = " AND ".join(f"{table}.{name} = given.{name}" for name in key)
    given = source_text(columns, form_of(len(rows)), 1)
    statement = f"UPDATE {table} SET {assigned}{computed} FROM ({given}) AS given WHERE {matched}"  # noqa: S608 - constants
    cursor.execute(statement.encode(), source_values(columns, rows))
