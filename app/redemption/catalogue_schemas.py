"""What shoppers are told of rewards."""

from typing import Any

from marshmallow import fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Id, Integer, Schema, Text, Timestamp
from app.members.service import REGION
from app.redemption.catalogue import ORDERS
from app.redemption.models import LIMIT_PERIODS, REWARD_KINDS
from app.redemption.reward_schemas import VoucherTermsSchema
from app.redemption.reward_words import STATES

DAYS_DEFAULT, DAYS_MAX = 60, 366
_VOUCHER: dict[str, Any] = {
    "discount": "amount", "value": 500, "currency": "EUR", "minimum_spend": 1000, "certified_only": True,
    "scope": "whole", "categories": None, "skus": None, "is_partial": True, "valid_days": 90, "valid_until": None,
    "refund_if_unused": "full",
}  # fmt: skip
REWARD_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-8e21-7a41-9b00-3c4d5e6f7a8b",
    "key": "refill-voucher",
    "kind": "voucher_generated",
    "name": "5 EUR off a refill",
    "description": "For whatever you bring your own container to.",
    "image_url": "https://images.example.org/refill.jpg",
    "merchant": {"key": "corner-shop", "name": "Corner Shop"},
    "cause": None,
    "points": 320,
    "regular_points": 400,
    "money": None,
    "state": "available",
    "state_text": None,
    "missing_points": 35,
    "missing_text": "You need 35 more points",
    "left": 38,
    "limit": {"quantity": 2, "per": "month", "left": 1, "resets_at": "2026-12-31T23:00:00Z"},
    "available_from": "2026-12-01T00:00:00Z",
    "ends_at": None,
    "needs_confirmation": False,
    "voucher": _VOUCHER,
    "is_favourite": True,
}
PREVIEW_EXAMPLE: dict[str, Any] = {
    "member": {"id": "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10", "tier": "gold", "region": "DE-BE", "live": True},
    "is_visible": True,
    "prices": [{"tier": None, "points": 400}, {"tier": "gold", "points": 320}],
    "reward": REWARD_EXAMPLE,
}
EXPIRING_EXAMPLE: dict[str, Any] = {
    "available": 285,
    "expiring": [
        {
            "points": 50,
            "expires_at": "2027-01-31T23:00:00Z",
            "points_by_then": 50,
            "could_buy": [],
            "with_others": REWARD_EXAMPLE | {"points": 280, "missing_points": 0, "missing_text": None},
        }
    ],
}


def _flag(description: str) -> fields.String:
    """Return a query's flag: it is set or left out."""
    return fields.String(
        load_default=None, validate=validate.OneOf(["true", "false"]), metadata={"description": description}
    )


class RewardQuery(PageQuery):
    """Which rewards, and in which order."""

    sort = fields.String(
        load_default="points",
        validate=validate.OneOf(ORDERS),
        metadata={"description": "By price, newest first, what ends first, or favourites before the others by price."},
    )
    affordable = _flag("Only what the shopper's points suffice for.")
    favourite = _flag("Only the shopper's favourites.")
    kind = fields.String(load_default=None, validate=validate.OneOf(REWARD_KINDS))
    merchant = Text(maximum=63, load_default=None, metadata={"description": "The merchant's key."})
    region = Text(
        maximum=6, pattern=REGION, load_default=None,
        metadata={"description": "What is for members there, in the place of the shopper's own region."},
    )  # fmt: skip


class ExpiringQuery(Schema):
    """How far to look ahead."""

    days = Integer(minimum=1, maximum=DAYS_MAX, load_default=DAYS_DEFAULT, metadata={"example": DAYS_DEFAULT})

    def load(self, data: Any, **keywords: Any) -> Any:
        """Read the query; days stand there as digits, since a query string has no numbers."""
        days = data.get("days")
        if isinstance(days, str) and days.isascii() and days.isdigit():
            data = dict(data) | {"days": int(days[:6])}
        return super().load(data, **keywords)


