"""What staff send and get: sign-in and the audit log."""

from typing import Any

from marshmallow import fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Id, Schema, Text, Timestamp
from app.staff.service import PASSWORD_LENGTH_MAX

AUDIT_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-9f32-7a5c-9c74-8b4d0a3f6e32",
    "staff": {"id": "019ab0c2-6a01-7b2d-8e41-5e1a7c0d3f09", "name": "Ada"},
    "action": "adjustment.approved",
    "object": {"kind": "adjustment", "id": "019ab0c2-9e11-7d0b-9b52-6a2c8d1e4f10"},
    "before": {"status": "PROPOSED", "points": 2000},
    "after": {"status": "APPROVED", "points": 2000, "available": 2120},
    "at": "2026-11-23T09:12:00Z",
    "request_id": "019ab0c2-9f30-7f11-a0b1-c2d3e4f5a6b7",
}


class CredentialsSchema(Schema):
    """All three at once: nothing tells which of them was wrong."""

    email = Text(required=True, maximum=254)
    password = Text(required=True, maximum=PASSWORD_LENGTH_MAX)
    otp = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{6}\Z", error="Six digits."))


class StaffTokenSchema(Schema):
    """A staff access token; ``expires_in`` is its life in seconds."""

    access_token = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class AuditQuery(PageQuery):
    """Which entries: what is not given does not narrow the list. ``from`` is the first moment, ``to`` is excluded."""

    staff_id = Id(load_default=None)
    action = Text(maximum=60, load_default=None)
    object_kind = Text(maximum=60, load_default=None)
    object_id = Text(maximum=100, load_default=None)
    since = Timestamp(data_key="from", load_default=None)
    until = Timestamp(data_key="to", load_default=None)


class AuditActorSchema(Schema):
    """A member of staff."""

    id = fields.UUID()
    name = fields.String()


class AuditObjectSchema(Schema):
    """What something was done to."""

    kind = fields.String()
    id = fields.String()


class AuditEntrySchema(Schema):
    """One thing that was done; ``staff`` is null where an operator did it by a command."""

    id = fields.UUID()
    staff = fields.Nested(AuditActorSchema, allow_none=True)
    action = fields.String()
    object = fields.Nested(AuditObjectSchema)
    before = fields.Dict(allow_none=True)
    after = fields.Dict(allow_none=True)
    at = Timestamp()
    request_id = fields.String(allow_none=True)


class AuditPageSchema(Schema):
    """One page of the audit log."""

    data = fields.List(fields.Nested(AuditEntrySchema))
    next_cursor = fields.String(allow_none=True)
