"""The SELECTs of impact: factors, and what is booked."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, scoped_session

from app.core.database import db
from app.impact.differences import Booked
from app.impact.models import ImpactEntry, ImpactFactor

IDENTITY = ("subject_kind", "subject_code", "metric", "unit_of_activity", "source", "region")
CLAIM = IDENTITY[:4]
_Session = Session | scoped_session[Any]

_BOOKED = text("""
SELECT entry.member_id, entry.activity_id, metric, subject_code, factor_id, line, is_estimated, occurred_at,
       sum(value)::bigint AS value, sum(low)::bigint AS low, sum(high)::bigint AS high,
       sum(units_micros)::bigint AS units_micros
FROM unnest(CAST(:member_ids AS uuid[]), CAST(:activity_ids AS uuid[])) AS asked(member_id, activity_id)
JOIN impact_entry AS entry USING (member_id, activity_id)
GROUP BY entry.member_id, entry.activity_id, metric, subject_code, factor_id, line, is_estimated, occurred_at
HAVING sum(value) <> 0 OR sum(low) <> 0 OR sum(high) <> 0 OR sum(units_micros) <> 0
ORDER BY entry.member_id, entry.activity_id, min(impact_id::text)
""")
_BY_MONTH = text("""
SELECT width_bucket(occurred_at, CAST(:starts AS timestamptz[])) AS place, metric, factor_id, is_estimated,
       sum(value)::bigint AS value, sum(low)::bigint AS low, sum(high)::bigint AS high
FROM impact_entry
WHERE member_id = :member_id AND occurred_at >= (CAST(:starts AS timestamptz[]))[1] AND occurred_at < :end
GROUP BY place, metric, factor_id, is_estimated
ORDER BY place, metric, factor_id, is_estimated
""")


def lock_factors() -> None:
    """Let one transaction at a time add factors, so that versions have no gaps and no duplicates."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('impact_factor'))"))


def list_latest_factors() -> Sequence[ImpactFactor]:
    """Return the latest version of every factor, by subject, metric and source."""
    identity = [getattr(ImpactFactor, name) for name in IDENTITY]
    query = select(ImpactFactor).ext(distinct_on(*identity)).order_by(*identity, ImpactFactor.version.desc())
    return db.session.scalars(query).all()


def list_factors(factor_ids: Collection[UUID] | None = None) -> Sequence[ImpactFactor]:
    """Return every version of every factor, or those of ``factor_ids`` that there are."""
    query = select(ImpactFactor)
    if factor_ids is not None:
        query = query.where(ImpactFactor.id.in_(sorted(factor_ids)))
    return db.session.scalars(query.order_by(ImpactFactor.id)).all()


def list_booked(session: _Session, activities: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], list[Booked]]:
    """Return what stands of each of ``activities`` (member, activity); those of which nothing stands are left out."""
    given = {"member_ids": [pair[0] for pair in activities], "activity_ids": [pair[1] for pair in activities]}
    found: dict[tuple[UUID, UUID], list[Booked]] = {}
    for member_id, activity_id, *columns in session.execute(_BOOKED, given):
        found.setdefault((member_id, activity_id), []).append(Booked(*columns))
    return found


def find_span(session: _Session, member_id: UUID) -> tuple[datetime, datetime] | None:
    """Return when the first and the last activity with impact of a member occurred, None where there is none."""
    columns = (func.min(ImpactEntry.occurred_at), func.max(ImpactEntry.occurred_at))
    first, last = session.execute(select(*columns).where(ImpactEntry.member_id == member_id)).one()
    return None if first is None else (first, last)


def sum_by_month(session: _Session, member_id: UUID, starts: Sequence[datetime], end: datetime) -> Sequence[Any]:
    """Return place of the month (1 for that which begins first), metric, factor, whether estimated, and the sums.

    ``starts`` are when the months begin, in their order; ``end`` is when the last of them ends.
    """
    return session.execute(_BY_MONTH, {"member_id": member_id, "starts": list(starts), "end": end}).all()


def list_versions(subject: str | None, metric: str | None) -> Sequence[ImpactFactor]:
    """Return every version of the factors of a subject and a metric, None for any, the newest first."""
    query = select(ImpactFactor).order_by(ImpactFactor.version.desc())
    if subject is not None:
        query = query.where(ImpactFactor.subject_code == subject)
    if metric is not None:
        query = query.where(ImpactFactor.metric == metric)
    return db.session.scalars(query).all()
