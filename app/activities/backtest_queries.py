"""The SELECTs of backtests: the stream of recorded activities, and the queue of what is to be run.

The stream names the tables of the rooms below, as the one read of the award path does.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session, scoped_session

from app.activities.models import Backtest
from app.activities.replaying import Recorded

OPEN = ("queued", "running")
ROWS_A_FETCH = 500
_Session = Session | scoped_session[Any]

_RECORDED = """
FROM activity AS a
JOIN activity_registry AS known ON known.activity_id = a.activity_id AND known.revision = a.revision AND known.live
WHERE a.occurred_at >= :from_at AND a.occurred_at < :to_at
"""
# A wide row is sorted by its narrow key, on disk where there are many; the members and merchants are few and hashed.
_STREAM = """
SELECT a.activity_id, a.member_id, a.occurred_at, a.recorded_at, a.body, a.certificates,
       a.paid_by_all, a.paid_by_campaign, m.tier, m.region, m.tags, m.enrolled_at, m.household_id,
       a.merchant_id, merchant.key, coalesce(evidence.evidence_default, 'staff')
FROM (
  SELECT a.activity_id, a.member_id, a.occurred_at, a.recorded_at, a.merchant_id, a.body::text AS body,
         a.outcome -> 'certificates' AS certificates,
         (a.outcome -> 'points' ->> 'awarded')::bigint AS paid_by_all,
         (SELECT coalesce(sum((award ->> 'points')::bigint), 0)::bigint
          FROM jsonb_array_elements(a.outcome -> 'awards') AS award WHERE award ->> 'campaign' = :campaign)
           AS paid_by_campaign
  {recorded}) AS a
JOIN member AS m ON m.member_id = a.member_id
JOIN merchant ON merchant.merchant_id = a.merchant_id
LEFT JOIN (
  SELECT DISTINCT ON (merchant_id) merchant_id,
         CASE max_evidence WHEN 'serialised' THEN 'staff' ELSE max_evidence END AS evidence_default
  FROM merchant_key WHERE live AND revoked_at IS NULL ORDER BY merchant_id, created_at DESC) AS evidence
  ON evidence.merchant_id = a.merchant_id
ORDER BY a.occurred_at, a.activity_id
"""
_GIVE_UP = text(
    "UPDATE backtest SET state = 'failed', finished_at = :moment, error = :error"
    " WHERE state = 'running' AND heartbeat_at < :stale AND attempt >= :attempts_max"
)
_CLAIM = text(
    "UPDATE backtest SET state = 'running', attempt = attempt + 1, heartbeat_at = :moment, activities_read = 0,"
    " activities_total = NULL WHERE backtest_id = ("
    " SELECT backtest_id FROM backtest WHERE state = 'queued' OR (state = 'running' AND heartbeat_at < :stale)"
    " ORDER BY requested_at, backtest_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING backtest_id"
)


def count_recorded(connection: Connection, from_at: datetime, to_at: datetime) -> int:
    """Return how many live activities occurred in [from, to)."""
    given = {"from_at": from_at, "to_at": to_at}
    return int(connection.execute(text(f"SELECT count(*) {_RECORDED}"), given).scalar_one())


def stream_recorded(
    connection: Connection, from_at: datetime, to_at: datetime, campaign: str
) -> Generator[Recorded, None, None]:
    """Yield the newest revision of each live activity that occurred in [from, to), in the order of time, then of id.

    ``campaign`` is the key of the campaign whose own payments are told. The rows come by a cursor of the server's. An
    activity that names no evidence has the grade that the merchant's newest key gives by itself.
    """
    statement = text(_STREAM.format(recorded=_RECORDED))
    given = {"from_at": from_at, "to_at": to_at, "campaign": campaign}
    streamed = connection.execution_options(stream_results=True, yield_per=ROWS_A_FETCH)
    with streamed.execute(statement, given) as rows:
        for row in rows:
            yield Recorded(*row)


def count_open(session: _Session) -> int:
    """Return how many backtests wait or run."""
    return int(session.scalar(select(func.count()).select_from(Backtest).where(Backtest.state.in_(OPEN))) or 0)


def find_backtest(session: _Session, campaign_id: UUID, backtest_id: UUID) -> Backtest | None:
    """Return a backtest of that campaign."""
    found = session.get(Backtest, backtest_id, populate_existing=True)
    return found if found is not None and found.campaign_id == campaign_id else None


def claim_backtest(session: _Session, moment: datetime, stale: datetime, attempts_max: int) -> Backtest | None:
    """Take the oldest backtest that waits, or whose heart has not beaten since ``stale``; None where there is none.

    One that was taken ``attempts_max`` times fails instead.
    """
    error = f"It was interrupted {attempts_max} times."
    given = {"moment": moment, "stale": stale, "attempts_max": attempts_max, "error": error}
    session.execute(_GIVE_UP, given)
    backtest_id = session.execute(_CLAIM, given).scalar()
    return None if backtest_id is None else session.get(Backtest, backtest_id, populate_existing=True)
