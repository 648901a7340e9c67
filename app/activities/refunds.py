"""A return of an order that was paid with points: it gives points back, and says how much money goes with them.

The order of a hold is the merchant's id of the activity. Points come back to whoever paid, which may be somebody else
than whom the activity is about; the money is the merchant's to refund.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, scoped_session

from app.activities.models import ReturnRegistry
from app.activities.order_share import Payment, Refund, refund_of, share_of
from app.activities.reading import facts_of_stored
from app.activities.remaining import Returned
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal

REASON = "return"
_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """An order as its activity tells it: whose, its body, and what returns of it told before."""

    merchant_id: UUID
    live: bool
    body: Mapping[str, Any]
    told_before: Iterable[Mapping[str, Any]]


def lock_payers(merchant: MerchantPrincipal, order_ref: str, member_id: UUID | None) -> None:
    """Lock the accounts that a return of the order touches, in the order of their members: payers and ``member_id``.

    One that only the member's own points are about locks nothing: their book does.
    """
    touched = set(ledger.list_order_payers(merchant.id, merchant.live, order_ref)) - {member_id}
    if touched:
        ledger.lock_accounts(touched | ({member_id} if member_id is not None else set()))


def refund_order(
    session: _Session,
    order: PaidOrder,
    known: ReturnRegistry,
    together: Returned,
    *,
    actor: str,
    moment: datetime,
    book: ledger.AccountBook | None = None,
) -> dict[str, Any]:
    """Give points back for a return after which ``together`` has come back; return ``{"refunded": …}`` of the answer.

    Nothing where no points paid for the order. ``book`` is the open one of the activity's member; the accounts of
    others who paid are locked. It is done once for a return, which the caller makes sure of.
    """
    payments = ledger.list_order_payments(order.merchant_id, order.live, str(order.body["id"]))
    if not payments:
        return {}
    refund, is_comparable = _refund(order, payments, together, moment)
    for payment, points in zip(payments, refund.points, strict=True):
        if points:
            _give_back(session, payment, points, known, actor=actor, moment=moment, book=book)
    return {
        "refunded": {
            "points": sum(refund.points), "worth": refund.worth, "money": refund.money if is_comparable else None,
            "currency": payments[-1].settings.currency,
        }
    }  # fmt: skip


def _refund(
    order: PaidOrder, payments: list[ledger.OrderPayment], together: Returned, moment: datetime
) -> tuple[Refund, bool]:
    """Return what goes back, and whether all of it is in one currency: otherwise no money is told."""
    currencies = {order.body.get("currency")} | {each.settings.currency for each in payments}
    currencies |= {each.currency for each in payments if each.currency is not None}
    is_comparable = len(currencies) == 1
    named = [each.order_total for each in payments if each.order_total is not None]
    order_total = named[-1] if named and is_comparable else None
    lines = facts_of_stored(order.body, moment, "")["lines"]
    total = sum(line["total"] for line in lines) if order_total is None else order_total
    money_before = sum(told["refunded"]["money"] or 0 for told in order.told_before if "refunded" in told)
    held = [Payment(each.points, each.refunded, each.settings.point_worth) for each in payments]
    return refund_of(held, total, share_of(lines, together, order_total), money_before), is_comparable


def _give_back(
    session: _Session,
    payment: ledger.OrderPayment,
    points: int,
    known: ReturnRegistry,
    *,
    actor: str,
    moment: datetime,
    book: ledger.AccountBook | None,
) -> None:
    key, fingerprint = f"hold:{payment.hold_id}:returned:{known.return_id}", bytes(known.digest[:16])
    if book is not None and book.member_id == payment.member_id:
        ledger.refund_in_book(
            session, book, payment.spend_key, points, key=key, actor=actor, reason=REASON,
            activity_id=known.activity_id, fingerprint=fingerprint,
        )  # fmt: skip
    else:
        ledger.refund_spend(
            payment.member_id, payment.spend_key, points, key=key, actor=actor, reason=REASON, fingerprint=fingerprint,
            moment=moment,
        )  # fmt: skip


def shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stored return tells of the order's payment: nothing where no points paid for it."""
    return {"refunded": stored["refunded"]} if "refunded" in stored else {}
