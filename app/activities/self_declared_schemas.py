"""What shoppers declare, and what they see of it."""

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.activities import examples
from app.activities.evidence_schemas import UPLOAD_EXAMPLE
from app.activities.schemas import LINES_MAX, ActivityAnswerSchema, ActivitySchema, LineSchema
from app.core.schemas import Id, List, Schema, Text, Timestamp

PICTURES_MAX = 3
DECLARED_EXAMPLE: dict[str, Any] = {
    "id": "cup-2026-11-23",
    "kind": "custom",
    "occurred_at": "2026-11-23T09:12:00Z",
    "lines": [{"id": "1", "category": "own-cup", "quantity": 1}],
    "evidence_ids": [UPLOAD_EXAMPLE["id"]],
    "note": "My own cup at the station's café",
}
IN_REVIEW_EXAMPLE: dict[str, Any] = examples.ANSWER | {
    "external_id": DECLARED_EXAMPLE["id"],
    "status": "in_review",
    "points": {"awarded": 1, "available": 0, "pending": 1, "paid_debt": 0},
    "awards": [
        {
            "campaign": "green-habits", "rule": "own-cup", "version": 1, "line": None, "points": 1, "desired_points": 1,
            "certificate": None, "available_at": None, "expires_at": None,
            "reasons": [{"code": "matched", "detail": "This earned “1 point for a cup of your own”."}],
        }
    ],
    "missed": [],
    "impact": [],
    "review": {
        "state": "open", "reason": None, "detail": "We are looking at this; its points come once that is done.",
    },
}  # fmt: skip
REJECTED_EXAMPLE: dict[str, Any] = IN_REVIEW_EXAMPLE | {
    "status": "rejected",
    "review": {
        "state": "rejected", "reason": "picture_unclear",
        "detail": "The picture does not show clearly what was done.",
    },
}  # fmt: skip


class DeclaredLineSchema(LineSchema):
    """One line of what a shopper declares."""

    class Meta(Schema.Meta):
        exclude = ("sku", "serial")


class SelfDeclaredSchema(ActivitySchema):
    """An activity as a shopper declares it, under an id of the shopper's own; it occurred now unless it says when.

    ``evidence_ids`` are pictures that were uploaded before and that no other activity cites. ``note`` is for those who
    look at it.
    """

    class Meta(Schema.Meta):
        exclude = (
            "revision", "member", "completed", "receipt", "device", "station", "channel", "evidence", "metadata",
        )  # fmt: skip

    occurred_at = Timestamp(load_default=None)
    lines = List(fields.Nested(DeclaredLineSchema), maximum=LINES_MAX, load_default=list)
    evidence_ids = List(Id(), maximum=PICTURES_MAX, load_default=list)
    note = Text(maximum=500, load_default=None)

    @validates_schema(skip_on_field_errors=True)
    def _different(self, data: dict[str, Any], **_: Any) -> None:
        if len(set(data["evidence_ids"])) != len(data["evidence_ids"]):
            raise ValidationError("A picture stands here twice.", "evidence_ids")


class ReviewOutcomeSchema(Schema):
    """How far the review of an activity is: open, approved, rejected or expired, and why it was turned down."""

    state = fields.String()
    reason = fields.String(allow_none=True)
    detail = fields.String(allow_none=True)


class OwnActivityAnswerSchema(ActivityAnswerSchema):
    """An activity as its shopper sees it.

    One that was looked at, or is to be, has a ``review``; its ``status`` is ``in_review``, ``accepted`` or
    ``rejected``.
    """

    review = fields.Nested(ReviewOutcomeSchema)


class OwnActivityPageSchema(Schema):
    """One page of a shopper's activities."""

    data = fields.List(fields.Nested(OwnActivityAnswerSchema))
    next_cursor = fields.String(allow_none=True)
