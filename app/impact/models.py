"""Tables of impact: published factors and what activities claimed by them; rows are added, never changed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class ImpactFactor(db.Model):  # type: ignore[name-defined,misc]
    """Grams avoided for each ``unit_of_activity`` of a subject; a changed figure is a new version, a new row.

    A factor is known by subject, metric, unit, source and region. ``is_default`` marks the one that is claimed.
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


class ImpactEntry(db.Model):  # type: ignore[name-defined,misc]
    """One claim of one activity: grams, or items, by metric; ``factor_id`` is null where it was counted or weighed."""

    __tablename__ = "impact_entry"
    __table_args__ = (CheckConstraint("low <= value AND value <= high", name="band"),)

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    impact_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(PgUUID)
    factor_id: Mapped[UUID | None] = mapped_column(PgUUID)
    value: Mapped[int] = mapped_column(BigInteger)
    low: Mapped[int] = mapped_column(BigInteger)
    high: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    metric: Mapped[str] = mapped_column(Text)
    subject_code: Mapped[str] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
