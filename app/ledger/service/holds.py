"""Holds and spending: points set aside, captured, released, spent and refunded.

Each is idempotent by its key and fingerprint, joins the caller's unit of work and locks the account first, in a
statement of its own: a statement that locked and read lots at once would read lots as they were before it waited.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.core.database import db
from app.ledger import queries
from app.ledger.booking import AccountBook
from app.ledger.errors import (
    CLOSED,
    CaptureExceedsHold,
    HoldNotFound,
    InDebt,
    InsufficientPoints,
    PostingNotFound,
    RefundExceedsSpend,
)
from app.ledger.lots import cancel_claw_back, expiry_order
from app.ledger.models import Hold, HoldRegistry
from app.ledger.service.books import (
    GRACE,
    Posted,
    check_points,
    find_replay,
    give_back,
    open_book,
    posted,
    write_books_of,
)
from app.ledger.spending import enter_spend


def _take(session: Any, book: AccountBook, points: int) -> list[tuple[int, int]]:
    """Return the parts that make up ``points``; raise InDebt or InsufficientPoints."""
    if book.buckets["debt"] > 0:
        raise InDebt
    missing = points - book.buckets["available"]
    if missing > 0:
        raise InsufficientPoints(missing)
    book.add_lots(queries.list_spendable_lots(session, book.member_id, points, book.extended_until, book.lots))
    return book.take_available(points)


def hold_points(
    member_id: UUID,
    hold_id: UUID,
    points: int,
    *,
    expires_at: datetime,
    live: bool,
    merchant_id: UUID | None = None,
    order_ref: str | None = None,
    order_total: int | None = None,
    currency: str | None = None,
    actor: str,
    fingerprint: bytes,
    moment: datetime,
) -> Posted:
    """Set ``points`` aside until ``expires_at``, first expiring first; they go back by themselves then.

    Idempotent by ``hold_id``. Raises InDebt, InsufficientPoints, InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, f"hold:{hold_id}", fingerprint)
        if replay is not None:
            return replay
        return hold_in_book(
            session, book, hold_id, points, expires_at=expires_at, live=live, merchant_id=merchant_id,
            order_ref=order_ref, order_total=order_total, currency=currency, actor=actor, fingerprint=fingerprint,
        )  # fmt: skip


def hold_in_book(
    session: Any,
    book: AccountBook,
    hold_id: UUID,
    points: int,
    *,
    expires_at: datetime,
    live: bool,
    merchant_id: UUID | None = None,
    order_ref: str | None = None,
    order_total: int | None = None,
    currency: str | None = None,
    actor: str,
    fingerprint: bytes,
) -> Posted:
    """Enter in an open book what ``hold_points`` does, by a ``hold_id`` that nobody has used, and write it.

    Raises InDebt, InsufficientPoints.
    """
    parts = _take(session, book, points)
    book.open_posting(f"hold:{hold_id}", "hold", fingerprint=fingerprint, actor=actor)
    seq = book.move("available", "held", parts)
    book.add_fact("held", {"hold": hold_id, "points": points})
    if book.next_due_at is None or expires_at < book.next_due_at:
        book.next_due_at = expires_at
    done = posted(book)
    write_books_of([book])
    session.add(HoldRegistry(hold_id=hold_id, member_id=book.member_id, merchant_id=merchant_id, live=live))
    session.add(
        Hold(
            member_id=book.member_id, hold_id=hold_id, amount=points, captured=0, seq=seq, status="open",
            created_at=book.moment, expires_at=expires_at, merchant_id=merchant_id, order_ref=order_ref,
            order_total=order_total, currency=currency,
        )
    )  # fmt: skip
    session.flush()
    return done


def find_hold_owner(hold_id: UUID, *, merchant_id: UUID | None, live: bool) -> UUID:
    """Return whose points the hold is about; raise HoldNotFound where it is another merchant's, or in other data."""
    found = db.session.get(HoldRegistry, hold_id)
    if found is None or found.merchant_id != merchant_id or found.live is not live:
        raise HoldNotFound
    member_id: UUID = found.member_id
    return member_id


def get_hold(member_id: UUID, hold_id: UUID) -> Hold:
    """Return a member's hold; raise HoldNotFound."""
    hold = db.session.get(Hold, (member_id, hold_id), populate_existing=True)
    if hold is None:
        raise HoldNotFound
    return hold


def _open_hold(session: Any, member_id: UUID, hold_id: UUID) -> Hold:
    """Return the hold if it is open, as the settled account has it; raise HoldNotFound or HoldClosed."""
    hold = session.get(Hold, (member_id, hold_id), populate_existing=True)
    if hold is None:
        raise HoldNotFound
    if hold.status != "open":
        raise CLOSED[hold.status](hold_status=hold.status)
    return hold  # type: ignore[no-any-return]


