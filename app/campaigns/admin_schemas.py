"""What staff send and get about campaigns; ``schemas`` has the campaign document itself."""

from typing import Any

from marshmallow import fields, validate

from app.campaigns.lifecycle import STATES, VERSION_STATES
from app.campaigns.schemas import KEY, CampaignSchema
from app.campaigns.service.reading import EXPORT_FORMAT
from app.core.paging import PageQuery
from app.core.schemas import Schema, Text, Timestamp

_EDITOR = "019ab0c2-6a01-7b2d-8e41-5e1a7c0d3f09"
_APPROVER = "019ab0c2-6b02-7c3e-9f52-6f2b8d1e4a10"
DOCUMENT_EXAMPLE: dict[str, Any] = {
    "key": "organic-summer",
    "labels": {"en": "Organic summer", "zh-CN": "有机夏日"},
    "starts_at": "2026-06-01T00:00:00Z",
    "ends_at": "2026-09-01T00:00:00Z",
    "time_zone": "Asia/Shanghai",
    "priority": 100,
    "rules": [
        {
            "key": "organic-item",
            "kind": "purchase",
            "scope": "line",
            "match": {"certifications": ["EU_ORGANIC", "CN_ORGANIC"]},
            "award": {"type": "per_unit", "points": 5},
            "maximum": 100,
            "pending": {"days": 14},
            "expiry": {"months": 12, "round_to": "month"},
            "labels": {"en": "5 points for each organic item", "zh-CN": "每件有机商品得 5 分"},
        }
    ],
}
_SUMMARY: dict[str, Any] = {
    "id": "019a5f3e-1b5a-7a0d-8c42-1e0d7b9f3a00",
    "key": "organic-summer",
    "labels": DOCUMENT_EXAMPLE["labels"],
    "state": "draft",
    "version": 1,
    "in_force_version": None,
    "change": None,
    "budget": None,
    "created_by": _EDITOR,
    "created_at": "2026-05-20T09:00:00Z",
    "updated_by": _EDITOR,
    "updated_at": "2026-05-20T09:00:00Z",
}
_DRAFT: dict[str, Any] = _SUMMARY | {
    "document": DOCUMENT_EXAMPLE, "exposure_points": None, "needs_approval": True, "warnings": [],
    "override_reason": None, "rejection": None,
}  # fmt: skip
_REASON = "The budget is missing"
_REJECTION = {"reason": _REASON, "by": _APPROVER, "at": "2026-05-20T10:00:00Z"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "draft": _DRAFT,
    "changed": _DRAFT | {"state": "active", "version": 2, "in_force_version": 1,
                         "change": {"version": 2, "state": "draft"}},
    "submitted": _DRAFT | {"state": "submitted"},
    "approved": _DRAFT | {"state": "approved", "needs_approval": False, "updated_by": _APPROVER},
    "rejected": _DRAFT | {"rejection": _REJECTION, "updated_by": _APPROVER},
    "active": _DRAFT | {"state": "active", "in_force_version": 1, "needs_approval": False},
    "paused": _DRAFT | {"state": "paused", "in_force_version": 1, "needs_approval": False},
    "ended": _DRAFT | {"state": "ended", "needs_approval": False},
    "archived": _DRAFT | {"state": "archived", "needs_approval": False},
    "copy": _DRAFT | {"key": "organic-autumn", "document": DOCUMENT_EXAMPLE | {"key": "organic-autumn"}},
}  # fmt: skip
PAGE_EXAMPLE = {"data": [_SUMMARY], "next_cursor": None}
REJECTION_EXAMPLE = {"reason": _REASON}
APPROVAL_EXAMPLE = {"override_reason": "Refill stations open in August; until then returns are all there is"}
COPY_EXAMPLE = {"key": "organic-autumn"}
EXPORT_EXAMPLE = {"format": EXPORT_FORMAT, "campaign": DOCUMENT_EXAMPLE}
VERSIONS_EXAMPLE: dict[str, Any] = {
    "data": [
        {
            "version": 1, "state": "in_force", "document": DOCUMENT_EXAMPLE, "exposure_points": None, "warnings": [],
            "created_by": _EDITOR, "created_at": "2026-05-20T09:00:00Z",
            "submitted_by": _EDITOR, "submitted_at": "2026-05-20T09:30:00Z",
            "approved_by": _APPROVER, "approved_at": "2026-05-20T10:00:00Z", "override_reason": None,
            "rejected_by": None, "rejected_at": None, "reject_reason": None,
            "activated_by": _EDITOR, "active_from": "2026-05-21T08:00:00Z",
        }
    ],
    "next_cursor": None,
}  # fmt: skip


