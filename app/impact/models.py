"""Tables of impact: published factors, what activities claimed by them, and restatements.

Rows of the first two are added, never changed.
"""

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
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class ImpactFactor(db.Model):  # type: ignore[name-defined,misc]
    """Grams avoided for each ``unit_of_activity`` of a subject; a changed figure is a new version, a new row.

    A factor is known by subject, metric, unit, source and region. ``is_default`` marks the one that is claimed.
    Figures of one ``method`` may be added up, those of two never.
    """

    __tablename__ = "impact_factor"
    __table_args__ = (
        UniqueConstraint(
            "subject_kind",
            "subject_code",
            "metric",
            "unit_of_activity",
            "source",
            "region",
            "version",
            name="uq_impact_factor_identity_version",
        ),
        CheckConstraint("subject_kind IN ('material', 'device', 'packaging')", name="subject_kind"),
        CheckConstraint("0 <= low AND low <= value AND value <= high", name="band"),
        CheckConstraint("version >= 1", name="version"),
    )

    id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_code: Mapped[str] = mapped_column(Text)
    metric: Mapped[str] = mapped_column(Text)
    unit_of_activity: Mapped[str] = mapped_column(Text)
    value: Mapped[int] = mapped_column(BigInteger)
    low: Mapped[int] = mapped_column(BigInteger)
    high: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str] = mapped_column(Text)
    year: Mapped[int] = mapped_column(SmallInteger)
    region: Mapped[str] = mapped_column(Text)
    baseline: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool] = mapped_column(Boolean)
    note: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(Text)


class ImpactEntry(db.Model):  # type: ignore[name-defined,misc]
    """What one claim of an activity changes: grams, or items, by metric; negative where it takes back.

    ``factor_id`` is null where it was counted or weighed; ``units_micros`` are the millionths of the factor's unit
    that were multiplied. ``is_estimated`` says that the weight was taken from typical pieces.
    """

    __tablename__ = "impact_entry"
    __table_args__ = (
        # what takes back has its band mirrored, so that sums of low, value and high stay in order
        CheckConstraint("low <= value AND value <= high OR high <= value AND value <= low", name="band"),
        CheckConstraint("factor_id IS NOT NULL OR units_micros = 0", name="units_of_a_factor"),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    impact_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    factor_id: Mapped[UUID | None] = mapped_column(PgUUID)
    value: Mapped[int] = mapped_column(BigInteger)
    low: Mapped[int] = mapped_column(BigInteger)
    high: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    metric: Mapped[str] = mapped_column(Text)
    subject_code: Mapped[str] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    units_micros: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    is_estimated: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class Restatement(db.Model):  # type: ignore[name-defined,misc]
    """What was booked by older versions of a factor is to stand by the one in force; asked for, run by a worker, kept.

    ``factor`` is an id, the code of a subject, or ``all``; ``state`` one of queued, running, done, failed. All members
    before ``after_member_id`` are done. ``attempt`` counts who took it up; ``heartbeat_at`` is when the last of them
    was last seen. ``differences`` are the sums of what was booked, by metric.
    """

    __tablename__ = "restatement"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state_known"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error_when_failed"),
        CheckConstraint("state <> 'running' OR heartbeat_at IS NOT NULL", name="runs_with_heartbeat"),
        Index("ix_restatement_open", "requested_at", postgresql_where=text("state IN ('queued', 'running')")),
    )

    restatement_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    factor: Mapped[str] = mapped_column(String)
    from_day: Mapped[date | None] = mapped_column(Date)
    reason: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    after_member_id: Mapped[UUID | None] = mapped_column(PgUUID)
    entries_read: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    entries_total: Mapped[int | None] = mapped_column(BigInteger)
    activities_changed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    entries_booked: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    differences: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    requested_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    heartbeat_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    error: Mapped[str | None] = mapped_column(String)
