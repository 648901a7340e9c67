"""Spend points: what a spend enters into a book, and the quick way, which writes an account as it was read.

The quick way is that of an award: the account and the lots that it takes are read together, and what comes of them is
written by one statement that is guarded by the account's version and its last entry. Every fact moves the one on and
every movement the other, so balances and lots, and what counts against the member's limits, that were right at the
read are right at the write; else nothing is written. It waits for no account: one that somebody else has locked is
about to change.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.guarded_write import GuardedWrite, RowShape, form_of, source_text, source_values
from app.ledger.awarding import ENTRY, OUTBOX
from app.ledger.booking import ALLOCATION, POSTING, AccountBook

_SEEN = (
    ("member_id", "uuid"), ("seen_version", "bigint"), ("seen_seq", "bigint"), ("available", "bigint"),
    ("spent", "bigint"), ("version", "bigint"), ("last_seq", "bigint"), ("last_entry_at", "timestamptz"),
)  # fmt: skip
_SET = (
    "UPDATE account AS a SET available = m.available, spent = m.spent, version = m.version, last_seq = m.last_seq,"
    " last_entry_at = m.last_entry_at FROM "
)
_UNCHANGED = "a.version = m.seen_version AND a.last_seq = m.seen_seq"
_SPENT_LOT = RowShape("lot", (
    ("member_id", "uuid"), ("lot_id", "bigint"), ("remaining", "bigint"), ("spent", "bigint"),
), text="""into_lot AS (
  UPDATE lot SET remaining = given.remaining, spent = given.spent, is_open = (given.remaining + lot.held > 0)
  FROM ({given}) AS given WHERE lot.member_id = given.member_id AND lot.lot_id = given.lot_id)""")  # fmt: skip


def enter_spend(
    book: AccountBook, parts: list[tuple[int, int]], *, key: str, actor: str, reason: str | None, fingerprint: bytes
) -> None:
    """Enter that ``parts`` (lot, points) of available points are spent, in a posting of ``key``."""
    book.open_posting(key, "spend", fingerprint=fingerprint, actor=actor, reason=reason)
    book.move("available", "held", parts)
    book.move("held", "spent", parts)
    book.add_fact("spent", {"points": sum(part for _, part in parts)})


def spend_as_read(book: AccountBook, points: int, *, key: str, actor: str, fingerprint: bytes) -> bool:
    """Enter a spend into the book of an account that was read and not locked; return whether that can be done so.

    It can't where points are owed, something is due, a faster clock has written, or the loaded lots are not enough.
    """
    is_settled = book.buckets["debt"] == 0 and (book.next_due_at is None or book.next_due_at > book.moment)
    is_ahead = book.last_entry_at is not None and book.last_entry_at > book.moment
    loaded = sum(lot.remaining for lot in book.lots.values())
    if not is_settled or is_ahead or min(book.buckets["available"], loaded) < points:
        return False
    enter_spend(book, book.take_available(points), key=key, actor=actor, reason=None, fingerprint=fingerprint)
    return True


@dataclass(frozen=True, slots=True)
class SpendAsRead:
    """What a spend has entered in the book of an account that was read with this version and last entry."""

    book: AccountBook
    seen_version: int
    seen_seq: int


def write_as_read(spends: Sequence[SpendAsRead]) -> GuardedWrite:
    """Return the statement that writes ``spends`` of different members, each if its account still is as it was read.

    Other rooms add their rows to it and execute it; it answers the members that were written.
    """
    is_many = len(spends) > 1
    ordered = sorted(spends, key=lambda spend: spend.book.member_id)
    given = [
        (spend.book.member_id, spend.seen_version, spend.seen_seq, spend.book.buckets["available"],
         spend.book.buckets["spent"], spend.book.version, spend.book.last_seq, spend.book.last_entry_at)
        for spend in ordered
    ]  # fmt: skip
    write = GuardedWrite(_guard(form_of(len(given), is_many)), source_values(_SEEN, given, is_many), is_many)
    for book in (spend.book for spend in ordered):
        write.add(POSTING, [tuple(row) for row in book.postings])
        write.add(ENTRY, book.entries)
        write.add(ALLOCATION, book.allocations)
        write.add(OUTBOX, book.facts)
        changed = [lot for lot_id, lot in book.lots.items() if lot != book.stored[lot_id]]
        write.add(_SPENT_LOT, [(book.member_id, lot.lot_id, lot.remaining, lot.spent) for lot in changed])
    return write


@functools.cache
def _guard(member_count: int) -> str:
    """Return the guard: one account is updated directly, several are locked first, in the order of their members."""
    given = source_text(_SEEN, member_count, 1)
    if member_count == 1:
        return (
            f"WITH granted AS ({_SET} ({given}) AS m WHERE a.member_id = m.member_id AND {_UNCHANGED}"
            " AND EXISTS (SELECT FROM account AS free WHERE free.member_id = m.member_id"
            " FOR NO KEY UPDATE SKIP LOCKED) RETURNING a.member_id)"
        )
    return (
        f"WITH m AS MATERIALIZED ({given}), locked AS MATERIALIZED (SELECT a.member_id FROM m"  # noqa: S608 - constants
        f" JOIN account AS a ON a.member_id = m.member_id WHERE {_UNCHANGED}"
        " ORDER BY a.member_id FOR NO KEY UPDATE OF a SKIP LOCKED),"
        f" granted AS ({_SET} m JOIN locked ON locked.member_id = m.member_id"
        " WHERE a.member_id = m.member_id RETURNING a.member_id)"
    )
