"""What is read of the staff."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.orm import Session, scoped_session

from app.core.database import driver_connection
from app.staff.models import AuditEntry, StaffAccount

_Session = Session | scoped_session[Any]

# Each attempt is booked as a failure before it is checked, so that attempts made at once can't be more than allowed.
_BEGIN_ATTEMPT = text("""
UPDATE staff_account
   SET failed_attempts = failed_attempts + 1,
       locked_until = CASE WHEN failed_attempts + 1 < :free THEN NULL
         ELSE CAST(:moment AS timestamptz)
              + least(CAST(:first AS interval) * power(2, least(failed_attempts + 1 - :free, 20)), :longest) END
 WHERE email = :email AND status = 'active' AND (locked_until IS NULL OR locked_until <= :moment)
RETURNING staff_id, password_hash, totp_secret
""")


def begin_attempt(
    session: _Session, email: str, moment: datetime, *, free: int, first: Any, longest: Any
) -> Row[Any] | None:
    """Book an attempt to sign in as a failure; return what to check it against, None where none may be made.

    From the attempt number ``free`` on each locks the account, for ``first``, then twice that, up to ``longest``.
    """
    return session.execute(
        _BEGIN_ATTEMPT, {"email": email, "moment": moment, "free": free, "first": first, "longest": longest}
    ).first()


def end_attempt(session: _Session, staff_id: UUID, totp_step: int, password_hash: str | None) -> bool:
    """Take the failures back and use the TOTP step up; return False where it was used before.

    ``password_hash`` replaces the old one where it is given.
    """
    values: dict[str, Any] = {"failed_attempts": 0, "locked_until": None, "totp_step": totp_step}
    if password_hash is not None:
        values["password_hash"] = password_hash
    return (
        session.execute(
            update(StaffAccount)
            .where(
                StaffAccount.staff_id == staff_id, StaffAccount.totp_step < totp_step, StaffAccount.status == "active"
            )
            .values(values)
            .returning(StaffAccount.staff_id)
        ).first()
        is not None
    )


def find_account(session: _Session, email: str) -> StaffAccount | None:
    """Return the account of that e-mail address."""
    return session.scalar(select(StaffAccount).where(StaffAccount.email == func.lower(email)))


def find_roles(staff_id: UUID) -> list[str] | None:
    """Return the roles of an active account in one read outside any transaction."""
    with driver_connection() as connection:
        row = connection.execute(
            "SELECT roles FROM staff_account WHERE staff_id = %s AND status = 'active'", [staff_id]
        ).fetchone()
    return row[0] if row else None


def list_audit_entries(
    session: _Session, filters: Mapping[str, Any], before: UUID | None, limit: int
) -> list[AuditEntry]:
    """Return audit entries, newest first, that were made before the entry ``before`` and fit ``filters``.

    These are ``staff_id``, ``action``, ``object_kind``, ``object_id``, and the moments ``since`` and ``until``.
    """
    query = select(AuditEntry).order_by(AuditEntry.audit_id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.audit_id < before)
    for name in ("staff_id", "action", "object_kind", "object_id"):
        if filters[name] is not None:
            query = query.where(getattr(AuditEntry, name) == filters[name])
    if filters["since"] is not None:
        query = query.where(AuditEntry.recorded_at >= filters["since"])
    if filters["until"] is not None:
        query = query.where(AuditEntry.recorded_at < filters["until"])
    return list(session.scalars(query))


def names_of(session: _Session, staff_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of these members of staff."""
    if not staff_ids:
        return {}
    rows = session.execute(select(StaffAccount.staff_id, StaffAccount.name).where(StaffAccount.staff_id.in_(staff_ids)))
    return {row.staff_id: row.name for row in rows}
