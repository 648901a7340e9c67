"""Routes of redemptions: the shopper's own, and the partner's word on those that wait."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, member_only, merchant_only
from app.core.clock import now
from app.core.errors import InvalidCursor
from app.core.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    demands_key,
    sealed_idempotent,
    sealed_request,
)
from app.core.unit_of_work import transactional
from app.ledger.errors import InDebt, InsufficientPoints
from app.merchants.service import MerchantPrincipal
from app.redemption import changing, quick, redeeming, showing
from app.redemption import redemption_schemas as schemas
from app.redemption.errors import (
    WHY_NOT,
    InvalidTransition,
    RedemptionNotFound,
    RewardNotFound,
)

blueprint = Blueprint("redemptions", __name__, description="Points turned into rewards")
_KEY_PROBLEMS = (IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress)
_CHANGE_PROBLEMS = (RedemptionNotFound, InvalidTransition)


def asked_locales() -> list[str]:
    """Return the languages that the request asks for, the best first."""
    return [locale for locale, quality in request.accept_languages if quality > 0]


@blueprint.route("/v1/redemptions", methods=["POST"])
@member_only
@blueprint.problems(*_KEY_PROBLEMS, RewardNotFound, *WHY_NOT.values(), InDebt, InsufficientPoints)
@demands_key
@blueprint.arguments(
    schemas.RedemptionRequestSchema, example={"reward_id": schemas.BRIEF_EXAMPLE["reward"]["id"], "quantity": 1}
)
@blueprint.response(201, schemas.RedemptionSchema, example=schemas.REDEMPTION_EXAMPLE)
def redeem_reward(body: dict[str, Any]) -> Response:
    """Turn points into a reward: at once, or set them aside until the partner confirms it.

    The codes of its vouchers are shown here and by `GET /v1/redemptions/{id}`, to their owner alone.
    """
    caller, moment, keyed = current_principal(), now(), sealed_request()
    locales = asked_locales()
    done = quick.redeem_quickly(
        caller.id, caller.live, **body, request=keyed, fingerprint=_fingerprint(), moment=moment,
        render=lambda issued: private_json(showing.fresh(issued, locales, moment), 201),
    )  # fmt: skip
    return done or _redeem_under_locks(body)


@transactional
@sealed_idempotent
def _redeem_under_locks(body: dict[str, Any]) -> Response:
    caller, moment = current_principal(), now()
    issued = redeeming.redeem(caller.id, caller.live, **body, fingerprint=_fingerprint(), moment=moment)
    return private_json(showing.fresh(issued, asked_locales(), moment), 201)


def _fingerprint() -> bytes:
    return hashlib.sha256(request.get_data()).digest()


@blueprint.route("/v1/redemptions")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.RedemptionQuery, location="query")
@blueprint.response(200, schemas.RedemptionPageSchema, example={"data": [schemas.BRIEF_EXAMPLE], "next_cursor": None})
def list_redemptions(query: dict[str, Any]) -> Response:
    """Return the shopper's redemptions, newest first, without codes."""
    caller = current_principal()
    return page_of(
        query, f"redemptions:{caller.id}:{query['state']}",
        lambda before, limit: showing.list_own(caller.id, query["state"], asked_locales(), now(), before, limit),
    )  # fmt: skip


@blueprint.route("/v1/redemptions/<uuid:redemption_id>")
@member_only
@blueprint.problems(RedemptionNotFound)
@blueprint.response(200, schemas.RedemptionSchema, example=schemas.REDEMPTION_EXAMPLE)
def get_redemption(redemption_id: UUID) -> Response:
    """Return one of the shopper's redemptions with the codes of its vouchers, as it is by the clock."""
    return private_json(showing.show_own(current_principal().id, redemption_id, asked_locales(), now()))


@blueprint.route("/v1/redemptions/<uuid:redemption_id>/cancel", methods=["POST"])
@member_only
@blueprint.problems(*_KEY_PROBLEMS, *_CHANGE_PROBLEMS)
@transactional
@sealed_idempotent
@blueprint.response(200, schemas.RedemptionSchema, example=schemas.CANCELLED_EXAMPLE)
def cancel_redemption(redemption_id: UUID) -> Response:
    """Give a redemption back while nothing of it is used: its points go back to their lots."""
    caller, moment = current_principal(), now()
    changing.cancel(caller.id, redemption_id, actor=f"member:{caller.id}", reason=None, moment=moment)
    return private_json(showing.show_own(caller.id, redemption_id, asked_locales(), moment))


@blueprint.route("/v1/fulfilments")
@merchant_only("vouchers")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.MerchantRedemptionQuery, location="query")
@blueprint.response(200, schemas.RedemptionPageSchema, example={"data": [schemas.HELD_EXAMPLE], "next_cursor": None})
def list_fulfilments(query: dict[str, Any]) -> Response:
    """Return what was redeemed of the merchant's rewards, newest first: what waits for its word, by default."""
    caller, state = current_principal(), query["state"]
    return page_of(
        query, f"fulfilments:{caller.id}:{caller.live}:{state}",
        lambda before, limit: showing.list_for_merchant(
            caller.id, caller.live, state, asked_locales(), now(), before, limit
        ),
    )  # fmt: skip


@blueprint.route("/v1/redemptions/<uuid:redemption_id>/confirm", methods=["POST"])
@merchant_only("vouchers")
@blueprint.problems(*_CHANGE_PROBLEMS)
@blueprint.arguments(schemas.ConfirmationSchema, example={"reference": "DHL-00340434"})
@blueprint.response(200, schemas.RedemptionBriefSchema, example=schemas.CONFIRMED_EXAMPLE)
@transactional
def confirm_redemption(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Confirm what waits for the merchant's word: the points that were set aside are spent."""
    merchant, moment = cast(MerchantPrincipal, current_principal()), now()
    owner = showing.owner_for(merchant.id, merchant.live, redemption_id)
    done = changing.confirm(
        owner, redemption_id, body["reference"], actor=_actor(merchant), reason=None, moment=moment
    )  # fmt: skip
    return private_json(showing.brief(done.redemption, done.reward, asked_locales(), moment))


@blueprint.route("/v1/redemptions/<uuid:redemption_id>/decline", methods=["POST"])
@merchant_only("vouchers")
@blueprint.problems(*_CHANGE_PROBLEMS)
@blueprint.arguments(schemas.RedemptionReasonSchema, example={"reason": "Out of stock at the shop"})
@blueprint.response(200, schemas.RedemptionBriefSchema, example=schemas.DECLINED_EXAMPLE)
@transactional
def decline_redemption(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Decline what waits for the merchant's word: the points that were set aside go back."""
    merchant, moment = cast(MerchantPrincipal, current_principal()), now()
    owner = showing.owner_for(merchant.id, merchant.live, redemption_id)
    done = changing.decline(owner, redemption_id, actor=_actor(merchant), reason=body["reason"], moment=moment)
    return private_json(showing.brief(done.redemption, done.reward, asked_locales(), moment))


def _actor(merchant: MerchantPrincipal) -> str:
    return f"merchant:{merchant.merchant_key}"


def page_of(
    query: Mapping[str, Any], bound_to: str, read: Callable[[UUID | None, int], list[dict[str, Any]]]
) -> Response:
    """Return the page that ``query`` asks for of what ``read`` finds; its cursor is bound to ``bound_to``."""
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = read(before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return private_json({"data": page, "next_cursor": more})
