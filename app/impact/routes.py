"""Routes of impact: what a shopper has avoided, and what staff see of it and of the factors."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import Blueprint, json_response, private_json
from app.core.auth import current_principal, member_only, staff_only
from app.core.errors import InvalidCursor
from app.core.unit_of_work import transactional
from app.impact import schemas, service
from app.impact.errors import RestatementNotFound, TooManyRestatements
from app.members import service as members
from app.members.errors import MemberNotFound

blueprint = Blueprint("impact", __name__, description="Impact: what was avoided, and by which published factors")


def _asked_locale() -> str | None:
    """Return the language we have that the request likes best; phones ask for zh-Hans-CN and en-GB."""
    known = {locale.partition("-")[0]: locale for locale in service.LOCALES}
    liked = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((known[language] for language in liked if language in known), None)


def _own_locale() -> str:
    caller = current_principal()
    own = members.get_member(caller.id, caller.live).locale
    return own if own in service.LOCALES else service.LOCALES[0]


@blueprint.route("/v1/me/impact")
@member_only
@blueprint.arguments(schemas.ImpactQuery, location="query")
@blueprint.response(200, schemas.ImpactSchema, example=schemas.IMPACT_EXAMPLE)
def get_impact(query: dict[str, Any]) -> Response:
    """Return what the shopper's activities have avoided, in all and by month, with its band and its factors.

    Figures are added up within a method and never across two. At most one equivalent likens the largest to something
    known, by a source of its own.
    """
    locale = _asked_locale() or _own_locale()
    return private_json(service.read_impact(current_principal().id, **query, locale=locale))


@blueprint.route("/v1/admin/members/<uuid:member_id>/impact")
@staff_only("viewer")
@blueprint.problems(MemberNotFound)
@blueprint.arguments(schemas.ImpactQuery, location="query")
@blueprint.response(200, schemas.ImpactSchema, example=schemas.IMPACT_EXAMPLE)
def get_member_impact(query: dict[str, Any], member_id: UUID) -> Response:
    """Return what a member's activities have avoided, as the member sees it."""
    locale = _asked_locale() or service.LOCALES[0]
    return private_json(service.read_impact(members.check_member(member_id), **query, locale=locale))


@blueprint.route("/v1/admin/impact/factors")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.FactorQuery, location="query")
@blueprint.response(200, schemas.FactorPageSchema, example=schemas.FACTOR_PAGE_EXAMPLE)
def list_factors(query: dict[str, Any]) -> Response:
    """Return the published factors, each with all its versions, the newest first."""
    bound_to = f"factors:{current_principal().id}:{query['subject']}:{query['metric']}"
    after = tuple(paging.decode_cursor(query["cursor"], bound_to)) if query["cursor"] else ()
    found = service.list_factor_versions(query["subject"], query["metric"], after, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor(list(service.factor_place(page[-1])), bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/impact/restatements", methods=["POST"])
@staff_only("authority", "admin")
@blueprint.problems(TooManyRestatements)
@blueprint.arguments(schemas.RestatementRequestSchema, example=schemas.RESTATEMENT_REQUEST_EXAMPLE)
@blueprint.response(202, schemas.RestatementSchema, example=schemas.QUEUED_EXAMPLE)
@transactional
def request_restatement(asked: dict[str, Any]) -> Response:
    """Let a worker move what is booked by older versions of a factor to the one that is claimed now.

    The differences are new entries of the activities concerned. Asked for again, it finds nothing left to do.
    """
    return json_response(service.request_restatement(current_principal().id, asked), 202)


@blueprint.route("/v1/admin/impact/restatements")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(
    200, schemas.RestatementPageSchema, example={"data": [schemas.RESTATEMENT_EXAMPLE], "next_cursor": None}
)
def list_restatements(query: dict[str, Any]) -> Response:
    """Return restatements, newest first."""
    bound_to = f"restatements:{current_principal().id}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_restatements(before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/impact/restatements/<uuid:restatement_id>")
@staff_only("viewer")
@blueprint.problems(RestatementNotFound)
@blueprint.response(200, schemas.RestatementSchema, example=schemas.RESTATEMENT_EXAMPLE)
def get_restatement(restatement_id: UUID) -> Response:
    """Return how far a restatement is, and what it has booked."""
    return json_response(service.get_restatement(restatement_id))
