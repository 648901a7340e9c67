"""Vouchers at a merchant's till: what one is worth for a cart, its use for an order, and the undoing of that.

A code is spelled and its check symbol looked at before anything is read. Who names a wrong code, or another
merchant's, is told that there is no such voucher, and it is counted: see ``guessing``. A use is made and undone under
the lock of the account of the voucher's member.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.activities import service as activities
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.ids import new_id
from app.core.outbox import FactKind
from app.core.unit_of_work import after_commit, unit_of_work
from app.ledger import service as ledger
from app.merchants import service as merchants
from app.merchants.service import MerchantPrincipal
from app.redemption import changing, codes, guessing
from app.redemption import redemption_queries as queries
from app.redemption.errors import (
    AlreadyRolledBack,
    AmountExceedsWorth,
    BelowMinimum,
    CurrencyDiffers,
    InvalidCode,
    NothingEligible,
    NotPartial,
    RollbackTooLate,
    VoucherCancelled,
    VoucherExpired,
    VoucherNotFound,
    VoucherRedeemed,
    VoucherUsedForOrder,
    VoucherUseNotFound,
)
from app.redemption.models import Voucher, VoucherUse
from app.redemption.showing import shown_voucher
from app.redemption.worth import BELOW_MINIMUM, Value, Worth, worth_of

GRACE = timedelta(days=7)
_CLOSED = {"used": VoucherRedeemed, "expired": VoucherExpired, "cancelled": VoucherCancelled}


def validate(merchant: MerchantPrincipal, text: str, cart: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """Return what the voucher of that code would take off the cart, and why where that is nothing; changes nothing.

    Raises InvalidCode, VoucherNotFound, VoucherRedeemed, VoucherExpired, VoucherCancelled, CurrencyDiffers,
    TooManyGuesses.
    """
    voucher = _find(merchant, text)
    _check_open(voucher, moment)
    worth = _worth(merchant, voucher, cart, moment)
    return {
        "amount": worth.amount,
        "currency": cart["currency"],
        "lines": _shown_lines(worth),
        "reason": worth.reason,
        "missing_amount": worth.missing,
        "voucher": shown_voucher(voucher, moment),
    }


def redeem(
    merchant: MerchantPrincipal, text: str, order: str, cart: Mapping[str, Any], amount: int | None, moment: datetime
) -> dict[str, Any]:
    """Use the voucher of that code for the merchant's order: ``amount`` of it, or all that it is worth for the cart.

    Raises what ``validate`` does, and BelowMinimum, NothingEligible, NotPartial, AmountExceedsWorth,
    VoucherUsedForOrder.
    """
    with unit_of_work() as session:
        named = _find(merchant, text)
        ledger.lock_account(named.member_id)
        voucher = queries.find_voucher(session, named.member_id, named.voucher_id)
        assert voucher is not None
        _check_open(voucher, moment)
        if any(use.rolled_back_at is None for use in _uses_for(voucher, merchant.id, order)):
            raise VoucherUsedForOrder
        worth = _applied(merchant, voucher, cart, amount, moment)
        use = VoucherUse(
            member_id=voucher.member_id, voucher_id=voucher.voucher_id, use_id=new_id(), merchant_id=merchant.id,
            order_ref=order, amount=worth.amount, currency=cart["currency"], used_at=moment,
        )  # fmt: skip
        session.add(use)
        _take(session, voucher, use, actor=f"merchant:{merchant.merchant_key}", moment=moment)
        after_commit(lambda: guessing.note_right(merchant.id, merchant.live))
        return {
            "use_id": use.use_id,
            "order": order,
            "amount": worth.amount,
            "currency": cart["currency"],
            "lines": _shown_lines(worth),
            "used_at": moment,
            "voucher": shown_voucher(voucher, moment),
        }


def roll_back(merchant: MerchantPrincipal, text: str, order: str, moment: datetime) -> dict[str, Any]:
    """Undo the use of the voucher for the merchant's order, within the merchant's own day of it, once.

    Raises InvalidCode, VoucherNotFound, VoucherUseNotFound, AlreadyRolledBack, RollbackTooLate, TooManyGuesses.
    """
    with unit_of_work() as session:
        named = _find(merchant, text)
        ledger.lock_account(named.member_id)
        voucher = queries.find_voucher(session, named.member_id, named.voucher_id)
        assert voucher is not None
        uses = _uses_for(voucher, merchant.id, order)
        if not uses:
            raise VoucherUseNotFound
        use = uses[-1]
        zone = ZoneInfo(merchants.get_merchant(merchant.id).time_zone)
        if use.rolled_back_at is None and use.used_at.astimezone(zone).date() != moment.astimezone(zone).date():
            raise RollbackTooLate
        _undo(session, voucher, use, actor=f"merchant:{merchant.merchant_key}", reason=None, moment=moment)
        return {
            "use_id": use.use_id,
            "order": order,
            "amount": use.amount,
            "currency": use.currency,
            "used_at": use.used_at,
            "rolled_back_at": moment,
            "voucher": shown_voucher(voucher, moment),
        }


def roll_back_use(
    member_id: UUID, redemption_id: UUID, use_id: UUID, *, actor: str, reason: str, moment: datetime
) -> None:
    """Undo a use of a voucher of the redemption, whenever it was; raise VoucherUseNotFound, AlreadyRolledBack."""
    with unit_of_work() as session:
        ledger.lock_account(member_id)
        vouchers = {each.voucher_id: each for each in queries.list_vouchers(session, member_id, [redemption_id])}
        uses = {use.use_id: use for use in queries.list_uses(session, member_id, list(vouchers))}
        if use_id not in uses:
            raise VoucherUseNotFound
        use = uses[use_id]
        _undo(session, vouchers[use.voucher_id], use, actor=actor, reason=reason, moment=moment)


def _find(merchant: MerchantPrincipal, text: str) -> Voucher:
    """Return the voucher of that code as it is now; count it where there is none for this merchant."""
    guessing.check(merchant.id, merchant.live)
    try:
        return _find_spelled(merchant, text)
    except (InvalidCode, VoucherNotFound):
        guessing.note_wrong(merchant.id, merchant.live)
        raise


def _find_spelled(merchant: MerchantPrincipal, text: str) -> Voucher:
    own, partners = codes.spell_own(text), codes.spell_partner(text)
    hashes = [] if own is None else [codes.hash_own(own)]
    # without codes of partners there is nothing to look for where the check symbol is wrong
    if partners is not None and queries.has_pool(db.session, merchant.id):
        hashes += [codes.hash_partner(partners, whose, merchant.live) for whose in (merchant.id, None)]
    found = queries.find_code(db.session, hashes, merchant.live) if hashes else None
    if found is None and own is None and (not hashes or codes.looks_own(text)):
        raise InvalidCode
    voucher = queries.find_voucher(db.session, found.member_id, found.voucher_id) if found is not None else None
    if voucher is None or voucher.merchant_id not in (None, merchant.id):
        raise VoucherNotFound
    return voucher


def _check_open(voucher: Voucher, moment: datetime) -> None:
    if voucher.state != "issued":
        raise _CLOSED[voucher.state]
    if voucher.expires_at is not None and voucher.expires_at <= moment:
        raise VoucherExpired


def _worth(
    merchant: MerchantPrincipal, voucher: Voucher, cart: Mapping[str, Any], moment: datetime, at_most: int | None = None
) -> Worth:
    """Return what the voucher takes off the cart; raise CurrencyDiffers where they don't fit."""
    if voucher.currency is not None and cart["currency"] != voucher.currency:
        raise CurrencyDiffers(currency=voucher.currency)
    try:
        lines = activities.read_cart(merchant, cart, moment)["lines"]
    except ValidationProblem as problem:
        faults = problem.errors or []
        raise type(problem)([{**fault, "pointer": "/cart" + fault["pointer"]} for fault in faults]) from problem
    percent = voucher.value if voucher.discount == "percent" else None
    return worth_of(Value(voucher.remaining, percent), voucher.terms, lines, at_most)


