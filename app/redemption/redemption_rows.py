"""The rows that redemptions and vouchers are written by, in one statement."""

from collections.abc import Sequence
from typing import Any

from app.core.guarded_write import GuardedWrite, RowShape
from app.core.strict_json import dumps

REDEMPTION = RowShape("redemption", (
    ("member_id", "uuid"), ("redemption_id", "uuid"), ("reward_id", "uuid"), ("reward_version", "integer"),
    ("merchant_id", "uuid"), ("live", "boolean"), ("quantity", "integer"), ("points", "bigint"),
    ("money_amount", "bigint"), ("currency", "text"), ("state", "text"), ("stock_day", "date"),
    ("limit_period", "date"), ("created_at", "timestamptz"), ("held_until", "timestamptz"),
    ("issued_at", "timestamptz"), ("expires_at", "timestamptz"), ("details", "jsonb"),
))  # fmt: skip
REGISTRY = RowShape("redemption_registry", (
    ("member_id", "uuid"), ("redemption_id", "uuid"), ("merchant_id", "uuid"), ("live", "boolean"),
))  # fmt: skip
CHANGE = RowShape("redemption_change", (
    ("member_id", "uuid"), ("redemption_id", "uuid"), ("number", "smallint"), ("state", "text"),
    ("changed_at", "timestamptz"), ("actor", "text"), ("reason", "text"),
))  # fmt: skip
VOUCHER = RowShape("voucher", (
    ("member_id", "uuid"), ("voucher_id", "uuid"), ("redemption_id", "uuid"), ("merchant_id", "uuid"),
    ("code_cipher", "bytea"), ("state", "text"), ("discount", "text"), ("value", "bigint"), ("remaining", "bigint"),
    ("currency", "text"), ("terms", "jsonb"), ("issued_at", "timestamptz"), ("expires_at", "timestamptz"),
))  # fmt: skip
VOUCHER_CODE = RowShape("voucher_code", (
    ("member_id", "uuid"), ("code_hash", "bytea"), ("live", "boolean"), ("voucher_id", "uuid"),
))  # fmt: skip
REWARD_USE = RowShape("reward_use", (
    ("member_id", "uuid"), ("reward_id", "uuid"), ("period", "date"), ("used", "bigint"),
), text="""into_reward_use AS (
  INSERT INTO reward_use AS kept (member_id, reward_id, period, used)
  SELECT given.member_id, given.reward_id, given.period, given.used FROM ({given}) AS given
  ON CONFLICT (member_id, reward_id, period) DO UPDATE SET used = kept.used + excluded.used)""")  # fmt: skip
# Stock that is taken beyond its total breaks its CHECK, and a row that is not there divides by zero: either undoes the
# whole statement. Rows are locked in the order of their keys. What is left is answered by reward.
REWARD_STOCK = RowShape("reward_stock", (
    ("member_id", "uuid"), ("reward_id", "uuid"), ("live", "boolean"), ("day", "date"), ("quantity", "bigint"),
), text="""asked_stock AS MATERIALIZED (
  SELECT given.reward_id, given.live, given.day, sum(given.quantity)::bigint AS quantity
  FROM ({given}) AS given GROUP BY 1, 2, 3),
locked_stock AS MATERIALIZED (
  SELECT s.reward_id, s.live, s.day, asked.quantity FROM asked_stock AS asked JOIN reward_stock AS s
    ON s.reward_id = asked.reward_id AND s.live = asked.live AND s.day = asked.day
  ORDER BY s.reward_id, s.live, s.day FOR NO KEY UPDATE OF s),
into_reward_stock AS (
  UPDATE reward_stock AS s SET taken = s.taken + locked.quantity FROM locked_stock AS locked
  WHERE s.reward_id = locked.reward_id AND s.live = locked.live AND s.day = locked.day
  RETURNING s.reward_id, s.total - s.taken AS left_over)""", answers=(
    "(SELECT jsonb_object_agg(reward_id, left_over) FROM into_reward_stock)",
    "(SELECT 1 / (count(*) = (SELECT count(*) FROM asked_stock))::integer FROM into_reward_stock)",
))  # fmt: skip


def add_redemption(write: GuardedWrite, redemption: Any, change: Any, vouchers: Sequence[Any]) -> None:
    """Write a redemption with its first change and its vouchers, and what counts against its member's limit."""
    write.add(REDEMPTION, [_row(REDEMPTION, redemption)])
    write.add(REGISTRY, [_row(REGISTRY, redemption)])
    write.add(CHANGE, [_row(CHANGE, change)])
    if redemption.limit_period is not None:
        use = (redemption.member_id, redemption.reward_id, redemption.limit_period, redemption.quantity)
        write.add(REWARD_USE, [use])
    add_vouchers(write, vouchers)


def _row(shape: RowShape, each: Any) -> tuple[Any, ...]:
    return tuple(
        dumps(getattr(each, name)).decode() if sql_type == "jsonb" else getattr(each, name)
        for name, sql_type in shape.columns
    )


def add_vouchers(write: GuardedWrite, vouchers: Sequence[Any]) -> None:
    """Write vouchers."""
    write.add(VOUCHER, [_row(VOUCHER, voucher) for voucher in vouchers])
