"""What shoppers get for a picture, and how requests that carry one are documented."""

from typing import Any

from marshmallow import fields

from app.core.schemas import Schema, Timestamp

FORM_FIELD = "picture"
UPLOAD_TYPES = ("image/jpeg", "image/png", "image/webp")
_EVIDENCE_ID = "019ab0c2-a41f-7c0e-8d51-4f2a6b8c0d13"
UPLOAD_EXAMPLE: dict[str, Any] = {
    "id": _EVIDENCE_ID, "width": 1536, "height": 2048, "bytes": 412_633, "reused": False,
    "created_at": "2026-11-23T09:12:00Z", "expires_at": "2026-11-30T09:12:00Z",
}  # fmt: skip
_BYTES_EXAMPLE = "(the bytes of the picture)"
_BINARY = {"type": "string", "format": "binary", "description": "At most 5 MiB."}
UPLOAD_BODY: dict[str, Any] = {
    "required": True,
    "content": {media: {"schema": _BINARY, "example": _BYTES_EXAMPLE} for media in UPLOAD_TYPES}
    | {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {FORM_FIELD: _BINARY}, "required": [FORM_FIELD]},
            "example": {FORM_FIELD: _BYTES_EXAMPLE},
        }
    },
}
PICTURE_ANSWER: dict[str, Any] = {
    "schema": {"type": "string", "format": "binary"},
    "content_type": "image/jpeg",
    "example": _BYTES_EXAMPLE,
}


class UploadSchema(Schema):
    """Evidence that was taken in.

    ``reused`` says that the picture is like an earlier one: what it shows is looked at the closer. It is deleted at
    ``expires_at`` unless an activity cites it.
    """

    id = fields.UUID()
    width = fields.Integer()
    height = fields.Integer()
    bytes = fields.Integer()
    reused = fields.Boolean()
    created_at = Timestamp()
    expires_at = Timestamp()
