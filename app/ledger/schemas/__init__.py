"""What the ledger shows."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Month, Schema, Timestamp
from app.ledger.models import BUCKETS

KINDS = (
    "award", "mature", "expire", "hold", "capture", "release", "spend", "refund", "reverse", "repay", "write_off",
    "adjust", "gift",
)  # fmt: skip


class Names(fields.String):
    """Some of several names, separated by commas, as a set."""

    def __init__(self, allowed: tuple[str, ...], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.allowed = allowed

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> Any:
        names = set(value.split(","))
        if not names <= set(self.allowed):
            raise ValidationError(f"Must be one or more of: {', '.join(self.allowed)}.")
        return names


class WalletQuery(Schema):
    """Which moment."""

    at = Timestamp(load_default=None, metadata={"description": "a past or future moment instead of now"})


class HistoryQuery(PageQuery):
    """Which lines of the history."""

    kinds = Names(KINDS, data_key="kind", load_default=frozenset(), metadata={"example": "award,expire"})
    bucket = fields.String(
        load_default=None, validate=validate.OneOf(BUCKETS), metadata={"description": "that points left or came to"}
    )
    start = Timestamp(data_key="from", load_default=None, metadata={"description": "in effect at that moment or later"})
    end = Timestamp(data_key="to", load_default=None, metadata={"description": "in effect before that moment"})


class StatementQuery(Schema):
    """Which month."""

    month = Month(required=True, metadata={"example": "2026-11"})


class LifetimeSchema(Schema):
    """Sums over all time."""

    issued = fields.Integer()
    spent = fields.Integer()
    expired = fields.Integer()
    reversed = fields.Integer()


class ExpiringSchema(Schema):
    """Points that expire at one moment."""

    points = fields.Integer()
    expires_at = Timestamp()


class MaturingSchema(Schema):
    """Pending points that become available at one moment."""

    points = fields.Integer()
    available_at = Timestamp()


class WalletSchema(Schema):
    """A member's points by the clock; the next 12 moments at which some expire or become available."""

    available = fields.Integer()
    pending = fields.Integer()
    held = fields.Integer()
    debt = fields.Integer()
    lifetime = fields.Nested(LifetimeSchema)
    expiring = fields.List(fields.Nested(ExpiringSchema))
    maturing = fields.List(fields.Nested(MaturingSchema))
    as_of = Timestamp()
    version = fields.Integer()


class BalancesSchema(Schema):
    """The balances after an entry."""

    pending = fields.Integer()
    available = fields.Integer()
    held = fields.Integer()
    debt = fields.Integer()


class HoldLinkSchema(Schema):
    """The hold that a movement belongs to, and the merchant's order."""

    id = fields.String()
    order = fields.String(allow_none=True)


class EntrySchema(Schema):
    """One movement of points; ``why`` is in the reader's language, ``posting`` names the event that caused it."""

    seq = fields.Integer()
    kind = fields.String()
    points = fields.Integer()
    source = fields.String(data_key="from")
    target = fields.String(data_key="to")
    why = fields.String()
    reason = fields.String(allow_none=True)
    activity_id = fields.String(allow_none=True)
    hold = fields.Nested(HoldLinkSchema, allow_none=True)
    posting = fields.String()
    reverses = fields.String(allow_none=True)
    effective_at = Timestamp()
    recorded_at = Timestamp()
    balances = fields.Nested(BalancesSchema)


class EntryPageSchema(Schema):
    """One page of the history."""

    data = fields.List(fields.Nested(EntrySchema))
    next_cursor = fields.String(allow_none=True)


class StatementBalancesSchema(BalancesSchema):
    """The balances at one moment, and the sums over all time until then."""

    lifetime = fields.Nested(LifetimeSchema)
    as_of = Timestamp()


class StatementSchema(Schema):
    """A month of a wallet."""

    month = fields.String()
    time_zone = fields.String()
    starts_at = Timestamp()
    ends_at = Timestamp()
    opening = fields.Nested(StatementBalancesSchema)
    closing = fields.Nested(StatementBalancesSchema)
    lines = fields.List(fields.Nested(EntrySchema))


def balances(wallet: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a wallet what a statement opens and closes with."""
    return {name: wallet[name] for name in ("pending", "available", "held", "debt", "lifetime", "as_of")}


WALLET_EXAMPLE = {
    "available": 120,
    "pending": 45,
    "held": 0,
    "debt": 0,
    "lifetime": {"issued": 310, "spent": 100, "expired": 20, "reversed": 25},
    "expiring": [{"points": 50, "expires_at": "2027-01-31T23:59:59Z"}],
    "maturing": [{"points": 45, "available_at": "2026-12-07T09:12:00Z"}],
    "as_of": "2026-11-23T09:12:01Z",
    "version": 17,
}
ENTRY_EXAMPLE = {
    "seq": 9,
    "kind": "award",
    "points": 45,
    "from": "issued",
    "to": "pending",
    "why": "This earned “Organic produce”.",
    "reason": "organic-produce",
    "activity_id": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11",
    "hold": None,
    "posting": "activity:019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11:rev1",
    "reverses": None,
    "effective_at": "2026-11-23T09:12:00Z",
    "recorded_at": "2026-11-23T09:12:01Z",
    "balances": {"pending": 45, "available": 120, "held": 0, "debt": 0},
}
STATEMENT_EXAMPLE = {
    "month": "2026-11",
    "time_zone": "Europe/Berlin",
    "starts_at": "2026-10-31T23:00:00Z",
    "ends_at": "2026-11-30T23:00:00Z",
    "opening": {
        "pending": 0,
        "available": 120,
        "held": 0,
        "debt": 0,
        "lifetime": {"issued": 265, "spent": 100, "expired": 20, "reversed": 25},
        "as_of": "2026-10-31T22:59:59.999999Z",
    },
    "closing": {
        "pending": 45,
        "available": 120,
        "held": 0,
        "debt": 0,
        "lifetime": {"issued": 310, "spent": 100, "expired": 20, "reversed": 25},
        "as_of": "2026-11-30T22:59:59.999999Z",
    },
    "lines": [ENTRY_EXAMPLE],
}
