"""Routes of self-declared activities: shoppers say what they did."""

from flask import Response

from app.activities import self_declared_schemas as schemas
from app.activities.errors import ActivityIdReused, PackagingConflict
from app.activities.evidence_errors import EvidenceNotFound, EvidenceUsed, SelfDeclaredLimit
from app.activities.review_reading import with_reviews
from app.activities.routes import reader_locale
from app.activities.self_declared import declare
from app.activities.service import answer
from app.campaigns.service import explainer
from app.core.api import Blueprint, private_json, read_json
from app.core.auth import current_principal, member_only
from app.core.unit_of_work import transactional

blueprint = Blueprint("self_declared", __name__, description="What shoppers declare themselves")


@blueprint.route("/v1/me/activities", methods=["POST"])
@member_only
@blueprint.problems(ActivityIdReused, SelfDeclaredLimit, EvidenceNotFound, EvidenceUsed, PackagingConflict)
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"application/json": {"schema": schemas.SelfDeclaredSchema, "example": schemas.DECLARED_EXAMPLE}},
    }
)
@blueprint.response(201, schemas.OwnActivityAnswerSchema, example=schemas.IN_REVIEW_EXAMPLE)
@blueprint.alt_response(
    200,
    schema=schemas.OwnActivityAnswerSchema,
    example=schemas.REJECTED_EXAMPLE,
    description="The same id and content again: the same activity, and how its review stands.",
)
@transactional
def declare_activity() -> Response:
    """Declare what the shopper did, with pictures or without; its points come once somebody has looked at it.

    A few a day, by the programme's settings. Its own `id` makes a repetition harmless.
    """
    member, locale = current_principal(), reader_locale()
    declared = declare(member, read_json())
    [shown] = with_reviews(member.id, [answer(declared, explainer(locale))], locale)
    headers = {"Idempotent-Replayed": "true"} if declared.is_replay else None
    return private_json(shown, 200 if declared.is_replay else 201, headers)
