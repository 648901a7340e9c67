"""What staff see of rewards: one with its stock and codes, and a page of them."""

import re
from datetime import date
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.database import db
from app.merchants import service as merchants
from app.programme import service as programme
from app.redemption import reward_queries as queries
from app.redemption.errors import RewardNotFound
from app.redemption.models import Reward
from app.redemption.reward_schemas import KEY
from app.redemption.stock import stock_day

COLUMNS = ("visible_from", "visible_until", "available_from", "available_until", "needs_confirmation", "points")
DOCUMENT = (
    "names", "descriptions", "image_url", "tier_points", "money", "low_stock_at", "limit", "audience",
    "confirm_within_hours", "voucher",
)  # fmt: skip


def resolve_reward(any_id: str) -> UUID:
    """Return the id of the reward of that id or, where there is none, of that key; raise RewardNotFound."""
    try:
        reward_id: UUID | None = UUID(any_id)
    except ValueError:
        reward_id = None
    if reward_id is None or not queries.has_reward(db.session, reward_id):
        reward_id = queries.find_reward_id(db.session, any_id) if re.match(KEY, any_id) else None
    if reward_id is None:
        raise RewardNotFound
    return reward_id


def get_reward(reward_id: UUID) -> dict[str, Any]:
    """Return the reward as staff see it, with its document, stock and codes; raise RewardNotFound."""
    standing = queries.find_standing(db.session, reward_id)
    if standing is None:
        raise RewardNotFound
    reward = standing.reward
    merchant = merchants.get_merchant(reward.merchant_id).key if reward.merchant_id else None
    today = now().astimezone(programme.current().zone).date()
    return _summary(reward, merchant) | {
        "document": document_of(reward, merchant, standing.cause_key),
        "stock": _stock(reward, today),
        "codes": _codes(reward),
    }


def list_rewards(
    state: str | None, kind: str | None, merchant: str | None, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return one page of rewards, newest first, without their documents; none of a merchant that there is not."""
    merchant_id = None
    if merchant is not None:
        found = merchants.find_merchant_by_key(merchant)
        if found is None:
            return []
        merchant_id = found.merchant_id
    rewards = queries.list_rewards(
        db.session, state=state, kind=kind, merchant_id=merchant_id, before=before, limit=limit
    )
    of = {reward.merchant_id for reward in rewards if reward.merchant_id is not None}
    keys = {each.merchant_id: each.key for each in merchants.list_merchants(ids=of)}
    return [_summary(reward, keys[reward.merchant_id] if reward.merchant_id else None) for reward in rewards]


def document_of(reward: Reward, merchant: str | None, cause: str | None) -> dict[str, Any]:
    """Return the reward as ``RewardSchema`` reads it."""
    return {
        "key": reward.key,
        "kind": reward.kind,
        "merchant": merchant,
        "cause": cause,
        "stock": {"kind": reward.stock_kind, "total": reward.stock_total},
        **{name: getattr(reward, name) for name in COLUMNS},
        **{name: reward.document.get(name) for name in DOCUMENT},
    }


def _summary(reward: Reward, merchant: str | None) -> dict[str, Any]:
    return {
        "id": reward.reward_id,
        "key": reward.key,
        "kind": reward.kind,
        "state": reward.state,
        "merchant": merchant,
        "names": reward.document["names"],
        "points": reward.points,
        "version": reward.version,
        "created_at": reward.created_at,
        "updated_at": reward.updated_at,
    }


def _stock(reward: Reward, today: date) -> dict[str, Any] | None:
    """Return what there is and what is taken of the stock of now; None where none is counted."""
    day = stock_day(reward.stock_kind, today)
    if day is None or reward.stock_total is None:
        return None
    opened = queries.read_stock(db.session, reward.reward_id, day)
    shown = {}
    for name, live in (("live", True), ("test", False)):
        total, taken = opened.get(live, (reward.stock_total, 0))
        shown[name] = {"total": total, "taken": taken, "left": total - taken}
    return shown


def _codes(reward: Reward) -> dict[str, Any] | None:
    if reward.kind != "voucher_pool":
        return None
    counted = queries.count_codes(db.session, reward.reward_id)
    shown = {}
    for name, live in (("live", True), ("test", False)):
        imported, free = counted.get(live, (0, 0))
        shown[name] = {"imported": imported, "free": free}
    return shown
