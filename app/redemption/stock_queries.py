"""The statements of stock and pool codes, on the caller's connection."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from app.redemption.models import ALL_DAYS

_Connection = psycopg.Connection[Any]

_TAKE = """
UPDATE reward_stock SET taken = taken + %(n)s
 WHERE reward_id = %(reward)s AND live = %(live)s AND day = %(day)s AND taken + %(n)s <= total
RETURNING total - taken
"""
_GIVE_BACK = """
UPDATE reward_stock SET taken = taken - %(n)s WHERE reward_id = %(reward)s AND live = %(live)s AND day = %(day)s
RETURNING total - taken
"""
# FOR SHARE waits for staff who change the total: a row that is opened beside them would keep the old one
_OPEN = """
INSERT INTO reward_stock (reward_id, live, day, total, taken)
SELECT reward_id, %(live)s, %(day)s, stock_total, 0 FROM reward
 WHERE reward_id = %(reward)s AND stock_total IS NOT NULL FOR SHARE
ON CONFLICT (reward_id, live, day) DO NOTHING
"""
_READ_LEFT = """
SELECT total - taken FROM reward_stock WHERE reward_id = %(reward)s AND live = %(live)s AND day = %(day)s
"""
_LOCK_STOCK = """
SELECT live, day, taken FROM reward_stock WHERE reward_id = %(reward)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY live, day FOR UPDATE
"""
# nobody is refused for what was tried in test mode
_SET_TOTAL = """
UPDATE reward_stock SET total = CASE WHEN live THEN %(total)s ELSE greatest(%(total)s, taken) END
 WHERE reward_id = %(reward)s AND day BETWEEN %(first)s AND %(last)s
"""
_FREE = """
WITH free AS MATERIALIZED (
  SELECT place FROM pool_code WHERE reward_id = %(reward)s AND live = %(live)s AND voucher_id IS NULL
   ORDER BY place LIMIT %(n)s FOR UPDATE"""
_ASSIGN = """),
numbered AS MATERIALIZED (SELECT place, row_number() OVER (ORDER BY place) AS number FROM free)
UPDATE pool_code AS code SET voucher_id = given.voucher_id
  FROM numbered JOIN unnest(%(vouchers)s::uuid[]) WITH ORDINALITY AS given(voucher_id, number) USING (number)
 WHERE code.reward_id = %(reward)s AND code.place = numbered.place
RETURNING code.voucher_id, code.code_hash, code.code_cipher
"""
_FREE_CODES = """
UPDATE pool_code SET voucher_id = NULL
 WHERE code_hash = ANY(%(hashes)s) AND reward_id = %(reward)s AND live = %(live)s
"""
_COUNT_FREE = """
SELECT count(*) FROM (SELECT 1 FROM pool_code
 WHERE reward_id = %(reward)s AND live = %(live)s AND voucher_id IS NULL LIMIT %(most)s) AS free
"""
_LOCK_PUBLISHED = """
SELECT kind, stock_kind, (document ->> 'low_stock_at')::bigint FROM reward
 WHERE reward_id = %(reward)s AND state = 'published' FOR NO KEY UPDATE
"""
_INSERT_NOTICE = """
INSERT INTO stock_notice (reward_id, day, noticed_at) VALUES (%(reward)s, %(day)s, %(moment)s) ON CONFLICT DO NOTHING
"""
# those that are low and were not told, and those that were told and are low no more
_LIST_WATCHED = """
SELECT reward.reward_id FROM reward
CROSS JOIN LATERAL (SELECT (document ->> 'low_stock_at')::bigint AS low_at,
                           CASE stock_kind WHEN 'per_day' THEN %(today)s ELSE %(all_days)s END AS day) AS watched
LEFT JOIN reward_stock AS stock ON stock.reward_id = reward.reward_id AND stock.live AND stock.day = watched.day
LEFT JOIN stock_notice AS notice ON notice.reward_id = reward.reward_id AND notice.day = watched.day
WHERE reward.state = 'published' AND low_at IS NOT NULL AND (notice.reward_id IS NOT NULL) <> CASE
  WHEN reward.kind = 'voucher_pool' THEN (
    SELECT count(*) FROM (SELECT 1 FROM pool_code AS code
     WHERE code.reward_id = reward.reward_id AND code.live AND code.voucher_id IS NULL LIMIT low_at + 1) AS free
  ) <= low_at
  WHEN reward.stock_kind = 'none' THEN false
  ELSE coalesce(stock.total - stock.taken <= low_at, false) END
