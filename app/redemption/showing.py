"""Redemptions as they are shown: to their owner with the codes, to partners and staff without, by the clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.database import db
from app.redemption import redemption_queries as queries
from app.redemption.changing import state_of
from app.redemption.errors import RedemptionNotFound
from app.redemption.issuing import Issued, shown_code
from app.redemption.models import Redemption, RedemptionChange, Reward, Voucher, VoucherUse

_TERMS: Mapping[str, Any] = {
    "minimum_spend": None, "certified_only": False, "scope": "whole", "categories": None, "skus": None,
    "is_partial": False,
}  # fmt: skip


def in_words(texts: Mapping[str, str] | None, locales: Sequence[str]) -> str | None:
    """Return the text in the first of ``locales`` that there is, or one of its language, or in English, or any."""
    if not texts:
        return None
    for locale in locales:
        language = locale.split("-")[0]
        near = [name for name in texts if name == locale] or [name for name in texts if name.split("-")[0] == language]
        if near:
            return texts[near[0]]
    return texts.get("en") or next(iter(texts.values()))


def brief(redemption: Redemption, reward: Reward, locales: Sequence[str], moment: datetime) -> dict[str, Any]:
    """Return a redemption as lists show it."""
    is_over = redemption.state != state_of(redemption, moment)
    ended_at = redemption.held_until if redemption.state == "held" else redemption.expires_at
    returned = redemption.details.get("returned", 0)
    return {
        "id": redemption.redemption_id,
        "state": state_of(redemption, moment),
        "reward": {
            "id": reward.reward_id,
            "key": reward.key,
            "kind": reward.kind,
            "name": in_words(reward.document.get("names"), locales),
            "merchant_id": reward.merchant_id,
        },
        "quantity": redemption.quantity,
        "points": redemption.points,
        "points_returned": redemption.points if is_over and redemption.state == "held" else returned,
        "money": None
        if redemption.money_amount is None
        else {"amount": redemption.money_amount, "currency": redemption.currency},
        "fulfilment": redemption.details.get("fulfilment"),
        "created_at": redemption.created_at,
        "held_until": redemption.held_until,
        "issued_at": redemption.issued_at,
        "expires_at": redemption.expires_at,
        "closed_at": ended_at if is_over else redemption.closed_at,
    }


def shown_voucher(voucher: Voucher, moment: datetime) -> dict[str, Any]:
    """Return a voucher and its terms, without its code."""
    is_over = voucher.state == "issued" and voucher.expires_at is not None and voucher.expires_at <= moment
    return {
        "id": voucher.voucher_id,
        "state": "expired" if is_over else voucher.state,
        "discount": voucher.discount,
        "value": voucher.value,
        "remaining": voucher.remaining,
        "currency": voucher.currency,
        **{name: voucher.terms.get(name, default) for name, default in _TERMS.items()},
        "merchant_id": voucher.merchant_id,
        "expires_at": voucher.expires_at,
    }


def _shown_use(use: VoucherUse) -> dict[str, Any]:
    return {
        "id": use.use_id,
        "order": use.order_ref,
        "merchant_id": use.merchant_id,
        "amount": use.amount,
        "currency": use.currency,
        "used_at": use.used_at,
        "rolled_back_at": use.rolled_back_at,
    }


def shown_change(change: RedemptionChange, for_staff: bool) -> dict[str, Any]:
    """Return a change; who of the staff or the merchants made it is told the staff alone."""
    actor = change.actor if for_staff else change.actor.partition(":")[0]
    return {"state": change.state, "at": change.changed_at, "by": actor, "reason": change.reason}


def fresh(issued: Issued, locales: Sequence[str], moment: datetime) -> dict[str, Any]:
    """Return a redemption that has just been made to its owner, out of what was written."""
    redemption = issued.redemption
    first = {"state": redemption.state, "at": redemption.created_at, "by": "member", "reason": None}
    return brief(redemption, issued.reward, locales, moment) | {
        "vouchers": [
            shown_voucher(voucher, moment) | {"code": issued.codes[voucher.voucher_id], "uses": []}
            for voucher in issued.vouchers
        ],
        "changes": [first],
    }


def show_own(member_id: UUID, redemption_id: UUID, locales: Sequence[str], moment: datetime) -> dict[str, Any]:
    """Return a member's redemption with the codes of its vouchers; raise RedemptionNotFound for another's too."""
    return _whole(member_id, redemption_id, locales, moment, for_staff=False)


def show_to_staff(redemption_id: UUID, locales: Sequence[str], moment: datetime) -> dict[str, Any]:
    """Return any redemption, whose it is, and who changed it; without codes. Raises RedemptionNotFound."""
    member_id = owner_of(redemption_id)
    return {"member_id": member_id} | _whole(member_id, redemption_id, locales, moment, for_staff=True)


def owner_of(redemption_id: UUID) -> UUID:
    """Return whose redemption it is; raise RedemptionNotFound."""
    registered = queries.find_registered(db.session, redemption_id)
    if registered is None:
        raise RedemptionNotFound
    return registered.member_id


def owner_for(merchant_id: UUID, live: bool, redemption_id: UUID) -> UUID:
    """Return whose redemption of this merchant's reward it is; raise RedemptionNotFound for another's too."""
    registered = queries.find_registered(db.session, redemption_id)
    if registered is None or registered.merchant_id != merchant_id or registered.live is not live:
        raise RedemptionNotFound
    return registered.member_id


def _whole(
    member_id: UUID, redemption_id: UUID, locales: Sequence[str], moment: datetime, *, for_staff: bool
) -> dict[str, Any]:
    session = db.session
    redemption = queries.find_redemption(session, member_id, redemption_id)
    if redemption is None:
        raise RedemptionNotFound
    reward = queries.find_reward(session, redemption.reward_id)
    assert reward is not None
    vouchers = queries.list_vouchers(session, member_id, [redemption_id])
    uses: dict[UUID, list[dict[str, Any]]] = {}
    for use in queries.list_uses(session, member_id, [voucher.voucher_id for voucher in vouchers]):
        uses.setdefault(use.voucher_id, []).append(_shown_use(use))
    shown = []
    for voucher in vouchers:
        one = shown_voucher(voucher, moment) | {"uses": uses.get(voucher.voucher_id, [])}
        shown.append(one if for_staff else one | {"code": shown_code(voucher, reward)})
    changes = queries.list_changes(session, member_id, redemption_id)
    return brief(redemption, reward, locales, moment) | {
        "vouchers": shown,
        "changes": [shown_change(change, for_staff) for change in changes],
    }


def list_own(
    member_id: UUID, state: str | None, locales: Sequence[str], moment: datetime, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return one page of a member's redemptions, newest first."""
    found = queries.list_redemptions(db.session, member_id, state, moment, before, limit)
    return [brief(redemption, reward, locales, moment) for redemption, reward in found]


def list_for_merchant(
    merchant_id: UUID, live: bool, state: str, locales: Sequence[str], moment: datetime, before: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return one page of what was redeemed of a merchant's rewards and is booked in ``state``, newest first."""
    found = queries.list_of_merchant(db.session, merchant_id, live, state, before, limit)
    return [brief(redemption, reward, locales, moment) for redemption, reward in found]


def list_for_staff(
    filters: dict[str, Any], locales: Sequence[str], moment: datetime, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return one page of live redemptions by ``member_id``, ``reward_id`` and ``state``, newest first."""
    found = queries.list_of_staff(db.session, filters, moment, before, limit)
    return [
        {"member_id": redemption.member_id} | brief(redemption, reward, locales, moment) for redemption, reward in found
    ]
