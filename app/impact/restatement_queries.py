"""The SELECTs of restatements: the queue of what is asked for, and what is booked by versions to be replaced.

What is booked is gone through in the order of its primary key, a window of so many entries at a time, so that no
statement reads more than that, however much one member has.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, scoped_session

from app.core.guarded_write import RowShape, form_of, source_text, source_values
from app.impact.models import ImpactEntry, Restatement

Place = tuple[UUID, UUID]  # member and activity
START: Place = (UUID(int=0), UUID(int=0))
END: Place = (UUID(int=2**128 - 1), UUID(int=2**128 - 1))
OPEN = ("queued", "running")
_Session = Session | scoped_session[Any]

_WINDOW_END = text("""
SELECT member_id, activity_id FROM impact_entry
WHERE (member_id, activity_id) > (:after_member, :after_activity)
ORDER BY member_id, activity_id OFFSET :skipped LIMIT 1
""")
# The members stand there once more for the planner, who expects a ninth of the table between two pairs.
_WINDOW = """
FROM impact_entry
WHERE member_id BETWEEN :after_member AND :last_member AND (member_id, activity_id) > (:after_member, :after_activity)
  AND (member_id, activity_id) <= (:last_member, :last_activity)
"""
_COUNT = text(f"SELECT count(*) {_WINDOW}")
_CONCERNED = text(f"""
SELECT DISTINCT member_id, activity_id FROM (
  SELECT member_id, activity_id {_WINDOW}
    AND factor_id = ANY(CAST(:factor_ids AS uuid[]))
    AND (CAST(:since AS timestamptz) IS NULL OR occurred_at >= :since)
  GROUP BY member_id, activity_id, metric, subject_code, factor_id, line, is_estimated, occurred_at
  HAVING sum(value) <> 0 OR sum(low) <> 0 OR sum(high) <> 0 OR sum(units_micros) <> 0) AS standing
ORDER BY member_id, activity_id
""")  # noqa: S608 - made of constants
_PLACES = text(f"SELECT DISTINCT member_id, activity_id {_WINDOW} ORDER BY member_id, activity_id")
_GIVE_UP = text(
    "UPDATE restatement SET state = 'failed', finished_at = :moment, error = :error"
    " WHERE state = 'running' AND heartbeat_at < :stale AND attempt >= :attempts_max"
)
_CLAIM = text(
    "UPDATE restatement SET state = 'running', attempt = attempt + 1, heartbeat_at = :moment"
    " WHERE restatement_id = ("
    " SELECT restatement_id FROM restatement WHERE state = 'queued' OR (state = 'running' AND heartbeat_at < :stale)"
    " ORDER BY requested_at, restatement_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING restatement_id"
)


def count_entries(session: _Session) -> int:
    """Return how many entries there are."""
    return int(session.scalar(select(func.count()).select_from(ImpactEntry)) or 0)


def window_end(session: _Session, after: Place, size: int) -> Place:
    """Return the activity of the entry that is ``size`` entries beyond ``after``; ``END`` where there are fewer."""
    given = {"after_member": after[0], "after_activity": after[1], "skipped": size - 1}
    row = session.execute(_WINDOW_END, given).first()
    return END if row is None else (row.member_id, row.activity_id)


def count_window(session: _Session, after: Place, last: Place) -> int:
    """Return how many entries are beyond ``after``, up to ``last``."""
    return int(session.scalar(_COUNT, _window(after, last)) or 0)


def list_places(session: _Session, after: Place, last: Place) -> list[Place]:
    """Return the activities with entries beyond ``after``, up to ``last``, by member and activity."""
    return [(row.member_id, row.activity_id) for row in session.execute(_PLACES, _window(after, last))]


def list_concerned(
    session: _Session, after: Place, last: Place, factor_ids: Collection[UUID], since: datetime | None
) -> list[Place]:
    """Return the activities beyond ``after``, up to ``last``, of which something stands by one of these factors.

    ``since`` leaves out what occurred before it. They come in the order of member and activity.
    """
    given = _window(after, last) | {"factor_ids": sorted(factor_ids), "since": since}
    return [(row.member_id, row.activity_id) for row in session.execute(_CONCERNED, given)]


def _window(after: Place, last: Place) -> dict[str, UUID]:
    names = ("after_member", "after_activity", "last_member", "last_activity")
    return dict(zip(names, (*after, *last), strict=True))


def insert_entries(connection: psycopg.Connection[Any], shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of the impact ledger."""
    names = ", ".join(name for name, _ in shape.columns)
    source = source_text(shape.columns, form_of(len(rows)), 1)
    with psycopg.RawCursor(connection) as cursor:
        statement = f"INSERT INTO {shape.table} ({names}) {source}"
        cursor.execute(statement.encode(), source_values(shape.columns, rows))


def count_open(session: _Session) -> int:
    """Return how many restatements wait or run."""
    query = select(func.count()).select_from(Restatement).where(Restatement.state.in_(OPEN))
    return int(session.scalar(query) or 0)


def find_restatement(session: _Session, restatement_id: UUID) -> Restatement | None:
    """Return a restatement as it is now."""
    return session.get(Restatement, restatement_id, populate_existing=True)


def list_restatements(session: _Session, before: UUID | None, limit: int) -> Sequence[Restatement]:
    """Return restatements, newest first, asked for before ``before``."""
    query = select(Restatement).order_by(Restatement.restatement_id.desc()).limit(limit)
    if before is not None:
        query = query.where(Restatement.restatement_id < before)
    return session.scalars(query).all()


def claim_restatement(session: _Session, moment: datetime, stale: datetime, attempts_max: int) -> Restatement | None:
    """Take the oldest restatement that waits, or whose heart has not beaten since ``stale``; None where there is none.

    One that was taken ``attempts_max`` times fails instead.
    """
    error = f"It was interrupted {attempts_max} times."
    given = {"moment": moment, "stale": stale, "attempts_max": attempts_max, "error": error}
    session.execute(_GIVE_UP, given)
    restatement_id = session.execute(_CLAIM, given).scalar()
    return None if restatement_id is None else find_restatement(session, restatement_id)


def lock_own(session: _Session, restatement_id: UUID, attempt: int) -> Restatement | None:
    """Lock and return a restatement that runs in this attempt; None where it ended or somebody else has taken it."""
    query = select(Restatement).where(
        Restatement.restatement_id == restatement_id, Restatement.attempt == attempt, Restatement.state == "running"
    )
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))
