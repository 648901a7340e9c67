"""What merchants send and get about vouchers at the till."""

from typing import Any

from marshmallow import fields, validate

from app.activities.service import CartSchema
from app.core.schemas import ExternalId, Integer, Schema, Text, Timestamp
from app.redemption.codes import TEXT_LENGTH_MAX
from app.redemption.redemption_schemas import USE_EXAMPLE, VOUCHER_EXAMPLE, IssuedVoucherSchema
from app.redemption.worth import BELOW_MINIMUM, NOTHING_ELIGIBLE

AMOUNT_MAX = 10**9
_CODE = VOUCHER_EXAMPLE["code"]
CART_EXAMPLE: dict[str, Any] = {
    "currency": "EUR",
    "lines": [
        {"id": "1", "sku": "A-1", "category": "produce", "quantity": 2, "total": 2198,
         "certifications": [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}]},
    ],
}  # fmt: skip
VALIDATE_EXAMPLE: dict[str, Any] = {"code": _CODE, "cart": CART_EXAMPLE}
REDEEM_EXAMPLE: dict[str, Any] = {"code": _CODE, "order": "order-10023", "cart": CART_EXAMPLE, "amount": None}
ROLLBACK_EXAMPLE: dict[str, Any] = {"code": _CODE, "order": "order-10023"}
_TERMS = {name: value for name, value in VOUCHER_EXAMPLE.items() if name not in ("code", "uses")}
WORTH_EXAMPLE: dict[str, Any] = {
    "amount": 500, "currency": "EUR", "lines": [{"id": "1", "amount": 500}], "reason": None, "missing_amount": 0,
    "voucher": _TERMS,
}  # fmt: skip
USED_EXAMPLE: dict[str, Any] = {
    "use_id": USE_EXAMPLE["id"], "order": "order-10023", "amount": 500, "currency": "EUR",
    "lines": [{"id": "1", "amount": 500}], "used_at": "2026-11-24T08:00:00Z",
    "voucher": _TERMS | {"state": "used", "remaining": 0},
}  # fmt: skip
ROLLED_BACK_EXAMPLE: dict[str, Any] = {
    "use_id": USE_EXAMPLE["id"], "order": "order-10023", "amount": 500, "currency": "EUR",
    "used_at": "2026-11-24T08:00:00Z", "rolled_back_at": "2026-11-24T08:05:00Z", "voucher": _TERMS,
}  # fmt: skip


class VoucherCartSchema(CartSchema):
    """The cart as a preview takes it; it is a purchase, unless it says so itself."""

    kind = fields.String(load_default="purchase", validate=validate.Equal("purchase"))


class ValidateSchema(Schema):
    """A code as it was typed or scanned, and the cart that it is for."""

    code = Text(maximum=TEXT_LENGTH_MAX, required=True)
    cart = fields.Nested(VoucherCartSchema, required=True)


class RedeemSchema(ValidateSchema):
    """The order that the voucher is used for; ``amount`` of it, or else as much as it is worth for the cart."""

    order = ExternalId(required=True)
    amount = Integer(minimum=1, maximum=AMOUNT_MAX, load_default=None, allow_none=True)


class RollbackSchema(Schema):
    """The code, and the order that it was used for."""

    code = Text(maximum=TEXT_LENGTH_MAX, required=True)
    order = ExternalId(required=True)


class LineAmountSchema(Schema):
    """What is taken off a line, in minor units."""

    id = fields.String()
    amount = fields.Integer()


class WorthAnswerSchema(Schema):
    """What the voucher would take off the cart; ``reason`` says why that is nothing."""

    amount = fields.Integer()
    currency = fields.String()
    lines = fields.List(fields.Nested(LineAmountSchema))
    reason = fields.String(allow_none=True, validate=validate.OneOf([NOTHING_ELIGIBLE, BELOW_MINIMUM]))
    missing_amount = fields.Integer()
    voucher = fields.Nested(IssuedVoucherSchema)


class UsedSchema(Schema):
    """A use of the voucher for an order, and the voucher as it is then."""

    use_id = fields.UUID()
    order = fields.String()
    amount = fields.Integer()
    currency = fields.String()
    lines = fields.List(fields.Nested(LineAmountSchema))
    used_at = Timestamp()
    voucher = fields.Nested(IssuedVoucherSchema)


class RolledBackSchema(Schema):
    """A use that was undone, and the voucher as it is then."""

    use_id = fields.UUID()
    order = fields.String()
    amount = fields.Integer()
    currency = fields.String()
    used_at = Timestamp()
    rolled_back_at = Timestamp()
    voucher = fields.Nested(IssuedVoucherSchema)
