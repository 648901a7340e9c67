"""Routes for staff: campaigns, their versions, and the steps of their life.

A campaign is named by its id or its key. Editors propose, approvers decide; what a step asks for stands in the service.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from flask import Response

from app.campaigns import admin_schemas as schemas
from app.campaigns import service
from app.campaigns.errors import (
    ApprovalNeeded,
    BudgetBelowPaid,
    CampaignClosed,
    CampaignKeyTaken,
    CampaignNotFound,
    OverrideReasonNeeded,
    SecondPersonNeeded,
    WrongCampaignState,
)
from app.campaigns.schemas import CampaignSchema
from app.core import paging
from app.core.api import BATCH_BYTES_MAX, Blueprint, json_response, read_json, read_optional_json
from app.core.auth import current_principal, staff_only
from app.core.errors import InvalidCursor
from app.core.preconditions import ETAG_HEADER, PreconditionFailed, PreconditionRequired, Seen, conditional, etag
from app.core.schemas import load
from app.core.unit_of_work import transactional

blueprint = Blueprint("campaigns", __name__, description="Campaigns: made, reviewed and run by staff")
_EDITORS = ("editor", "admin")
_F = TypeVar("_F", bound=Callable[..., Any])
_APPROVERS = ("approver", "admin")
_MISSED = (PreconditionRequired, PreconditionFailed, CampaignNotFound, CampaignClosed)


def _body(schema: type[Any], example: Any, *, required: bool = True) -> dict[str, Any]:
    """Return how a body is documented that the view reads itself: it is kept as it was sent, or may be absent."""
    return {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}


def _shown(campaign: dict[str, Any], status: int = 200) -> Response:
    return json_response(campaign, status, etag(campaign.pop("revision")))


def _answers(state: str) -> Callable[[_F], _F]:
    return blueprint.response(200, schemas.CampaignAnswerSchema, example=schemas.EXAMPLES[state], headers=ETAG_HEADER)


@blueprint.route("/v1/admin/campaigns")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.CampaignQuery, location="query")
@blueprint.response(200, schemas.CampaignPageSchema, example=schemas.PAGE_EXAMPLE)
def list_campaigns(query: dict[str, Any]) -> Response:
    """Return campaigns without their documents, newest first."""
    bound_to = f"campaigns:{current_principal().id}:{query['state']}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_campaigns(query["state"], before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/campaigns", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(CampaignKeyTaken)
@blueprint.doc(requestBody=_body(CampaignSchema, schemas.DOCUMENT_EXAMPLE))
@blueprint.response(201, schemas.CampaignAnswerSchema, example=schemas.EXAMPLES["draft"], headers=ETAG_HEADER)
@transactional
def create_campaign() -> Response:
    """Make a campaign, a draft, of its document."""
    return _shown(service.create_campaign(current_principal(), read_json()), 201)


@blueprint.route("/v1/admin/campaigns/import", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(CampaignKeyTaken)
@blueprint.doc(requestBody=_body(schemas.ExportSchema, schemas.EXPORT_EXAMPLE))
@blueprint.response(201, schemas.CampaignAnswerSchema, example=schemas.EXAMPLES["draft"], headers=ETAG_HEADER)
@transactional
def import_campaign() -> Response:
    """Make a campaign, a draft, of an exported one; a campaign that has its key is not changed."""
    exported = read_json(BATCH_BYTES_MAX)
    load(schemas.ExportSchema(), exported)
    return _shown(service.import_campaign(current_principal(), exported), 201)


@blueprint.route("/v1/admin/campaigns/<string:any_id>")
@staff_only("viewer")
@blueprint.problems(CampaignNotFound)
@_answers("active")
def get_campaign(any_id: str) -> Response:
    """Return a campaign with the document of its newest version."""
    return _shown(service.get_campaign(service.resolve_campaign(any_id)))


@blueprint.route("/v1/admin/campaigns/<string:any_id>", methods=["PUT"])
@staff_only(*_EDITORS)
@blueprint.problems(*_MISSED, BudgetBelowPaid)
@blueprint.doc(requestBody=_body(CampaignSchema, schemas.DOCUMENT_EXAMPLE))
@_answers("changed")
@transactional
@conditional
def change_campaign(any_id: str, seen: Seen) -> Response:
    """Make a new version; the same document as the newest changes nothing.

    Of a campaign that runs it is in force at once where its exposure is within the programme's limit. Above it, it
    waits to be approved and activated while the older version pays on.
    """
    document = read_json()
    return _shown(service.change_campaign(current_principal(), service.resolve_campaign(any_id), document, seen))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/versions")
@staff_only("viewer")
@blueprint.problems(CampaignNotFound, InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, schemas.CampaignVersionPageSchema, example=schemas.VERSIONS_EXAMPLE)
def list_versions(query: dict[str, Any], any_id: str) -> Response:
    """Return a campaign's versions, newest first: the document of each, who did what to it and when."""
    campaign_id = service.resolve_campaign(any_id)
    bound_to = f"campaign-versions:{current_principal().id}:{campaign_id}"
    before = int(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_versions(campaign_id, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([page[-1]["version"]], bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/campaigns/<string:any_id>/export")
@staff_only("viewer")
@blueprint.problems(CampaignNotFound)
@blueprint.response(200, schemas.ExportSchema, example=schemas.EXPORT_EXAMPLE)
def export_campaign(any_id: str) -> Response:
    """Return the newest version as a document that `import` takes, here or elsewhere."""
    return json_response(service.export_campaign(service.resolve_campaign(any_id)))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/copy", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(CampaignNotFound, CampaignKeyTaken)
@transactional
@blueprint.arguments(schemas.CopySchema, example=schemas.COPY_EXAMPLE)
@blueprint.response(201, schemas.CampaignAnswerSchema, example=schemas.EXAMPLES["copy"], headers=ETAG_HEADER)
def copy_campaign(body: dict[str, Any], any_id: str) -> Response:
    """Make a new campaign, a draft, of the newest version of this one, which may be over."""
    campaign_id = service.resolve_campaign(any_id)
    return _shown(service.copy_campaign(current_principal(), campaign_id, body["key"]), 201)


@blueprint.route("/v1/admin/campaigns/<string:any_id>/submit", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(*_MISSED, WrongCampaignState)
@_answers("submitted")
@transactional
@conditional
def submit_campaign(any_id: str, seen: Seen) -> Response:
    """Put the newest version up for approval."""
    return _shown(service.submit_campaign(current_principal(), service.resolve_campaign(any_id), seen))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/approve", methods=["POST"])
@staff_only(*_APPROVERS)
@blueprint.problems(*_MISSED, WrongCampaignState, SecondPersonNeeded, OverrideReasonNeeded)
@blueprint.doc(requestBody=_body(schemas.ApprovalSchema, schemas.APPROVAL_EXAMPLE, required=False))
@_answers("approved")
@transactional
@conditional
def approve_campaign(any_id: str, seen: Seen) -> Response:
    """Approve the submitted version that `If-Match` names: one that somebody else wrote and submitted."""
    body = load(schemas.ApprovalSchema(), read_optional_json())
    campaign_id = service.resolve_campaign(any_id)
    return _shown(service.approve_campaign(current_principal(), campaign_id, seen, body["override_reason"]))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/reject", methods=["POST"])
@staff_only(*_APPROVERS)
@blueprint.problems(*_MISSED, WrongCampaignState)
@transactional
@conditional
@blueprint.arguments(schemas.RejectionRequestSchema, example=schemas.REJECTION_EXAMPLE)
@_answers("rejected")
def reject_campaign(body: dict[str, Any], any_id: str, seen: Seen) -> Response:
    """Send the submitted version back to draft with a reason, or take back an approval that was not used yet."""
    campaign_id = service.resolve_campaign(any_id)
    return _shown(service.reject_campaign(current_principal(), campaign_id, seen, body["reason"]))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/activate", methods=["POST"])
@staff_only("editor", *_APPROVERS)
@blueprint.problems(*_MISSED, WrongCampaignState, ApprovalNeeded, BudgetBelowPaid)
@_answers("active")
@transactional
@conditional
def activate_campaign(any_id: str, seen: Seen) -> Response:
    """Put the newest version in force where it is approved, or needs no approval; let a paused campaign run again."""
    return _shown(service.activate_campaign(current_principal(), service.resolve_campaign(any_id), seen))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/pause", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(*_MISSED, WrongCampaignState)
@_answers("paused")
@transactional
@conditional
def pause_campaign(any_id: str, seen: Seen) -> Response:
    """Let the campaign pay nothing for what is received until it is activated again."""
    return _shown(service.pause_campaign(current_principal(), service.resolve_campaign(any_id), seen))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/end", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(*_MISSED, WrongCampaignState)
@_answers("ended")
@transactional
@conditional
def end_campaign(any_id: str, seen: Seen) -> Response:
    """Let the campaign pay nothing for what is received from now on, for good."""
    return _shown(service.end_campaign(current_principal(), service.resolve_campaign(any_id), seen))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/archive", methods=["POST"])
@staff_only(*_EDITORS)
@blueprint.problems(*_MISSED, WrongCampaignState)
@_answers("archived")
@transactional
@conditional
def archive_campaign(any_id: str, seen: Seen) -> Response:
    """Put a campaign away that has ended, or a draft that never ran."""
    return _shown(service.archive_campaign(current_principal(), service.resolve_campaign(any_id), seen))
