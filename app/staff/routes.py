"""Routes of the staff: sign-in and the audit log."""

from typing import Any
from uuid import UUID

from flask import Response

from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, public, staff_only
from app.core.clock import now
from app.core.errors import InvalidCursor, TooManyRequests
from app.core.rate_limits import body_field, from_network, limited
from app.staff import schemas, service
from app.staff.errors import InvalidCredentials

blueprint = Blueprint("staff", __name__, description="Staff: sign-in and the audit log")
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


@blueprint.route("/v1/admin/audit")
@staff_only("approver", "finance", "authority", "admin")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.AuditQuery, location="query")
@blueprint.response(200, schemas.AuditPageSchema, example={"data": [schemas.AUDIT_EXAMPLE], "next_cursor": None})
def list_audit(query: dict[str, Any]) -> Response:
    """Return who changed what, newest first, with what it was before and after."""
    filters = {name: value for name, value in query.items() if name not in ("limit", "cursor")}
    bound_to = f"audit:{current_principal().id}:{sorted(filters.items())}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_audit(filters, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return private_json({"data": page, "next_cursor": more})
