"""What staff send and get about members' points."""

from typing import Any

from marshmallow import fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Id, Schema, Text, Timestamp
from app.ledger.schemas.holds import SignedPoints
from app.ledger.service.adjustments import STATUSES

_MEMBER_ID = "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10"
ADJUSTMENT_REQUEST_EXAMPLE: dict[str, Any] = {
    "member_id": _MEMBER_ID, "points": 2000, "reason": "Receipt R-5531 was lost",
}  # fmt: skip
ADJUSTMENT_EXAMPLE: dict[str, Any] = ADJUSTMENT_REQUEST_EXAMPLE | {
    "id": "019ab0c2-9e11-7d0b-9b52-6a2c8d1e4f10", "status": "PROPOSED",
    "proposed_by": "019ab0c2-6a01-7b2d-8e41-5e1a7c0d3f09", "proposed_at": "2026-11-23T09:12:00Z",
    "expires_at": "2026-11-30T09:12:00Z", "decided_by": None, "decided_at": None,
}  # fmt: skip
_DECIDED = {"decided_by": "019ab0c2-6b02-7c3e-9f52-6f2b8d1e4a10", "decided_at": "2026-11-23T10:00:00Z"}
APPROVED_EXAMPLE = ADJUSTMENT_EXAMPLE | {"status": "APPROVED"} | _DECIDED
REJECTED_EXAMPLE = ADJUSTMENT_EXAMPLE | {"status": "REJECTED"} | _DECIDED
LOT_EXAMPLE: dict[str, Any] = {
    "id": 9, "amount": 45, "remaining": 25, "held": 0, "spent": 20, "expired": 0, "reversed": 0, "repaid": 0,
    "clawed_back": 0, "is_open": True, "is_matured": True, "available_at": "2026-12-07T09:12:00Z",
    "expires_at": "2027-11-30T23:59:59Z", "void_at": None, "rule": "organic-produce",
    "campaign_version_id": "019a5f3e-1b5a-7a0d-8c42-1e0d7b9f3a00", "funder": None,
    "activity_id": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11",
}  # fmt: skip
VERIFICATION_EXAMPLE: dict[str, Any] = {
    "started_at": "2026-11-23T02:00:00Z", "finished_at": "2026-11-23T02:00:04Z",
    "checked": {"members": 2469, "entries": 41230, "lots": 33871, "points_issued": 405113},
    "differences": 0, "lines": [],
}  # fmt: skip


class AdjustmentRequestSchema(Schema):
    """Points to add, or, below 0, to take away, and why."""

    member_id = Id(required=True)
    points = SignedPoints(required=True)
    reason = Text(maximum=500, required=True)


class AdjustmentSchema(Schema):
    """An adjustment; one that needed no second person is APPROVED at once, by its proposer."""

    id = fields.UUID()
    member_id = fields.UUID()
    points = fields.Integer()
    reason = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    proposed_by = fields.UUID()
    proposed_at = Timestamp()
    expires_at = Timestamp()
    decided_by = fields.UUID(allow_none=True)
    decided_at = Timestamp(allow_none=True)


class AdjustmentQuery(PageQuery):
    """Which adjustments: what is not given does not narrow the list."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    member_id = Id(load_default=None)


class AdjustmentPageSchema(Schema):
    """One page of adjustments."""

    data = fields.List(fields.Nested(AdjustmentSchema))
    next_cursor = fields.String(allow_none=True)


class LotSchema(Schema):
    """The points of one award by where they are: ``amount`` is the sum from ``remaining`` to ``repaid``."""

    id = fields.Integer()
    amount = fields.Integer()
    remaining = fields.Integer()
    held = fields.Integer()
    spent = fields.Integer()
    expired = fields.Integer()
    reversed = fields.Integer()
    repaid = fields.Integer()
    clawed_back = fields.Integer()
    is_open = fields.Boolean()
    is_matured = fields.Boolean()
    available_at = Timestamp(allow_none=True)
    expires_at = Timestamp(allow_none=True)
    void_at = Timestamp(allow_none=True)
    rule = fields.String(allow_none=True)
    campaign_version_id = fields.UUID(allow_none=True)
    funder = fields.UUID(allow_none=True)
    activity_id = fields.UUID(allow_none=True)


class LotPageSchema(Schema):
    """One page of lots."""

    data = fields.List(fields.Nested(LotSchema))
    next_cursor = fields.String(allow_none=True)


class CheckedSchema(Schema):
    """How much was checked."""

    members = fields.Integer()
    entries = fields.Integer()
    lots = fields.Integer()
    points_issued = fields.Integer()


class VerificationSchema(Schema):
    """The last `ledger verify`; ``lines`` are the first hundred differences."""

    started_at = Timestamp()
    finished_at = Timestamp()
    checked = fields.Nested(CheckedSchema)
    differences = fields.Integer()
    lines = fields.List(fields.String())
