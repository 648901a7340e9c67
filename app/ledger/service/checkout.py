"""Pay with points at a merchant's checkout: whose points, the hold, and what the merchant sees of it."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app

from app.core.codes import format_code, make_code, normalise_code
from app.core.ids import new_id
from app.core.secrets import derived_key
from app.core.unit_of_work import unit_of_work
from app.ledger import checkout_queries
from app.ledger.errors import (
    CLOSED,
    HoldAboveShare,
    HoldBelowMinimum,
    HoldNotMultiple,
    InvalidPayCode,
    MemberNotLinked,
    OrderCurrencyDiffers,
    OrderTotalRequired,
)
from app.ledger.models import Hold
from app.ledger.order_terms import OrderTerms, points_max, spendable
from app.ledger.service.books import lock_account
from app.ledger.service.holds import capture_hold, find_hold_owner, get_hold, hold_points, release_hold
from app.members import service as members
from app.members.errors import MemberNotActive
from app.merchants import service as merchants
from app.merchants.service import MerchantPrincipal
from app.programme import service as programme
from app.programme.service import Programme

PAY_CODE_LENGTH = 9
PAY_CODE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class IssuedPayCode:
    """A pay code, as the shopper shows it, and until when it is good."""

    code: str
    expires_at: datetime


def issue_pay_code(member_id: UUID, live: bool, moment: datetime) -> IssuedPayCode:
    """Return a code by which a till may hold the member's points once within 60 seconds; the one before is void."""
    code = make_code(PAY_CODE_LENGTH)
    expires_at = moment + timedelta(seconds=PAY_CODE_SECONDS)
    with unit_of_work() as session:
        checkout_queries.put_pay_code(session, _hash(code), member_id, live, expires_at)
    return IssuedPayCode(format_code(code, 5), expires_at)


def _hash(code: str) -> bytes:
    return hmac.new(derived_key(current_app.config["SECRET_KEY"], "pay-code"), code.encode(), hashlib.sha256).digest()


def _payer(merchant: MerchantPrincipal, request: Mapping[str, Any], moment: datetime) -> UUID:
    """Return whose points are to be held; raise InvalidPayCode, MemberNotLinked or MemberNotActive."""
    if "pay_code" in request:
        member_id = _use_pay_code(request["pay_code"], merchant.live, moment)
    else:
        member_id = _linked(merchant, request["member"])
    if members.get_member(member_id, merchant.live).status != "active":
        raise MemberNotActive
    return member_id


def _use_pay_code(text: str, live: bool, moment: datetime) -> UUID:
    code = normalise_code(text)
    with unit_of_work() as session:
        member_id = checkout_queries.take_pay_code(session, _hash(code), live, moment) if code is not None else None
    if member_id is None:
        raise InvalidPayCode
    return member_id


def _linked(merchant: MerchantPrincipal, reference: Mapping[str, Any]) -> UUID:
    if "ref" in reference:
        found = merchants.ids_by_ref(merchant.id, merchant.live, [reference["ref"]]).get(reference["ref"])
    else:
        named = reference["id"] if "id" in reference else members.find_by_code(reference["code"], merchant.live)
        linked = merchants.linked_members(merchant.id, merchant.live, [named]) if named is not None else set()
        found = named if named in linked else None
    if found is None:
        [place] = reference
        raise MemberNotLinked(errors=[{"pointer": f"/member/{place}", "detail": "No such member is linked."}])
    return found


def place_hold(
    merchant: MerchantPrincipal, request: Mapping[str, Any], fingerprint: bytes, moment: datetime
) -> dict[str, Any]:
    """Set points aside for the merchant's order and return the hold.

    A pay code is used up by it, unless the hold is refused, and is a confirmation by itself. Locks the order before
    the account: of holds placed for it at once each counts those before it. Raises InvalidPayCode, MemberNotLinked,
    MemberNotActive, OrderTotalRequired, OrderCurrencyDiffers, HoldBelowMinimum, HoldNotMultiple, HoldAboveShare,
    InDebt, InsufficientPoints.
    """
    settings = programme.current()
    with unit_of_work() as session:
        member_id = _payer(merchant, request, moment)
        others: Sequence[Hold] = ()
        if request["order"] is not None:
            order = (merchant.id, merchant.live, request["order"])
            checkout_queries.lock_order(session, *order)
            others = checkout_queries.list_paying_holds(session, *order, moment)
        _check_terms(settings, request, sum(_pays(other) for other in others))
        hold_id = new_id()
        hold_points(
            member_id, hold_id, request["points"], expires_at=moment + timedelta(seconds=request["expires_in"]),
            live=merchant.live, merchant_id=merchant.id, order_ref=request["order"],
            order_total=request["order_total"], currency=request["currency"],
            confirm_by=_confirm_by(settings, request, [each for each in others if each.member_id == member_id], moment),
            programme_version=settings.version, actor=_actor(merchant), fingerprint=fingerprint, moment=moment,
        )  # fmt: skip
        return shown_hold(get_hold(member_id, hold_id), moment)


def _pays(hold: Hold) -> int:
    """Return with how many points a hold pays for its order, or may."""
    return hold.captured if hold.status == "captured" else hold.amount


def _terms(settings: Programme) -> OrderTerms:
    return OrderTerms(
        settings.hold_points_min, settings.hold_points_multiple, settings.hold_order_percent_max, settings.point_worth
    )


