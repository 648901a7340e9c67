"""Routes to spend points: a merchant's holds, what shoppers see and confirm of them, their pay codes and gifts."""

import hashlib
from typing import Any, cast
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import private_json
from app.core.auth import current_principal, member_only, merchant_only
from app.core.clock import now
from app.core.errors import InvalidCursor
from app.core.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    idempotent,
)
from app.core.unit_of_work import transactional
from app.ledger.errors import (
    CLOSED,
    CaptureExceedsHold,
    ConfirmationNotAwaited,
    ConfirmationRequired,
    GiftToOneself,
    HoldAboveShare,
    HoldBelowMinimum,
    HoldNotFound,
    HoldNotMultiple,
    InDebt,
    InsufficientPoints,
    InvalidPayCode,
    InvalidPoints,
    MemberNotLinked,
    OrderCurrencyDiffers,
    OrderTotalRequired,
)
from app.ledger.routes.wallet import blueprint
from app.ledger.schemas import holds as schemas
from app.ledger.service import checkout, confirming, giving
from app.members.errors import MemberNotActive, MemberNotFound
from app.merchants.service import MerchantPrincipal

_KEY_PROBLEMS = (IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress)


def _merchant() -> MerchantPrincipal:
    return cast(MerchantPrincipal, current_principal())


def _fingerprint() -> bytes:
    return hashlib.sha256(request.get_data()).digest()


@blueprint.route("/v1/holds", methods=["POST"])
@merchant_only("holds")
@blueprint.problems(
    *_KEY_PROBLEMS, MemberNotLinked, InvalidPayCode, MemberNotActive, InvalidPoints, OrderTotalRequired,
    OrderCurrencyDiffers, HoldBelowMinimum, HoldNotMultiple, HoldAboveShare, InsufficientPoints, InDebt,
)  # fmt: skip
@transactional
@idempotent
@blueprint.arguments(schemas.HoldRequestSchema, example=schemas.HOLD_REQUEST_EXAMPLE)
@blueprint.response(201, schemas.HoldSchema, example=schemas.HOLD_EXAMPLE)
def place_hold(body: dict[str, Any]) -> Response:
    """Set points aside for an order, first expiring first; they go back by themselves after `expires_in`.

    Minimum, whole multiples and the share of the order are the programme's; a refusal says in `points_min`,
    `points_multiple` and `points_max` what may pay. Many points of a linked shopper (none by pay code) answer
    `requires_confirmation`: they are held, and can be captured once the shopper has confirmed it in the app.
    """
    return private_json(checkout.place_hold(_merchant(), body, _fingerprint(), now()), 201)


@blueprint.route("/v1/holds/<uuid:hold_id>")
@merchant_only("holds")
@blueprint.problems(HoldNotFound)
@blueprint.response(200, schemas.HoldSchema, example=schemas.HOLD_EXAMPLE)
def get_hold(hold_id: UUID) -> Response:
    """Return one of the merchant's holds, as it is by the clock."""
    return private_json(checkout.find_hold(_merchant(), hold_id, now()))


@blueprint.route("/v1/holds/<uuid:hold_id>/capture", methods=["POST"])
@merchant_only("holds")
@blueprint.problems(
    *_KEY_PROBLEMS, HoldNotFound, *CLOSED.values(), ConfirmationRequired, CaptureExceedsHold, InvalidPoints
)
@transactional
@idempotent
@blueprint.arguments(schemas.CaptureSchema, example={"points": 100})
@blueprint.response(200, schemas.HoldSchema, example=schemas.CAPTURED_EXAMPLE)
def capture_hold(body: dict[str, Any], hold_id: UUID) -> Response:
    """Spend what is held, or `points` of it, and release the rest; once a hold, and not before it is confirmed."""
    return private_json(checkout.capture(_merchant(), hold_id, body["points"], _fingerprint(), now()))