def _applied(
    merchant: MerchantPrincipal, voucher: Voucher, cart: Mapping[str, Any], amount: int | None, moment: datetime
) -> Worth:
    """Return what is taken off: ``amount``, or all that the voucher is worth; raise why it can't be."""
    worth = _worth(merchant, voucher, cart, moment)
    if worth.reason == BELOW_MINIMUM:
        raise BelowMinimum(missing_amount=worth.missing)
    if worth.amount == 0:
        raise NothingEligible
    if amount is None or amount == worth.amount:
        return worth
    if not _is_partial(voucher):
        raise NotPartial
    if amount > worth.amount:
        raise AmountExceedsWorth(worth=worth.amount)
    return _worth(merchant, voucher, cart, moment, amount)


def _is_partial(voucher: Voucher) -> bool:
    return voucher.discount == "amount" and bool(voucher.terms.get("is_partial"))


def _uses_for(voucher: Voucher, merchant_id: UUID, order: str) -> list[VoucherUse]:
    """Return the uses for the order, oldest first."""
    uses = queries.list_uses(db.session, voucher.member_id, [voucher.voucher_id])
    return [use for use in uses if (use.merchant_id, use.order_ref) == (merchant_id, order)]


def _take(session: Any, voucher: Voucher, use: VoucherUse, *, actor: str, moment: datetime) -> None:
    """Take the use off the voucher; one with nothing left is used, and so is its redemption with the last of them."""
    if voucher.remaining is not None:
        voucher.remaining = voucher.remaining - use.amount if _is_partial(voucher) else 0
    if not voucher.remaining:
        voucher.state, voucher.closed_at = "used", moment
    session.flush()
    _tell(voucher, use, "voucher_used", moment)
    siblings = queries.list_vouchers(session, voucher.member_id, [voucher.redemption_id])
    if all(each.state != "issued" for each in siblings):
        redemption, reward = changing.lock_redemption(session, voucher.member_id, voucher.redemption_id)
        changing.record(session, redemption, reward, "used", actor=actor, reason=None, moment=moment)


