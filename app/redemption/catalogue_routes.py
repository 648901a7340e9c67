"""Routes for shoppers: rewards, favourites, and what expiring points could buy."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, member_only
from app.core.clock import now
from app.core.errors import InvalidCursor, NotFound
from app.core.unit_of_work import transactional
from app.redemption import catalogue_schemas as schemas
from app.redemption.catalogue import Position, Wanted
from app.redemption.errors import RewardNotFound, TooManyFavourites
from app.redemption.redemption_routes import asked_locales
from app.redemption.service import catalogue as service

blueprint = Blueprint("catalogue", __name__, description="Rewards as a shopper sees them")


def _locales() -> list[str]:
    """Return the languages that the request asks for, none where it leaves that to the shopper's own."""
    return asked_locales() if "Accept-Language" in request.headers else []


@blueprint.route("/v1/rewards")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.RewardQuery, location="query")
@blueprint.response(200, schemas.ShownRewardPageSchema, example={"data": [schemas.REWARD_EXAMPLE], "next_cursor": None})
def list_rewards(query: dict[str, Any]) -> Response:
    """Return the rewards that the shopper sees, in the language of `Accept-Language` or else the shopper's own.

    Each with its price for the shopper, what is missing of it, and whether or why not it can be redeemed now.
    """
    caller = current_principal()
    asked = {name: query[name] for name in ("sort", "affordable", "favourite", "kind", "merchant", "region")}
    bound_to = f"rewards:{caller.id}:{sorted(asked.items(), key=str)}"
    after = None
    if query["cursor"]:
        is_other, number, tie = paging.decode_cursor(query["cursor"], bound_to)
        after = Position(is_other, number, int(tie))
    wanted = Wanted(
        order=asked["sort"], kind=asked["kind"], merchant=asked["merchant"], region=asked["region"],
        is_affordable=asked["affordable"] == "true", is_favourite=asked["favourite"] == "true",
    )  # fmt: skip
    shown = service.list_rewards(caller.id, caller.live, wanted, _locales(), after, query["limit"])
    more = None
    if shown.last is not None:
        more = paging.encode_cursor([shown.last.is_other, shown.last.number, str(shown.last.tie)], bound_to)
    return private_json({"data": shown.data, "next_cursor": more})


@blueprint.route("/v1/rewards/<uuid:reward_id>")
@member_only
@blueprint.problems(RewardNotFound)
@blueprint.response(200, schemas.ShownRewardSchema, example=schemas.REWARD_EXAMPLE)
def get_reward(reward_id: UUID) -> Response:
    """Return one reward that the shopper can see."""
    caller = current_principal()
    return private_json(service.get_visible_reward(caller.id, caller.live, reward_id, _locales()))


@blueprint.route("/v1/rewards/<uuid:reward_id>/favourite", methods=["PUT"])
@member_only
@blueprint.problems(RewardNotFound, TooManyFavourites)
@blueprint.response(204)
@transactional
def mark_favourite(reward_id: UUID) -> Response:
    """Mark a reward as one of the shopper's favourites."""
    caller = current_principal()
    service.mark_favourite(caller.id, caller.live, reward_id, now())
    return Response(status=204)


@blueprint.route("/v1/rewards/<uuid:reward_id>/favourite", methods=["DELETE"])
@member_only
@blueprint.problems(NotFound)
@blueprint.response(204)
@transactional
def unmark_favourite(reward_id: UUID) -> Response:
    """Let a reward be none of the shopper's favourites."""
    service.unmark_favourite(current_principal().id, reward_id)
    return Response(status=204)


@blueprint.route("/v1/me/expiring-points")
@member_only
@blueprint.arguments(schemas.ExpiringQuery, location="query")
@blueprint.response(200, schemas.ExpiringPointsSchema, example=schemas.EXPIRING_EXAMPLE)
def list_expiring(query: dict[str, Any]) -> Response:
    """Return the points that expire within some days, and the rewards that they could buy before they do."""
    caller = current_principal()
    return private_json(service.list_expiring(caller.id, caller.live, query["days"], _locales()))
