"""Rewards and codes put straight into their tables, for tests of what works on them."""

import hashlib
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.redemption.models import ALL_DAYS, Cause, PoolCode, Reward, RewardStock
from tests import world


def put_reward(
    stock: int | None = None, *, stock_kind: str | None = None, low_at: int | None = None, **columns: Any
) -> Reward:
    """Store a published reward and, where its stock is fixed, the rows of that; return it, detached."""
    kind = stock_kind or ("none" if stock is None else "fixed")
    reward_id, moment = new_id(), now()
    values = {
        "reward_id": reward_id, "key": f"reward-{reward_id}", "kind": "voucher_generated", "state": "published",
        "points": 100, "stock_kind": kind, "stock_total": stock, "needs_confirmation": False,
        "document": {"names": {"en": "A reward"}, "low_stock_at": low_at}, "version": 1,
        "created_at": moment, "updated_at": moment,
    } | columns  # fmt: skip
    reward = Reward(**values)
    with unit_of_work() as session:
        session.add(reward)
        session.flush()
        if kind == "fixed":
            for live in (False, True):
                session.add(RewardStock(reward_id=reward_id, live=live, day=ALL_DAYS, total=stock, taken=0))
        session.flush()
        session.refresh(reward)
        session.expunge(reward)
    return reward


def put_codes(reward_id: UUID, count: int, live: bool = True, first: int = 1) -> list[bytes]:
    """Store ``count`` free codes of a pool, from place ``first`` on, and return their hashes in order."""
    places = range(first, first + count)
    hashes = [hashlib.sha256(f"{reward_id} {place}".encode()).digest() for place in places]
    with unit_of_work() as session:
        session.add_all(
            PoolCode(reward_id=reward_id, place=place, live=live, code_hash=code_hash, code_cipher=b"cipher")
            for place, code_hash in zip(places, hashes, strict=True)
        )
    return hashes


def put_cause(key: str = "trees", *, is_verified: bool = True) -> UUID:
    """Store a published cause and return its id."""
    moment, cause_id = now(), new_id()
    values: dict[str, Any] = {
        "cause_id": cause_id, "key": key, "registration_country": "DE", "registration_number": key,
        "state": "published", "document": {"names": {"en": "Trees", "zh-CN": "树"}}, "version": 1,
        "created_at": moment, "updated_at": moment,
    }  # fmt: skip
    if is_verified:
        values |= {"verified_at": moment, "verified_by": world.make_staff("admin").staff_id}
    with unit_of_work() as session:
        session.add(Cause(**values))
    return cause_id
