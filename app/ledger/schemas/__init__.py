"""What the ledger shows."""

from marshmallow import fields

from app.core.schemas import Schema, Timestamp


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


class EntrySchema(Schema):
    """One movement of points."""

    seq = fields.Integer()
    kind = fields.String()
    points = fields.Integer()
    source = fields.String(data_key="from")
    target = fields.String(data_key="to")
    reason = fields.String(allow_none=True)
    activity_id = fields.String(allow_none=True)
    effective_at = Timestamp()
    recorded_at = Timestamp()
    balances = fields.Nested(BalancesSchema)


class EntryPageSchema(Schema):
    """One page of the history."""

    data = fields.List(fields.Nested(EntrySchema))
    next_cursor = fields.String(allow_none=True)


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
    "reason": "organic-produce",
    "activity_id": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11",
    "effective_at": "2026-11-23T09:12:00Z",
    "recorded_at": "2026-11-23T09:12:01Z",
    "balances": {"pending": 45, "available": 120, "held": 0, "debt": 0},
}
