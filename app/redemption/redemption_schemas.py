"""What shoppers, partners and staff send and get about redemptions."""

from typing import Any

from marshmallow import fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Id, Integer, Schema, Text, Timestamp
from app.redemption.models import DISCOUNTS, REDEMPTION_STATES, REWARD_KINDS, VOUCHER_STATES
from app.redemption.redeeming import QUANTITY_MAX

_ID = "019ab0c2-9f32-7a5c-9c74-8b4d0a3f6e{:02d}".format
VOUCHER_EXAMPLE: dict[str, Any] = {
    "id": _ID(3), "code": "7ZK3Q-F92MX-4TC1", "state": "issued", "discount": "amount", "value": 500, "remaining": 500,
    "currency": "EUR", "minimum_spend": 2000, "certified_only": True, "scope": "whole", "categories": None,
    "skus": None, "is_partial": True, "merchant_id": _ID(9), "expires_at": "2027-02-21T23:00:00Z", "uses": [],
}  # fmt: skip
BRIEF_EXAMPLE: dict[str, Any] = {
    "id": _ID(1), "state": "issued",
    "reward": {"id": _ID(2), "key": "five-euros", "kind": "voucher_generated", "name": "5 euros off certified products",
               "merchant_id": _ID(9)},
    "quantity": 1, "points": 400, "points_returned": 0, "money": None, "fulfilment": None,
    "created_at": "2026-11-23T09:12:00Z", "held_until": None, "issued_at": "2026-11-23T09:12:00Z",
    "expires_at": "2027-02-21T23:00:00Z", "closed_at": None,
}  # fmt: skip
CHANGE_EXAMPLE = {"state": "issued", "at": "2026-11-23T09:12:00Z", "by": "member", "reason": None}
REDEMPTION_EXAMPLE = BRIEF_EXAMPLE | {"vouchers": [VOUCHER_EXAMPLE], "changes": [CHANGE_EXAMPLE]}
CANCELLED_EXAMPLE = BRIEF_EXAMPLE | {
    "state": "cancelled", "points_returned": 400, "closed_at": "2026-11-23T10:00:00Z",
    "vouchers": [VOUCHER_EXAMPLE | {"state": "cancelled"}],
    "changes": [CHANGE_EXAMPLE, {"state": "cancelled", "at": "2026-11-23T10:00:00Z", "by": "member", "reason": None}],
}  # fmt: skip
HELD_EXAMPLE = BRIEF_EXAMPLE | {
    "state": "held", "issued_at": None, "expires_at": None, "held_until": "2026-11-26T09:12:00Z",
    "reward": BRIEF_EXAMPLE["reward"] | {"key": "lunch-box", "kind": "product", "name": "A lunch box"},
}  # fmt: skip
CONFIRMED_EXAMPLE = HELD_EXAMPLE | {
    "state": "issued", "issued_at": "2026-11-24T08:00:00Z", "fulfilment": {"reference": "DHL-00340434"},
}  # fmt: skip
DECLINED_EXAMPLE = HELD_EXAMPLE | {
    "state": "cancelled", "points_returned": 400, "closed_at": "2026-11-24T08:00:00Z",
}  # fmt: skip
_MEMBER = {"member_id": _ID(8)}
STAFF_BRIEF_EXAMPLE = _MEMBER | BRIEF_EXAMPLE
STAFF_EXAMPLE: dict[str, Any] = STAFF_BRIEF_EXAMPLE | {
    "vouchers": [{name: value for name, value in VOUCHER_EXAMPLE.items() if name != "code"}],
    "changes": [CHANGE_EXAMPLE | {"by": f"member:{_ID(8)}"}],
}


STAFF_CANCELLED_EXAMPLE = STAFF_EXAMPLE | {
    "state": "cancelled", "points_returned": 400, "closed_at": "2026-11-24T08:00:00Z",
}  # fmt: skip
USE_EXAMPLE: dict[str, Any] = {
    "id": _ID(5), "order": "order-10023", "merchant_id": _ID(9), "amount": 500, "currency": "EUR",
    "used_at": "2026-11-24T08:00:00Z", "rolled_back_at": None,
}  # fmt: skip
STAFF_USED_EXAMPLE = STAFF_EXAMPLE | {"state": "used", "closed_at": "2026-11-24T08:00:00Z"}


class RedemptionRequestSchema(Schema):
    """How many of which reward."""

    reward_id = Id(required=True)
    quantity = Integer(minimum=1, maximum=QUANTITY_MAX, load_default=1)


class RedemptionReasonSchema(Schema):
    """Why; it is kept with the change and, for staff, in the audit log."""

    reason = Text(maximum=300, required=True)


class ConfirmationSchema(Schema):
    """The partner's own reference of the delivery, if there is one."""

    reference = Text(maximum=100, load_default=None, allow_none=True)


class StaffConfirmationSchema(ConfirmationSchema):
    """The reference of the delivery, and why staff confirm it."""

    reason = Text(maximum=300, required=True)


