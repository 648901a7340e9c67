"""The rows that redemptions and vouchers are written by, in one statement."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.core.database import driver_connection
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
_GUARD = "WITH granted AS (SELECT $1::uuid AS member_id)"


class Writing:
    """Rows of one member, whose account the caller has locked, that are written together."""

    def __init__(self, member_id: UUID) -> None:
        self._write = GuardedWrite(_GUARD, [member_id])

    def add(self, shape: RowShape, *objects: Any) -> None:
        """Write an object's attributes as a row of ``shape``."""
        self._write.add(shape, [_row(shape, each) for each in objects])

    def add_rows(self, shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write ``rows``."""
        self._write.add(shape, rows)

    def execute(self) -> None:
        """Write them all, in the caller's unit of work."""
        with driver_connection() as connection:
            self._write.execute(connection)


def _row(shape: RowShape, each: Any) -> tuple[Any, ...]:
    return tuple(
        dumps(getattr(each, name)).decode() if sql_type == "jsonb" else getattr(each, name)
        for name, sql_type in shape.columns
    )
