"""Tables of the merchants."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, DateTime, ForeignKey, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class Merchant(db.Model):  # type: ignore[name-defined,misc]
    """A partner shop; ``key`` is its readable name in rules and files."""

    __tablename__ = "merchant"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status_known"),)

    merchant_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String, server_default=text("'active'"))
    time_zone: Mapped[str] = mapped_column(String)
    currency: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class MerchantKey(db.Model):  # type: ignore[name-defined,misc]
    """An API key, of which only the SHA-256 and the last four characters are kept.

    ``max_evidence`` is the highest grade of evidence that it may claim; ``expires_at`` is set when it is rotated.
    """

    __tablename__ = "merchant_key"

    key_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), index=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    last4: Mapped[str] = mapped_column(String)
    label: Mapped[str] = mapped_column(String)
    live: Mapped[bool] = mapped_column(Boolean)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    max_evidence: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class TestMember(db.Model):  # type: ignore[name-defined,misc]
    """A made-up member whom a merchant's test key has asked for and who is not closed; a later one has a greater id."""

    __tablename__ = "test_member"

    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), primary_key=True, index=True)


class CustomerLink(db.Model):  # type: ignore[name-defined,misc]
    """Which member a merchant's own customer reference names."""

    __tablename__ = "customer_link"

    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    ref: Mapped[str] = mapped_column(String, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), index=True)
    linked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
