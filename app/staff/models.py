"""Tables of the staff."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Integer, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class StaffAccount(db.Model):  # type: ignore[name-defined,misc]
    """A member of staff. ``totp_secret`` is encrypted; no TOTP step up to ``totp_step`` is taken again.

    ``failed_attempts`` counts since the last sign-in; none is taken before ``locked_until``.
    """

    __tablename__ = "staff_account"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("status IN ('active', 'disabled')", name="status_known"),
    )

    staff_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    email: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str] = mapped_column(String)
    password_hash: Mapped[str] = mapped_column(String)
    totp_secret: Mapped[bytes] = mapped_column(LargeBinary)
    totp_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    roles: Mapped[list[str]] = mapped_column(ARRAY(String))
    status: Mapped[str] = mapped_column(String, server_default=text("'active'"))
    failed_attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AuditEntry(db.Model):  # type: ignore[name-defined,misc]
    """One thing that staff did; appended, never changed. ``before`` and ``after`` are what the object was and became.

    ``staff_id`` is null for what an operator did by a command. A later entry has a greater ``audit_id``.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_object", "object_kind", "object_id", "audit_id"),
        Index("ix_audit_entry_staff_id", "staff_id", "audit_id"),
    )

    audit_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    staff_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    action: Mapped[str] = mapped_column(String)
    object_kind: Mapped[str] = mapped_column(String)
    object_id: Mapped[str] = mapped_column(String)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    request_id: Mapped[str | None] = mapped_column(String)
