"""The contract's returns: what merchants send and what we answer, with the examples of both."""

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.activities.examples import ANSWER
from app.activities.schemas import BATCH_MAX, LINES_MAX, QUANTITY_MAX, ImpactAnswerSchema
from app.core.schemas import ExternalId, Integer, List, Schema, Text, Timestamp

RETURN = {
    "id": "ret-7",
    "activity": "order-10023",
    "lines": [{"id": "1", "quantity": 1}],
    "occurred_at": "2026-11-30T10:00:00Z",
}
RETURN_ANSWER = {
    "id": "019a5f3e-4d10-7d21-a1f4-6d0f0c3b9a55",
    "external_id": "ret-7",
    "activity": ANSWER["id"],
    "status": "booked",
    "occurred_at": "2026-11-30T10:00:00Z",
    "is_whole": False,
    "reversed": {"points": 10, "from_pending": 10, "from_available": 0, "to_debt": 0},
    "lines": [{"id": "1", "quantity": 1}],
    "impact": [],
    "refunded": {"points": 60, "worth": 60, "money": 539, "currency": "EUR"},
}
RETURN_BATCH_ANSWER = {
    "results": [
        {"index": 0, "status": 201, "replayed": False, "return": RETURN_ANSWER, "problem": None},
        {
            "index": 1,
            "status": 409,
            "replayed": False,
            "return": None,
            "problem": {
                "type": "urn:greenpoints:problem:return_exceeds_purchase",
                "title": "More is returned than was bought",
                "status": 409,
                "detail": "1 of 2 are left.",
                "code": "return_exceeds_purchase",
                "errors": [{"pointer": "/lines/0", "detail": "1 of 2 are left."}],
            },
        },
    ]
}


class ReturnLineSchema(Schema):
    """A line of the activity that comes back; without a quantity, all that is left of it."""

    id = Text(maximum=64, required=True)
    quantity = Integer(minimum=1, maximum=QUANTITY_MAX, load_default=None, allow_none=True)


class ReturnSchema(Schema):
    """A return of an activity, by the merchant's id of it or ours; without ``lines``, of all that is left of it."""

    id = ExternalId(required=True)
    activity = ExternalId(required=True)
    lines = List(
        fields.Nested(ReturnLineSchema), minimum=1, maximum=LINES_MAX, load_default=None, allow_none=True
    )  # fmt: skip
    occurred_at = Timestamp(load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        seen: set[str] = set()
        for place, line in enumerate(data["lines"] or ()):
            if line["id"] in seen:
                raise ValidationError({"lines": {place: {"id": ["Another line has this id."]}}})
            seen.add(line["id"])


class ReturnBatchSchema(Schema):
    """Up to 500 returns; each stands alone, so each is read on its own."""

    returns = List(
        fields.Raw(allow_none=True, metadata={"allOf": [{"$ref": "#/components/schemas/Return"}]}),
        minimum=1, maximum=BATCH_MAX, required=True,
    )  # fmt: skip


class ReversedSchema(Schema):
    """The points that were taken back, and where they came from; expired ones are neither taken nor owed."""

    points = fields.Integer()
    from_pending = fields.Integer()
    from_available = fields.Integer()
    to_debt = fields.Integer()


class RefundedSchema(Schema):
    """What goes back of what was paid: points, which are back, with their worth, and money, which you refund.

    In minor units of ``currency``; ``money`` is null where the order is in another one.
    """

    points = fields.Integer()
    worth = fields.Integer()
    money = fields.Integer(allow_none=True)
    currency = fields.String()


class ReturnAnswerLineSchema(Schema):
    """What came back of a line."""

    id = fields.String()
    quantity = fields.Integer()


class ReturnAnswerSchema(Schema):
    """What a return took back; ``waiting_for_claim`` says that nobody has claimed its activity yet.

    ``refunded`` is there where points paid for the order.
    """

    id = fields.String()
    external_id = fields.String()
    activity = fields.String()
    status = fields.String()
    occurred_at = Timestamp()
    is_whole = fields.Boolean()
    reversed = fields.Nested(ReversedSchema)
    lines = fields.List(fields.Nested(ReturnAnswerLineSchema))
    impact = fields.List(fields.Nested(ImpactAnswerSchema))
    refunded = fields.Nested(RefundedSchema)


class ReturnResultSchema(Schema):
    """The answer to one item of a batch: its return or its problem."""

    index = fields.Integer()
    status = fields.Integer()
    replayed = fields.Boolean()
    returned = fields.Nested(ReturnAnswerSchema, allow_none=True, data_key="return")
    problem = fields.Dict(allow_none=True)


class ReturnBatchAnswerSchema(Schema):
    """The answers in the order of the items."""

    results = fields.List(fields.Nested(ReturnResultSchema))
