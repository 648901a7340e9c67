"""Correct what an activity was paid, in an open book: take points back lot by lot, let what waited become available."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, scoped_session

from app.ledger import queries
from app.ledger.booking import AccountBook
from app.ledger.lots import LotState, reversal_of
from app.ledger.service.books import enter_due

_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class PaidLot:
    """A lot that an activity was paid, and the rule that paid it."""

    lot: LotState
    posting_key: str
    campaign_version_id: UUID | None
    rule: str | None

    @property
    def points(self) -> int:
        """What was paid and not taken back, expired points included."""
        return self.lot.reversible


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Where the points of a reversal came from; expired ones are in none of these: they are neither taken nor owed."""

    from_pending: int = 0
    from_available: int = 0
    to_debt: int = 0

    @property
    def points(self) -> int:
        """All that moved."""
        return self.from_pending + self.from_available + self.to_debt


def load_paid_lots(session: _Session, book: AccountBook, posting_keys: Iterable[str]) -> list[PaidLot]:
    """Take the lots that the postings of these keys issued into the book; return them, oldest first."""
    rows = queries.list_issued_lots(session, book.member_id, sorted(posting_keys))
    book.add_lots(queries.list_lots(session, book.member_id, {row.lot_id for row in rows}, book.extended_until))
    return [PaidLot(book.lots[row.lot_id], row.posting_key, row.campaign_version_id, row.rule) for row in rows]


def take_back(
    session: _Session,
    book: AccountBook,
    shares: Mapping[int, int],
    *,
    key: str,
    reverses: str | None,
    fingerprint: bytes = b"",
    activity_id: UUID | None = None,
    actor: str,
    reason: str | None = None,
) -> TakenBack:
    """Take ``shares`` (points by lot, which the book has loaded) back in a posting of their own.

    Of each lot, what remains is taken first; what has left it becomes debt, which the member's other available points
    repay at once; expired points are neither taken nor owed. Where nothing moves nothing is posted.
    """
    split = {lot_id: reversal_of(book.lots[lot_id], points) for lot_id, points in shares.items() if points}
    if not any(taken or owed for taken, owed in split.values()):
        return TakenBack()
    debt_before = book.buckets["debt"]
    book.open_posting(
        key, "reverse", fingerprint=fingerprint, activity_id=activity_id, actor=actor, reason=reason, reverses=reverses
    )
    pending = [(lot_id, taken) for lot_id, (taken, _) in split.items() if taken and not book.lots[lot_id].is_matured]
    available = [(lot_id, taken) for lot_id, (taken, _) in split.items() if taken and book.lots[lot_id].is_matured]
    book.move("pending", "reversed", pending)
    book.move("available", "reversed", available)
    book.move("debt", "reversed", [(lot_id, owed) for lot_id, (_, owed) in split.items() if owed])
    owed = book.buckets["debt"] - debt_before
    repaid = 0
    if owed:
        book.add_lots(queries.list_spendable_lots(session, book.member_id, owed, book.extended_until, book.lots))
        repaid = book.repay(book.spendable())
    left = max(0, owed - repaid)
    return TakenBack(sum(p for _, p in pending), sum(p for _, p in available) + owed - left, left)


def complete_lots(
    session: _Session, book: AccountBook, lots: Sequence[PaidLot], terms: Mapping[int, tuple[datetime, datetime | None]]
) -> int:
    """Let what waits for completion in ``lots`` become available; return how many points do, or will.

    ``terms`` are from when and until when, by lot. What is owed is repaid at once; what would have expired by now
    expires.
    """
    points = 0
    for paid in lots:
        lot = paid.lot
        if lot.remaining > 0 and not lot.is_matured and lot.available_at is None:
            lot.available_at, lot.expires_at = terms[lot.lot_id]
            points += lot.remaining
    if points:
        enter_due(session, book, [])
    return points
