"""What shoppers are told of the ways to earn."""

from typing import Any

from marshmallow import fields

from app.core.schemas import Schema, Timestamp


class WindowSchema(Schema):
    """A window of a campaign that recurs."""

    starts_at = Timestamp()
    ends_at = Timestamp()


class FunderSchema(Schema):
    """The merchant who pays."""

    key = fields.String()
    name = fields.String()


class EarnsSchema(Schema):
    """What the rule pays; which fields there are depends on the type, as in the campaign's own document."""

    type = fields.String()
    points = fields.Integer()
    per = fields.Integer(metadata={"description": "minor units of `currency`"})
    currency = fields.String()
    per_g = fields.Integer()
    factor = fields.String()


class NeedSchema(Schema):
    """One of what is asked for, by code and name."""

    code = fields.String()
    name = fields.String()


def _needs() -> fields.List[Any]:
    return fields.List(fields.Nested(NeedSchema))


class NeedsSchema(Schema):
    """What an activity or line must have: one of each list that is there."""

    categories = _needs()
    certifications = _needs()
    packaging = _needs()
    materials = _needs()
    merchants = _needs()


class OwnLimitSchema(Schema):
    """A limit; ``left`` of one's own and the household's, null of others'; ``resets_at`` null where it never does."""

    by = fields.String()
    per = fields.String()
    unit = fields.String()
    amount = fields.Integer()
    left = fields.Integer(allow_none=True)
    resets_at = Timestamp(allow_none=True)


class PendingTermsSchema(Schema):
    """How long points stay pending: days, or until the activity is completed."""

    days = fields.Integer()
    until = fields.String()


class ExpiryTermsSchema(Schema):
    """How long points live."""

    months = fields.Integer()
    round_to = fields.String(allow_none=True)


class WayRuleSchema(Schema):
    """One rule of a campaign, as a shopper reads it."""

    key = fields.String()
    name = fields.String()
    kind = fields.String()
    earns = fields.Nested(EarnsSchema)
    earns_text = fields.String()
    minimum = fields.Integer(allow_none=True)
    maximum = fields.Integer(allow_none=True)
    needs = fields.Nested(NeedsSchema)
    limits = fields.List(fields.Nested(OwnLimitSchema))
    minimum_evidence = fields.String()
    pending = fields.Nested(PendingTermsSchema, allow_none=True)
    expiry = fields.Nested(ExpiryTermsSchema, allow_none=True)


class WaySchema(Schema):
    """A campaign that is open to the shopper, or opens within 30 days.

    ``next_window`` is the window that is open, or else the next, of a campaign that recurs; null of others.
    ``funded_by`` null is the programme.
    """

    id = fields.UUID()
    key = fields.String()
    name = fields.String()
    description = fields.String(allow_none=True)
    starts_at = Timestamp()
    ends_at = Timestamp(allow_none=True)
    time_zone = fields.String()
    open_now = fields.Boolean()
    next_window = fields.Nested(WindowSchema, allow_none=True)
    rules = fields.List(fields.Nested(WayRuleSchema))
    funded_by = fields.Nested(FunderSchema, allow_none=True)


class WayPageSchema(Schema):
    """One page of the ways to earn."""

    data = fields.List(fields.Nested(WaySchema))
    next_cursor = fields.String(allow_none=True)


WAY_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-9f31-7b52-8c11-0d5e7a6b4c21",
    "key": "wednesday-loose",
    "name": "Loose on Wednesdays",
    "description": "Fruit and vegetables without a package, on Wednesday evening.",
    "starts_at": "2026-07-01T00:00:00Z",
    "ends_at": "2026-07-31T16:00:00Z",
    "time_zone": "Asia/Shanghai",
    "open_now": False,
    "next_window": {"starts_at": "2026-07-08T10:00:00Z", "ends_at": "2026-07-08T14:00:00Z"},
    "rules": [
        {
            "key": "loose",
            "name": "4 points for each item sold loose",
            "kind": "purchase",
            "earns": {"type": "per_unit", "points": 4},
            "earns_text": "4 points for each unit, at most 60 points",
            "minimum": None,
            "maximum": 60,
            "needs": {"packaging": [{"code": "UNPACKED", "name": "Sold loose"}]},
            "limits": [
                {
                    "by": "member",
                    "per": "month",
                    "unit": "points",
                    "amount": 200,
                    "left": 152,
                    "resets_at": "2026-08-01T00:00:00Z",
                }
            ],
            "minimum_evidence": "staff",
            "pending": {"days": 14},
            "expiry": {"months": 12, "round_to": "month"},
        }
    ],
    "funded_by": {"key": "corner-shop", "name": "Corner Shop"},
}