@blueprint.route("/v1/holds/<uuid:hold_id>/release", methods=["POST"])
@merchant_only("holds")
@blueprint.problems(*_KEY_PROBLEMS, HoldNotFound, *CLOSED.values())
@transactional
@idempotent
@blueprint.response(200, schemas.HoldSchema, example=schemas.RELEASED_EXAMPLE)
def release_hold(hold_id: UUID) -> Response:
    """Give all held points back to their lots."""
    return private_json(checkout.release(_merchant(), hold_id, _fingerprint(), now()))


@blueprint.route("/v1/me/holds")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.OwnHoldQuery, location="query")
@blueprint.response(
    200, schemas.OwnHoldPageSchema, example={"data": [schemas.OWN_HOLD_EXAMPLE], "next_cursor": None}
)  # fmt: skip
def list_own_holds(query: dict[str, Any]) -> Response:
    """Return the shopper's points held at checkouts, newest first, as they are by the clock."""
    member_id, status, limit = current_principal().id, query["status"], query["limit"]
    bound_to = f"holds:{member_id}:{status}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = confirming.list_holds(member_id, before, limit + 1, is_waiting=status is not None, moment=now())
    page = found[:limit]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return private_json({"data": page, "next_cursor": more})


@blueprint.route("/v1/me/holds/<uuid:hold_id>/confirm", methods=["POST"])
@member_only
@blueprint.problems(HoldNotFound, *CLOSED.values(), ConfirmationNotAwaited)
@blueprint.response(200, schemas.OwnHoldSchema, example=schemas.CONFIRMED_EXAMPLE)
@transactional
def confirm_hold(hold_id: UUID) -> Response:
    """Let the merchant capture a hold that waits for the shopper's confirmation; again is harmless."""
    return private_json(confirming.confirm_hold(current_principal().id, hold_id, now()))


@blueprint.route("/v1/me/holds/<uuid:hold_id>/decline", methods=["POST"])
@member_only
@blueprint.problems(HoldNotFound, *CLOSED.values(), ConfirmationNotAwaited)
@blueprint.response(200, schemas.OwnHoldSchema, example=schemas.DECLINED_EXAMPLE)
@transactional
def decline_hold(hold_id: UUID) -> Response:
    """Turn a hold down that waits for the shopper's confirmation: its points come back; again is harmless."""
    return private_json(confirming.decline_hold(current_principal().id, hold_id, now()))


@blueprint.route("/v1/me/pay-codes", methods=["POST"])
@member_only
@blueprint.response(
    201,
    schemas.PayCodeSchema,
    example={"code": "7ZK3Q-F92MX", "expires_in": checkout.PAY_CODE_SECONDS, "expires_at": "2026-11-23T09:13:00Z"},
)
@transactional
def issue_pay_code() -> Response:
    """Make a code that lets one till hold points once within 60 seconds; the code before is void."""
    principal = current_principal()
    issued = checkout.issue_pay_code(principal.id, principal.live, now())
    answer = {"code": issued.code, "expires_in": checkout.PAY_CODE_SECONDS, "expires_at": issued.expires_at}
    return private_json(answer, 201)


@blueprint.route("/v1/me/gifts", methods=["POST"])
@member_only
@blueprint.problems(*_KEY_PROBLEMS, MemberNotFound, GiftToOneself, InvalidPoints, InsufficientPoints, InDebt)
@transactional
@idempotent
@blueprint.arguments(
    schemas.GiftRequestSchema, example={"member_code": "7ZK3QF92M", "points": 50, "message": "Happy birthday"}
)
@blueprint.response(201, schemas.GiftSchema, example=schemas.GIFT_EXAMPLE)
def give_points(body: dict[str, Any]) -> Response:
    """Give points to another shopper, who gets them with the expiry they have."""
    principal = current_principal()
    gift = giving.give(principal.id, principal.live, **body, fingerprint=_fingerprint(), moment=now())
    return private_json(gift, 201)