class StaffRollbackSchema(RedemptionReasonSchema):
    """Which use of a voucher is undone, and why."""

    use_id = Id(required=True)


class RewardBriefSchema(Schema):
    """The reward that was redeemed; ``merchant_id`` null is the programme's own."""

    id = fields.UUID()
    key = fields.String()
    kind = fields.String(validate=validate.OneOf(REWARD_KINDS))
    name = fields.String(allow_none=True)
    merchant_id = fields.UUID(allow_none=True)


class RedemptionMoneySchema(Schema):
    """An amount in minor units."""

    amount = fields.Integer()
    currency = fields.String()


class FulfilmentSchema(Schema):
    """The partner's reference of the delivery."""

    reference = fields.String()


class VoucherUseSchema(Schema):
    """A use of a voucher for an order, by the amount it took off; undone where ``rolled_back_at`` is set."""

    id = fields.UUID()
    order = fields.String()
    merchant_id = fields.UUID()
    amount = fields.Integer()
    currency = fields.String(allow_none=True)
    used_at = Timestamp()
    rolled_back_at = Timestamp(allow_none=True)


class IssuedVoucherSchema(Schema):
    """A voucher and its terms; ``remaining`` is what is left of an amount. ``merchant_id`` null is good everywhere."""

    id = fields.UUID()
    state = fields.String(validate=validate.OneOf(VOUCHER_STATES))
    discount = fields.String(validate=validate.OneOf(DISCOUNTS))
    value = fields.Integer(allow_none=True)
    remaining = fields.Integer(allow_none=True)
    currency = fields.String(allow_none=True)
    minimum_spend = fields.Integer(allow_none=True)
    certified_only = fields.Boolean()
    scope = fields.String(validate=validate.OneOf(["whole", "line"]))
    categories = fields.List(fields.String(), allow_none=True)
    skus = fields.List(fields.String(), allow_none=True)
    is_partial = fields.Boolean()
    merchant_id = fields.UUID(allow_none=True)
    expires_at = Timestamp(allow_none=True)


class VoucherSchema(IssuedVoucherSchema):
    """A voucher with what it was used for, and its code, which its owner alone is shown."""

    code = fields.String()
    uses = fields.List(fields.Nested(VoucherUseSchema))


class RedemptionChangeSchema(Schema):
    """A state that the redemption came to, when, and by whom."""

    state = fields.String(validate=validate.OneOf(REDEMPTION_STATES))
    at = Timestamp()
    by = fields.String()
    reason = fields.String(allow_none=True)


class RedemptionBriefSchema(Schema):
    """A redemption as lists have it, by the clock; ``points`` is the price, ``points_returned`` what came back."""

    id = fields.UUID()
    state = fields.String(validate=validate.OneOf(REDEMPTION_STATES))
    reward = fields.Nested(RewardBriefSchema)
    quantity = fields.Integer()
    points = fields.Integer()
    points_returned = fields.Integer()
    money = fields.Nested(RedemptionMoneySchema, allow_none=True)
    fulfilment = fields.Nested(FulfilmentSchema, allow_none=True)
    created_at = Timestamp()
    held_until = Timestamp(allow_none=True)
    issued_at = Timestamp(allow_none=True)
    expires_at = Timestamp(allow_none=True)
    closed_at = Timestamp(allow_none=True)


class RedemptionSchema(RedemptionBriefSchema):
    """A redemption with its vouchers and what became of it."""

    vouchers = fields.List(fields.Nested(VoucherSchema))
    changes = fields.List(fields.Nested(RedemptionChangeSchema))


class StaffRedemptionBriefSchema(RedemptionBriefSchema):
    """A redemption as lists of staff have it."""

    member_id = fields.UUID()


class StaffRedemptionSchema(RedemptionSchema):
    """A redemption with its vouchers, without their codes, and who changed it."""

    member_id = fields.UUID()


class RedemptionPageSchema(Schema):
    """A page of redemptions, newest first."""

    data = fields.List(fields.Nested(RedemptionBriefSchema))
    next_cursor = fields.String(allow_none=True)


class StaffRedemptionPageSchema(Schema):
    """A page of redemptions, newest first."""

    data = fields.List(fields.Nested(StaffRedemptionBriefSchema))
    next_cursor = fields.String(allow_none=True)


class RedemptionQuery(PageQuery):
    """The shopper's redemptions, or those in one state by the clock."""

    state = fields.String(load_default=None, validate=validate.OneOf(REDEMPTION_STATES))


class MerchantRedemptionQuery(PageQuery):
    """The redemptions of the merchant's rewards in one state as it is booked; those that wait, by default."""

    state = fields.String(load_default="held", validate=validate.OneOf(REDEMPTION_STATES))


class StaffRedemptionQuery(RedemptionQuery):
    """Redemptions by member, reward and state."""

    member_id = Id(load_default=None)
    reward_id = Id(load_default=None)
