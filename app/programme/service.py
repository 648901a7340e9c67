"""Read and change the programme's settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session, scoped_session

from app.core import cache, schemas
from app.core.clock import now
from app.core.currencies import minor_units
from app.core.database import db
from app.core.preconditions import Seen
from app.core.unit_of_work import unit_of_work
from app.programme.models import ProgrammeVersion
from app.programme.schemas import ProgrammeSchema, check_time_zone

__all__ = ["Programme", "as_of", "at_version", "change", "check_time_zone", "current", "on_changed"]

DEFAULTS: dict[str, Any] = {
    "name": "Greenpoints",
    "time_zone": "UTC",
    "currency": "EUR",
    "point_value_micros": 10_000,
    "debt_policy": "debt",
    "adjustment_points_max_alone": 500,
    "adjustment_points_max_daily": {"support": 5_000, "finance": 1_000_000, "approver": 1_000_000, "admin": 1_000_000},
    "campaign_exposure_points_max_alone": 10_000,
    "activity_age_days_max": 30,
    "completion_days_max": 90,
    "household_members_max": 8,
    "certificates_accepted": "stated",
    "activity_extends_expiry_months": None,
    "self_declared_kinds": ["packaging_return", "recycling", "repair", "custom"],
    "self_declared_activities_max_daily": 5,
    "self_declared_points_max_daily": 100,
    "hold_points_min": 1,
    "hold_points_multiple": 1,
    "hold_order_percent_max": 100,
    "hold_unconfirmed_points_max": 5_000,
    "hold_confirmation_seconds": 300,
}
_schema = ProgrammeSchema()
ChangeHook = Callable[[Mapping[str, Any], Mapping[str, Any], datetime], object]
_hooks: list[ChangeHook] = []


def on_changed(hook: ChangeHook) -> None:
    """Call ``hook`` with the settings before and after, and the moment, in each transaction that changes them; once.

    The rooms that must hear of it stand above this one.
    """
    if hook not in _hooks:
        _hooks.append(hook)


@dataclass(frozen=True)
class Programme:
    """The settings in force.

    ``point_value_micros`` is the worth of one point in millionths of a unit of ``currency``; ages are in days;
    points that wait for completion are voided after ``completion_days_max``. Staff adjust at most
    ``adjustment_points_max_alone`` points without a second person, and ``adjustment_points_max_daily`` a day, by role.
    An editor alone may put a campaign in force that can pay at most ``campaign_exposure_points_max_alone``.
    A household has at most ``household_members_max`` members. ``certificates_accepted`` says which certificates earn:
    those that a line states (``stated``), that a product holds (``registered``), that staff looked up (``verified``).
    Where ``activity_extends_expiry_months`` is set, an activity that earns lets all points of its member live that
    many months from its day on, at least.
    An order is paid with at least ``hold_points_min`` points, in whole multiples of ``hold_points_multiple``, up to
    ``hold_order_percent_max`` of it. A linked shopper confirms what is more than ``hold_unconfirmed_points_max`` (None:
    nothing) within ``hold_confirmation_seconds``.
    """

    version: int
    name: str
    time_zone: str
    currency: str
    point_value_micros: int
    debt_policy: str
    adjustment_points_max_alone: int
    adjustment_points_max_daily: dict[str, int]
    campaign_exposure_points_max_alone: int
    activity_age_days_max: int
    completion_days_max: int
    household_members_max: int
    certificates_accepted: str
    self_declared_kinds: list[str]
    self_declared_activities_max_daily: int
    self_declared_points_max_daily: int
    activity_extends_expiry_months: int | None = None
    hold_points_min: int = 1
    hold_points_multiple: int = 1
    hold_order_percent_max: int = 100
    hold_unconfirmed_points_max: int | None = None
    hold_confirmation_seconds: int = 300

    @cached_property
    def zone(self) -> ZoneInfo:
        """The programme's time zone."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def point_worth(self) -> Fraction:
        """What one point is worth in minor units of the programme's currency, exactly."""
        return Fraction(self.point_value_micros * minor_units(self.currency), 10**6)

    def worth(self, points: int) -> int:
        """Return what ``points`` are worth in whole minor units of the programme's currency, rounded down."""
        return points * self.point_value_micros * minor_units(self.currency) // 10**6

    def start_of_day(self, moment: datetime) -> datetime:
        """Return when the day of ``moment`` began in the programme's zone."""
        return moment.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _programme(version: ProgrammeVersion | None) -> Programme:
    return Programme(version=version.version if version else 0, **_settings(version))


def _settings(version: ProgrammeVersion | None) -> dict[str, Any]:
    """Return the whole document: a setting that came later than the stored version has its default."""
    return DEFAULTS | version.document if version else DEFAULTS


def _newest(session: Session | scoped_session[Any]) -> ProgrammeVersion | None:
    return session.scalar(select(ProgrammeVersion).order_by(ProgrammeVersion.version.desc()).limit(1))


def _load() -> Programme:
    return _programme(_newest(db.session))


_snapshot = cache.Snapshot("programme", _load)


def current() -> Programme:
    """Return the settings in force; the defaults where none were stored."""
    return _snapshot.get()


def at_version(version: int | None) -> Programme:
    """Return the settings of that version, which was in force once; None is the one in force now."""
    newest = current()
    if version is None or version == newest.version:
        return newest
    return _programme(db.session.get(ProgrammeVersion, version))


def as_of(moment: datetime) -> Programme:
    """Return the settings that were in force just before ``moment``."""
    query = select(ProgrammeVersion).where(ProgrammeVersion.created_at < moment)
    return _programme(db.session.scalar(query.order_by(ProgrammeVersion.version.desc()).limit(1)))


def change(document: dict[str, Any], seen: Seen | None = None) -> Programme:
    """Store ``document`` as the new settings and return them; the same as those in force change nothing.

    Raises ValidationProblem if it does not fit, and PreconditionFailed where the settings are not those ``seen``.
    """
    read = schemas.load(_schema, document)
    with unit_of_work() as session:
        # a row lock would need the right to change versions, which nobody has, and would not hold before the first one
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('programme_version'))"))
        newest = _newest(session)
        if seen is not None:
            seen.check(newest.version if newest else 0)
        before = _settings(newest)
        if newest is not None and before == read:
            return _programme(newest)
        moment = now()
        made = ProgrammeVersion(version=(newest.version if newest else 0) + 1, document=read, created_at=moment)
        session.add(made)
        for hook in _hooks:
            hook(before, read, moment)
        cache.bump("programme")
        return _programme(made)
