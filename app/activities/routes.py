"""Routes of activities: merchants report and preview, shoppers read their own."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from flask import Response, request

from app.activities import examples, schemas, service
from app.activities.errors import (
    ActivityClosed,
    ActivityIdReused,
    ActivityMemberChanged,
    ActivityNotFound,
    ClaimExpired,
    ClaimNotFound,
    CompletedBeforeActivity,
    DuplicateClaimed,
    InvalidCode,
    MemberNotFound,
    PackagingConflict,
    RevisionStale,
)
from app.activities.review_reading import with_reviews
from app.activities.self_declared_schemas import REJECTED_EXAMPLE, OwnActivityAnswerSchema, OwnActivityPageSchema
from app.campaigns.service import Words, explainer
from app.core import paging
from app.core.api import BATCH_BYTES_MAX, Blueprint, private_json, read_json
from app.core.auth import current_principal, member_only, merchant_only, staff_only
from app.core.errors import InvalidCursor, ProblemError
from app.core.rate_limits import limited, token_holder
from app.core.unit_of_work import transactional
from app.members import service as members
from app.merchants.service import MerchantPrincipal

blueprint = Blueprint("activities", __name__, description="What was done, and what it earned")
_LOCALES = {"en": "en", "zh": "zh-CN"}  # by language: phones ask for zh-Hans-CN and en-GB


def _merchant() -> MerchantPrincipal:
    return cast(MerchantPrincipal, current_principal())


def _words() -> Words:
    return explainer(reader_locale())


def reader_locale() -> str:
    """Return the language we have that the reader of this request likes best."""
    if "HTTP_ACCEPT_LANGUAGE" not in request.environ:  # as most tills send it, and cheaper to ask than the headers
        return "en"
    liked = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((_LOCALES[language] for language in liked if language in _LOCALES), "en")


def _status(accepted: service.Accepted) -> int:
    if accepted.claim_code is not None:
        return 202
    return 200 if accepted.is_replay else 201


@blueprint.route("/v1/activities", methods=["POST"])
@merchant_only("activities")
@blueprint.problems(
    MemberNotFound, ActivityIdReused, RevisionStale, ActivityClosed, ActivityMemberChanged, PackagingConflict
)
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"application/json": {"schema": schemas.ActivitySchema, "example": examples.ACTIVITY}},
    }
)
@blueprint.response(201, schemas.ActivityAnswerSchema, example=examples.ANSWER)
@blueprint.alt_response(
    200,
    schema=schemas.ActivityAnswerSchema,
    example=examples.ANSWER,
    description="The same id and content again: the first answer, with `Idempotent-Replayed: true`.",
)
@blueprint.alt_response(
    202, schema=schemas.ActivityAnswerSchema, example=examples.WAITING,
    description="Nobody is known by this reference: the points wait under `claim_code`.",
)  # fmt: skip
def report_activity() -> Response:
    """Report one activity; its own `id` makes a repetition harmless."""
    result = service.report_one(service.Source(_merchant()), read_json())
    if isinstance(result, ProblemError):
        raise result
    headers = {"Idempotent-Replayed": "true"} if result.is_replay else None
    return private_json(service.answer(result, _words()), _status(result), headers)


@blueprint.route("/v1/activities/batch", methods=["POST"])
@merchant_only("activities")
@blueprint.arguments(
    schemas.BatchSchema,
    bytes_max=BATCH_BYTES_MAX,
    standalone="activities",
    example={"activities": [examples.ACTIVITY]},
)
@blueprint.response(200, schemas.BatchAnswerSchema, example=examples.BATCH_ANSWER)
def report_activities(batch: dict[str, Any]) -> Response:
    """Report up to 500 activities; each stands alone, and its result stands at its place."""
    words = _words()
    results = []
    for index, result in enumerate(service.report_many(service.Source(_merchant()), batch["activities"])):
        if isinstance(result, ProblemError):
            entry = {"index": index, "status": result.status, "replayed": False, "activity": None,
                     "problem": result.to_problem()}  # fmt: skip
        else:
            entry = {"index": index, "status": _status(result), "replayed": result.is_replay,
                     "activity": service.answer(result, words), "problem": None}  # fmt: skip
        results.append(entry)
    return private_json({"results": results})


@blueprint.route("/v1/activities/<string:any_id>")
@merchant_only("activities")
@blueprint.problems(ActivityNotFound)
@blueprint.response(200, schemas.ActivityAnswerSchema, example=examples.ANSWER)
def get_activity(any_id: str) -> Response:
    """Return an activity by the merchant's own id or by ours."""
    return private_json(service.answer(service.get_activity(_merchant(), any_id), _words()))


