"""The counters of limits and the slots of budgets: what reads, locks and moves them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg

from app.campaigns.usage import LimitAsk, Member
from app.core.guarded_write import ARRAYS, source_text

Slots = dict[UUID, dict[int, int]]

ASKED_LIMIT = (
    ("place", "integer"), ("position", "integer"), ("campaign_id", "uuid"), ("limit_key", "text"), ("period", "date"),
    ("subject", "text"),
)  # fmt: skip
# An array of what is used of the rows of ``asked_limit`` at a place, in their order: null where there is none.
USED = """
SELECT array_agg(coalesce(own.used, shared.used, 0) ORDER BY asked_limit.position)
FROM asked_limit
LEFT JOIN member_limit_usage AS own
  ON asked_limit.subject IS NULL AND own.member_id = {member} AND own.campaign_id = asked_limit.campaign_id
 AND own.limit_key = asked_limit.limit_key AND own.period = asked_limit.period
LEFT JOIN shared_limit_usage AS shared
  ON shared.campaign_id = asked_limit.campaign_id AND shared.limit_key = asked_limit.limit_key
 AND shared.period = asked_limit.period
 AND shared.subject = CASE asked_limit.subject WHEN 'household'
     THEN 'household:' || coalesce({household}, {member})::text ELSE asked_limit.subject END
WHERE asked_limit.place = {place}
"""
_READ = f"""
WITH asked_limit AS MATERIALIZED ({source_text(ASKED_LIMIT, ARRAYS, 1)})
SELECT ({USED.format(place="0", member="$7::uuid", household="$8::uuid")})
"""
_OPEN = """
INSERT INTO shared_limit_usage (campaign_id, limit_key, period, subject, used, used_max)
SELECT campaign_id, limit_key, period, subject, 0, used_max
FROM unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::bigint[])
     AS given(campaign_id, limit_key, period, subject, used_max)
ORDER BY campaign_id, limit_key, period, subject
ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT u.campaign_id, u.limit_key, u.period, u.subject, u.used FROM shared_limit_usage AS u
JOIN unnest($1::uuid[], $2::text[], $3::date[], $4::text[]) AS given(campaign_id, limit_key, period, subject)
USING (campaign_id, limit_key, period, subject)
ORDER BY u.campaign_id, u.limit_key, u.period, u.subject FOR NO KEY UPDATE OF u
"""
_GIVE_BACK_SHARED = """
UPDATE shared_limit_usage AS u SET used = greatest(0, u.used - given.amount)
FROM unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::bigint[])
     AS given(campaign_id, limit_key, period, subject, amount)
WHERE u.campaign_id = given.campaign_id AND u.limit_key = given.limit_key AND u.period = given.period
  AND u.subject = given.subject
"""
_GIVE_BACK_MEMBER = """
UPDATE member_limit_usage AS u SET used = greatest(0, u.used - given.amount)
FROM unnest($2::uuid[], $3::text[], $4::date[], $5::bigint[]) AS given(campaign_id, limit_key, period, amount)
WHERE u.member_id = $1::uuid AND u.campaign_id = given.campaign_id AND u.limit_key = given.limit_key
  AND u.period = given.period
"""
_LOCK_SLOTS = """
SELECT campaign_id, slot, remaining FROM budget_slot WHERE campaign_id = ANY($1::uuid[]) AND live = $2::boolean
ORDER BY campaign_id, slot FOR NO KEY UPDATE
"""
_MOVE_SLOTS = """
UPDATE budget_slot AS s SET remaining = s.remaining + given.points
FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS given(campaign_id, slot, points)
WHERE s.campaign_id = given.campaign_id AND s.live = $4::boolean AND s.slot = given.slot
"""


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(values) for values in zip(*rows, strict=True)]


def asked_rows(place: int, asks: Iterable[LimitAsk]) -> list[tuple[Any, ...]]:
    """Return the rows of ``asked_limit`` that ask for ``asks`` at ``place``."""
    return [
        (place, position, ask.campaign_id, ask.limit_key, ask.period, ask.subject) for position, ask in enumerate(asks)
    ]


_FUNDS = """
SELECT campaign_id, sum(remaining)::bigint FROM budget_slot WHERE campaign_id = ANY($1::uuid[]) AND live = $2
GROUP BY campaign_id
"""


def read_usage(connection: psycopg.Connection[Any], asks: Sequence[LimitAsk], member: Member) -> list[int]:
    """Return what is used of the limits of ``asks`` by ``member`` and by what the member shares, in their order."""
    if not asks:
        return []
    given = [*_columns(asked_rows(0, asks)), member.member_id, member.household_id]
    with psycopg.RawCursor(connection) as cursor:
        [(used,)] = cursor.execute(_READ.encode(), given).fetchall()
    return list(used)


def read_funds(connection: psycopg.Connection[Any], campaign_ids: Collection[UUID], live: bool) -> dict[UUID, int]:
    """Return what is left of the budgets of those of these campaigns that have one, locking nothing."""
    if not campaign_ids:
        return {}
    with psycopg.RawCursor(connection) as cursor:
        return dict(cursor.execute(_FUNDS.encode(), [list(campaign_ids), live]).fetchall())


def lock_shared_usage(
    connection: psycopg.Connection[Any], counters: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], int]:
    """Lock shared counters (campaign, limit key, period, subject, used_max), opening those that are new.

    Returns what is used by (campaign, limit key, period, subject).
    """
    if not counters:
        return {}
    columns = _columns(counters)
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(_OPEN.encode(), columns)
        rows = cursor.execute(_LOCK.encode(), columns[:4]).fetchall()
    return {tuple(row[:4]): row[4] for row in rows}


def give_back_usage(
    connection: psycopg.Connection[Any],
    member_id: UUID,
    of_member: Sequence[tuple[Any, ...]],
    shared: Sequence[tuple[Any, ...]],
) -> None:
    """Take back what was counted: (campaign, limit key, period[, subject], amount); locks in the counters' order."""
    with psycopg.RawCursor(connection) as cursor:
        if of_member:
            cursor.execute(_GIVE_BACK_MEMBER.encode(), [member_id, *_columns(sorted(of_member))])
        if shared:
            columns = _columns(sorted(shared))
            cursor.execute(_LOCK.encode(), columns[:4])
            cursor.execute(_GIVE_BACK_SHARED.encode(), columns)


def lock_slots(connection: psycopg.Connection[Any], campaign_ids: Iterable[UUID], live: bool) -> Slots:
    """Lock every slot of these campaigns' budgets and return what is left in each; no budget, no entry."""
    slots: Slots = {}
    with psycopg.RawCursor(connection) as cursor:
        for campaign_id, slot, remaining in cursor.execute(_LOCK_SLOTS.encode(), [sorted(campaign_ids), live]):
            slots.setdefault(campaign_id, {})[slot] = remaining
    return slots


def move_slots(connection: psycopg.Connection[Any], moves: Sequence[tuple[UUID, int, int]], live: bool) -> None:
    """Add points, or take them where negative, to slots (campaign, slot, points) that the caller has locked."""
    if moves:
        with psycopg.RawCursor(connection) as cursor:
            cursor.execute(_MOVE_SLOTS.encode(), [*_columns(moves), live])
