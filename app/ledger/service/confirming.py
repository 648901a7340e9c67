"""What shoppers see of holds of their points at checkouts, and how they confirm or decline one."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.ledger import checkout_queries
from app.ledger.errors import ConfirmationNotAwaited, HoldNotFound
from app.ledger.models import Hold
from app.ledger.service.books import lock_account, open_book
from app.ledger.service.checkout import shown_hold
from app.ledger.service.holds import get_hold, open_hold, release_hold
from app.merchants import service as merchants


def list_holds(
    member_id: UUID, before: UUID | None, limit: int, *, is_waiting: bool, moment: datetime
) -> list[dict[str, Any]]:
    """Return the member's holds at checkouts by the clock, newest first, before ``before``.

    ``is_waiting`` leaves those that wait for the member's confirmation.
    """
    waiting_at = moment if is_waiting else None
    return _shown(checkout_queries.list_member_holds(db.session, member_id, before, limit, waiting_at), moment)


def confirm_hold(member_id: UUID, hold_id: UUID, moment: datetime) -> dict[str, Any]:
    """Let the hold be captured, until the time for which the merchant placed it, and return it; again is harmless.

    Raises HoldNotFound, HoldClosed, and ConfirmationNotAwaited for one that nobody has to confirm.
    """
    with open_book(member_id, moment) as (session, book):
        _own_hold(member_id, hold_id)
        hold = open_hold(session, member_id, hold_id)
        if hold.lasts_until is None:
            raise ConfirmationNotAwaited
        if hold.confirmed_at is None:
            hold.confirmed_at, hold.expires_at = moment, hold.lasts_until
            book.add_fact("hold_confirmed", {"hold": hold_id, "points": hold.amount})
            session.flush()
        return _shown([hold], moment)[0]


def decline_hold(member_id: UUID, hold_id: UUID, moment: datetime) -> dict[str, Any]:
    """Give the points of a hold that waits for confirmation back, and return it; again is harmless.

    Raises HoldNotFound, HoldClosed, and ConfirmationNotAwaited for one that needs no confirmation or has it.
    """
    with unit_of_work():
        lock_account(member_id)
        hold = _own_hold(member_id, hold_id)
        if hold.status == "open" and not hold.is_unconfirmed:
            raise ConfirmationNotAwaited
        if hold.status != "declined":
            release_hold(
                member_id, hold_id, is_declined=True, actor=f"member:{member_id}",
                fingerprint=hashlib.sha256(hold_id.bytes).digest(), moment=moment,
            )  # fmt: skip
        return _shown([get_hold(member_id, hold_id)], moment)[0]


def _own_hold(member_id: UUID, hold_id: UUID) -> Hold:
    """Return a hold at a checkout; what other rooms hold is theirs to confirm."""
    hold = get_hold(member_id, hold_id)
    if hold.merchant_id is None:
        raise HoldNotFound
    return hold


def _shown(holds: Iterable[Hold], moment: datetime) -> list[dict[str, Any]]:
    found = [(hold, hold.merchant_id) for hold in holds if hold.merchant_id is not None]
    at = {each.merchant_id: each.name for each in merchants.list_merchants(ids={place for _, place in found})}
    return [shown_hold(hold, moment) | {"merchant": {"id": place, "name": at[place]}} for hold, place in found]
