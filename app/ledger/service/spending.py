"""Spend points at once, and give back what was spent.

Each is idempotent by its key and fingerprint, joins the caller's unit of work and locks the account first.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.ledger import queries
from app.ledger.booking import AccountBook
from app.ledger.errors import InDebt, InsufficientPoints, PostingNotFound, RefundExceedsSpend
from app.ledger.lots import cancel_claw_back, expiry_order
from app.ledger.service.books import GRACE, Posted, check_points, find_replay, give_back, open_book, posted
from app.ledger.spending import enter_spend


def take_points(session: Any, book: AccountBook, points: int) -> list[tuple[int, int]]:
    """Return the parts that make up ``points``; raise InDebt or InsufficientPoints."""
    if book.buckets["debt"] > 0:
        raise InDebt
    missing = points - book.buckets["available"]
    if missing > 0:
        raise InsufficientPoints(missing)
    book.add_lots(queries.list_spendable_lots(session, book.member_id, points, book.extended_until, book.lots))
    return book.take_available(points)


def load_lots(session: Any, book: AccountBook, lot_ids: set[int]) -> None:
    """Take the lots of these ids into the book, those that it has not got yet."""
    book.add_lots(queries.list_lots(session, book.member_id, lot_ids - book.lots.keys(), book.extended_until))


def split_parts(parts: tuple[tuple[int, int], ...], points: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the first ``points`` of ``parts`` and what is left of them."""
    first: list[tuple[int, int]] = []
    rest: list[tuple[int, int]] = []
    for lot_id, part in parts:
        taken = min(part, points)
        points -= taken
        if taken:
            first.append((lot_id, taken))
        if part > taken:
            rest.append((lot_id, part - taken))
    return first, rest


def spend_points(
    member_id: UUID, points: int, *, key: str, actor: str, reason: str | None = None, fingerprint: bytes,
    moment: datetime,
) -> Posted:  # fmt: skip
    """Spend ``points`` at once: held and captured in one posting.

    Idempotent by ``key``. Raises InDebt, InsufficientPoints, InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        return spend_in_book(session, book, points, key=key, actor=actor, reason=reason, fingerprint=fingerprint)


def spend_in_book(
    session: Any, book: AccountBook, points: int, *, key: str, actor: str, reason: str | None = None,
    fingerprint: bytes,
) -> Posted:  # fmt: skip
    """Enter in an open book what ``spend_points`` does, by a ``key`` that nobody has used.

    Raises InDebt, InsufficientPoints.
    """
    parts = take_points(session, book, points)
    enter_spend(book, parts, key=key, actor=actor, reason=reason, fingerprint=fingerprint)
    return posted(book)


def refund_spend(
    member_id: UUID, spend_key: str, points: int, *, key: str, actor: str, reason: str | None = None,
    fingerprint: bytes, moment: datetime,
) -> Posted:  # fmt: skip
    """Give back ``points`` of what the posting ``spend_key`` (a spend or a capture) spent, to the lots they came from.

    Lots that have expired meanwhile get 7 days of grace. Debt is repaid at once. Raises PostingNotFound,
    RefundExceedsSpend, InvalidPoints, PostingKeyReused.
    """
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        refund_in_book(session, book, spend_key, points, key=key, actor=actor, reason=reason, fingerprint=fingerprint)
        return posted(book)


def refund_in_book(
    session: Any,
    book: AccountBook,
    spend_key: str,
    points: int,
    *,
    key: str,
    actor: str,
    reason: str | None = None,
    activity_id: UUID | None = None,
    fingerprint: bytes,
) -> None:
    """Enter in an open book what ``refund_spend`` does; the caller makes sure that ``key`` is new.

    Of one spend, the refunds before must be written. Raises PostingNotFound, RefundExceedsSpend, InvalidPoints.
    """
    check_points(points)
    member_id, moment = book.member_id, book.moment
    posting = queries.find_posting(session, member_id, spend_key)
    if posting is None or posting.kind not in ("spend", "capture"):
        raise PostingNotFound
    seqs = [entry.seq for entry in queries.list_posting_entries(session, posting) if entry.target == "spent"]
    left = queries.sum_allocations(session, member_id, seqs)
    refunded = queries.sum_allocations(session, member_id, queries.list_refund_seqs(session, member_id, spend_key))
    for lot_id, back in refunded.items():
        left[lot_id] -= back
    if points > sum(left.values()):
        raise RefundExceedsSpend(f"{sum(left.values())} points are left of it.")
    load_lots(session, book, set(left))
    # last to expire comes back first, so that what is given back lives longest
    order = sorted((book.lots[lot_id] for lot_id in left if left[lot_id]), key=expiry_order, reverse=True)
    parts, _ = split_parts(tuple((lot.lot_id, left[lot.lot_id]) for lot in order), points)
    book.open_posting(
        key, "refund", fingerprint=fingerprint, activity_id=activity_id, actor=actor, reason=reason, reverses=spend_key
    )
    book.move("spent", "available", parts)
    freed = [book.lots[lot_id] for lot_id, _ in parts]
    for lot in freed:
        if lot.expires_at is not None and lot.expires_at <= moment:
            lot.expires_at = moment + GRACE
    book.repay(freed)
    give_back(session, book, sum(cancel_claw_back(lot) for lot in freed))
    book.add_fact("refunded", {"points": points, "spend": spend_key})
