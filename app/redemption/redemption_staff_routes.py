"""Routes of redemptions for staff: to look at one, and to act in the place of a partner, a till or a member."""

from typing import Any
from uuid import UUID

from flask import Response

from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, staff_only
from app.core.clock import now
from app.core.errors import InvalidCursor
from app.core.unit_of_work import transactional
from app.redemption import overseeing, showing
from app.redemption import redemption_schemas as schemas
from app.redemption.errors import AlreadyRolledBack, InvalidTransition, RedemptionNotFound, VoucherUseNotFound
from app.redemption.redemption_routes import asked_locales, page_of

blueprint = Blueprint("redemption_oversight", __name__, description="Redemptions, for staff")
_ROLES = ("support", "approver", "admin")
_PROBLEMS = (RedemptionNotFound, InvalidTransition)


@blueprint.route("/v1/admin/redemptions")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.StaffRedemptionQuery, location="query")
@blueprint.response(
    200, schemas.StaffRedemptionPageSchema, example={"data": [schemas.STAFF_BRIEF_EXAMPLE], "next_cursor": None}
)
def list_all_redemptions(query: dict[str, Any]) -> Response:
    """Return live redemptions, newest first."""
    filters = {name: query[name] for name in ("member_id", "reward_id", "state")}
    return page_of(
        query, f"all-redemptions:{current_principal().id}:{filters}",
        lambda before, limit: showing.list_for_staff(filters, asked_locales(), now(), before, limit),
    )  # fmt: skip


@blueprint.route("/v1/admin/redemptions/<uuid:redemption_id>")
@staff_only("viewer")
@blueprint.problems(RedemptionNotFound)
@blueprint.response(200, schemas.StaffRedemptionSchema, example=schemas.STAFF_EXAMPLE)
def inspect_redemption(redemption_id: UUID) -> Response:
    """Return a redemption, who changed it and what its vouchers were used for, without their codes."""
    return _shown(redemption_id)


@blueprint.route("/v1/admin/redemptions/<uuid:redemption_id>/confirm", methods=["POST"])
@staff_only(*_ROLES)
@blueprint.problems(*_PROBLEMS)
@blueprint.arguments(
    schemas.StaffConfirmationSchema, example={"reference": "DHL-00340434", "reason": "The shop said so by phone"}
)
@blueprint.response(200, schemas.StaffRedemptionSchema, example=schemas.STAFF_EXAMPLE)
@transactional
def confirm_for_partner(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Confirm in the partner's place: the points that were set aside are spent."""
    overseeing.confirm(redemption_id, **body, moment=now())
    return _shown(redemption_id)


@blueprint.route("/v1/admin/redemptions/<uuid:redemption_id>/decline", methods=["POST"])
@staff_only(*_ROLES)
@blueprint.problems(*_PROBLEMS)
@blueprint.arguments(schemas.RedemptionReasonSchema, example={"reason": "The shop has closed"})
@blueprint.response(200, schemas.StaffRedemptionSchema, example=schemas.STAFF_CANCELLED_EXAMPLE)
@transactional
def decline_for_partner(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Decline in the partner's place: the points that were set aside go back."""
    overseeing.decline(redemption_id, **body, moment=now())
    return _shown(redemption_id)


@blueprint.route("/v1/admin/redemptions/<uuid:redemption_id>/cancel", methods=["POST"])
@staff_only(*_ROLES)
@blueprint.problems(*_PROBLEMS)
@blueprint.arguments(schemas.RedemptionReasonSchema, example={"reason": "The parcel was lost"})
@blueprint.response(200, schemas.StaffRedemptionSchema, example=schemas.STAFF_CANCELLED_EXAMPLE)
@transactional
def cancel_for_member(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Cancel a redemption of which nothing is used, one that was sent out too: its points go back to their lots."""
    overseeing.cancel(redemption_id, **body, moment=now())
    return _shown(redemption_id)


@blueprint.route("/v1/admin/redemptions/<uuid:redemption_id>/mark-used", methods=["POST"])
@staff_only(*_ROLES)
@blueprint.problems(*_PROBLEMS)
@blueprint.arguments(schemas.RedemptionReasonSchema, example={"reason": "Handed out at the counter"})
@blueprint.response(200, schemas.StaffRedemptionSchema, example=schemas.STAFF_USED_EXAMPLE)
@transactional
def mark_redemption_used(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Note that what was issued was handed out, or that its vouchers were used where we did not see it."""
    overseeing.mark_used(redemption_id, **body, moment=now())
    return _shown(redemption_id)


@blueprint.route("/v1/admin/redemptions/<uuid:redemption_id>/rollback", methods=["POST"])
@staff_only(*_ROLES)
@blueprint.problems(RedemptionNotFound, VoucherUseNotFound, AlreadyRolledBack)
@blueprint.arguments(
    schemas.StaffRollbackSchema,
    example={"use_id": schemas.USE_EXAMPLE["id"], "reason": "The order was cancelled a week later"},
)
@blueprint.response(200, schemas.StaffRedemptionSchema, example=schemas.STAFF_EXAMPLE)
@transactional
def roll_back_for_merchant(body: dict[str, Any], redemption_id: UUID) -> Response:
    """Undo a use of one of its vouchers, whenever that was; a voucher that has expired since gets seven days."""
    overseeing.roll_back(redemption_id, **body, moment=now())
    return _shown(redemption_id)


def _shown(redemption_id: UUID) -> Response:
    return private_json(showing.show_to_staff(redemption_id, asked_locales(), now()))
