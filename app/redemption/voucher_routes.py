"""Routes of vouchers at a merchant's till. Codes are in bodies alone: no address, log or metric ever holds one."""

from typing import Any, cast

from flask import Response

from app.activities.errors import PackagingConflict
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, merchant_only
from app.core.clock import now
from app.core.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    sealed_idempotent,
)
from app.core.unit_of_work import transactional
from app.merchants.service import MerchantPrincipal
from app.redemption import using
from app.redemption import voucher_schemas as schemas
from app.redemption.errors import (
    AlreadyRolledBack,
    AmountExceedsWorth,
    BelowMinimum,
    CurrencyDiffers,
    InvalidCode,
    NothingEligible,
    NotPartial,
    RollbackTooLate,
    TooManyGuesses,
    VoucherCancelled,
    VoucherExpired,
    VoucherNotFound,
    VoucherRedeemed,
    VoucherUsedForOrder,
    VoucherUseNotFound,
)

blueprint = Blueprint("vouchers", __name__, description="Vouchers at the till")
_KEY_PROBLEMS = (IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress)
_CODE_PROBLEMS = (InvalidCode, VoucherNotFound, TooManyGuesses)
_OPEN_PROBLEMS = (VoucherRedeemed, VoucherExpired, VoucherCancelled, CurrencyDiffers, PackagingConflict)


def _merchant() -> MerchantPrincipal:
    return cast(MerchantPrincipal, current_principal())


@blueprint.route("/v1/vouchers/validate", methods=["POST"])
@merchant_only("vouchers")
@blueprint.problems(*_CODE_PROBLEMS, *_OPEN_PROBLEMS)
@blueprint.arguments(schemas.ValidateSchema, example=schemas.VALIDATE_EXAMPLE)
@blueprint.response(200, schemas.WorthAnswerSchema, example=schemas.WORTH_EXAMPLE)
@transactional
def validate_voucher(body: dict[str, Any]) -> Response:
    """Say what a voucher would take off a cart, and of which lines; nothing is changed."""
    return private_json(using.validate(_merchant(), body["code"], body["cart"], now()))


@blueprint.route("/v1/vouchers/redeem", methods=["POST"])
@merchant_only("vouchers")
@blueprint.problems(
    *_KEY_PROBLEMS, *_CODE_PROBLEMS, *_OPEN_PROBLEMS, BelowMinimum, NothingEligible, NotPartial, AmountExceedsWorth,
    VoucherUsedForOrder,
)  # fmt: skip
@transactional
@sealed_idempotent
@blueprint.arguments(schemas.RedeemSchema, example=schemas.REDEEM_EXAMPLE)
@blueprint.response(200, schemas.UsedSchema, example=schemas.USED_EXAMPLE)
def redeem_voucher(body: dict[str, Any]) -> Response:
    """Use a voucher for an order: as much as it is worth for the cart, or `amount` of one that is used in parts."""
    done = using.redeem(_merchant(), body["code"], body["order"], body["cart"], body["amount"], now())
    return private_json(done)


@blueprint.route("/v1/vouchers/rollback", methods=["POST"])
@merchant_only("vouchers")
@blueprint.problems(*_KEY_PROBLEMS, *_CODE_PROBLEMS, VoucherUseNotFound, AlreadyRolledBack, RollbackTooLate)
@transactional
@sealed_idempotent
@blueprint.arguments(schemas.RollbackSchema, example=schemas.ROLLBACK_EXAMPLE)
@blueprint.response(200, schemas.RolledBackSchema, example=schemas.ROLLED_BACK_EXAMPLE)
def roll_back_voucher(body: dict[str, Any]) -> Response:
    """Undo a voucher's use for an order, on the merchant's own day of it; later, staff can."""
    return private_json(using.roll_back(_merchant(), body["code"], body["order"], now()))
