"""Tables of activities: the registry of merchants' ids, the facts and what came after them, claims, and backtests."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class ActivityRegistry(db.Model):  # type: ignore[name-defined,misc]
    """One row an activity: a merchant's id means one activity for ever. ``member_id`` is null until it is claimed."""

    __tablename__ = "activity_registry"
    __table_args__ = (Index("ix_activity_registry_activity_id", "activity_id"),)

    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    external_id: Mapped[str] = mapped_column(String, primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID)
    member_id: Mapped[UUID | None] = mapped_column(PgUUID)
    revision: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class Activity(db.Model):  # type: ignore[name-defined,misc]
    """One revision of an activity: the body as it was sent and the outcome, as codes, of its evaluation."""

    __tablename__ = "activity"
    # rows come nearly in the order of time: a few bytes for a hundred pages of them are enough to find a period
    __table_args__ = (Index("ix_activity_occurred_at", "occurred_at", postgresql_using="brin"),)

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    merchant_id: Mapped[UUID] = mapped_column(PgUUID)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ActivityCompletion(db.Model):  # type: ignore[name-defined,misc]
    """That an activity was completed (an order delivered) at ``completed_at``, where its body did not say so."""

    __tablename__ = "activity_completion"

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    completed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    actor: Mapped[str] = mapped_column(String)


class ActivityReturn(db.Model):  # type: ignore[name-defined,misc]
    """A return of an activity: what came back by line, and what that took back.

    ``is_whole`` says that nothing of the activity is left. The outcome keeps what each rule's award is worth after it.
    """

    __tablename__ = "activity_return"

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    return_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    is_whole: Mapped[bool] = mapped_column(Boolean)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ReturnRegistry(db.Model):  # type: ignore[name-defined,misc]
    """One row a return: a merchant's id means one return for ever."""

    __tablename__ = "return_registry"
    __table_args__ = (Index("ix_return_registry_return_id", "return_id"),)

    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    external_id: Mapped[str] = mapped_column(String, primary_key=True)
    return_id: Mapped[UUID] = mapped_column(PgUUID)
    activity_id: Mapped[UUID] = mapped_column(PgUUID)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class ClaimedProof(db.Model):  # type: ignore[name-defined,misc]
    """A receipt, weigh ticket or serial number, and the activity that claimed it first; once across all merchants."""

    __tablename__ = "claimed_proof"
    __table_args__ = (CheckConstraint("proof IN ('receipt', 'serial')", name="proof_known"),)

    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    kind: Mapped[str] = mapped_column(String, primary_key=True)
    proof: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[str] = mapped_column(String, primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID)
    member_id: Mapped[UUID | None] = mapped_column(PgUUID)


class DuplicateClaim(db.Model):  # type: ignore[name-defined,misc]
    """A receipt or serial number that an activity named although another had claimed it: staff see both."""

    __tablename__ = "duplicate_claim"
    __table_args__ = (Index("ix_duplicate_claim_recorded_at", "recorded_at"),)

    activity_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    proof: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[str] = mapped_column(String, primary_key=True)
    kind: Mapped[str] = mapped_column(String)
    live: Mapped[bool] = mapped_column(Boolean)
    first_activity_id: Mapped[UUID] = mapped_column(PgUUID)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Claim(db.Model):  # type: ignore[name-defined,misc]
    """An activity of nobody we know, waiting under a claim code; only the code's keyed hash is stored.

    ``evidence`` is the grade of what names none; ``duplicates`` are the proofs that another activity had claimed.
    ``completed_at`` and ``returns`` are what came of it before somebody claimed it.
    """

    __tablename__ = "claim"
    __table_args__ = (
        CheckConstraint("(claimed_at IS NULL) = (member_id IS NULL)", name="claimed_by_somebody"),
        Index("ix_claim_open", "expires_at", postgresql_where=text("claimed_at IS NULL")),
    )

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID, unique=True)
    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"))
    live: Mapped[bool] = mapped_column(Boolean)
    external_id: Mapped[str] = mapped_column(String)
    revision: Mapped[int] = mapped_column(Integer)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    evidence: Mapped[str] = mapped_column(String, server_default=text("'staff'"))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    claimed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    member_id: Mapped[UUID | None] = mapped_column(PgUUID)
    duplicates: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    returns: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))


class Backtest(db.Model):  # type: ignore[name-defined,misc]
    """A replay of the activities of a period through a version of a campaign; asked for, run by a worker, kept.

    ``state`` is one of queued, running, done, failed; ``schedule`` says when the campaign is taken to run: as_written
    or whole_period. ``attempt`` counts who took it up; ``heartbeat_at`` is when the last of them was last seen.
    """

    __tablename__ = "backtest"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state_known"),
        CheckConstraint("schedule IN ('as_written', 'whole_period')", name="schedule_known"),
        CheckConstraint("from_at < to_at", name="period_in_order"),
        CheckConstraint("(state = 'done') = (result IS NOT NULL)", name="result_when_done"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error_when_failed"),
        CheckConstraint("state <> 'running' OR heartbeat_at IS NOT NULL", name="runs_with_heartbeat"),
        Index("ix_backtest_campaign_id", "campaign_id"),
        Index("ix_backtest_open", "requested_at", postgresql_where=text("state IN ('queued', 'running')")),
    )

    backtest_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("campaign.campaign_id"))
    campaign_version_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("campaign_version.campaign_version_id"))
    version: Mapped[int] = mapped_column(Integer)
    from_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    to_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    schedule: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    activities_read: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    activities_total: Mapped[int | None] = mapped_column(BigInteger)
    requested_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    heartbeat_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[str | None] = mapped_column(String)
