"""Tables of the shoppers.

What is unique across members stands in a registry of its own, keyed by what it makes unique and naming its member.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db

STATUSES = ("active", "suspended", "closed")
CHANNELS = ("email", "sms")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Household(db.Model):  # type: ignore[name-defined,misc]
    """Members who live together; who they are stands on them. It is deleted with the last one who leaves.

    ``created_by`` is no foreign key: whoever made it may be gone, and a member refers to the household already.
    """

    __tablename__ = "household"

    household_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    name: Mapped[str | None] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_by: Mapped[UUID] = mapped_column(PgUUID)


class Member(db.Model):  # type: ignore[name-defined,misc]
    """A shopper; ``live`` tells live from test members. A consent is the moment it was given, null where it is not.

    Who joins or leaves a household holds its row's lock; ``household_left_at`` is when the member last left one.
    """

    __tablename__ = "member"
    __table_args__ = (
        CheckConstraint(_one_of("status", STATUSES), name="status_known"),
        CheckConstraint("(household_id IS NULL) = (household_joined_at IS NULL)", name="household_joined"),
        CheckConstraint("status <> 'closed' OR household_id IS NULL", name="closed_in_no_household"),
        Index("ix_member_household_id", "household_id", postgresql_where=text("household_id IS NOT NULL")),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[str] = mapped_column(String, server_default=text("'active'"))
    code: Mapped[str] = mapped_column(String)
    alias: Mapped[str | None] = mapped_column(String)
    locale: Mapped[str] = mapped_column(String)
    region: Mapped[str | None] = mapped_column(String)
    time_zone: Mapped[str | None] = mapped_column(String)
    birth_date: Mapped[date | None] = mapped_column(Date)
    leaderboard_consent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    score_consent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tier: Mapped[str] = mapped_column(String, server_default=text("'seed'"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    enrolled_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    household_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("household.household_id"))
    household_joined_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    household_left_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class HouseholdInvite(db.Model):  # type: ignore[name-defined,misc]
    """A code by which one member may join a household; of the code only a keyed hash is kept. Deleted once used."""

    __tablename__ = "household_invite"
    __table_args__ = (Index("ix_household_invite_expires_at", "expires_at"),)

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    household_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("household.household_id"), index=True)
    live: Mapped[bool] = mapped_column(Boolean)
    created_by: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class MemberCode(db.Model):  # type: ignore[name-defined,misc]
    """Registry of the codes that shoppers show at a till."""

    __tablename__ = "member_code"

    code: Mapped[str] = mapped_column(String, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), index=True)


class MemberAddress(db.Model):  # type: ignore[name-defined,misc]
    """Registry of the addresses that shoppers sign in with; ``address`` is normalised."""

    __tablename__ = "member_address"
    __table_args__ = (CheckConstraint(_one_of("channel", CHANNELS), name="channel_known"),)

    channel: Mapped[str] = mapped_column(String, primary_key=True)
    address: Mapped[str] = mapped_column(String, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class MemberAlias(db.Model):  # type: ignore[name-defined,misc]
    """Registry of the names that shoppers are seen under; ``alias_key`` is the alias as it is compared."""

    __tablename__ = "member_alias"

    alias_key: Mapped[str] = mapped_column(String, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), index=True)


class SignInCode(db.Model):  # type: ignore[name-defined,misc]
    """The one code outstanding for an address, known or not; ``code_hash`` is null once it is used.

    ``tries`` counts wrong guesses until ``window_ends_at``; ``failures`` counts them since the last sign-in.
    """

    __tablename__ = "sign_in_code"
    __table_args__ = (
        CheckConstraint("tries BETWEEN 0 AND 5", name="tries_bounded"),
        Index("ix_sign_in_code_window_ends_at", "window_ends_at"),
    )

    channel: Mapped[str] = mapped_column(String, primary_key=True)
    address: Mapped[str] = mapped_column(String, primary_key=True)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    code_expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    window_ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class MemberSession(db.Model):  # type: ignore[name-defined,misc]
    """One sign-in on one device: the family of its refresh tokens, of which only the newest is good."""

    __tablename__ = "member_session"
    __table_args__ = (Index("ix_member_session_expires_at", "expires_at"),)

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    refreshed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_reason: Mapped[str | None] = mapped_column(String)
