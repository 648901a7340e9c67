"""Routes for staff: rewards, named by their id or their key."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import Blueprint, json_response, private_json, read_csv, read_json
from app.core.auth import current_principal, staff_only
from app.core.errors import InvalidCursor
from app.core.preconditions import ETAG_HEADER, PreconditionFailed, PreconditionRequired, Seen, conditional, etag
from app.core.unit_of_work import transactional
from app.members.errors import MemberNotFound
from app.redemption import catalogue_schemas
from app.redemption import reward_admin_schemas as schemas
from app.redemption.errors import (
    CauseNotVerified,
    RewardHasNoCodes,
    RewardKeyTaken,
    RewardNotFound,
    StockBelowTaken,
    WrongRewardState,
)
from app.redemption.reward_schemas import RewardSchema
from app.redemption.service import catalogue
from app.redemption.service import reward_reading as reading
from app.redemption.service import reward_saving as saving
from app.redemption.service.code_importing import import_codes as import_into

blueprint = Blueprint("rewards", __name__, description="Rewards: made, stocked and published by staff")
EDITORS = ("editor", "admin")
_F = TypeVar("_F", bound=Callable[..., Any])
_MISSED = (PreconditionRequired, PreconditionFailed, RewardNotFound, WrongRewardState)
_BODY = {
    "required": True,
    "content": {"application/json": {"schema": RewardSchema, "example": schemas.DOCUMENT_EXAMPLE}},
}
_CSV = {
    "required": True,
    "content": {"text/csv": {"schema": {"type": "string"}, "example": schemas.CODES_EXAMPLE}},
}


def _shown(reward: dict[str, Any], status: int = 200) -> Response:
    return json_response(reward, status, etag(reward["version"]))


def _answers(state: str, status: int = 200) -> Callable[[_F], _F]:
    example = schemas.EXAMPLES[state]
    return blueprint.response(status, schemas.RewardAnswerSchema, example=example, headers=ETAG_HEADER)


@blueprint.route("/v1/admin/rewards")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.RewardAdminQuery, location="query")
@blueprint.response(200, schemas.RewardAdminPageSchema, example=schemas.PAGE_EXAMPLE)
def list_rewards(query: dict[str, Any]) -> Response:
    """Return rewards without their documents, newest first."""
    wanted = (query["state"], query["kind"], query["merchant"])
    bound_to = f"rewards:{current_principal().id}:{wanted}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = reading.list_rewards(*wanted, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/rewards", methods=["POST"])
@staff_only(*EDITORS)
@blueprint.problems(RewardKeyTaken)
@blueprint.doc(requestBody=_BODY)
@_answers("draft", 201)
@transactional
def create_reward() -> Response:
    """Make a reward, a draft, of its document."""
    return _shown(saving.create_reward(read_json()), 201)


@blueprint.route("/v1/admin/rewards/<string:any_id>")
@staff_only("viewer")
@blueprint.problems(RewardNotFound)
@_answers("published")
def get_reward(any_id: str) -> Response:
    """Return a reward with its document, what is left of its stock, and how many of its codes are free."""
    return _shown(reading.get_reward(reading.resolve_reward(any_id)))


@blueprint.route("/v1/admin/rewards/<string:any_id>", methods=["PUT"])
@staff_only(*EDITORS)
@blueprint.problems(*_MISSED, StockBelowTaken)
@blueprint.doc(requestBody=_BODY)
@_answers("changed")
@transactional
@conditional
def change_reward(any_id: str, seen: Seen) -> Response:
    """Let a reward be as its new document says, at once; its key, kind, merchant and cause stay.

    What was redeemed keeps its terms. The stock may fall to what is taken, of today where it is by the day.
    """
    document = read_json()
    return _shown(saving.change_reward(reading.resolve_reward(any_id), document, seen))


@blueprint.route("/v1/admin/rewards/<string:any_id>/publish", methods=["POST"])
@staff_only(*EDITORS)
@blueprint.problems(*_MISSED, CauseNotVerified)
@_answers("published")
@transactional
@conditional
def publish_reward(any_id: str, seen: Seen) -> Response:
    """Let members see a draft within its visible window."""
    return _shown(saving.publish_reward(reading.resolve_reward(any_id), seen))


@blueprint.route("/v1/admin/rewards/<string:any_id>/unpublish", methods=["POST"])
@staff_only(*EDITORS)
@blueprint.problems(*_MISSED)
@_answers("draft")
@transactional
@conditional
def unpublish_reward(any_id: str, seen: Seen) -> Response:
    """Make a published reward a draft again, which nobody sees; what was redeemed of it stays good."""
    return _shown(saving.unpublish_reward(reading.resolve_reward(any_id), seen))


@blueprint.route("/v1/admin/rewards/<string:any_id>/archive", methods=["POST"])
@staff_only(*EDITORS)
@blueprint.problems(*_MISSED)
@_answers("archived")
@transactional
@conditional
def archive_reward(any_id: str, seen: Seen) -> Response:
    """Put a reward away for good; what was redeemed of it stays good."""
    return _shown(saving.archive_reward(reading.resolve_reward(any_id), seen))


@blueprint.route("/v1/admin/rewards/<string:any_id>/codes", methods=["POST"])
@staff_only(*EDITORS)
@blueprint.problems(RewardNotFound, RewardHasNoCodes, WrongRewardState)
@blueprint.doc(requestBody=_CSV)
@blueprint.arguments(schemas.CodesQuery, location="query")
@blueprint.response(200, schemas.CodesImportedSchema, example=schemas.IMPORTED_EXAMPLE)
@transactional
def import_codes(query: dict[str, Any], any_id: str) -> Response:
    """Add a partner's codes to a voucher pool: all that are good, each other row refused by its line.

    A code is refused that stands in the file before, was imported before, or belongs to another reward of the merchant.
    Sent again, all are refused and nothing changes.
    """
    reward_id, body = reading.resolve_reward(any_id), BytesIO(read_csv())
    done = import_into(reward_id, body, live=query["mode"] == "live", column=query["column"])
    return json_response(
        {"rows": done.rows, "imported": done.imported, "refused": done.refused, "reasons": dict(done.reasons),
         "faults": done.faults}
    )  # fmt: skip


@blueprint.route("/v1/admin/rewards/<string:any_id>/preview")
@staff_only("viewer")
@blueprint.problems(RewardNotFound, MemberNotFound)
@blueprint.arguments(catalogue_schemas.PreviewQuery, location="query")
@blueprint.response(200, catalogue_schemas.RewardPreviewSchema, example=catalogue_schemas.PREVIEW_EXAMPLE)
def preview_reward(query: dict[str, Any], any_id: str) -> Response:
    """Return a reward as a member sees it, or would if it were published now: its price, and why it can't be had."""
    reward_id = reading.resolve_reward(any_id)
    locales = [locale for locale, quality in request.accept_languages if quality > 0]
    return private_json(catalogue.preview_reward(reward_id, query["member"], locales))