class FindingSchema(Schema):
    """What the check found: an ``error`` comes in force only where an approver overrides it, a ``warning`` anyway."""

    severity = fields.String(validate=validate.OneOf(["error", "warning"]))
    code = fields.String()
    pointer = fields.String()
    detail = fields.String()


class BudgetLeftSchema(Schema):
    """The points that the campaign may pay in all, those that it has paid (less what came back), and the rest."""

    points = fields.Integer()
    paid = fields.Integer()
    left = fields.Integer()


class ChangeSchema(Schema):
    """A version that waits while an older one is in force, and how far its review has come."""

    version = fields.Integer()
    state = fields.String(validate=validate.OneOf(VERSION_STATES))


class CampaignRejectionSchema(Schema):
    """Why the newest version was sent back, by whom and when."""

    reason = fields.String()
    by = fields.UUID()
    at = Timestamp()


class CampaignSummarySchema(Schema):
    """How a campaign stands; ``updated_by`` is the last member of staff who changed it. Who is null for a command."""

    id = fields.UUID()
    key = fields.String()
    labels = fields.Dict(keys=fields.String(), values=fields.String())
    state = fields.String(validate=validate.OneOf(STATES))
    version = fields.Integer(metadata={"description": "The newest."})
    in_force_version = fields.Integer(
        allow_none=True, metadata={"description": "What pays for activities that occur now, unless it is paused."}
    )
    change = fields.Nested(
        ChangeSchema,
        allow_none=True,
        metadata={"description": "The newest version where the campaign runs by an older one."},
    )
    budget = fields.Nested(BudgetLeftSchema, allow_none=True)
    created_by = fields.UUID(allow_none=True)
    created_at = Timestamp()
    updated_by = fields.UUID(allow_none=True)
    updated_at = Timestamp()


class CampaignAnswerSchema(CampaignSummarySchema):
    """A campaign with the document of its newest version, and what the check of that one last found."""

    document = fields.Nested(CampaignSchema)
    exposure_points = fields.Integer(
        allow_none=True, metadata={"description": "The most points it could pay; null where nothing bounds them."}
    )
    needs_approval = fields.Boolean(
        metadata={"description": "Whether the newest version can come in force only once somebody else approves it."}
    )
    warnings = fields.List(fields.Nested(FindingSchema))
    override_reason = fields.String(allow_none=True)
    rejection = fields.Nested(CampaignRejectionSchema, allow_none=True)


class CampaignQuery(PageQuery):
    """Which campaigns: all, or those of one state."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class CampaignPageSchema(Schema):
    """One page of campaigns."""

    data = fields.List(fields.Nested(CampaignSummarySchema))
    next_cursor = fields.String(allow_none=True)


class CampaignVersionSchema(Schema):
    """One version: its document, who did what to it and when.

    ``past`` was in force before, ``dropped`` never was and never will be; ``active_from`` is null until in force.
    """

    version = fields.Integer()
    state = fields.String(validate=validate.OneOf(VERSION_STATES))
    document = fields.Nested(CampaignSchema)
    exposure_points = fields.Integer(allow_none=True)
    warnings = fields.List(fields.Nested(FindingSchema))
    created_by = fields.UUID(allow_none=True)
    created_at = Timestamp()
    submitted_by = fields.UUID(allow_none=True)
    submitted_at = Timestamp(allow_none=True)
    approved_by = fields.UUID(allow_none=True)
    approved_at = Timestamp(allow_none=True)
    override_reason = fields.String(allow_none=True)
    rejected_by = fields.UUID(allow_none=True)
    rejected_at = Timestamp(allow_none=True)
    reject_reason = fields.String(allow_none=True)
    activated_by = fields.UUID(allow_none=True)
    active_from = Timestamp(allow_none=True)


class CampaignVersionPageSchema(Schema):
    """One page of a campaign's versions."""

    data = fields.List(fields.Nested(CampaignVersionSchema))
    next_cursor = fields.String(allow_none=True)


class ApprovalSchema(Schema):
    """Why what the check found may stand, where it found an error."""

    override_reason = Text(maximum=500, load_default=None, allow_none=True)


class RejectionRequestSchema(Schema):
    """What the author is to do about it."""

    reason = Text(maximum=500, required=True)


class CopySchema(Schema):
    """The key of the new campaign."""

    key = Text(maximum=63, pattern=KEY, required=True)


class ExportSchema(Schema):
    """A campaign document to carry from one installation to another."""

    format = fields.String(required=True, validate=validate.Equal(EXPORT_FORMAT))
    campaign = fields.Nested(CampaignSchema, required=True)