def _check_terms(settings: Programme, request: Mapping[str, Any], points_before: int) -> None:
    """Raise the problem of points that may not pay for the order, of which ``points_before`` pay already."""
    points, total, terms = request["points"], request["order_total"], _terms(settings)
    if request["currency"] not in (None, settings.currency):
        raise OrderCurrencyDiffers(f"Points are worth {settings.currency}.", currency=settings.currency)
    if total is None and terms.percent_max < 100:
        detail = f"Points may pay {terms.percent_max} % of an order: name its total."
        raise OrderTotalRequired([{"pointer": "/order_total", "detail": detail}])
    most = None if total is None else points_max(terms, total, points_before)
    allowed: dict[str, Any] = {"points_min": terms.least, "points_multiple": terms.points_multiple, "points_max": most}
    if points < terms.points_min:
        raise HoldBelowMinimum(f"At least {terms.least} points.", **allowed)
    if points % terms.points_multiple:
        raise HoldNotMultiple(f"Whole multiples of {terms.points_multiple} points.", **allowed)
    if most is not None and points > most:
        raise HoldAboveShare(f"At most {most} points may pay for this order.", **allowed)


def _confirm_by(
    settings: Programme, request: Mapping[str, Any], others: Sequence[Hold], moment: datetime
) -> datetime | None:
    """Return until when the shopper has to confirm the hold, None where nobody has to.

    What the same shopper has not confirmed of the same order counts, so that small holds don't add up unseen.
    """
    unseen = sum(_pays(other) for other in others if other.confirmed_at is None) + request["points"]
    free = settings.hold_unconfirmed_points_max
    if "pay_code" in request or free is None or unseen <= free:
        return None
    return moment + timedelta(seconds=settings.hold_confirmation_seconds)


def spendable_points(available: int, order_total: int | None, currency: str | None) -> int:
    """Return how many of ``available`` points may pay for a cart of that total, by the rules that a hold has to keep.

    A cart without a currency is one without money, of which no share is to be kept.
    """
    settings = programme.current()
    if currency not in (None, settings.currency):
        return 0
    return spendable(_terms(settings), available, None if currency is None else order_total)


def find_hold(merchant: MerchantPrincipal, hold_id: UUID, moment: datetime) -> dict[str, Any]:
    """Return the merchant's hold as it is by the clock; raise HoldNotFound, for another's too."""
    member_id = find_hold_owner(hold_id, merchant_id=merchant.id, live=merchant.live)
    return shown_hold(get_hold(member_id, hold_id), moment)


def capture(
    merchant: MerchantPrincipal, hold_id: UUID, points: int | None, fingerprint: bytes, moment: datetime
) -> dict[str, Any]:
    """Spend ``points`` of the hold, all where None, release the rest, and return the hold.

    Raises HoldNotFound, HoldClosed, ConfirmationRequired, CaptureExceedsHold.
    """
    with unit_of_work():
        hold = _locked_hold(merchant, hold_id)
        capture_hold(
            hold.member_id, hold_id, hold.amount if points is None else points, actor=_actor(merchant),
            fingerprint=fingerprint, moment=moment,
        )  # fmt: skip
        return shown_hold(get_hold(hold.member_id, hold_id), moment)


def release(merchant: MerchantPrincipal, hold_id: UUID, fingerprint: bytes, moment: datetime) -> dict[str, Any]:
    """Give the points of the hold back and return the hold.

    Raises HoldNotFound, HoldClosed.
    """
    with unit_of_work():
        hold = _locked_hold(merchant, hold_id)
        release_hold(hold.member_id, hold_id, actor=_actor(merchant), fingerprint=fingerprint, moment=moment)
        return shown_hold(get_hold(hold.member_id, hold_id), moment)


def _locked_hold(merchant: MerchantPrincipal, hold_id: UUID) -> Hold:
    """Return the merchant's open hold, its account locked: a second capture is no replay of the first."""
    member_id = find_hold_owner(hold_id, merchant_id=merchant.id, live=merchant.live)
    lock_account(member_id)
    hold = get_hold(member_id, hold_id)
    if hold.status != "open":
        raise CLOSED[hold.status](hold_status=hold.status)
    return hold


def _actor(merchant: MerchantPrincipal) -> str:
    return f"merchant:{merchant.merchant_key}"


def shown_hold(hold: Hold, moment: datetime) -> dict[str, Any]:
    """Return the hold as it is shown; one whose time is over has expired, whether or not that is booked."""
    is_over = hold.status == "open" and hold.expires_at <= moment
    status = "expired" if is_over else hold.status
    if status == "open" and hold.is_unconfirmed:
        status = "requires_confirmation"
    settings = programme.at_version(hold.programme_version)
    return {
        "id": hold.hold_id,
        "status": status,
        "points": hold.amount,
        "captured": hold.captured,
        "released": 0 if status in ("open", "requires_confirmation") else hold.amount - hold.captured,
        "order": hold.order_ref,
        "order_total": hold.order_total,
        "currency": hold.currency,
        "worth": {"amount": settings.worth(hold.captured or hold.amount), "currency": settings.currency},
        "created_at": hold.created_at,
        "confirm_by": hold.confirm_by,
        "confirmed_at": hold.confirmed_at,
        "expires_at": hold.lasts_until or hold.expires_at,
        "closed_at": hold.expires_at if is_over else hold.closed_at,
    }
