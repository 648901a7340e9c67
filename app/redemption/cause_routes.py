"""Routes of causes: seen by everybody, given to by shoppers, kept by staff."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request

from app.core import paging
from app.core.api import Blueprint, json_response, private_json
from app.core.auth import current_principal, member_only, public, staff_only
from app.core.clock import now
from app.core.errors import InvalidCursor, ValidationProblem
from app.core.idempotency import IdempotencyInProgress, IdempotencyKeyRequired, IdempotencyKeyReused, idempotent
from app.core.preconditions import ETAG_HEADER, PreconditionFailed, PreconditionRequired, Seen, conditional, etag
from app.core.unit_of_work import transactional
from app.ledger.errors import InDebt, InsufficientPoints, InvalidPoints
from app.merchants import service as merchants
from app.programme import service as programme
from app.redemption import cause_schemas as schemas
from app.redemption import causes, donations
from app.redemption.errors import (
    CauseClosed,
    CauseKeyTaken,
    CauseNotFound,
    CauseNotVerified,
    DonationNotFound,
    MatchBelowMatched,
    MatchNotFound,
    NothingToPayOut,
    ProofNeeded,
)
from app.redemption.models import Cause

blueprint = Blueprint("causes", __name__, description="Causes: organisations that points are given to")
_CHANGED = (CauseNotFound, CauseClosed, PreconditionRequired, PreconditionFailed)
_SECONDS_SHARED = 60


def _locales() -> list[str]:
    return [locale for locale, quality in request.accept_languages if quality > 0]


def _for_all(shown: Any) -> Response:
    """Return what everybody may see and keep for a minute, language by language."""
    return json_response(shown, headers={"Cache-Control": f"public, max-age={_SECONDS_SHARED}",
                                         "Vary": "Accept-Language"})  # fmt: skip


@blueprint.route("/v1/causes")
@public
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, schemas.ShownCausePageSchema, example={"data": [schemas.SHOWN_CAUSE], "next_cursor": None})
def list_causes(query: dict[str, Any]) -> Response:
    """Return the verified causes by key, with what each was given, in the language of `Accept-Language`."""
    after = paging.decode_cursor(query["cursor"], "causes")[0] if query["cursor"] else None
    found = causes.list_shown(after, query["limit"] + 1, _locales(), now())
    page = found[: query["limit"]]
    more = paging.encode_cursor([page[-1]["key"]], "causes") if len(found) > len(page) else None
    return _for_all({"data": page, "next_cursor": more})


@blueprint.route("/v1/causes/<string:any_id>")
@public
@blueprint.problems(CauseNotFound)
@blueprint.response(200, schemas.ShownCauseSchema, example=schemas.SHOWN_CAUSE)
def get_cause(any_id: str) -> Response:
    """Return a verified cause, by its id or its key."""
    return _for_all(causes.get_shown(any_id, _locales(), now()))


@blueprint.route("/v1/donations", methods=["POST"])
@member_only
@blueprint.problems(
    IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress, CauseNotFound, CauseNotVerified, InDebt,
    InsufficientPoints, InvalidPoints,
)  # fmt: skip
@transactional
@idempotent
@blueprint.arguments(
    schemas.DonationRequestSchema, example={"cause_id": schemas.SHOWN_CAUSE["id"], "points": schemas.DONATION["points"]}
)
@blueprint.response(201, schemas.DonationSchema, example=schemas.DONATION)
def donate(body: dict[str, Any]) -> Response:
    """Give points to a cause; where a sponsor has promised to, it adds to them. The answer is the receipt."""
    caller = current_principal()
    fingerprint = f"{body['cause_id']}:{body['points']}".encode()
    donation = donations.donate(caller.id, caller.live, body["cause_id"], body["points"], fingerprint, now())
    return private_json(donations.receipts_of([donation], _locales())[0], 201)


@blueprint.route("/v1/donations")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, schemas.DonationPageSchema, example={"data": [schemas.DONATION], "next_cursor": None})
def list_donations(query: dict[str, Any]) -> Response:
    """Return the shopper's donations, newest first."""
    member_id = current_principal().id
    bound_to = f"donations:{member_id}"
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = donations.list_own(member_id, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1].donation_id)], bound_to) if len(found) > len(page) else None
    return private_json({"data": donations.receipts_of(page, _locales()), "next_cursor": more})


