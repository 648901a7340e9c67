"""Read and change the programme's settings."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from app.core import cache, schemas
from app.core.clock import now
from app.core.currencies import minor_units
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.programme.models import ProgrammeVersion
from app.programme.schemas import ProgrammeSchema, check_time_zone

__all__ = ["Programme", "change", "check_time_zone", "current"]

DEFAULTS: dict[str, Any] = {
    "name": "Greenpoints",
    "time_zone": "UTC",
    "currency": "EUR",
    "point_value_micros": 10_000,
    "debt_policy": "debt",
    "adjustment_points_max_alone": 500,
    "adjustment_points_max_daily": {"support": 5_000, "finance": 1_000_000, "approver": 1_000_000, "admin": 1_000_000},
    "activity_age_days_max": 30,
    "completion_days_max": 90,
    "household_members_max": 8,
    "activity_extends_expiry_months": None,
}
_schema = ProgrammeSchema()


@dataclass(frozen=True)
class Programme:
    """The settings in force.

    ``point_value_micros`` is the worth of one point in millionths of a unit of ``currency``; ages are in days;
    points that wait for completion are voided after ``completion_days_max``. Staff adjust at most
    ``adjustment_points_max_alone`` points without a second person, and ``adjustment_points_max_daily`` a day, by role.
    A household has at most ``household_members_max`` members.
    Where ``activity_extends_expiry_months`` is set, an activity that earns lets all points of its member live that
    many months from its day on, at least.
    """

    version: int
    name: str
    time_zone: str
    currency: str
    point_value_micros: int
    debt_policy: str
    adjustment_points_max_alone: int
    adjustment_points_max_daily: dict[str, int]
    activity_age_days_max: int
    completion_days_max: int
    household_members_max: int
    activity_extends_expiry_months: int | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The programme's time zone."""
        return ZoneInfo(self.time_zone)

    def worth(self, points: int) -> int:
        """Return what ``points`` are worth in whole minor units of the programme's currency, rounded down."""
        return points * self.point_value_micros * minor_units(self.currency) // 10**6


def _load() -> Programme:
    with db.engine.connect() as connection:
        row = connection.execute(
            select(ProgrammeVersion.version, ProgrammeVersion.document)
            .order_by(ProgrammeVersion.version.desc())
            .limit(1)
        ).first()
    return Programme(version=row.version, **(DEFAULTS | row.document)) if row else Programme(version=0, **DEFAULTS)


_snapshot = cache.Snapshot("programme", _load)


def current() -> Programme:
    """Return the settings in force; the defaults where none were stored."""
    return _snapshot.get()


def change(document: dict[str, Any]) -> int:
    """Store ``document`` as the new settings and return their version; raise ValidationProblem if it does not fit."""
    document = schemas.load(_schema, document)
    with unit_of_work() as session:
        # a row lock would need the right to change versions, which nobody has, and would not hold before the first one
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('programme_version'))"))
        newest = session.scalar(select(ProgrammeVersion).order_by(ProgrammeVersion.version.desc()).limit(1))
        if newest is not None and newest.document == document:
            return int(newest.version)
        version = (newest.version if newest else 0) + 1
        session.add(ProgrammeVersion(version=version, document=document, created_at=now()))
        cache.bump("programme")
    return version
