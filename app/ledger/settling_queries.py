"""The SELECTs for many accounts at once: each is one query for all of them, in the driver's binary format.

All but the first take the ids of accounts whose lock the caller holds.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from app.core.binary_arrays import encode_array
from app.ledger.lots import HoldState, LotState

_LOCK = "SELECT FROM account WHERE member_id = ANY($1::uuid[]) ORDER BY member_id FOR NO KEY UPDATE"
_IN_FORCE = "CASE WHEN l.expires_at IS NOT NULL THEN greatest(l.expires_at, a.extended_until) END"
_STATE = (
    "l.member_id, l.lot_id, l.amount, l.remaining, l.held, l.spent, l.expired, l.reversed, l.repaid, l.clawed_back,"
    f" l.is_matured, l.available_at, {_IN_FORCE}, l.void_at"
)

_DUE_LOTS = f"""
SELECT {_STATE} FROM account AS a JOIN lot AS l USING (member_id)
WHERE a.member_id = ANY($1::uuid[]) AND l.is_open AND l.remaining > 0
  AND ((NOT l.is_matured AND coalesce(l.available_at, l.void_at) <= $2::timestamptz)
    OR (l.expires_at <= $2::timestamptz AND (a.extended_until IS NULL OR a.extended_until <= $2::timestamptz)))
ORDER BY l.member_id, l.lot_id
"""  # noqa: S608 - made of constants; values come as parameters
_LOTS = f"""
SELECT {_STATE} FROM unnest($1::uuid[], $2::bigint[]) AS given(member_id, lot_id)
JOIN account AS a USING (member_id) JOIN lot AS l USING (member_id, lot_id)
"""  # noqa: S608 - as above
_DUE_HOLDS = """
SELECT h.member_id, h.hold_id, h.expires_at, array_agg(t.lot_id ORDER BY t.lot_id),
       array_agg(t.amount ORDER BY t.lot_id)
FROM hold AS h JOIN lot_allocation AS t ON t.member_id = h.member_id AND t.seq = h.seq
WHERE h.member_id = ANY($1::uuid[]) AND h.status = 'open' AND h.expires_at <= $2::timestamptz
GROUP BY h.member_id, h.hold_id, h.expires_at ORDER BY h.member_id, h.expires_at, h.hold_id
"""
_CLOSE_HOLDS = """
UPDATE hold SET status = 'expired', closed_at = expires_at
WHERE member_id = ANY($1::uuid[]) AND status = 'open' AND expires_at <= $2::timestamptz
"""
_NEXT_DUE = f"""
SELECT a.member_id, least(
  (SELECT least(min(coalesce(l.available_at, l.void_at)) FILTER (WHERE NOT l.is_matured
                  AND coalesce(l.available_at, l.void_at) > $2::timestamptz),
                min({_IN_FORCE}) FILTER (WHERE {_IN_FORCE} > $2::timestamptz))
   FROM lot AS l WHERE l.member_id = a.member_id AND l.is_open AND l.remaining > 0),
  (SELECT min(h.expires_at) FROM hold AS h
   WHERE h.member_id = a.member_id AND h.status = 'open' AND h.expires_at > $2::timestamptz))
FROM account AS a WHERE a.member_id = ANY($1::uuid[])
"""  # noqa: S608 - as above


def _rows(connection: psycopg.Connection[Any], statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.RawCursor(connection) as cursor:
        return cursor.execute(statement.encode(), parameters, binary=True).fetchall()


def _by_member(rows: Sequence[tuple[Any, ...]]) -> dict[UUID, list[LotState]]:
    found: dict[UUID, list[LotState]] = {}
    for member_id, *state in rows:
        found.setdefault(member_id, []).append(LotState(*state))
    return found


def lock_accounts(connection: psycopg.Connection[Any], member_ids: Collection[UUID]) -> None:
    """Lock the accounts in the order of their members; waits for those that somebody else has locked."""
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(_LOCK.encode(), (encode_array("uuid", member_ids),))


def list_due_lots(
    connection: psycopg.Connection[Any], member_ids: Sequence[UUID], now: datetime
) -> dict[UUID, list[LotState]]:
    """Return by member the open lots to which something has happened by ``now``."""
    return _by_member(_rows(connection, _DUE_LOTS, list(member_ids), now))


def list_lots(
    connection: psycopg.Connection[Any], lots: Collection[tuple[UUID, int]]
) -> dict[UUID, list[LotState]]:  # fmt: skip
    """Return by member the lots of these (member, lot) pairs."""
    if not lots:
        return {}
    return _by_member(_rows(connection, _LOTS, *(list(values) for values in zip(*lots, strict=True))))


def list_due_holds(
    connection: psycopg.Connection[Any], member_ids: Sequence[UUID], now: datetime
) -> dict[UUID, list[HoldState]]:
    """Return by member the open holds that have ended by themselves by ``now``, with the lots they took."""
    found: dict[UUID, list[HoldState]] = {}
    for member_id, hold_id, expires_at, lot_ids, amounts in _rows(connection, _DUE_HOLDS, list(member_ids), now):
        parts = tuple(zip(lot_ids, amounts, strict=True))
        found.setdefault(member_id, []).append(HoldState(hold_id, expires_at, parts))
    return found


def close_due_holds(connection: psycopg.Connection[Any], member_ids: Sequence[UUID], now: datetime) -> None:
    """Mark the holds that have ended by themselves."""
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(_CLOSE_HOLDS.encode(), (list(member_ids), now))


def next_due_times(
    connection: psycopg.Connection[Any], member_ids: Sequence[UUID], now: datetime
) -> dict[UUID, datetime | None]:
    """Return by member when the next lot as stored matures, expires or is voided, or the next hold ends, after ``now``.

    What settling changes is yet to be added: a book notes it when it is written.
    """
    return dict(_rows(connection, _NEXT_DUE, list(member_ids), now))
