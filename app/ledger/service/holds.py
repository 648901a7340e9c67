"""Holds: points set aside, captured and released.

Each is idempotent by its key and fingerprint, joins the caller's unit of work and locks the account first, in a
statement of its own: a statement that locked and read lots at once would read lots as they were before it waited.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.core.clock import format_time
from app.core.database import db
from app.ledger import queries
from app.ledger.booking import AccountBook
from app.ledger.errors import (
    CLOSED,
    CaptureExceedsHold,
    ConfirmationRequired,
    HoldNotFound,
)
from app.ledger.lots import cancel_claw_back, expiry_order
from app.ledger.models import Hold, HoldRegistry
from app.ledger.service.books import (
    Posted,
    check_points,
    find_replay,
    give_back,
    open_book,
    posted,
    write_books_of,
)
from app.ledger.service.spending import load_lots, split_parts, take_points


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
    confirm_by: datetime | None = None,
    programme_version: int | None = None,
    actor: str,
    fingerprint: bytes,
    moment: datetime,
) -> Posted:
    """Set ``points`` aside until ``expires_at``, first expiring first; they go back by themselves then.

    With ``confirm_by`` they go back at that time already unless the member confirms the hold before. Idempotent by
    ``hold_id``. Raises InDebt, InsufficientPoints, InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, f"hold:{hold_id}", fingerprint)
        if replay is not None:
            return replay
        return hold_in_book(
            session, book, hold_id, points, expires_at=expires_at, live=live, merchant_id=merchant_id,
            order_ref=order_ref, order_total=order_total, currency=currency, confirm_by=confirm_by,
            programme_version=programme_version, actor=actor, fingerprint=fingerprint,
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
    confirm_by: datetime | None = None,
    programme_version: int | None = None,
    actor: str,
    fingerprint: bytes,
) -> Posted:
    """Enter in an open book what ``hold_points`` does, by a ``hold_id`` that nobody has used, and write it.

    Raises InDebt, InsufficientPoints.
    """
    lasts_until = None
    if confirm_by is not None:
        confirm_by, lasts_until = min(confirm_by, expires_at), expires_at
        expires_at = confirm_by
    parts = take_points(session, book, points)
    book.open_posting(f"hold:{hold_id}", "hold", fingerprint=fingerprint, actor=actor)
    seq = book.move("available", "held", parts)
    book.add_fact("held", {"hold": hold_id, "points": points, "confirm_by": confirm_by})
    if book.next_due_at is None or expires_at < book.next_due_at:
        book.next_due_at = expires_at
    done = posted(book)
    write_books_of([book])
    session.add(
        HoldRegistry(
            hold_id=hold_id, member_id=book.member_id, merchant_id=merchant_id, live=live, order_ref=order_ref
        )
    )  # fmt: skip
    session.add(
        Hold(
            member_id=book.member_id, hold_id=hold_id, amount=points, captured=0, seq=seq, status="open",
            created_at=book.moment, expires_at=expires_at, merchant_id=merchant_id, order_ref=order_ref,
            order_total=order_total, currency=currency, confirm_by=confirm_by, lasts_until=lasts_until,
            programme_version=programme_version,
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


def open_hold(session: Any, member_id: UUID, hold_id: UUID) -> Hold:
    """Return the hold if it is open, as the settled account has it; raise HoldNotFound or HoldClosed."""
    hold = session.get(Hold, (member_id, hold_id), populate_existing=True)
    if hold is None:
        raise HoldNotFound
    if hold.status != "open":
        raise CLOSED[hold.status](hold_status=hold.status)
    return hold  # type: ignore[no-any-return]


def capture_hold(
    member_id: UUID, hold_id: UUID, points: int, *, actor: str, fingerprint: bytes, moment: datetime
) -> Posted:
    """Spend ``points`` of a hold, first expiring first, and release the rest; once a hold.

    A lot that expired while it was held is honoured. Raises HoldNotFound, HoldClosed, ConfirmationRequired,
    CaptureExceedsHold, InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    key = f"hold:{hold_id}:captured"
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        hold = open_hold(session, member_id, hold_id)
        if hold.confirm_by is not None and hold.is_unconfirmed:
            raise ConfirmationRequired(confirm_by=format_time(hold.confirm_by))
        if points > hold.amount:
            raise CaptureExceedsHold(f"{hold.amount} points are held.", held_points=hold.amount)
        parts = queries.get_open_hold(session, member_id, hold_id).parts
        load_lots(session, book, {lot_id for lot_id, _ in parts})
        order = {lot_id: expiry_order(book.lots[lot_id]) for lot_id, _ in parts}
        spent, rest = split_parts(tuple(sorted(parts, key=lambda part: order[part[0]])), points)
        book.open_posting(key, "capture", fingerprint=fingerprint, actor=actor)
        book.move("held", "spent", spent)
        _release(session, book, rest)
        book.add_fact("captured", {"hold": hold_id, "points": points, "released": hold.amount - points})
        done = posted(book)
        write_books_of([book])
        _close(session, hold, "captured", points, moment)
        return done


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


def release_hold(
    member_id: UUID,
    hold_id: UUID,
    *,
    is_declined: bool = False,
    actor: str,
    fingerprint: bytes,
    moment: datetime,
) -> Posted:
    """Give all points of a hold back to their lots; ``is_declined`` says that its member did not want it.

    Raises HoldNotFound, HoldClosed, PostingKeyReused.
    """
    status = "declined" if is_declined else "released"
    key = f"hold:{hold_id}:{status}"
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        hold = open_hold(session, member_id, hold_id)
        parts = queries.get_open_hold(session, member_id, hold_id).parts
        load_lots(session, book, {lot_id for lot_id, _ in parts})
        book.open_posting(key, "release", fingerprint=fingerprint, actor=actor)
        _release(session, book, list(parts))
        book.add_fact(status, {"hold": hold_id, "points": hold.amount})
        done = posted(book)
        write_books_of([book])
        _close(session, hold, status, 0, moment)
        return done
