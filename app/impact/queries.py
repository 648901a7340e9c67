"""The SELECTs of impact factors."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import distinct_on

from app.core.database import db
from app.impact.models import ImpactFactor

IDENTITY = ("subject_kind", "subject_code", "metric", "unit_of_activity", "source", "region")


def lock_factors() -> None:
    """Let one transaction at a time add factors, so that versions have no gaps and no duplicates."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('impact_factor'))"))


def list_latest_factors() -> Sequence[ImpactFactor]:
    """Return the latest version of every factor, by subject, metric and source."""
    identity = [getattr(ImpactFactor, name) for name in IDENTITY]
    query = select(ImpactFactor).ext(distinct_on(*identity)).order_by(*identity, ImpactFactor.version.desc())
    return db.session.scalars(query).all()
