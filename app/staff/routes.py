"""Routes of the staff: sign-in."""

from typing import Any

from flask import Response

from app.core.api import Blueprint, private_json
from app.core.auth import public
from app.core.clock import now
from app.core.errors import TooManyRequests
from app.core.rate_limits import body_field, from_network, limited
from app.staff import schemas, service
from app.staff.errors import InvalidCredentials

blueprint = Blueprint("staff", __name__, description="Staff: sign-in")
_by_email = body_field("email", lambda email: email.strip().lower())


@blueprint.route("/v1/admin/auth/tokens", methods=["POST"])
@limited("15 per hour", by=from_network(_by_email), status=InvalidCredentials.status)
@limited("60 per 10 minutes")
@public
@blueprint.problems(InvalidCredentials, TooManyRequests)
@blueprint.arguments(
    schemas.CredentialsSchema, example={"email": "ada@example.org", "password": "a long pass phrase", "otp": "123456"}
)
@blueprint.response(200, schemas.StaffTokenSchema, example={"access_token": "eyJ…", "expires_in": 900})
def sign_in(body: dict[str, Any]) -> Response:
    """Sign in with password and one-time code; each code is good once."""
    token, seconds = service.issue_token(service.verify(body["email"], body["password"], body["otp"], now()))
    return private_json({"access_token": token, "expires_in": seconds})
