"""Tables of campaigns: the campaign, and its numbered versions, whose documents never change."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class Campaign(db.Model):  # type: ignore[name-defined,misc]
    """A campaign; ``state`` is one of draft, submitted, approved, active, paused, ended, archived.

    ``revision`` grows with each change of the campaign or of one of its versions. ``created_by`` is null for a
    command, ``updated_by`` where no member of staff ever changed it.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint(
            "state IN ('draft', 'submitted', 'approved', 'active', 'paused', 'ended', 'archived')", name="state_known"
        ),
        Index("ix_campaign_state", "state", "campaign_id"),
    )

    campaign_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    state: Mapped[str] = mapped_column(String)
    revision: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class CampaignVersion(db.Model):  # type: ignore[name-defined,misc]
    """One version of a campaign; it pays for activities that occurred from ``active_from`` on, null until in force.

    The version in force at a moment is the one with the newest ``active_from`` that is not after it. The application
    may change what follows ``document``, never the document itself. ``state`` is how far its review has come: draft,
    submitted or approved. ``exposure_points`` is an estimate of what it could pay, for one without a budget.
    """

    __tablename__ = "campaign_version"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number"),
        CheckConstraint("state IN ('draft', 'submitted', 'approved')", name="state_known"),
        CheckConstraint("(state = 'approved') = (approved_at IS NOT NULL)", name="approval_told"),
        CheckConstraint("approved_by <> created_by AND approved_by <> submitted_by", name="second_person"),
        CheckConstraint("exposure_points >= 0", name="exposure_not_negative"),
    )

    campaign_version_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("campaign.campaign_id"))
    number: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String, server_default=text("'draft'"))
    warnings: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default=text("'[]'"))
    exposure_points: Mapped[int | None] = mapped_column(BigInteger)
    submitted_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    submitted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    approved_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    approved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    override_reason: Mapped[str | None] = mapped_column(String)
    rejected_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    rejected_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reject_reason: Mapped[str | None] = mapped_column(String)
    activated_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    active_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class MemberLimitUsage(db.Model):  # type: ignore[name-defined,misc]
    """What a member has used of a limit in one period; guarded by the version of the member's account.

    ``limit_key`` is the rule's key, a slash and the limit's own key, so that it outlives the campaign's versions;
    ``period`` is the first day of the period in the programme's zone.
    """

    __tablename__ = "member_limit_usage"
    __table_args__ = (CheckConstraint("used >= 0", name="used"), {"postgresql_with": {"fillfactor": 80}})

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    limit_key: Mapped[str] = mapped_column(String, primary_key=True)
    period: Mapped[date] = mapped_column(Date, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)


class SharedLimitUsage(db.Model):  # type: ignore[name-defined,misc]
    """What the members of a household, or of a device, a merchant, a station or the campaign, have used together.

    ``subject`` names it. ``used_max`` is what the limit allows: a writer that read too early breaks the CHECK.
    """

    __tablename__ = "shared_limit_usage"
    __table_args__ = (
        CheckConstraint("used >= 0 AND used <= used_max", name="used"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    campaign_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    limit_key: Mapped[str] = mapped_column(String, primary_key=True)
    period: Mapped[date] = mapped_column(Date, primary_key=True)
    subject: Mapped[str] = mapped_column(String, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)
    used_max: Mapped[int] = mapped_column(BigInteger)


class BudgetSlot(db.Model):  # type: ignore[name-defined,misc]
    """One of the parts into which a campaign's budget is cut, so that awards do not wait for each other.

    The budget is the sum of ``share``, what is left of it the sum of ``remaining``. Live and test have their own.
    """

    __tablename__ = "budget_slot"
    __table_args__ = (CheckConstraint("remaining >= 0", name="remaining"), {"postgresql_with": {"fillfactor": 10}})

    campaign_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("campaign.campaign_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    share: Mapped[int] = mapped_column(BigInteger)
    remaining: Mapped[int] = mapped_column(BigInteger)


class BudgetNotice(db.Model):  # type: ignore[name-defined,misc]
    """That the outbox was told that so many percent of a campaign's budget are spent; once for each budget."""

    __tablename__ = "budget_notice"
    __table_args__ = (CheckConstraint("percent IN (80, 100)", name="percent"),)

    campaign_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("campaign.campaign_id"), primary_key=True)
    percent: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    noticed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