def _undo(
    session: Any, voucher: Voucher, use: VoucherUse, *, actor: str, reason: str | None, moment: datetime
) -> None:  # fmt: skip
    """Give the use back to the voucher, and open its redemption again.

    A voucher whose time is over by now gets seven days, for what this gives back. Raises AlreadyRolledBack.
    """
    if use.rolled_back_at is not None:
        raise AlreadyRolledBack
    use.rolled_back_at, use.rolled_back_by = moment, actor
    is_over = voucher.expires_at is not None and voucher.expires_at <= moment
    if voucher.remaining is not None:
        kept = 0 if is_over else voucher.remaining
        voucher.remaining = kept + use.amount if _is_partial(voucher) else voucher.value
    voucher.state, voucher.closed_at = "issued", None
    redemption, reward = changing.lock_redemption(session, voucher.member_id, voucher.redemption_id)
    if is_over:
        voucher.expires_at = redemption.expires_at = moment + GRACE
    session.flush()
    _tell(voucher, use, "voucher_rolled_back", moment)
    if redemption.state != "issued":
        why = reason or "rolled back"
        changing.record(session, redemption, reward, "issued", actor=actor, reason=why, moment=moment)


def _tell(voucher: Voucher, use: VoucherUse, event: str, moment: datetime) -> None:
    fact = {
        "event": event,
        "redemption": voucher.redemption_id,
        "voucher": voucher.voucher_id,
        "merchant": use.merchant_id,
        "order": use.order_ref,
        "amount": use.amount,
        "currency": use.currency,
        "remaining": voucher.remaining,
    }
    ledger.add_facts({voucher.member_id: [(FactKind.REDEMPTION, fact)]}, moment)


def _shown_lines(worth: Worth) -> Sequence[dict[str, Any]]:
    return [{"id": line, "amount": amount} for line, amount in worth.lines]
