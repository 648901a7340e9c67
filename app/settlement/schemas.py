"""What statements show, with an example of each."""

from typing import Any

from marshmallow import fields, validate

from app.core.schemas import ExternalId, Month, Schema, Timestamp

_HEAD: dict[str, Any] = {
    "month": "2026-11", "state": "closed", "time_zone": "Europe/Berlin", "starts_at": "2026-10-31T23:00:00Z",
    "ends_at": "2026-11-30T23:00:00Z", "as_of": "2026-11-30T23:00:00Z", "closed_at": "2026-12-03T09:30:00Z",
    "currency": "EUR", "point_value_micros": 10_000,
}  # fmt: skip
_SHOP = {"kind": "merchant", "id": "019ab0c2-7c11-7f0e-8a51-3d2e4b5a6c77", "key": "corner-shop", "name": "Corner Shop"}
_MILL = {"kind": "merchant", "id": "019ab0c2-7c55-7b1f-8e02-5f4a6c7b8d99", "key": "old-mill", "name": "Old Mill"}
_PROGRAMME = {"kind": "programme", "id": None, "key": None, "name": None}


def _cell(points: int) -> dict[str, int]:
    return {"points": points, "amount": points}


STATEMENT_EXAMPLE: dict[str, Any] = _HEAD | {
    "merchant": _SHOP,
    "points": {"funded": 5000, "expired": 120, "reversed": 300, "spent": 2000, "refunded": 0, "spent_at": 1500,
               "refunded_at": 100},
    "owed": {"receivable": 1400, "payable": 2000, "balance": -600},
    "lines": [
        {"counterparty": _PROGRAMME, "spent_here": _cell(900), "refunded_here": _cell(100), "spent_there": _cell(500),
         "refunded_there": _cell(0), "balance": 300},
        {"counterparty": _SHOP, "spent_here": _cell(600), "refunded_here": _cell(0), "spent_there": _cell(600),
         "refunded_there": _cell(0), "balance": 0},
        {"counterparty": _MILL, "spent_here": _cell(0), "refunded_here": _cell(0), "spent_there": _cell(900),
         "refunded_there": _cell(0), "balance": -900},
    ],
}  # fmt: skip
OVERVIEW_EXAMPLE: dict[str, Any] = _HEAD | {
    "parties": [
        {"party": _PROGRAMME,
         "points": {"funded": 9000, "expired": 700, "reversed": 150, "spent": 900, "refunded": 100, "spent_at": 500,
                    "refunded_at": 0},
         "owed": {"receivable": 500, "payable": 800, "balance": -300}},
        {"party": _SHOP, "points": STATEMENT_EXAMPLE["points"], "owed": STATEMENT_EXAMPLE["owed"]},
        {"party": _MILL,
         "points": {"funded": 0, "expired": 0, "reversed": 0, "spent": 0, "refunded": 0, "spent_at": 900,
                    "refunded_at": 0},
         "owed": {"receivable": 900, "payable": 0, "balance": 900}},
    ],
    "balance": 0,
}  # fmt: skip


class MonthPath(Schema):
    """The month in a path."""

    month = Month(required=True)


class StatementQuery(Schema):
    """Whose statement."""

    merchant = ExternalId(
        load_default=None,
        metadata={"description": "a merchant's id or readable name; without it, what everybody gets and pays"},
    )


class PartySchema(Schema):
    """A merchant, or the programme."""

    kind = fields.String(validate=validate.OneOf(["merchant", "programme"]))
    id = fields.UUID(allow_none=True)
    key = fields.String(allow_none=True)
    name = fields.String(allow_none=True)


class SettledPointsSchema(Schema):
    """Points: of those that the party funds, ``funded`` (issued), ``expired``, ``reversed``, ``spent`` and ``refunded``
    anywhere; whoever funds them, ``spent_at`` the party and ``refunded_at`` it.
    """

    funded = fields.Integer()
    expired = fields.Integer()
    reversed = fields.Integer()
    spent = fields.Integer()
    refunded = fields.Integer()
    spent_at = fields.Integer()
    refunded_at = fields.Integer()


class OwedSchema(Schema):
    """What the party gets (``receivable``) and pays (``payable``), in minor units; ``balance`` is the difference."""

    receivable = fields.Integer()
    payable = fields.Integer()
    balance = fields.Integer()


class SettledSchema(Schema):
    """Points and the amount that they are worth in minor units."""

    points = fields.Integer()
    amount = fields.Integer()


class StatementLineSchema(Schema):
    """A counterparty: its points spent and refunded here, ours spent and refunded there, and what we get for it."""

    counterparty = fields.Nested(PartySchema)
    spent_here = fields.Nested(SettledSchema)
    refunded_here = fields.Nested(SettledSchema)
    spent_there = fields.Nested(SettledSchema)
    refunded_there = fields.Nested(SettledSchema)
    balance = fields.Integer()


class SettledMonthSchema(Schema):
    """A month: ``running``, ``open`` when it is over, ``closed`` for ever; one point is worth ``point_value_micros``
    millionths of a unit of ``currency``.
    """

    month = fields.String()
    state = fields.String(validate=validate.OneOf(["running", "open", "closed"]))
    time_zone = fields.String()
    starts_at = Timestamp()
    ends_at = Timestamp()
    as_of = Timestamp()
    closed_at = Timestamp(allow_none=True)
    currency = fields.String()
    point_value_micros = fields.Integer()


class MerchantStatementSchema(SettledMonthSchema):
    """What a merchant gets from the programme and pays to it for the points of a month."""

    merchant = fields.Nested(PartySchema)
    points = fields.Nested(SettledPointsSchema)
    owed = fields.Nested(OwedSchema)
    lines = fields.List(fields.Nested(StatementLineSchema))


class StatementPartySchema(Schema):
    """What one party gets and pays."""

    party = fields.Nested(PartySchema)
    points = fields.Nested(SettledPointsSchema)
    owed = fields.Nested(OwedSchema)


class OverviewSchema(SettledMonthSchema):
    """What everybody gets and pays, the programme first; ``balance``, the sum of all balances, is zero."""

    parties = fields.List(fields.Nested(StatementPartySchema))
    balance = fields.Integer()


class StatementsSchema(MerchantStatementSchema):
    """An overview: ``parties`` and ``balance``; or one merchant's statement: the other fields."""

    parties = fields.List(fields.Nested(StatementPartySchema))
    balance = fields.Integer()
