"""Tables of campaigns: the campaign, and its numbered versions, which never change."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class Campaign(db.Model):  # type: ignore[name-defined,misc]
    """A campaign; ``state`` is one of draft, submitted, approved, active, paused, ended, archived."""

    __tablename__ = "campaign"

    campaign_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    state: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class CampaignVersion(db.Model):  # type: ignore[name-defined,misc]
    """One immutable version of a campaign; it pays for activities that occurred from ``active_from`` on.

    The version in force at a moment is the one with the newest ``active_from`` that is not after it.
    """

    __tablename__ = "campaign_version"
    __table_args__ = (UniqueConstraint("campaign_id", "number"),)

    campaign_version_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("campaign.campaign_id"))
    number: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    active_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
