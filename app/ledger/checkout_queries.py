"""What is read and changed of pay codes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.ledger.models import PayCode

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
