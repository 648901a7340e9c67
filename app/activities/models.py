"""Tables of activities: the registry of merchants' ids, the facts, and those that wait to be claimed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, DateTime, ForeignKey, Index, Integer, LargeBinary, String
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

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    merchant_id: Mapped[UUID] = mapped_column(PgUUID)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Claim(db.Model):  # type: ignore[name-defined,misc]
    """An activity of nobody we know, waiting under a claim code; only the code's keyed hash is stored."""

    __tablename__ = "claim"

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