ORDER BY reward.reward_id
"""


def _number(connection: _Connection, statement: LiteralString, **given: Any) -> int | None:
    row = connection.execute(statement, given).fetchone()
    return None if row is None else int(row[0])


def take(connection: _Connection, reward_id: UUID, live: bool, day: date, count: int) -> int | None:
    """Take ``count`` and return what is left then; None where so many are not left, or nobody opened that stock yet."""
    return _number(connection, _TAKE, reward=reward_id, live=live, day=day, n=count)


def give_back(connection: _Connection, reward_id: UUID, live: bool, day: date, count: int) -> int:
    """Give ``count`` back and return what is left then."""
    left = _number(connection, _GIVE_BACK, reward=reward_id, live=live, day=day, n=count)
    assert left is not None, "what was taken was taken of a row"
    return left


def open_stock(connection: _Connection, reward_id: UUID, live: bool, day: date) -> None:
    """Make sure of the row of that day's stock, with the total that the reward has now."""
    connection.execute(_OPEN, {"reward": reward_id, "live": live, "day": day})


def read_left(connection: _Connection, reward_id: UUID, live: bool, day: date) -> int | None:
    """Return what is left, None where nobody opened that stock yet."""
    return _number(connection, _READ_LEFT, reward=reward_id, live=live, day=day)


def lock_stock(connection: _Connection, reward_id: UUID, first: date, last: date) -> list[tuple[bool, date, int]]:
    """Lock the reward's stock of these days and return live, day and what is taken of each."""
    return connection.execute(_LOCK_STOCK, {"reward": reward_id, "first": first, "last": last}).fetchall()


def set_total(connection: _Connection, reward_id: UUID, first: date, last: date, total: int) -> None:
    """Let the reward's stock of each of these days be ``total``, in test mode at least what is taken."""
    connection.execute(_SET_TOTAL, {"reward": reward_id, "first": first, "last": last, "total": total})


def take_codes(
    connection: _Connection, reward_id: UUID, live: bool, voucher_ids: Sequence[UUID], *, waits: bool
) -> list[tuple[UUID, bytes, bytes]]:
    """Make free codes these vouchers', in their order, as many as there are; return voucher, hash and cipher of each.

    Passes over what others have locked, or ``waits`` for it, place by place.
    """
    statement = _FREE + ("" if waits else " SKIP LOCKED") + _ASSIGN
    given = {"reward": reward_id, "live": live, "n": len(voucher_ids), "vouchers": list(voucher_ids)}
    return connection.execute(statement, given).fetchall()


def free_codes(connection: _Connection, reward_id: UUID, live: bool, hashes: Sequence[bytes]) -> None:
    """Let these codes of the reward be nobody's again."""
    connection.execute(_FREE_CODES, {"reward": reward_id, "live": live, "hashes": list(hashes)})


def count_free_codes(connection: _Connection, reward_id: UUID, live: bool, most: int) -> int:
    """Return how many codes are free, counted no further than ``most``."""
    return _number(connection, _COUNT_FREE, reward=reward_id, live=live, most=most) or 0


def lock_published(connection: _Connection, reward_id: UUID) -> tuple[str, str, int | None] | None:
    """Lock the reward and return its kind, its kind of stock, and below what its stock is low; None unless published.

    Who only refers to it does not wait.
    """
    row = connection.execute(_LOCK_PUBLISHED, {"reward": reward_id}).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def insert_notice(connection: _Connection, reward_id: UUID, day: date, moment: datetime) -> bool:
    """Remember that the outbox is told of this; return False where it was told."""
    given = {"reward": reward_id, "day": day, "moment": moment}
    return connection.execute(_INSERT_NOTICE, given).rowcount == 1


def forget_notice(connection: _Connection, reward_id: UUID, day: date) -> None:
    """Forget that the outbox was told of this."""
    connection.execute("DELETE FROM stock_notice WHERE reward_id = %s AND day = %s", [reward_id, day])


def forget_old_notices(connection: _Connection, today: date) -> None:
    """Forget what was told of days before ``today``."""
    connection.execute("DELETE FROM stock_notice WHERE day > %s AND day < %s", [ALL_DAYS, today])


def list_watched(connection: _Connection, today: date) -> list[UUID]:
    """Return the published rewards of whose live stock the outbox is to be told, or was told and is low no more."""
    rows = connection.execute(_LIST_WATCHED, {"today": today, "all_days": ALL_DAYS})
    return [row[0] for row in rows]
