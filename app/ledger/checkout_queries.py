"""What is read and changed of pay codes, of a member's holds, and of those for one order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.ledger.models import Entry, Hold, HoldRegistry, PayCode, Posting

_Session = Session | scoped_session[Any]


def put_pay_code(session: _Session, code_hash: bytes, member_id: UUID, live: bool, expires_at: datetime) -> None:
    """Register the member's pay code in the place of the one before."""
    values = {"code_hash": code_hash, "live": live, "expires_at": expires_at}
    session.execute(
        insert(PayCode)
        .values(member_id=member_id, **values)
        .on_conflict_do_update(index_elements=["member_id"], set_=values)
    )


def take_pay_code(session: _Session, code_hash: bytes, live: bool, moment: datetime) -> UUID | None:
    """Use the code up and return whose it is; None where it is unknown, of the other mode or too old.

    One statement: of two tills with the same code one waits for the other, and then finds nothing.
    """
    return session.scalar(
        delete(PayCode)
        .where(PayCode.code_hash == code_hash, PayCode.live == live, PayCode.expires_at > moment)
        .returning(PayCode.member_id)
    )


def lock_order(session: _Session, merchant_id: UUID, live: bool, order_ref: str) -> None:
    """Let nobody else place a hold for this order of the merchant until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{merchant_id}:{live}:{order_ref}", 0))))


def _of_order(merchant_id: UUID, live: bool, order_ref: str) -> Any:
    return (
        select(Hold)
        .join(HoldRegistry, and_(HoldRegistry.hold_id == Hold.hold_id, HoldRegistry.member_id == Hold.member_id))
        .where(
            HoldRegistry.merchant_id == merchant_id, HoldRegistry.live == live, HoldRegistry.order_ref == order_ref
        )
        .order_by(Hold.hold_id)
        .execution_options(populate_existing=True)
    )  # fmt: skip


def list_paying_holds(
    session: _Session, merchant_id: UUID, live: bool, order_ref: str, moment: datetime
) -> Sequence[Hold]:
    """Return the holds, of whomever, that pay for an order: captured, or open at ``moment`` by the clock."""
    paying = or_(Hold.status == "captured", and_(Hold.status == "open", Hold.expires_at > moment))
    return session.scalars(_of_order(merchant_id, live, order_ref).where(paying)).all()


def list_member_holds(
    session: _Session, member_id: UUID, before: UUID | None, limit: int, waiting_at: datetime | None
) -> Sequence[Hold]:
    """Return a member's holds at merchants' checkouts, newest first, before ``before``.

    Where ``waiting_at`` is given, those alone that wait for the member's confirmation at that moment.
    """
    query = select(Hold).where(Hold.member_id == member_id, Hold.merchant_id.is_not(None))
    if before is not None:
        query = query.where(Hold.hold_id < before)
    if waiting_at is not None:
        unconfirmed = and_(Hold.confirm_by.is_not(None), Hold.confirmed_at.is_(None))
        query = query.where(Hold.status == "open", Hold.expires_at > waiting_at, unconfirmed)
    query = query.order_by(Hold.hold_id.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def list_captured_holds(session: _Session, merchant_id: UUID, live: bool, order_ref: str) -> Sequence[Hold]:
    """Return the captured holds, of whomever, that paid for an order, oldest first."""
    return session.scalars(_of_order(merchant_id, live, order_ref).where(Hold.status == "captured")).all()


def sum_refunded(session: _Session, member_id: UUID, spend_key: str) -> int:
    """Return how many points of what the posting of that key spent have been given back."""
    given_back = session.scalar(
        select(func.sum(Entry.amount))
        .select_from(Posting)
        .join(Entry, and_(Entry.member_id == Posting.member_id, Entry.posting_key == Posting.idempotency_key,
                          Entry.seq >= Posting.first_seq, Entry.seq < Posting.first_seq + Posting.entry_count))
        .where(Posting.member_id == member_id, Posting.reverses == spend_key, Entry.source == "spent")
    )  # fmt: skip
    return int(given_back or 0)
