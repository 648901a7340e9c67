"""What merchants, and staff about merchants, send and get."""

from typing import Any

from marshmallow import fields, validate

from app.core.evidence import GRADES
from app.core.schemas import Boolean, List, Schema, Text, Timestamp
from app.merchants.service import SCOPES

CUSTOMER_EXAMPLE = {
    "ref": "customer-17850", "member_id": "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10", "linked_at": "2026-11-23T09:12:00Z",
}  # fmt: skip
KEY_EXAMPLE: dict[str, Any] = {
    "key_id": "019ab0c2-8e21-7f4b-8b63-7a3c9f2e5d21", "key": "gp_live_…", "last4": "x7Qk", "label": "web shop",
    "live": True, "scopes": ["activities", "customers", "previews", "returns"], "max_evidence": "staff",
}  # fmt: skip


class CustomerLinkSchema(Schema):
    """Which member a customer reference names: the code that the shopper shows."""

    member_code = Text(required=True, maximum=40)


class CustomerSchema(Schema):
    """A linked customer."""

    ref = fields.String(required=True)
    member_id = fields.UUID(required=True)
    linked_at = Timestamp(required=True)


class KeyRequestSchema(Schema):
    """The API key to make."""

    label = Text(required=True, maximum=100)
    live = Boolean(required=True)
    scopes = List(fields.String(validate=validate.OneOf(SCOPES)), minimum=1, maximum=len(SCOPES), required=True)
    max_evidence = fields.String(load_default="staff", validate=validate.OneOf(GRADES))


class KeySchema(Schema):
    """A new API key; ``key`` is shown this once."""

    key_id = fields.UUID(required=True)
    key = fields.String(required=True)
    last4 = fields.String(required=True)
    label = fields.String(required=True)
    live = fields.Boolean(required=True)
    scopes = fields.List(fields.String(), required=True)
    max_evidence = fields.String(required=True)
