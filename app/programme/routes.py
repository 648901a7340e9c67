"""Routes of the programme's settings."""

from dataclasses import asdict
from typing import Any

from flask import Response

from app.core.api import Blueprint, json_response
from app.core.auth import staff_only
from app.core.preconditions import (
    ETAG_HEADER,
    PreconditionFailed,
    PreconditionRequired,
    Seen,
    conditional,
    etag,
)
from app.core.unit_of_work import transactional
from app.programme import schemas, service

blueprint = Blueprint("programme", __name__, description="The programme's own settings")


def _shown(settings: service.Programme) -> Response:
    document = asdict(settings)
    return json_response(document, 200, etag(document.pop("version")))


@blueprint.route("/v1/admin/programme")
@staff_only("viewer")
@blueprint.response(200, schemas.ProgrammeSchema, example=service.DEFAULTS, headers=ETAG_HEADER)
def get_programme() -> Response:
    """Return the settings in force."""
    return _shown(service.current())


@blueprint.route("/v1/admin/programme", methods=["PUT"])
@staff_only("admin")
@blueprint.problems(PreconditionRequired, PreconditionFailed)
@transactional
@conditional
@blueprint.arguments(schemas.ProgrammeSchema, example=service.DEFAULTS)
@blueprint.response(200, schemas.ProgrammeSchema, example=service.DEFAULTS, headers=ETAG_HEADER)
def change_programme(body: dict[str, Any], seen: Seen) -> Response:
    """Replace the settings: what is left out gets its default. Every process follows within a second."""
    return _shown(service.change(body, seen))
