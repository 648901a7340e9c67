"""The SELECTs of what staff see and adjust."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.orm import Session, scoped_session

from app.ledger.models import Adjustment, Entry, LedgerVerification, Lot, Posting

_Session = Session | scoped_session[Any]


def list_lots(session: _Session, member_id: UUID, before_lot: int | None, limit: int) -> Sequence[Any]:
    """Return (lot, activity's id or None) of the member, newest first, before the lot ``before_lot``."""
    query = (
        select(Lot, Posting.activity_id)
        .join(Entry, and_(Entry.member_id == Lot.member_id, Entry.seq == Lot.lot_id))
        .join(Posting, and_(Posting.member_id == Entry.member_id, Posting.idempotency_key == Entry.posting_key))
        .where(Lot.member_id == member_id)
    )
    if before_lot is not None:
        query = query.where(Lot.lot_id < before_lot)
    return session.execute(query.order_by(Lot.lot_id.desc()).limit(limit)).all()


def find_adjustment(session: _Session, adjustment_id: UUID) -> Adjustment | None:
    """Return the adjustment."""
    return session.get(Adjustment, adjustment_id, populate_existing=True)


def lock_adjustment(session: _Session, adjustment_id: UUID) -> Adjustment | None:
    """Return the adjustment, locked."""
    return session.get(Adjustment, adjustment_id, populate_existing=True, with_for_update=True)


def list_adjustments(
    session: _Session, status: str | None, member_id: UUID | None, before: UUID | None, limit: int, moment: datetime
) -> Sequence[Adjustment]:
    """Return adjustments, newest first, made before ``before``, by their status at ``moment`` and their member."""
    query = select(Adjustment).order_by(Adjustment.adjustment_id.desc()).limit(limit)
    if before is not None:
        query = query.where(Adjustment.adjustment_id < before)
    if member_id is not None:
        query = query.where(Adjustment.member_id == member_id)
    if status in ("PROPOSED", "EXPIRED"):
        is_over = Adjustment.expires_at <= moment
        query = query.where(Adjustment.status == "PROPOSED", is_over if status == "EXPIRED" else ~is_over)
    elif status is not None:
        query = query.where(Adjustment.status == status)
    return session.scalars(query).all()


def lock_daily_cap(session: _Session, staff_id: UUID) -> None:
    """Let one request at a time count what this member of staff has adjusted, until the transaction ends."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"adjustments of {staff_id}"}
    )


def sum_adjusted(session: _Session, staff_id: UUID, since: datetime) -> int:
    """Return the points, up or down, that the member of staff has proposed, unless rejected, or approved since then."""
    proposed = and_(
        Adjustment.proposed_by == staff_id, Adjustment.proposed_at >= since, Adjustment.status != "REJECTED"
    )
    approved = and_(Adjustment.decided_by == staff_id, Adjustment.decided_at >= since, Adjustment.status == "APPROVED")
    return int(
        session.scalar(select(func.coalesce(func.sum(func.abs(Adjustment.points)), 0)).where(or_(proposed, approved)))
        or 0
    )


def find_last_verification(session: _Session) -> LedgerVerification | None:
    """Return the newest result of ``ledger verify``."""
    return session.scalar(select(LedgerVerification).order_by(LedgerVerification.verification_id.desc()).limit(1))
