"""The contract's activity: what merchants send and what we answer."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.campaigns.service import KINDS
from app.catalog.service import Gtin
from app.core.currencies import CURRENCIES
from app.core.evidence import GRADES
from app.core.schemas import (
    Boolean,
    ExternalId,
    Integer,
    List,
    MemberReferenceSchema,
    Metadata,
    Schema,
    Text,
    Timestamp,
)

QUANTITY_MAX = 10_000
MONEY_MAX = 10**9
WEIGHT_G_MAX = 10**8
LINES_MAX = 200
BATCH_MAX = 500


class CertificationSchema(Schema):
    """A certificate the product holds; without its number it earns nothing."""

    code = Text(maximum=64, required=True)
    number = Text(maximum=100, load_default=None, allow_none=True)


class LineSchema(Schema):
    """One line; ``unit_price`` and ``total`` in minor units, as paid; ``total`` and ``weight_g`` of the whole line."""

    id = Text(maximum=64, required=True)
    sku = Text(maximum=64, load_default=None, allow_none=True)
    gtin = Gtin(load_default=None, allow_none=True)
    name = Text(maximum=300, load_default=None, allow_none=True)
    category = Text(maximum=100, load_default=None, allow_none=True)
    quantity = Integer(minimum=1, maximum=QUANTITY_MAX, load_default=1)
    unit_price = Integer(minimum=0, maximum=MONEY_MAX, load_default=None, allow_none=True)
    total = Integer(minimum=0, maximum=MONEY_MAX, load_default=None, allow_none=True)
    weight_g = Integer(minimum=0, maximum=WEIGHT_G_MAX, load_default=None, allow_none=True)
    material = Text(maximum=64, load_default=None, allow_none=True)
    pieces = Integer(minimum=1, maximum=QUANTITY_MAX, load_default=None, allow_none=True)
    serial = Text(maximum=100, load_default=None, allow_none=True)
    certifications = List(fields.Nested(CertificationSchema), maximum=20, load_default=list)
    packaging = List(Text(maximum=64), maximum=20, load_default=list)


class CartSchema(Schema):
    """A cart or an activity before it has an id: what a preview takes."""

    revision = Integer(minimum=1, maximum=10**6, load_default=1)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    occurred_at = Timestamp(load_default=None, allow_none=True)
    member = fields.Nested(MemberReferenceSchema, load_default=None, allow_none=True)
    currency = fields.String(validate=validate.OneOf(sorted(CURRENCIES)), load_default=None, allow_none=True)
    region = Text(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z", maximum=6, load_default=None, allow_none=True)
    channel = Text(maximum=50, load_default=None, allow_none=True)
    completed = Boolean(load_default=False)
    receipt = Text(maximum=100, load_default=None, allow_none=True)
    device = Text(maximum=100, load_default=None, allow_none=True)
    station = Text(maximum=64, load_default=None, allow_none=True)
    lines = List(fields.Nested(LineSchema), maximum=LINES_MAX, load_default=list)
    packaging = List(Text(maximum=64), maximum=20, load_default=list)
    evidence = fields.String(validate=validate.OneOf(GRADES), load_default=None, allow_none=True)
    metadata = Metadata(load_default=dict)

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        problems: dict[int, dict[str, list[str]]] = {}
        seen: set[str] = set()
        has_money = False
        for place, line in enumerate(data["lines"]):
            if line["id"] in seen:
                problems.setdefault(place, {})["id"] = ["Another line has this id."]
            seen.add(line["id"])
            has_price = line["total"] is not None or line["unit_price"] is not None
            has_money = has_money or has_price
            if data["kind"] == "purchase" and not has_price:
                problems.setdefault(place, {})["total"] = ["A purchase needs total or unit_price."]
        if problems:
            raise ValidationError({"lines": problems})
        if has_money and data["currency"] is None:
            raise ValidationError("Amounts need a currency.", "currency")
        if data["kind"] == "purchase" and not data["lines"]:
            raise ValidationError("A purchase needs at least one line.", "lines")


class ActivitySchema(CartSchema):
    """An activity as it is reported."""

    id = ExternalId(required=True)
    occurred_at = Timestamp(required=True)


class CompletionSchema(Schema):
    """When it was completed; now, if nothing is said."""

    occurred_at = Timestamp(load_default=None, allow_none=True)


class ClaimRequestSchema(Schema):
    """The code on a receipt, typed or as its QR code says it."""

    code = Text(maximum=60, required=True)


class BatchSchema(Schema):
    """Up to 500 activities; each stands alone, so each is read on its own."""

    activities = List(
        fields.Raw(allow_none=True, metadata={"allOf": [{"$ref": "#/components/schemas/Activity"}]}),
        minimum=1, maximum=BATCH_MAX, required=True,
    )  # fmt: skip


class ReasonSchema(Schema):
    """A stable code and its sentence in the reader's language."""

    code = fields.String()
    detail = fields.String()


