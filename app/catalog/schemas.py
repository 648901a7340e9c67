"""What merchants send and get about their products."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.catalog.fields import Day, Gtin, Link, Names
from app.catalog.gtin import normalise_gtin
from app.catalog.numbers import LENGTH_MAX
from app.core.paging import PageQuery
from app.core.schemas import ExternalId, List, Schema, Text, Timestamp

BATCH_MAX = 1000
VERIFICATIONS = ("unverified", "verified", "rejected")


def check_validity(certificate: dict[str, Any]) -> None:
    """Raise ValidationError where the certificate ends before it begins."""
    begins, ends = certificate["valid_from"], certificate["valid_to"]
    if begins is not None and ends is not None and ends < begins:
        raise ValidationError("This is before valid_from.", "valid_to")


class CertificateSchema(Schema):
    """A certificate that the product holds; without its number it is a label, and earns nothing."""

    code = Text(maximum=64, required=True)
    number = Text(maximum=LENGTH_MAX, load_default=None, allow_none=True)
    holder = Text(maximum=200, load_default=None, allow_none=True)
    grade = Text(maximum=50, load_default=None, allow_none=True)
    valid_from = Day(load_default=None, allow_none=True)
    valid_to = Day(load_default=None, allow_none=True)
    link = Link(load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        check_validity(data)


class ProductSchema(Schema):
    """A product of the merchant's; what is left out is empty. ``packaging`` are the line options that it comes in.

    The SKU stands in the path of a single one, and has to stand in each of a batch.
    """

    sku = ExternalId(load_default=None, allow_none=True)
    gtin = Gtin(load_default=None, allow_none=True)
    names = Names(load_default=dict)
    category = Text(maximum=100, load_default=None, allow_none=True)
    packaging = List(Text(maximum=64), maximum=20, load_default=list)
    certificates = List(fields.Nested(CertificateSchema), maximum=20, load_default=list)


class BatchProductSchema(ProductSchema):
    """A product of a batch."""

    sku = ExternalId(required=True)


class ProductBatchSchema(Schema):
    """Up to 1,000 products; each stands alone, so each is read on its own."""

    products = List(
        fields.Raw(allow_none=True, metadata={"allOf": [{"$ref": "#/components/schemas/Product"}]}),
        minimum=1, maximum=BATCH_MAX, required=True,
    )  # fmt: skip


class ProductQuery(PageQuery):
    """Which of the merchant's products."""

    category = Text(maximum=100, load_default=None)
    gtin = Gtin(load_default=None)

    def load(self, data: Any, **keywords: Any) -> Any:
        """Read the query; a GTIN in the spelling by which products are looked up."""
        read = super().load(data, **keywords)
        return read | {"gtin": read["gtin"] and normalise_gtin(read["gtin"])}


class CertificateAnswerSchema(CertificateSchema):
    """A certificate, and what staff found when they looked it up; ``reason`` says why it was rejected."""

    verification = fields.String(validate=validate.OneOf(VERIFICATIONS))
    verified_at = Timestamp(allow_none=True)
    reason = fields.String(allow_none=True)


class ProductAnswerSchema(Schema):
    """A product; its GTIN in 14 digits."""

    id = fields.UUID()
    sku = fields.String(allow_none=True)
    gtin = fields.String(allow_none=True)
    names = Names()
    category = fields.String(allow_none=True)
    packaging = fields.List(fields.String())
    certificates = fields.List(fields.Nested(CertificateAnswerSchema))
    updated_at = Timestamp()


class ProductPageSchema(Schema):
    """One page of products by SKU."""

    data = fields.List(fields.Nested(ProductAnswerSchema))
    next_cursor = fields.String(allow_none=True)


class ProductResultSchema(Schema):
    """The answer to one item of a batch: its product or its problem."""

    index = fields.Integer()
    status = fields.Integer()
    product = fields.Nested(ProductAnswerSchema, allow_none=True)
    problem = fields.Dict(allow_none=True)


class ProductBatchAnswerSchema(Schema):
    """The answers in the order of the items."""

    results = fields.List(fields.Nested(ProductResultSchema))


class OffersSchema(Schema):
    """The options for orders and parcels that the merchant offers; null: all of them."""

    offers = List(Text(maximum=64), maximum=100, required=True, allow_none=True)


class PackagingOptionSchema(Schema):
    """A packaging option; of one ``exclusive_group`` only one is taken."""

    code = fields.String()
    name = fields.String()
    hierarchy = fields.String()
    applies_to = fields.String()
    exclusive_group = fields.String(allow_none=True)


class OffersAnswerSchema(Schema):
    """What the merchant offers, and all the options that there are, those of lines too."""

    offers = fields.List(fields.String(), allow_none=True)
    options = fields.List(fields.Nested(PackagingOptionSchema))
