"""Routes for staff: a member's points, adjustments, and the last proof of the ledger."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import json_response, private_json
from app.core.auth import current_principal, staff_only
from app.core.clock import now
from app.core.errors import InvalidCursor
from app.core.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    idempotent,
)
from app.core.unit_of_work import transactional
from app.ledger import schemas as shown
from app.ledger import service
from app.ledger.errors import (
    AdjustmentClosed,
    AdjustmentNotFound,
    DailyCapReached,
    InsufficientPoints,
    InvalidPoints,
    SecondPersonNeeded,
    VerificationNotFound,
)
from app.ledger.explanations import DEFAULT_LOCALE, LOCALES
from app.ledger.routes.wallet import blueprint, history_page
from app.ledger.schemas import staff as schemas
from app.ledger.service import adjustments, inspection
from app.members import service as members
from app.members.errors import MemberNotFound


@blueprint.route("/v1/admin/members/<uuid:member_id>/wallet")
@staff_only("viewer")
@blueprint.problems(MemberNotFound)
@blueprint.arguments(shown.WalletQuery, location="query")
@blueprint.response(200, shown.WalletSchema, example=shown.WALLET_EXAMPLE)
def get_member_wallet(query: dict[str, Any], member_id: UUID) -> Response:
    """Return a member's points as they are by the clock, or as they were or will be at another moment."""
    return private_json(asdict(service.read_wallet(members.check_member(member_id), query["at"])))


@blueprint.route("/v1/admin/members/<uuid:member_id>/entries")
@staff_only("viewer")
@blueprint.problems(MemberNotFound, InvalidCursor)
@blueprint.arguments(shown.HistoryQuery, location="query")
@blueprint.response(200, shown.EntryPageSchema, example={"data": [shown.ENTRY_EXAMPLE], "next_cursor": None})
def list_member_entries(query: dict[str, Any], member_id: UUID) -> Response:
    """Return a member's history, newest first, each line with why and the balances after it."""
    bound_to = f"entries:{members.check_member(member_id)}:{current_principal().id}"
    return history_page(query, member_id, bound_to, request.accept_languages.best_match(LOCALES) or DEFAULT_LOCALE)


@blueprint.route("/v1/admin/members/<uuid:member_id>/lots")
@staff_only("viewer")
@blueprint.problems(MemberNotFound, InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, schemas.LotPageSchema, example={"data": [schemas.LOT_EXAMPLE], "next_cursor": None})
def list_member_lots(query: dict[str, Any], member_id: UUID) -> Response:
    """Return a member's lots as they are booked, newest first."""
    bound_to = f"lots:{members.check_member(member_id)}:{current_principal().id}"
    before = int(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    return _page(inspection.list_lots(member_id, before, query["limit"] + 1), query["limit"], "id", bound_to)


@blueprint.route("/v1/admin/adjustments", methods=["POST"])
@staff_only("support", "finance", "approver", "admin")
@blueprint.problems(
    IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress, MemberNotFound, InvalidPoints,
    DailyCapReached, InsufficientPoints,
)  # fmt: skip
@transactional
@idempotent
@blueprint.arguments(schemas.AdjustmentRequestSchema, example=schemas.ADJUSTMENT_REQUEST_EXAMPLE)
@blueprint.response(201, schemas.AdjustmentSchema, example=schemas.ADJUSTMENT_EXAMPLE)
def propose_adjustment(body: dict[str, Any]) -> Response:
    """Add points to a member or take some away: at once up to the programme's limit, above it when approved."""
    return private_json(adjustments.propose(current_principal(), **body, moment=now()), 201)


@blueprint.route("/v1/admin/adjustments")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.AdjustmentQuery, location="query")
@blueprint.response(
    200, schemas.AdjustmentPageSchema, example={"data": [schemas.ADJUSTMENT_EXAMPLE], "next_cursor": None}
)
def list_adjustments(query: dict[str, Any]) -> Response:
    """Return adjustments, newest first."""
    status, member_id = query["status"], query["member_id"]
    bound_to = f"adjustments:{current_principal().id}:{status}:{member_id}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = adjustments.list_adjustments(status, member_id, before, query["limit"] + 1, now())
    return _page(found, query["limit"], "id", bound_to)


@blueprint.route("/v1/admin/adjustments/<uuid:adjustment_id>")
@staff_only("viewer")
@blueprint.problems(AdjustmentNotFound)
@blueprint.response(200, schemas.AdjustmentSchema, example=schemas.ADJUSTMENT_EXAMPLE)
def get_adjustment(adjustment_id: UUID) -> Response:
    """Return an adjustment."""
    return private_json(adjustments.get_adjustment(adjustment_id, now()))


@blueprint.route("/v1/admin/adjustments/<uuid:adjustment_id>/approve", methods=["POST"])
@staff_only("approver", "admin")
@blueprint.problems(AdjustmentNotFound, AdjustmentClosed, SecondPersonNeeded, DailyCapReached, InsufficientPoints)
@blueprint.response(200, schemas.AdjustmentSchema, example=schemas.APPROVED_EXAMPLE)
@transactional
def approve_adjustment(adjustment_id: UUID) -> Response:
    """Book an adjustment that somebody else proposed; once, whoever else does so at the same time."""
    return private_json(adjustments.approve(current_principal(), adjustment_id, now()))


@blueprint.route("/v1/admin/adjustments/<uuid:adjustment_id>/reject", methods=["POST"])
@staff_only("approver", "admin")
@blueprint.problems(AdjustmentNotFound, AdjustmentClosed)
@blueprint.response(200, schemas.AdjustmentSchema, example=schemas.REJECTED_EXAMPLE)
@transactional
def reject_adjustment(adjustment_id: UUID) -> Response:
    """Turn a proposed adjustment down."""
    return private_json(adjustments.reject(current_principal(), adjustment_id, now()))


@blueprint.route("/v1/admin/ledger/verification")
@staff_only("viewer")
@blueprint.problems(VerificationNotFound)
@blueprint.response(200, schemas.VerificationSchema, example=schemas.VERIFICATION_EXAMPLE)
def get_verification() -> Response:
    """Return what the last `ledger verify` checked and found."""
    return json_response(inspection.last_verification())


def _page(found: list[dict[str, Any]], limit: int, key: str, bound_to: str) -> Response:
    page = found[:limit]
    last = page[-1][key] if len(found) > len(page) else None
    position = [str(last) if isinstance(last, UUID) else last]
    return private_json(
        {"data": page, "next_cursor": paging.encode_cursor(position, bound_to) if last is not None else None}
    )
