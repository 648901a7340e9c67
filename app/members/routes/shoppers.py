"""Routes of the shoppers: sign-in and profile; for staff, the search for one."""

import re
from dataclasses import asdict
from typing import Any, cast

from flask import Response, request

from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, member_only, public, staff_only
from app.core.clock import now
from app.core.errors import TooManyRequests
from app.core.rate_limits import body_field, from_network, limited
from app.core.unit_of_work import transactional
from app.members import schemas, service
from app.members.addresses import normalise_address
from app.members.errors import AliasTaken, InvalidCode, InvalidRefreshToken, MemberNotActive

blueprint = Blueprint("members", __name__, description="Shoppers: sign-in and profile")
_by_address = body_field("address", lambda address: normalise_address(address)[1])


def _member() -> service.MemberPrincipal:
    return cast(service.MemberPrincipal, current_principal())


def _locale() -> str:
    asked = request.accept_languages.best or "en"
    return asked if re.match(service.LOCALE, asked) else "en"


@blueprint.route("/v1/auth/codes", methods=["POST"])
@limited("5 per 10 minutes", by=from_network(_by_address))
@limited("20 per day", by=from_network(_by_address))
@limited("60 per day", by=_by_address)
@limited("60 per 10 minutes")
@public
@blueprint.problems(TooManyRequests)
@blueprint.arguments(schemas.CodeRequestSchema, example={"channel": "email", "address": "ada@example.org"})
@blueprint.response(
    202, {"type": "object"}, description="Known or not: if somebody reads there, a code arrives.", example={}
)
@transactional
def request_code(body: dict[str, Any]) -> Response:
    """Send a sign-in code of six digits, good for ten minutes, to an address; the code before is void."""
    service.request_code(body["address"], now())
    return private_json({}, 202)


@blueprint.route("/v1/auth/tokens", methods=["POST"])
@limited("20 per day", by=from_network(_by_address), status=InvalidCode.status)
@limited("120 per 10 minutes")
@public
@blueprint.problems(InvalidCode, MemberNotActive, TooManyRequests)
@blueprint.arguments(schemas.SignInSchema, example={"address": "ada@example.org", "code": "123456"})
@blueprint.response(200, schemas.SignedInSchema, example=schemas.SIGN_IN_EXAMPLE)
@transactional
def sign_in(body: dict[str, Any]) -> Response:
    """Sign in with the code that was sent; the first sign-in enrols."""
    result = service.sign_in(body["address"], body["code"], now(), locale=_locale())
    return private_json(asdict(result.tokens) | {"member": schemas.shown(result.member), "created": result.is_new})


@blueprint.route("/v1/auth/refresh", methods=["POST"])
@limited("600 per 10 minutes")
@public
@blueprint.problems(InvalidRefreshToken, TooManyRequests)
@blueprint.arguments(schemas.RefreshSchema, example={"refresh_token": "gpr_…"})
@blueprint.response(200, schemas.TokensSchema, example=schemas.TOKENS_EXAMPLE)
@transactional
def refresh(body: dict[str, Any]) -> Response:
    """Return new tokens for the newest refresh token; using an older one ends the session for everybody."""
    return private_json(asdict(service.refresh_session(body["refresh_token"], now())))


@blueprint.route("/v1/auth/logout", methods=["POST"])
@member_only
@blueprint.response(204)
@transactional
def sign_out() -> Response:
    """End the session of this access token: it and its refresh token stop at once."""
    principal = _member()
    service.end_session(principal.id, principal.session_id, now())
    return Response(status=204)


@blueprint.route("/v1/me")
@member_only
@blueprint.response(200, schemas.MemberSchema, example=schemas.MEMBER_EXAMPLE)
def get_me() -> Response:
    """Return the shopper's own profile."""
    principal = _member()
    return private_json(schemas.shown(service.get_member(principal.id, principal.live)))


@blueprint.route("/v1/me", methods=["PATCH"])
@member_only
@blueprint.problems(AliasTaken)
@blueprint.arguments(
    schemas.ProfileChangeSchema,
    example={"alias": "Green Ada", "time_zone": "Europe/Berlin", "consents": {"leaderboard": True}},
)
@blueprint.response(200, schemas.MemberSchema, example=schemas.MEMBER_EXAMPLE)
@transactional
def change_me(body: dict[str, Any]) -> Response:
    """Change what the body names of the shopper's own profile."""
    return private_json(schemas.shown(service.change_profile(_member().id, body, now())))


@blueprint.route("/v1/admin/members")
@staff_only("support", "approver", "finance", "admin")
@blueprint.arguments(schemas.MemberSearchQuery, location="query")
@blueprint.response(200, schemas.FoundMembersSchema, example={"data": [schemas.FOUND_EXAMPLE], "next_cursor": None})
def search_members(query: dict[str, Any]) -> Response:
    """Find a shopper by `code` or by `address`, exactly one of them; nobody is an empty list."""
    found = {"data": service.search_members(**query), "next_cursor": None}
    return private_json(schemas.FoundMembersSchema().dump(found))