class PreviewQuery(Schema):
    """As which member to look."""

    member = Id(required=True, metadata={"example": PREVIEW_EXAMPLE["member"]["id"]})


class RewardMerchantSchema(Schema):
    """The partner who gives it."""

    key = fields.String()
    name = fields.String()


class RewardCauseSchema(Schema):
    """The cause that is given to, by `POST /v1/donations`."""

    id = fields.UUID()
    name = fields.String(allow_none=True)


class RewardMoneySchema(Schema):
    """An amount in minor units."""

    amount = fields.Integer()
    currency = fields.String()


class RewardOwnLimitSchema(Schema):
    """How many a member may take in a period, how many are left now, and when it begins anew; null: it never does."""

    quantity = fields.Integer()
    per = fields.String(validate=validate.OneOf(LIMIT_PERIODS))
    left = fields.Integer()
    resets_at = Timestamp(allow_none=True)


class ShownRewardSchema(Schema):
    """A reward as one shopper sees it.

    ``points`` is the price for the shopper's tier, ``regular_points`` that of tiers without one of their own.
    ``missing_points`` are what the shopper's points, less what is owed, fall short of it. ``state`` says whether it can
    be redeemed now, points apart; ``left`` how many there are, null where nothing is counted or codes are drawn.
    """

    id = fields.UUID()
    key = fields.String()
    kind = fields.String(validate=validate.OneOf(REWARD_KINDS))
    name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    image_url = fields.String(allow_none=True)
    merchant = fields.Nested(RewardMerchantSchema, allow_none=True)
    cause = fields.Nested(RewardCauseSchema, allow_none=True)
    points = fields.Integer()
    regular_points = fields.Integer()
    money = fields.Nested(RewardMoneySchema, allow_none=True)
    state = fields.String(validate=validate.OneOf(STATES))
    state_text = fields.String(allow_none=True)
    missing_points = fields.Integer()
    missing_text = fields.String(allow_none=True)
    left = fields.Integer(allow_none=True)
    limit = fields.Nested(RewardOwnLimitSchema, allow_none=True)
    available_from = Timestamp(allow_none=True)
    ends_at = Timestamp(allow_none=True)
    needs_confirmation = fields.Boolean()
    voucher = fields.Nested(VoucherTermsSchema, allow_none=True)
    is_favourite = fields.Boolean()


class ShownRewardPageSchema(Schema):
    """One page of rewards."""

    data = fields.List(fields.Nested(ShownRewardSchema))
    next_cursor = fields.String(allow_none=True)


class PreviewMemberSchema(Schema):
    """The member, as far as offers tell members apart."""

    id = fields.UUID()
    tier = fields.String()
    region = fields.String(allow_none=True)
    live = fields.Boolean()


class TierPriceSchema(Schema):
    """What members of a tier pay, null for all that are not named."""

    tier = fields.String(allow_none=True)
    points = fields.Integer()


class RewardPreviewSchema(Schema):
    """A reward as a member sees it, or would if it were published; ``is_visible`` says whether the member does now."""

    member = fields.Nested(PreviewMemberSchema)
    is_visible = fields.Boolean()
    prices = fields.List(fields.Nested(TierPriceSchema))
    reward = fields.Nested(ShownRewardSchema)


class ExpiringSumSchema(Schema):
    """Points that expire together, and all that do by then.

    ``could_buy`` are the dearest rewards that those buy; ``with_others`` is the cheapest that they buy only with more
    of the shopper's points, null where there is none.
    """

    points = fields.Integer()
    expires_at = Timestamp()
    points_by_then = fields.Integer()
    could_buy = fields.List(fields.Nested(ShownRewardSchema))
    with_others = fields.Nested(ShownRewardSchema, allow_none=True)


class ExpiringPointsSchema(Schema):
    """The shopper's points, and those that expire soon, by date."""

    available = fields.Integer()
    expiring = fields.List(fields.Nested(ExpiringSumSchema))
