"""The SELECTs of rewards for staff, their stock and codes, and the one insert that may meet another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.redemption.models import Cause, PoolCode, Reward, RewardStock

_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """A reward, and the key of the cause that it gives to."""

    reward: Reward
    cause_key: str | None


def insert_reward(session: _Session, values: dict[str, Any]) -> bool:
    """Insert a reward, and wait for another of that key; return False where there is one."""
    made = session.scalar(
        insert(Reward).values(values).on_conflict_do_nothing(index_elements=["key"]).returning(Reward.reward_id)
    )
    return made is not None


def find_reward_id(session: _Session, key: str) -> UUID | None:
    """Return the id of the reward of that key."""
    return session.scalar(select(Reward.reward_id).where(Reward.key == key))


def has_reward(session: _Session, reward_id: UUID) -> bool:
    """Return whether there is a reward of that id."""
    return session.scalar(select(Reward.reward_id).where(Reward.reward_id == reward_id)) is not None


def lock_reward(session: _Session, reward_id: UUID) -> Reward | None:
    """Return the reward, locked; what only refers to it, such as a redemption, does not wait."""
    return session.get(Reward, reward_id, populate_existing=True, with_for_update={"key_share": True})


def find_reward(session: _Session, reward_id: UUID) -> Reward | None:
    """Return the reward as the database has it."""
    return session.get(Reward, reward_id, populate_existing=True)


def find_standing(session: _Session, reward_id: UUID) -> Standing | None:
    """Return the reward with the key of its cause."""
    row = session.execute(
        select(Reward, Cause.key)
        .outerjoin(Cause, Cause.cause_id == Reward.cause_id)
        .where(Reward.reward_id == reward_id)
        .execution_options(populate_existing=True)
    ).first()
    return None if row is None else Standing(row[0], row[1])


def list_rewards(
    session: _Session, *, state: str | None, kind: str | None, merchant_id: UUID | None, before: UUID | None, limit: int
) -> Sequence[Reward]:
    """Return one page of rewards, newest first."""
    query = select(Reward).order_by(Reward.reward_id.desc()).limit(limit)
    for column, wanted in ((Reward.state, state), (Reward.kind, kind), (Reward.merchant_id, merchant_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(Reward.reward_id < before)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def find_cause(session: _Session, key: str) -> Cause | None:
    """Return the cause of that key."""
    return session.scalar(select(Cause).where(Cause.key == key))


def is_given_to(session: _Session, cause_id: UUID | None) -> bool:
    """Return whether the cause is published and verified, or none is named."""
    if cause_id is None:
        return True
    cause = session.get(Cause, cause_id, populate_existing=True)
    return cause is not None and cause.state == "published" and cause.verified_at is not None


def read_stock(session: _Session, reward_id: UUID, day: date) -> dict[bool, tuple[int, int]]:
    """Return the total and what is taken of that day's stock, live and test, as far as it was opened."""
    rows = session.execute(
        select(RewardStock.live, RewardStock.total, RewardStock.taken).where(
            RewardStock.reward_id == reward_id, RewardStock.day == day
        )
    )
    return {live: (total, taken) for live, total, taken in rows}


def count_codes(session: _Session, reward_id: UUID) -> dict[bool, tuple[int, int]]:
    """Return how many codes were imported and how many of them are free, live and test, as far as there are any."""
    free = func.count().filter(PoolCode.voucher_id.is_(None))
    rows = session.execute(
        select(PoolCode.live, func.count(), free).where(PoolCode.reward_id == reward_id).group_by(PoolCode.live)
    )
    return {live: (imported, unused) for live, imported, unused in rows}
