"""What staff send and get about products."""

from typing import Any

from marshmallow import fields, validate, validates_schema

from app.catalog.fields import Day, Gtin, Link
from app.catalog.gtin import normalise_gtin
from app.catalog.numbers import LENGTH_MAX
from app.catalog.schemas import VERIFICATIONS, CertificateAnswerSchema, ProductAnswerSchema, check_validity
from app.core.paging import PageQuery
from app.core.schemas import Schema, Text, Timestamp


class StaffProductQuery(PageQuery):
    """Which products; ``verification`` asks for certificates with a number that stand so."""

    merchant = Text(maximum=100, load_default=None, metadata={"description": "The merchant's id or key"})
    certification = Text(maximum=64, load_default=None)
    verification = fields.String(validate=validate.OneOf(VERIFICATIONS), load_default=None)
    gtin = Gtin(load_default=None)
    mode = fields.String(validate=validate.OneOf(["live", "test"]), load_default=None)

    def load(self, data: Any, **keywords: Any) -> Any:
        """Read the query; a GTIN in the spelling by which products are looked up."""
        read = super().load(data, **keywords)
        return read | {"gtin": read["gtin"] and normalise_gtin(read["gtin"])}


class CertificateFindingSchema(Schema):
    """How the certificate was looked up.

    Of a product that all share, where nobody else says it, also what was found: number, holder, grade, validity, link.
    """

    reason = Text(maximum=500, load_default=None, allow_none=True)
    number = Text(maximum=LENGTH_MAX)
    holder = Text(maximum=200, allow_none=True)
    grade = Text(maximum=50, allow_none=True)
    valid_from = Day(allow_none=True)
    valid_to = Day(allow_none=True)
    link = Link(allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        check_validity({"valid_from": None, "valid_to": None} | data)


class CertificateRejectionSchema(Schema):
    """Why the certificate does not count; the merchant reads it."""

    reason = Text(maximum=500, required=True)


class StaffCertificateSchema(CertificateAnswerSchema):
    """A certificate, who looked it up and when."""

    checked_at = Timestamp(allow_none=True)
    checked_by = fields.UUID(allow_none=True)


class ProductMerchantSchema(Schema):
    """Whose product it is."""

    id = fields.UUID()
    key = fields.String()


class StaffProductSchema(ProductAnswerSchema):
    """A product as staff see it; ``public_labels`` are what public data says of its GTIN, without numbers."""

    merchant = fields.Nested(ProductMerchantSchema, allow_none=True)
    live = fields.Boolean()
    source = fields.String(allow_none=True)
    environmental_grade = fields.String(allow_none=True)
    public_labels = fields.List(fields.String())
    certificates = fields.List(fields.Nested(StaffCertificateSchema))
    created_at = Timestamp()
    withdrawn_at = Timestamp(allow_none=True)


class StaffProductPageSchema(Schema):
    """One page of products, newest first."""

    data = fields.List(fields.Nested(StaffProductSchema))
    next_cursor = fields.String(allow_none=True)
