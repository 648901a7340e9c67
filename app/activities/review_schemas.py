"""What staff send and get about reviews."""

from typing import Any

from marshmallow import fields, validate

from app.activities.evidence_schemas import UPLOAD_EXAMPLE
from app.activities.review_words import REJECT_REASONS
from app.activities.reviews import STATES
from app.activities.self_declared_schemas import DECLARED_EXAMPLE, IN_REVIEW_EXAMPLE, OwnActivityAnswerSchema
from app.core.paging import PageQuery
from app.core.schemas import Id, Schema, Text, Timestamp

REVIEW_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-b311-7f0a-9b52-6a2c8d1e4f77", "kind": "self_declared", "state": "open",
    "reasons": ["self_declared", "picture_reused"], "member_id": IN_REVIEW_EXAMPLE["member_id"], "points": 1,
    "opened_at": "2026-11-23T09:14:00Z", "expires_at": "2027-02-21T09:12:00Z", "decided_by": None, "decided_at": None,
    "reason": None, "note": None, "declared": DECLARED_EXAMPLE | {"evidence": "photo"}, "activity": IN_REVIEW_EXAMPLE,
    "evidence": [
        {
            "id": UPLOAD_EXAMPLE["id"], "url": f"/v1/admin/evidence/{UPLOAD_EXAMPLE['id']}", "width": 1536,
            "height": 2048, "created_at": "2026-11-23T09:12:00Z",
            "reused_of": {
                "id": "019a9f01-1c2d-7b3e-8a4f-5b6c7d8e9f01",
                "url": "/v1/admin/evidence/019a9f01-1c2d-7b3e-8a4f-5b6c7d8e9f01",
                "member_id": "019a5f3e-1f00-7a57-8a52-6a1d3c9b7e99",
                "activity_id": "019a9f01-2d3e-7c4f-9b50-6c7d8e9f0a12",
            },
        }
    ],
}  # fmt: skip
_DECIDED = {"decided_by": "019ab0c2-6a01-7b2d-8e41-5e1a7c0d3f09", "decided_at": "2026-11-23T15:00:00Z"}
APPROVED_EXAMPLE: dict[str, Any] = REVIEW_EXAMPLE | _DECIDED | {
    "state": "approved",
    "activity": IN_REVIEW_EXAMPLE
    | {"status": "accepted", "completed_at": _DECIDED["decided_at"],
       "review": {"state": "approved", "reason": None, "detail": None}},
}  # fmt: skip
REJECTION_EXAMPLE: dict[str, Any] = {"reason": "picture_reused", "note": "The same cup as another member's in June"}
REJECTED_EXAMPLE: dict[str, Any] = REVIEW_EXAMPLE | _DECIDED | REJECTION_EXAMPLE | {
    "state": "rejected",
    "activity": IN_REVIEW_EXAMPLE
    | {"status": "rejected", "review": {"state": "rejected", "reason": "picture_reused", "detail": None},
       "returned": {"points": 1, "is_whole": True, "lines": [{"id": "1", "quantity": 1}]}},
}  # fmt: skip


class ReviewQuery(PageQuery):
    """Which reviews: what is not given does not narrow the list, but that it is of live data."""

    state = fields.String(validate=validate.OneOf(STATES), load_default=None)
    kind = Text(maximum=50, load_default=None)
    member_id = Id(load_default=None)
    mode = fields.String(validate=validate.OneOf(["live", "test"]), load_default="live")


class RejectionSchema(Schema):
    """Why: a code that the shopper is told in words, and a note that staff alone see."""

    reason = fields.String(required=True, validate=validate.OneOf(REJECT_REASONS))
    note = Text(maximum=500, load_default=None, allow_none=True)


class ReusedOfSchema(Schema):
    """The earlier picture that one is like; ``activity_id`` is the activity that cites it, if one does."""

    id = fields.UUID()
    url = fields.String()
    member_id = fields.UUID()
    activity_id = fields.UUID(allow_none=True)


class ReviewEvidenceSchema(Schema):
    """A picture that the activity cites, and where staff see it."""

    id = fields.UUID()
    url = fields.String()
    width = fields.Integer()
    height = fields.Integer()
    created_at = Timestamp()
    reused_of = fields.Nested(ReusedOfSchema, allow_none=True)


class ReviewSchema(Schema):
    """A review: what is looked at, why, and how it ended.

    ``points`` wait for it until ``expires_at``. ``declared`` is what was sent, ``activity`` what was made of it.
    """

    id = fields.UUID()
    kind = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))
    reasons = fields.List(fields.String())
    member_id = fields.UUID()
    points = fields.Integer()
    opened_at = Timestamp()
    expires_at = Timestamp()
    decided_by = fields.UUID(allow_none=True)
    decided_at = Timestamp(allow_none=True)
    reason = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    declared = fields.Dict()
    activity = fields.Nested(OwnActivityAnswerSchema)
    evidence = fields.List(fields.Nested(ReviewEvidenceSchema))


class ReviewPageSchema(Schema):
    """One page of reviews."""

    data = fields.List(fields.Nested(ReviewSchema))
    next_cursor = fields.String(allow_none=True)