@blueprint.route("/v1/donations/<uuid:donation_id>")
@member_only
@blueprint.problems(DonationNotFound)
@blueprint.response(200, schemas.DonationSchema, example=schemas.DONATION)
def get_donation(donation_id: UUID) -> Response:
    """Return the receipt of one of the shopper's donations."""
    donation = donations.get_own(current_principal().id, donation_id)
    return private_json(donations.receipts_of([donation], _locales())[0])


def _staff_view(cause: Cause, status: int = 200) -> Response:
    return json_response(causes.shown_to_staff([cause])[0], status, etag(cause.version))


@blueprint.route("/v1/admin/causes")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, schemas.StaffCausePageSchema, example={"data": [schemas.STAFF_CAUSE], "next_cursor": None})
def list_all_causes(query: dict[str, Any]) -> Response:
    """Return all causes by key, verified or not."""
    bound_to = f"all-causes:{current_principal().id}"
    after = paging.decode_cursor(query["cursor"], bound_to)[0] if query["cursor"] else None
    found = causes.list_all(after, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([page[-1].key], bound_to) if len(found) > len(page) else None
    return json_response({"data": causes.shown_to_staff(page), "next_cursor": more})


@blueprint.route("/v1/admin/causes", methods=["POST"])
@staff_only("editor", "admin")
@blueprint.problems(CauseKeyTaken)
@transactional
@blueprint.arguments(schemas.CauseSchema, example=schemas.CAUSE)
@blueprint.response(201, schemas.StaffCauseSchema, example=schemas.STAFF_CAUSE, headers=ETAG_HEADER)
def create_cause(body: dict[str, Any]) -> Response:
    """Take in a cause: a draft that nobody has verified."""
    return _staff_view(causes.create_cause(body), 201)


@blueprint.route("/v1/admin/causes/<string:any_id>")
@staff_only("viewer")
@blueprint.problems(CauseNotFound)
@blueprint.response(200, schemas.StaffCauseSchema, example=schemas.STAFF_CAUSE, headers=ETAG_HEADER)
def get_any_cause(any_id: str) -> Response:
    """Return a cause by its id or its key."""
    return _staff_view(causes.get_cause(any_id))


@blueprint.route("/v1/admin/causes/<string:any_id>", methods=["PUT"])
@staff_only("editor", "admin")
@blueprint.problems(*_CHANGED, CauseKeyTaken)
@transactional
@conditional
@blueprint.arguments(schemas.CauseSchema, example=schemas.CAUSE)
@blueprint.response(200, schemas.StaffCauseSchema, example=schemas.STAFF_CAUSE, headers=ETAG_HEADER)
def change_cause(body: dict[str, Any], any_id: str, seen: Seen) -> Response:
    """Replace what is said of a cause; another registration, proof or name takes its verification back."""
    return _staff_view(causes.change_cause(any_id, body, seen))


@blueprint.route("/v1/admin/causes/<string:any_id>/verify", methods=["POST"])
@staff_only("approver", "admin")
@blueprint.problems(*_CHANGED, ProofNeeded)
@transactional
@conditional
@blueprint.arguments(schemas.ReasonRequestSchema, example={"reason": "Register extract of 20 November looked at"})
@blueprint.response(200, schemas.StaffCauseSchema, example=schemas.STAFF_CAUSE, headers=ETAG_HEADER)
def verify_cause(body: dict[str, Any], any_id: str, seen: Seen) -> Response:
    """Say that the organisation is what it says, by the proof of its registration."""
    return _staff_view(causes.verify_cause(any_id, seen, body["reason"], current_principal().id))


@blueprint.route("/v1/admin/causes/<string:any_id>/unverify", methods=["POST"])
@staff_only("approver", "admin")
@blueprint.problems(*_CHANGED)
@transactional
@conditional
@blueprint.arguments(schemas.ReasonRequestSchema, example={"reason": "Struck off the register"})
@blueprint.response(200, schemas.StaffCauseSchema, example=schemas.STAFF_CAUSE, headers=ETAG_HEADER)
def unverify_cause(body: dict[str, Any], any_id: str, seen: Seen) -> Response:
    """Take the verification back: at once the cause is neither shown nor given to."""
    return _staff_view(causes.unverify_cause(any_id, seen, body["reason"]))


def _step(name: str, state: str, summary: str) -> None:
    """Add the route of one step of a cause's life."""

    @blueprint.route(f"/v1/admin/causes/<string:any_id>/{name}", methods=["POST"], endpoint=f"{name}_cause")
    @staff_only("editor", "admin")
    @blueprint.problems(*_CHANGED)
    @blueprint.doc(summary=summary)
    @blueprint.response(200, schemas.StaffCauseSchema, example=schemas.STAFF_CAUSE, headers=ETAG_HEADER)
    @transactional
    @conditional
    def step(any_id: str, seen: Seen) -> Response:
        return _staff_view(causes.move_cause(any_id, seen, state))


_step("publish", "published", "Show the cause, once it is verified.")
_step("withdraw", "draft", "Make the cause a draft again: it is neither shown nor given to.")
_step("archive", "archived", "Put the cause away for good; its donations and reports stay.")


def _sponsor(body: dict[str, Any]) -> UUID | None:
    if body["merchant"] is None:
        return None
    merchant = merchants.find_merchant_by_key(body["merchant"])
    if merchant is None:
        raise ValidationProblem([{"pointer": "/merchant", "detail": f"{body['merchant']!r} is no merchant."}])
    return merchant.merchant_id


@blueprint.route("/v1/admin/causes/<string:any_id>/matches")
@staff_only("viewer")
@blueprint.problems(CauseNotFound)
@blueprint.response(200, schemas.PromiseListSchema, example={"data": [schemas.STAFF_MATCH]})
def list_matches(any_id: str) -> Response:
    """Return what sponsors have promised for a cause, the newest first."""
    return json_response({"data": donations.matches_of(causes.get_cause(any_id))})


@blueprint.route("/v1/admin/causes/<string:any_id>/matches", methods=["POST"])
@staff_only("finance", "admin")
@blueprint.problems(CauseNotFound)
@transactional
@blueprint.arguments(schemas.PromiseSchema, example=schemas.MATCH)
@blueprint.response(201, schemas.StaffPromiseSchema, example=schemas.STAFF_MATCH)
def add_match(body: dict[str, Any], any_id: str) -> Response:
    """Store a sponsor's promise: so many percent of each donation, up to a budget."""
    match = donations.add_match(causes.get_cause(any_id), body, _sponsor(body), now())
    return json_response(donations.shown_matches([match])[0], 201)


@blueprint.route("/v1/admin/causes/<string:any_id>/matches/<uuid:match_id>", methods=["PUT"])
@staff_only("finance", "admin")
@blueprint.problems(CauseNotFound, MatchNotFound, MatchBelowMatched)
@transactional
@blueprint.arguments(schemas.PromiseSchema, example=schemas.MATCH)
@blueprint.response(200, schemas.StaffPromiseSchema, example=schemas.STAFF_MATCH)
def change_match(body: dict[str, Any], any_id: str, match_id: UUID) -> Response:
    """Replace a sponsor's promise; what was added stays added."""
    match = donations.change_match(causes.get_cause(any_id), match_id, body, _sponsor(body), now())
    return json_response(donations.shown_matches([match])[0])


@blueprint.route("/v1/admin/causes/<string:any_id>/payouts", methods=["POST"])
@staff_only("finance", "admin")
@blueprint.problems(CauseNotFound, NothingToPayOut)
@transactional
@blueprint.arguments(schemas.PayoutRequestSchema, example=schemas.PAYOUT_REQUEST)
@blueprint.response(201, schemas.PayoutSchema, example=schemas.PAYOUT)
def pay_out(body: dict[str, Any], any_id: str) -> Response:
    """Record money paid to a cause; it covers the donations up to a moment that no payout has covered."""
    return json_response(donations.pay_out(causes.get_cause(any_id), body, current_principal().id, now()), 201)


@blueprint.route("/v1/admin/causes/<string:any_id>/report")
@staff_only("viewer")
@blueprint.problems(CauseNotFound)
@blueprint.arguments(schemas.ReportQuery, location="query")
@blueprint.response(200, schemas.CauseReportSchema, example=schemas.REPORT)
def report(query: dict[str, Any], any_id: str) -> Response:
    """Return what a cause was given from a day to a day, what of it is paid out, and what is due."""
    start, end = query["start"], query["end"]
    shown = donations.report_of(causes.get_cause(any_id), _midnight(start), _midnight(end, 1))
    return json_response({"from": start and start.isoformat(), "to": end and end.isoformat()} | shown)


def _midnight(day: date | None, days_later: int = 0) -> datetime | None:
    """Return when a day begins in the programme's zone, or one so many days later."""
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=days_later), time(), programme.current().zone)
