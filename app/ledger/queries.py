"""The SELECTs of the ledger, locking reads included."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, scoped_session

from app.ledger.lots import OpenLot
from app.ledger.models import Account, Entry, Lot, Posting

_Session = Session | scoped_session[Any]
UPCOMING_MAX = 12


def find_account(session: _Session, member_id: UUID) -> Account | None:
    """Return the member's account as it is booked, or None."""
    return session.get(Account, member_id, populate_existing=True)


def lock_account(session: _Session, member_id: UUID) -> Account | None:
    """Lock and return the member's account; in a statement of its own, so that what is read after it is current."""
    query = select(Account).where(Account.member_id == member_id)
    return session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))


def list_due_lots(session: _Session, member_id: UUID, now: datetime) -> list[OpenLot]:
    """Return the open lots of a member to which something has happened by ``now``."""
    waits = and_(~Lot.is_matured, or_(Lot.available_at <= now, and_(Lot.available_at.is_(None), Lot.void_at <= now)))
    rows = session.execute(
        select(
            Lot.lot_id, Lot.remaining, Lot.held, Lot.is_matured, Lot.available_at, Lot.expires_at, Lot.void_at
        ).where(Lot.member_id == member_id, Lot.is_open, Lot.remaining > 0, or_(waits, Lot.expires_at <= now))
    )
    return [OpenLot(*row) for row in rows]


def next_due_time(session: _Session, member_id: UUID) -> datetime | None:
    """Return when the member's next lot matures, expires or is voided, or None."""
    waits_until = func.coalesce(Lot.available_at, Lot.void_at)
    moment: datetime | None = session.scalar(
        select(func.least(func.min(waits_until).filter(~Lot.is_matured), func.min(Lot.expires_at))).where(
            Lot.member_id == member_id, Lot.is_open, Lot.remaining > 0
        )
    )
    return moment


def list_expiring(session: _Session, member_id: UUID, now: datetime) -> list[Any]:
    """Return (points, moment) of the next 12 moments at which points expire."""
    return list(
        session.execute(
            select(func.sum(Lot.remaining), Lot.expires_at)
            .where(Lot.member_id == member_id, Lot.is_open, Lot.remaining > 0, Lot.expires_at > now)
            .group_by(Lot.expires_at)
            .order_by(Lot.expires_at)
            .limit(UPCOMING_MAX)
        )
    )


def list_maturing(session: _Session, member_id: UUID, now: datetime) -> list[Any]:
    """Return (points, moment) of the next 12 moments at which pending points become available."""
    return list(
        session.execute(
            select(func.sum(Lot.remaining), Lot.available_at)
            .where(Lot.member_id == member_id, Lot.is_open, ~Lot.is_matured, Lot.remaining > 0, Lot.available_at > now)
            .group_by(Lot.available_at)
            .order_by(Lot.available_at)
            .limit(UPCOMING_MAX)
        )
    )


def list_entries(session: _Session, member_id: UUID, before_seq: int | None, limit: int) -> list[Any]:
    """Return (entry, posting, lot or None), newest first, of a member's entries before ``before_seq``."""
    query = (
        select(Entry, Posting, Lot)
        .join(Posting, and_(Posting.member_id == Entry.member_id, Posting.idempotency_key == Entry.posting_key))
        .outerjoin(Lot, and_(Lot.member_id == Entry.member_id, Lot.lot_id == Entry.seq))
        .where(Entry.member_id == member_id)
    )
    if before_seq is not None:
        query = query.where(Entry.seq < before_seq)
    return list(session.execute(query.order_by(Entry.seq.desc()).limit(limit)))