class AwardCertificateSchema(CertificationSchema):
    """The certificate that an award rests on; ``basis`` is absent where the line's own word for it was enough."""

    basis = fields.String(validate=validate.OneOf(["registered", "verified"]))


class AwardAnswerSchema(Schema):
    """What one rule paid, for one line or, where ``line`` is null, for the activity."""

    campaign = fields.String()
    rule = fields.String()
    version = fields.Integer()
    line = fields.String(allow_none=True)
    points = fields.Integer()
    desired_points = fields.Integer()
    certificate = fields.Nested(AwardCertificateSchema, allow_none=True)
    reasons = fields.List(fields.Nested(ReasonSchema))
    available_at = Timestamp(allow_none=True)
    expires_at = Timestamp(allow_none=True)


class MissedAnswerSchema(ReasonSchema):
    """A rule that did not pay, why, and what would help."""

    campaign = fields.String()
    rule = fields.String()
    next_step = fields.String(allow_none=True)


class ImpactAnswerSchema(Schema):
    """What was avoided, with its band; ``code`` ``no_factor`` says that nothing is claimed."""

    metric = fields.String(allow_none=True)
    value = fields.Integer()
    low = fields.Integer()
    high = fields.Integer()
    factor = fields.String(allow_none=True)
    subject = fields.String()
    note = fields.String(allow_none=True)
    code = fields.String()


class PointsAnswerSchema(Schema):
    """The activity's points and where they are."""

    awarded = fields.Integer()
    available = fields.Integer()
    pending = fields.Integer()
    paid_debt = fields.Integer()


class ReturnedLineSchema(Schema):
    """What has come back of a line."""

    id = fields.String()
    quantity = fields.Integer()


class ReturnedSchema(Schema):
    """What returns have taken back of an activity so far; ``awarded`` in ``points`` stays what it was paid."""

    points = fields.Integer()
    is_whole = fields.Boolean()
    lines = fields.List(fields.Nested(ReturnedLineSchema))


class ActivityAnswerSchema(Schema):
    """What an activity earned, why, and what it avoided.

    ``status``: ``accepted``, ``waiting_for_claim``, or ``duplicate`` where another activity has claimed its receipt.
    ``completed_at`` and ``returned`` are there once it was completed or something of it came back.
    """

    id = fields.String()
    external_id = fields.String()
    revision = fields.Integer()
    status = fields.String()
    member_id = fields.String(allow_none=True)
    occurred_at = Timestamp()
    claim_code = fields.String()
    claim_qr = fields.String()
    completed_at = Timestamp()
    returned = fields.Nested(ReturnedSchema)
    points = fields.Nested(PointsAnswerSchema)
    awards = fields.List(fields.Nested(AwardAnswerSchema))
    missed = fields.List(fields.Nested(MissedAnswerSchema))
    impact = fields.List(fields.Nested(ImpactAnswerSchema))


class BatchResultSchema(Schema):
    """The answer to one item of a batch: its activity or its problem."""

    index = fields.Integer()
    status = fields.Integer()
    replayed = fields.Boolean()
    activity = fields.Nested(ActivityAnswerSchema, allow_none=True)
    problem = fields.Dict(allow_none=True)


class BatchAnswerSchema(Schema):
    """The answers in the order of the items."""

    results = fields.List(fields.Nested(BatchResultSchema))


class SuggestionSchema(Schema):
    """A change to the cart that would earn more; lines are changed by their ``id``, the rest of them stays."""

    change = fields.Dict()
    extra_points = fields.Integer()
    impact = fields.List(fields.Nested(ImpactAnswerSchema))
    text = fields.String()


class SpendableSchema(Schema):
    """What the member could spend, and its worth in minor units."""

    points = fields.Integer()
    worth = fields.Integer()
    currency = fields.String()


class PreviewAnswerSchema(ActivityAnswerSchema):
    """What a cart would earn."""

    suggestions = fields.List(fields.Nested(SuggestionSchema))
    spendable = fields.Nested(SpendableSchema, allow_none=True)
