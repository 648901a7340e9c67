"""Routes of evidence: shoppers send a picture and see it again; staff see those of the reviews."""

from uuid import UUID

from flask import Response, request

from app.activities import evidence
from app.activities import evidence_schemas as schemas
from app.activities.evidence_errors import EvidenceNotFound, ImageTooLarge, NotAnImage, NotAPicture
from app.activities.evidence_pictures import MEDIA_TYPE
from app.core.api import Blueprint, private_json, read_body, read_file
from app.core.auth import current_principal, member_only, staff_only
from app.core.rate_limits import limited, token_holder

blueprint = Blueprint("evidence", __name__, description="Evidence: pictures of what shoppers did")


@blueprint.route("/v1/me/evidence", methods=["POST"])
@limited("20 per day", by=token_holder, status=201)
@limited("60 per hour", by=token_holder)
@member_only
@blueprint.problems(NotAnImage, ImageTooLarge)
@blueprint.doc(requestBody=schemas.UPLOAD_BODY)
@blueprint.response(201, schemas.UploadSchema, example=schemas.UPLOAD_EXAMPLE)
@blueprint.alt_response(
    200, schema=schemas.UploadSchema, example=schemas.UPLOAD_EXAMPLE,
    description="The same picture again, which no activity has cited yet: the evidence that it is already.",
)  # fmt: skip
def upload_evidence() -> Response:
    """Send a picture, JPEG, PNG or WebP, to cite in an activity: 20 a day.

    What is kept is the picture alone: not where and by which device it was taken.
    """
    upload = evidence.take_in(current_principal(), _read_picture())
    shown = {
        "id": str(upload.evidence_id), "width": upload.width, "height": upload.height, "bytes": upload.byte_count,
        "reused": upload.is_reused, "created_at": upload.created_at, "expires_at": upload.expires_at,
    }  # fmt: skip
    headers = {"Idempotent-Replayed": "true"} if upload.is_replay else None
    return private_json(shown, 200 if upload.is_replay else 201, headers)


def _read_picture() -> bytes:
    if request.mimetype == "multipart/form-data":
        return read_file(schemas.FORM_FIELD, evidence.UPLOAD_BYTES_MAX)
    if not request.mimetype.startswith("image/"):
        raise NotAPicture
    return read_body(evidence.UPLOAD_BYTES_MAX)


@blueprint.route("/v1/me/evidence/<uuid:evidence_id>")
@member_only
@blueprint.problems(EvidenceNotFound)
@blueprint.response(200, **schemas.PICTURE_ANSWER)
def get_own_evidence(evidence_id: UUID) -> Response:
    """Return the picture of the shopper's own evidence."""
    return _private_picture(evidence.read_own(current_principal().id, evidence_id))


@blueprint.route("/v1/admin/evidence/<uuid:evidence_id>")
@staff_only("support", "approver", "admin")
@blueprint.problems(EvidenceNotFound)
@blueprint.response(200, **schemas.PICTURE_ANSWER)
def get_evidence(evidence_id: UUID) -> Response:
    """Return the picture of anybody's evidence."""
    return _private_picture(evidence.read_anyones(evidence_id))


def _private_picture(data: bytes) -> Response:
    """Return a picture that nobody on the way keeps and no browser takes for anything else."""
    response = Response(data, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = "inline"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