@blueprint.route("/v1/activities/<string:any_id>/complete", methods=["POST"])
@merchant_only("activities")
@blueprint.problems(ActivityNotFound, CompletedBeforeActivity)
@blueprint.arguments(schemas.CompletionSchema, example={"occurred_at": "2026-11-26T16:20:00Z"})
@blueprint.response(200, schemas.ActivityAnswerSchema, example=examples.COMPLETED)
@transactional
def complete_activity(body: dict[str, Any], any_id: str) -> Response:
    """Say that an order was delivered: points that wait for that become available. Once counts, again is harmless."""
    completed = service.complete_activity(_merchant(), any_id, body["occurred_at"])
    return private_json(service.answer(completed, _words()))


@blueprint.route("/v1/me/claims", methods=["POST"])
@limited("10 per minute", by=token_holder, status=(404, 422))
@member_only
@blueprint.problems(InvalidCode, ClaimNotFound, ClaimExpired, DuplicateClaimed)
@blueprint.arguments(schemas.ClaimRequestSchema, example={"code": "7K2-M9Q-XT4-HVN-3A"})
@blueprint.response(201, schemas.ActivityAnswerSchema, example=examples.ANSWER)
@blueprint.alt_response(
    200, schema=schemas.ActivityAnswerSchema, example=examples.ANSWER,
    description="The shopper has claimed it before: the same answer.",
)  # fmt: skip
@transactional
def claim_activity(body: dict[str, Any]) -> Response:
    """Claim what a merchant reported without knowing whose it is, by the code on the receipt."""
    shopper = current_principal()
    claimed = service.claim_activity(shopper.id, shopper.live, body["code"])
    headers = {"Idempotent-Replayed": "true"} if claimed.is_replay else None
    return private_json(service.answer(claimed, _words()), _status(claimed), headers)


@blueprint.route("/v1/previews", methods=["POST"])
@merchant_only("previews")
@blueprint.problems(MemberNotFound, PackagingConflict)
@blueprint.arguments(schemas.CartSchema, example=examples.CART)
@blueprint.response(200, schemas.PreviewAnswerSchema, example=examples.PREVIEW)
def preview(cart: dict[str, Any]) -> Response:
    """Say what a cart would earn, what else would earn more and what the member could spend; nothing is written."""
    return private_json(service.preview(_merchant(), cart, reader_locale()))


def _activity_page(query: dict[str, Any], member_id: UUID, bound_to: str) -> Response:
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_own_activities(member_id, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1].activity_id)], bound_to) if len(found) > len(page) else None
    return private_json({"data": _own_answers(member_id, page), "next_cursor": more})


def _own_answers(member_id: UUID, page: Sequence[service.Accepted]) -> list[dict[str, Any]]:
    words = _words()
    return with_reviews(member_id, [service.answer(each, words) for each in page], reader_locale())


@blueprint.route("/v1/me/activities")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, OwnActivityPageSchema, example={"data": [examples.ANSWER], "next_cursor": None})
def list_own_activities(query: dict[str, Any]) -> Response:
    """Return the shopper's activities, the newest report first."""
    member_id = current_principal().id
    return _activity_page(query, member_id, f"activities:{member_id}")


@blueprint.route("/v1/admin/members/<uuid:member_id>/activities")
@staff_only("viewer")
@blueprint.problems(MemberNotFound, InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, OwnActivityPageSchema, example={"data": [examples.ANSWER], "next_cursor": None})
def list_member_activities(query: dict[str, Any], member_id: UUID) -> Response:
    """Return a member's activities, the newest report first: what each earned, and why it did not earn more."""
    bound_to = f"activities:{members.check_member(member_id)}:{current_principal().id}"
    return _activity_page(query, member_id, bound_to)


@blueprint.route("/v1/me/activities/<uuid:activity_id>")
@member_only
@blueprint.problems(ActivityNotFound)
@blueprint.response(200, OwnActivityAnswerSchema, example=REJECTED_EXAMPLE)
def get_own_activity(activity_id: UUID) -> Response:
    """Return one of the shopper's activities, with what it earned and missed, and how its review stands."""
    member_id = current_principal().id
    return private_json(_own_answers(member_id, [service.get_own_activity(member_id, activity_id)])[0])
