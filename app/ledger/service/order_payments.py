"""What was paid in points for a merchant's order, as far as it was captured."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from app.core.database import db
from app.ledger import checkout_queries
from app.programme import service as programme
from app.programme.service import Programme


@dataclass(frozen=True, slots=True)
class OrderPayment:
    """Points of a member that paid for an order, and how many of them were given back.

    ``order_total`` (minor units) and ``currency`` are what the merchant said of the order when it placed the hold;
    ``settings`` say what the points were worth then.
    """

    hold_id: UUID
    member_id: UUID
    points: int
    refunded: int
    order_total: int | None
    currency: str | None
    settings: Programme

    @property
    def spend_key(self) -> str:
        """The key of the posting that spent the points."""
        return f"hold:{self.hold_id}:captured"


def list_order_payers(merchant_id: UUID, live: bool, order_ref: str) -> Collection[UUID]:
    """Return whose points paid for the order."""
    return {hold.member_id for hold in checkout_queries.list_captured_holds(db.session, merchant_id, live, order_ref)}


def list_order_payments(merchant_id: UUID, live: bool, order_ref: str) -> list[OrderPayment]:
    """Return the payments for the order, oldest first; the caller has locked the payers' accounts."""
    session = db.session
    return [
        OrderPayment(
            hold.hold_id, hold.member_id, hold.captured,
            checkout_queries.sum_refunded(session, hold.member_id, f"hold:{hold.hold_id}:captured"),
            hold.order_total, hold.currency, programme.at_version(hold.programme_version),
        )
        for hold in checkout_queries.list_captured_holds(session, merchant_id, live, order_ref)
    ]  # fmt: skip