def _load(session: Any, book: AccountBook, lot_ids: set[int]) -> None:
    book.add_lots(queries.list_lots(session, book.member_id, lot_ids - book.lots.keys(), book.extended_until))


def capture_hold(
    member_id: UUID, hold_id: UUID, points: int, *, actor: str, fingerprint: bytes, moment: datetime
) -> Posted:
    """Spend ``points`` of a hold, first expiring first, and release the rest; once a hold.

    A lot that expired while it was held is honoured. Raises HoldNotFound, HoldClosed, CaptureExceedsHold,
    InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    key = f"hold:{hold_id}:captured"
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        hold = _open_hold(session, member_id, hold_id)
        if points > hold.amount:
            raise CaptureExceedsHold(f"{hold.amount} points are held.", held_points=hold.amount)
        parts = queries.get_open_hold(session, member_id, hold_id).parts
        _load(session, book, {lot_id for lot_id, _ in parts})
        order = {lot_id: expiry_order(book.lots[lot_id]) for lot_id, _ in parts}
        spent, rest = _split(tuple(sorted(parts, key=lambda part: order[part[0]])), points)
        book.open_posting(key, "capture", fingerprint=fingerprint, actor=actor)
        book.move("held", "spent", spent)
        _release(session, book, rest)
        book.add_fact("captured", {"hold": hold_id, "points": points, "released": hold.amount - points})
        done = posted(book)
        write_books_of([book])
        _close(session, hold, "captured", points, moment)
        return done


def _split(parts: tuple[tuple[int, int], ...], points: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
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


def _release(session: Any, book: AccountBook, parts: list[tuple[int, int]]) -> None:
    """Move held points back to their lots; they repay debt at once, and those of expired lots expire."""
    book.move("held", "available", parts)
    freed = [book.lots[lot_id] for lot_id, _ in parts]
    book.repay(freed)
    give_back(session, book, sum(cancel_claw_back(lot) for lot in freed))
    late = [lot for lot in freed if lot.expires_at is not None and lot.expires_at <= book.moment and lot.is_matured]
    book.move("available", "expired", [(lot.lot_id, lot.remaining) for lot in late])


def _close(session: Any, hold: Hold, status: str, captured: int, moment: datetime) -> None:
    session.execute(
        update(Hold)
        .where(Hold.member_id == hold.member_id, Hold.hold_id == hold.hold_id)
        .values(status=status, captured=captured, closed_at=moment)
    )


def release_hold(member_id: UUID, hold_id: UUID, *, actor: str, fingerprint: bytes, moment: datetime) -> Posted:
    """Give all points of a hold back to their lots. Raises HoldNotFound, HoldClosed, PostingKeyReused."""
    key = f"hold:{hold_id}:released"
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        hold = _open_hold(session, member_id, hold_id)
        parts = queries.get_open_hold(session, member_id, hold_id).parts
        _load(session, book, {lot_id for lot_id, _ in parts})
        book.open_posting(key, "release", fingerprint=fingerprint, actor=actor)
        _release(session, book, list(parts))
        book.add_fact("released", {"hold": hold_id, "points": hold.amount})
        done = posted(book)
        write_books_of([book])
        _close(session, hold, "released", 0, moment)
        return done


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
    enter_spend(book, _take(session, book, points), key=key, actor=actor, reason=reason, fingerprint=fingerprint)
    return posted(book)


def refund_spend(
    member_id: UUID, spend_key: str, points: int, *, key: str, actor: str, fingerprint: bytes, moment: datetime
) -> Posted:
    """Give back ``points`` of what the posting ``spend_key`` (a spend or a capture) spent, to the lots they came from.

    Lots that have expired meanwhile get 7 days of grace. Debt is repaid at once. Raises PostingNotFound,
    RefundExceedsSpend, InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
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
        _load(session, book, set(left))
        # last to expire comes back first, so that what is given back lives longest
        order = sorted((book.lots[lot_id] for lot_id in left if left[lot_id]), key=expiry_order, reverse=True)
        parts, _ = _split(tuple((lot.lot_id, left[lot.lot_id]) for lot in order), points)
        book.open_posting(key, "refund", fingerprint=fingerprint, actor=actor, reverses=spend_key)
        book.move("spent", "available", parts)
        freed = [book.lots[lot_id] for lot_id, _ in parts]
        for lot in freed:
            if lot.expires_at is not None and lot.expires_at <= moment:
                lot.expires_at = moment + GRACE
        book.repay(freed)
        give_back(session, book, sum(cancel_claw_back(lot) for lot in freed))
        book.add_fact("refunded", {"points": points, "spend": spend_key})
        return posted(book)
