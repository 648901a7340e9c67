"""Routes of the programme's settings."""

from dataclasses import asdict

from flask import Response

from app.core.api import Blueprint, json_response
from app.core.auth import staff_only
from app.programme import schemas, service

blueprint = Blueprint("programme", __name__, description="The programme's own settings")


@blueprint.route("/v1/admin/programme")
@staff_only("viewer")
@blueprint.response(200, schemas.ProgrammeSchema, example=service.DEFAULTS)
def get_programme() -> Response:
    """Return the settings in force; their `ETag` names the version."""
    settings = asdict(service.current())
    version = settings.pop("version")
    return json_response(settings, 200, {"ETag": f'"{version}"'})
