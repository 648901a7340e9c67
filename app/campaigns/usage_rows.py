"""The rows by which an award counts itself against limits and budgets, in the statement that books it.

Budgets come first: their slots are passed over where somebody else has them, so nobody waits for one while holding
another; then the counters, in the order of their keys. A counter that would go beyond its limit breaks its CHECK, a
budget that has too little left divides by zero: either undoes the whole statement, and the caller goes again under
locks.
"""

import random
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from app.campaigns.usage import Taken
from app.core.guarded_write import RowShape

SLOTS = 32

MEMBER_USAGE = RowShape(
    "member_limit_usage",
    (
        ("member_id", "uuid"), ("campaign_id", "uuid"), ("limit_key", "text"), ("period", "date"), ("used", "bigint"),
    ),
    text="""into_member_limit_usage AS (
  INSERT INTO member_limit_usage AS kept (member_id, campaign_id, limit_key, period, used)
  SELECT given.member_id, given.campaign_id, given.limit_key, given.period, sum(given.used)::bigint
  FROM ({given}) AS given GROUP BY 1, 2, 3, 4
  ON CONFLICT (member_id, campaign_id, limit_key, period) DO UPDATE SET used = kept.used + excluded.used)""",
)  # fmt: skip
SHARED_USAGE = RowShape(
    "shared_limit_usage",
    (
        ("member_id", "uuid"), ("campaign_id", "uuid"), ("limit_key", "text"), ("period", "date"), ("subject", "text"),
        ("used", "bigint"), ("used_max", "bigint"),
    ),
    text="""into_shared_limit_usage AS (
  INSERT INTO shared_limit_usage AS kept (campaign_id, limit_key, period, subject, used, used_max)
  SELECT given.campaign_id, given.limit_key, given.period, given.subject, sum(given.used)::bigint, max(given.used_max)
  FROM ({given}) AS given GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
  ON CONFLICT (campaign_id, limit_key, period, subject) DO UPDATE
  SET used = kept.used + excluded.used, used_max = greatest(kept.used, excluded.used_max))""",
)  # fmt: skip
BUDGET = RowShape(
    "budget_slot",
    (
        ("member_id", "uuid"), ("campaign_id", "uuid"), ("live", "boolean"), ("points", "bigint"),
        ("slots", "integer"), ("first", "integer"),
    ),
    text="""asked_budget AS MATERIALIZED (
  SELECT given.campaign_id, given.live, sum(given.points)::bigint AS points, max(given.slots) AS slots,
         max(given.first) AS first
  FROM ({given}) AS given GROUP BY 1, 2),
locked_slot AS MATERIALIZED (
  SELECT asked.campaign_id, asked.live, asked.points, free.slot, free.remaining
  FROM asked_budget AS asked CROSS JOIN LATERAL (
    SELECT one.slot, one.remaining FROM generate_series(0, 31) AS step CROSS JOIN LATERAL (
      SELECT s.slot, s.remaining FROM budget_slot AS s
      WHERE s.campaign_id = asked.campaign_id AND s.live = asked.live
        AND s.slot = ((asked.first + step) % 32)::smallint
        AND s.remaining >= CASE WHEN asked.slots = 1 THEN asked.points ELSE 1 END
      FOR NO KEY UPDATE SKIP LOCKED) AS one
    LIMIT asked.slots) AS free),
part AS (
  SELECT campaign_id, live, slot, remaining, points,
         sum(remaining) OVER (PARTITION BY campaign_id, live ORDER BY slot) - remaining AS before FROM locked_slot),
paid_slot AS (
  UPDATE budget_slot AS s SET remaining = s.remaining - least(part.remaining, part.points - part.before) FROM part
  WHERE s.campaign_id = part.campaign_id AND s.live = part.live AND s.slot = part.slot AND part.before < part.points
  RETURNING least(part.remaining, part.points - part.before) AS points, s.remaining * 5 <= s.share AS is_low)""",
    answers=(
        "1 / ((SELECT coalesce(sum(points), 0) FROM asked_budget)"
        " = (SELECT coalesce(sum(points), 0) FROM paid_slot))::integer",
        "(SELECT bool_or(is_low) FROM paid_slot)",
    ),
)  # fmt: skip


def usage_rows(member_id: UUID, taken: Iterable[Taken]) -> list[tuple[RowShape, list[tuple[Any, ...]]]]:
    """Return the rows that count ``taken``, by whose counters they are."""
    of_member: list[tuple[Any, ...]] = []
    shared: list[tuple[Any, ...]] = []
    for each in taken:
        key = (member_id, each.campaign_id, each.limit_key, each.period)
        if each.subject is None:
            of_member.append((*key, each.amount))
        else:
            shared.append((*key, each.subject, each.amount, each.used_max))
    return [(shape, rows) for shape, rows in ((MEMBER_USAGE, of_member), (SHARED_USAGE, shared)) if rows]


def budget_rows(
    member_id: UUID, spent: Mapping[UUID, int], budgets: Mapping[UUID, int], live: bool, sweeps: bool
) -> list[tuple[Any, ...]]:
    """Return the rows of ``BUDGET`` that take ``spent`` points from those campaigns that are in ``budgets``.

    One slot is asked where it should do, more for a large sum, all 32 by whoever ``sweeps``.
    """
    first = random.randrange(SLOTS)  # noqa: S311 - spreads the load, keeps no secret
    return [
        (member_id, campaign_id, live, points, SLOTS if sweeps else _slots(points, budgets[campaign_id]), first)
        for campaign_id, points in spent.items()
        if points and campaign_id in budgets
    ]


def _slots(points: int, budget: int) -> int:
    """Return how many slots it takes to pay ``points`` while half of the budget is left."""
    return min(SLOTS, 1 + points * 2 * SLOTS // budget) if points * 2 * SLOTS > budget else 1
