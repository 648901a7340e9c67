"""Routes of the shopper's household."""

from dataclasses import asdict
from typing import Any

from flask import Response

from app.core.api import private_json
from app.core.auth import current_principal, member_only
from app.core.clock import now
from app.core.errors import TooManyRequests
from app.core.rate_limits import limited, token_holder
from app.core.unit_of_work import transactional
from app.members import service
from app.members.errors import (
    AlreadyInHousehold,
    HouseholdChangedRecently,
    HouseholdFull,
    HouseholdInviteLimit,
    HouseholdNotFound,
    InvalidInviteCode,
    InviteNotFound,
)
from app.members.routes.shoppers import blueprint
from app.members.schemas import households as schemas

_NAME_EXAMPLE = {"name": "Garden Street 5"}


def _shown(household: service.HouseholdFacts, status: int = 200) -> Response:
    return private_json(schemas.HouseholdSchema().dump(household), status)


@blueprint.route("/v1/me/household", methods=["POST"])
@member_only
@blueprint.problems(AlreadyInHousehold, HouseholdChangedRecently)
@blueprint.arguments(schemas.NewHouseholdSchema, example=_NAME_EXAMPLE)
@blueprint.response(201, schemas.HouseholdSchema, example=schemas.NEW_HOUSEHOLD_EXAMPLE)
@transactional
def create_household(body: dict[str, Any]) -> Response:
    """Make a household, in which the shopper is alone at first; not within 30 days of having left one."""
    return _shown(service.create_household(current_principal().id, body["name"], now()), 201)


@blueprint.route("/v1/me/household")
@member_only
@blueprint.problems(HouseholdNotFound)
@blueprint.response(200, schemas.HouseholdSchema, example=schemas.HOUSEHOLD_EXAMPLE)
def get_household() -> Response:
    """Return the shopper's household and who is in it."""
    return _shown(service.get_household(current_principal().id, now()))


@blueprint.route("/v1/me/household", methods=["PATCH"])
@member_only
@blueprint.problems(HouseholdNotFound)
@blueprint.arguments(schemas.HouseholdChangeSchema, example=_NAME_EXAMPLE)
@blueprint.response(200, schemas.HouseholdSchema, example=schemas.HOUSEHOLD_EXAMPLE)
@transactional
def change_household(body: dict[str, Any]) -> Response:
    """Change the name of the shopper's household, for all of its members."""
    return _shown(service.rename_household(current_principal().id, body["name"], now()))


@blueprint.route("/v1/me/household/invites", methods=["POST"])
@member_only
@blueprint.problems(HouseholdNotFound, HouseholdFull, HouseholdInviteLimit)
@blueprint.response(201, schemas.InviteSchema, example=schemas.INVITE_EXAMPLE)
@transactional
def invite_into_household() -> Response:
    """Issue a code by which one more shopper may join within 24 hours; at most five are open at a time."""
    return private_json(asdict(service.invite_into_household(current_principal().id, now())), 201)


@blueprint.route("/v1/me/household/invites", methods=["DELETE"])
@member_only
@blueprint.problems(HouseholdNotFound)
@blueprint.response(204)
@transactional
def withdraw_invites() -> Response:
    """Void all open codes of the shopper's household."""
    service.withdraw_invites(current_principal().id)
    return Response(status=204)


@blueprint.route("/v1/me/household/join", methods=["POST"])
@limited("20 per day", by=token_holder, status=InviteNotFound.status)
@limited("120 per 10 minutes")
@member_only
@blueprint.problems(
    InvalidInviteCode, InviteNotFound, AlreadyInHousehold, HouseholdChangedRecently, HouseholdFull, TooManyRequests
)
@blueprint.arguments(schemas.JoinSchema, example={"code": schemas.INVITE_EXAMPLE["code"]})
@blueprint.response(200, schemas.HouseholdSchema, example=schemas.HOUSEHOLD_EXAMPLE)
@transactional
def join_household(body: dict[str, Any]) -> Response:
    """Join the household that the code invites into; each is good once, and not within 30 days of having left one."""
    return _shown(service.join_household(current_principal().id, body["code"], now()))


@blueprint.route("/v1/me/household/membership", methods=["DELETE"])
@member_only
@blueprint.problems(HouseholdNotFound)
@blueprint.response(204)
@transactional
def leave_household() -> Response:
    """Leave the household, with the codes one has issued; with the last one who leaves it is gone."""
    service.leave_household(current_principal().id, now())
    return Response(status=204)
