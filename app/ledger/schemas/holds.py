"""What merchants and shoppers send and get to spend points."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.core.currencies import CURRENCIES
from app.core.paging import PageQuery
from app.core.schemas import ExternalId, Integer, MemberReferenceSchema, Schema, Text, Timestamp
from app.core.strict_json import pointer
from app.ledger.errors import InvalidPoints
from app.ledger.service import POINTS_MAX

HOLD_SECONDS_DEFAULT = 900
HOLD_SECONDS_MAX = 7 * 24 * 3600
MONEY_MAX = 10**9

HOLD_REQUEST_EXAMPLE: dict[str, Any] = {
    "member": {"ref": "customer-17850"}, "points": 120, "order": "order-10023", "order_total": 4990,
    "currency": "EUR", "expires_in": 900,
}  # fmt: skip
HOLD_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-9f32-7a5c-9c74-8b4d0a3f6e32", "status": "open", "points": 120, "captured": 0, "released": 0,
    "order": "order-10023", "order_total": 4990, "currency": "EUR", "worth": {"amount": 120, "currency": "EUR"},
    "created_at": "2026-11-23T09:12:00Z", "confirm_by": None, "confirmed_at": None,
    "expires_at": "2026-11-23T09:27:00Z", "closed_at": None,
}  # fmt: skip
CAPTURED_EXAMPLE = HOLD_EXAMPLE | {
    "status": "captured", "captured": 100, "released": 20, "worth": {"amount": 100, "currency": "EUR"},
    "closed_at": "2026-11-23T09:14:30Z",
}  # fmt: skip
RELEASED_EXAMPLE = HOLD_EXAMPLE | {"status": "released", "released": 120, "closed_at": "2026-11-23T09:14:30Z"}
OWN_HOLD_EXAMPLE: dict[str, Any] = HOLD_EXAMPLE | {
    "status": "requires_confirmation", "points": 8000, "order_total": 12000, "confirm_by": "2026-11-23T09:17:00Z",
    "worth": {"amount": 8000, "currency": "EUR"},
    "merchant": {"id": "019ab0c2-7c11-7f0e-8a51-3d2e4b5a6c77", "name": "Corner Shop"},
}  # fmt: skip
CONFIRMED_EXAMPLE = OWN_HOLD_EXAMPLE | {"status": "open", "confirmed_at": "2026-11-23T09:13:10Z"}
DECLINED_EXAMPLE = OWN_HOLD_EXAMPLE | {
    "status": "declined", "released": 8000, "closed_at": "2026-11-23T09:13:10Z",
}  # fmt: skip
GIFT_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-a043-7b6d-8d85-9c5e1b407f43", "points": 50, "message": "Happy birthday", "available": 70,
    "given_at": "2026-11-23T09:12:00Z",
}  # fmt: skip


class Points(Integer):
    """A number of points from 1 to 10^12; anything else is ``invalid_points``."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(minimum=1, maximum=POINTS_MAX, **keywords)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> int:
        if not self._fits(value):
            raise InvalidPoints(errors=[{"pointer": pointer(attr), "detail": self._wanted}])
        return int(value)

    _wanted = "A whole number from 1 to 10^12."

    def _fits(self, value: Any) -> bool:
        return type(value) is int and 1 <= value <= POINTS_MAX


class SignedPoints(Points):
    """A number of points to add, or, below 0, to take away; anything else is ``invalid_points``."""

    _wanted = "A whole number from 1 to 10^12, or from -10^12 to -1."

    def __init__(self, **keywords: Any) -> None:
        Integer.__init__(self, minimum=-POINTS_MAX, maximum=POINTS_MAX, **keywords)

    def _fits(self, value: Any) -> bool:
        return type(value) is int and 1 <= abs(value) <= POINTS_MAX


class HoldRequestSchema(Schema):
    """Points to set aside for an order: of a linked ``member``, or of whoever shows the ``pay_code``.

    ``order_total`` is in minor units of ``currency``.
    """

    member = fields.Nested(MemberReferenceSchema)
    pay_code = Text(maximum=40)
    points = Points(required=True)
    order = ExternalId(load_default=None, allow_none=True)
    order_total = Integer(minimum=0, maximum=MONEY_MAX, load_default=None, allow_none=True)
    currency = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(sorted(CURRENCIES)))
    expires_in = Integer(
        minimum=1,
        maximum=HOLD_SECONDS_MAX,
        load_default=HOLD_SECONDS_DEFAULT,
        metadata={"description": "seconds until the points go back by themselves"},
    )

    @validates_schema(skip_on_field_errors=True)
    def _one_payer(self, data: dict[str, Any], **_: Any) -> None:
        if ("member" in data) is ("pay_code" in data):
            raise ValidationError("Give exactly one of member and pay_code.")
        if data["order_total"] is not None and data["currency"] is None:
            raise ValidationError("An amount needs a currency.", "currency")


class CaptureSchema(Schema):
    """How much of the hold is spent; all of it unless ``points`` says less. The rest is released."""

    points = Points(load_default=None, allow_none=True)


class WorthSchema(Schema):
    """What points are worth, in minor units."""

    amount = fields.Integer()
    currency = fields.String()


class HoldSchema(Schema):
    """A hold. ``points`` = ``captured`` + ``released`` once it is closed; ``worth`` is that of what was or is held.

    One that ``requires_confirmation`` can be captured once the shopper has confirmed it; where that has not happened by
    ``confirm_by``, its points go back then, otherwise at ``expires_at``.
    """

    id = fields.UUID()
    status = fields.String(
        validate=validate.OneOf(["open", "requires_confirmation", "captured", "released", "declined", "expired"])
    )
    points = fields.Integer()
    captured = fields.Integer()
    released = fields.Integer()
    order = fields.String(allow_none=True)
    order_total = fields.Integer(allow_none=True)
    currency = fields.String(allow_none=True)
    worth = fields.Nested(WorthSchema)
    created_at = Timestamp()
    confirm_by = Timestamp(allow_none=True)
    confirmed_at = Timestamp(allow_none=True)
    expires_at = Timestamp()
    closed_at = Timestamp(allow_none=True)


class HoldMerchantSchema(Schema):
    """At whose checkout."""

    id = fields.UUID()
    name = fields.String()


class OwnHoldSchema(HoldSchema):
    """A hold as its shopper sees it."""

    merchant = fields.Nested(HoldMerchantSchema)


class OwnHoldQuery(PageQuery):
    """Which holds."""

    status = fields.String(
        load_default=None,
        validate=validate.OneOf(["requires_confirmation"]),
        metadata={"description": "those that wait for the shopper's confirmation alone"},
    )


class OwnHoldPageSchema(Schema):
    """One page of a shopper's holds."""

    data = fields.List(fields.Nested(OwnHoldSchema))
    next_cursor = fields.String(allow_none=True)


class PayCodeSchema(Schema):
    """A pay code for one purchase; a newer one takes its place."""

    code = fields.String()
    expires_in = fields.Integer()
    expires_at = Timestamp()


class GiftRequestSchema(Schema):
    """Points for the member of that code."""

    member_code = Text(maximum=40, required=True)
    points = Points(required=True)
    message = Text(maximum=200, load_default=None, allow_none=True)


class GiftSchema(Schema):
    """A gift, and the points that the giver has left."""

    id = fields.UUID()
    points = fields.Integer()
    message = fields.String(allow_none=True)
    available = fields.Integer()
    given_at = Timestamp()
