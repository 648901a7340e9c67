"""Routes for staff: the queue of reviews, and how each is decided."""

from typing import Any
from uuid import UUID

from flask import Response

from app.activities import review_reading, reviews
from app.activities import review_schemas as schemas
from app.activities.evidence_errors import ReviewClosed, ReviewNotFound
from app.activities.routes import reader_locale
from app.campaigns.service import explainer
from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, staff_only
from app.core.clock import now
from app.core.errors import InvalidCursor
from app.core.unit_of_work import transactional

blueprint = Blueprint("reviews", __name__, description="Activities that staff look at before their points are good")


def _shown(review_id: UUID) -> Response:
    return private_json(review_reading.get_review(review_id, explainer(reader_locale()), now()))


@blueprint.route("/v1/admin/reviews")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.ReviewQuery, location="query")
@blueprint.response(200, schemas.ReviewPageSchema, example={"data": [schemas.REVIEW_EXAMPLE], "next_cursor": None})
def list_reviews(query: dict[str, Any]) -> Response:
    """Return reviews, the oldest first, each with its activity, its pictures and why it is looked at."""
    filters = {name: query[name] for name in ("state", "kind", "member_id")} | {"live": query["mode"] == "live"}
    bound_to = f"reviews:{current_principal().id}:{sorted(filters.items())}"
    after = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    words = explainer(reader_locale())
    found = review_reading.list_reviews(filters, after, query["limit"] + 1, words, now())
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return private_json({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/reviews/<uuid:review_id>")
@staff_only("viewer")
@blueprint.problems(ReviewNotFound)
@blueprint.response(200, schemas.ReviewSchema, example=schemas.REVIEW_EXAMPLE)
def get_review(review_id: UUID) -> Response:
    """Return a review."""
    return _shown(review_id)


@blueprint.route("/v1/admin/reviews/<uuid:review_id>/approve", methods=["POST"])
@staff_only("support", "approver", "admin")
@blueprint.problems(ReviewNotFound, ReviewClosed)
@blueprint.response(200, schemas.ReviewSchema, example=schemas.APPROVED_EXAMPLE)
@transactional
def approve_review(review_id: UUID) -> Response:
    """Let the points mature by the terms of their rules; once, whoever else decides at the same time."""
    reviews.approve(current_principal(), review_id, now())
    return _shown(review_id)


@blueprint.route("/v1/admin/reviews/<uuid:review_id>/reject", methods=["POST"])
@staff_only("support", "approver", "admin")
@blueprint.problems(ReviewNotFound, ReviewClosed)
@blueprint.arguments(schemas.RejectionSchema, example=schemas.REJECTION_EXAMPLE)
@blueprint.response(200, schemas.ReviewSchema, example=schemas.REJECTED_EXAMPLE)
@transactional
def reject_review(body: dict[str, Any], review_id: UUID) -> Response:
    """Take back all that the activity paid, with its impact, limits and budgets, and tell its member why."""
    reviews.reject(current_principal(), review_id, **body, moment=now())
    return _shown(review_id)
