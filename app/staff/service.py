"""Use cases of the staff: accounts, sign-in and the audit log."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pyotp
from flask import g, has_request_context
from sqlalchemy.dialects.postgresql import insert

from app.core.auth import Principal
from app.core.database import db
from app.core.errors import Unauthorized
from app.core.ids import new_id
from app.core.tokens import Claims, issue_access_token
from app.core.unit_of_work import unit_of_work
from app.staff import passwords, queries
from app.staff.errors import EmailTaken, InvalidCredentials
from app.staff.models import AuditEntry, StaffAccount

ROLES = ("viewer", "support", "editor", "approver", "finance", "authority", "admin")
PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 200
FREE_ATTEMPTS = 5
LOCK_FIRST = timedelta(seconds=30)
LOCK_LONGEST = timedelta(minutes=15)


def create_staff(*, email: str, name: str, password: str, roles: Collection[str], moment: datetime) -> tuple[UUID, str]:
    """Open an account; return its id and the secret for its owner's TOTP app, which nothing shows again.

    Raises EmailTaken, and ValueError for an unknown role or a password that is too short or too long.
    """
    if not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"roles: one or more of {', '.join(ROLES)}")
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise ValueError(f"password: {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    secret = pyotp.random_base32()
    values = {
        "staff_id": new_id(), "email": email.strip().lower(), "name": name, "status": "active",
        "password_hash": passwords.hash_password(password), "totp_secret": passwords.seal_secret(secret),
        "roles": sorted(set(roles)), "created_at": moment,
    }  # fmt: skip
    with unit_of_work() as session:
        made = session.scalar(
            insert(StaffAccount)
            .values(values)
            .on_conflict_do_nothing(index_elements=["email"])
            .returning(StaffAccount.staff_id)
        )
        if made is None:
            raise EmailTaken
        return made, secret


def verify(email: str, password: str, otp: str, moment: datetime) -> UUID:
    """Return whose credentials these are; raise InvalidCredentials, the same for whatever is wrong.

    Every attempt costs one password hash, known account or not, and no connection waits for it: the attempt is booked
    first and taken back afterwards. After five failures the account is locked for 30 seconds, then twice that with
    each further failure, up to 15 minutes; an attempt on a locked account changes nothing.
    """
    with unit_of_work() as session:
        account = queries.begin_attempt(
            session, email.strip().lower(), moment, free=FREE_ATTEMPTS, first=LOCK_FIRST, longest=LOCK_LONGEST
        )
    is_right = passwords.check_password(account.password_hash if account else None, password)
    secret = passwords.open_secret(bytes(account.totp_secret)) if account else pyotp.random_base32()
    step = passwords.matching_step(secret, otp, moment)
    if account is None or not is_right or step is None:
        raise InvalidCredentials
    stronger = passwords.hash_password(password) if passwords.needs_rehash(account.password_hash) else None
    with unit_of_work() as session:
        if not queries.end_attempt(session, account.staff_id, step, stronger):
            raise InvalidCredentials
    staff_id: UUID = account.staff_id
    return staff_id


def issue_token(staff_id: UUID) -> tuple[str, int]:
    """Return an access token for the account and the seconds it lives."""
    return issue_access_token("staff", staff_id, new_id(), live=True)


def authenticate(claims: Claims) -> Principal:
    """Return the member of staff behind a verified token, with the roles of now; raise Unauthorized if disabled.

    Every role may do what a viewer may.
    """
    roles = queries.find_roles(claims.subject)
    if roles is None:
        raise Unauthorized("This account is not active.")
    return Principal("staff", claims.subject, True, frozenset(roles) | {"viewer"})


def disable_staff(email: str) -> bool:
    """Close an account: its tokens stop at once. Return whether there was one."""
    with unit_of_work() as session:
        account = queries.find_account(session, email)
        if account is not None:
            account.status = "disabled"
        return account is not None


def record_audit(
    action: str,
    object_kind: str,
    object_id: object,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    moment: datetime,
) -> UUID:
    """Record in the caller's unit of work who did what to which object, and what it was before and after.

    Who is the member of staff who sent the request; nobody, for a command. ``action`` is ``object.verb`` in the past
    tense, such as ``adjustment.approved``. What JSON does not know (ids, moments) is kept as text; secrets don't
    belong there.
    """
    principal: Principal | None = g.get("principal") if has_request_context() else None
    entry = AuditEntry(
        audit_id=new_id(),
        staff_id=principal.id if principal is not None and principal.kind == "staff" else None,
        action=action,
        object_kind=object_kind,
        object_id=str(object_id),
        before=_as_json(before),
        after=_as_json(after),
        recorded_at=moment,
        request_id=g.get("request_id") if has_request_context() else None,
    )
    with unit_of_work() as session:
        session.add(entry)
        session.flush()
    return entry.audit_id


def audit_programme(before: Mapping[str, Any], after: Mapping[str, Any], moment: datetime) -> None:
    """Record a change of the programme's settings; that room stands below this one and can't do it itself."""
    record_audit("programme.changed", "programme", "programme", before=before, after=after, moment=moment)


def _as_json(state: Mapping[str, Any] | None) -> Any:
    return None if state is None else orjson.loads(orjson.dumps(dict(state), option=orjson.OPT_UTC_Z, default=str))


def list_audit(filters: Mapping[str, Any], before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return one page of the audit log, newest first; see ``queries.list_audit_entries`` for ``filters``."""
    entries = queries.list_audit_entries(db.session, filters, before, limit)
    names = queries.names_of(db.session, {entry.staff_id for entry in entries if entry.staff_id is not None})
    return [
        {
            "id": entry.audit_id,
            "staff": {"id": entry.staff_id, "name": names[entry.staff_id]} if entry.staff_id is not None else None,
            "action": entry.action,
            "object": {"kind": entry.object_kind, "id": entry.object_id},
            "before": entry.before,
            "after": entry.after,
            "at": entry.recorded_at,
            "request_id": entry.request_id,
        }
        for entry in entries
    ]
