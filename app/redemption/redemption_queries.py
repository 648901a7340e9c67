"""Reads of redemptions and vouchers; what is changed afterwards is read under the lock of the member's account."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session, scoped_session

from app.redemption.models import (
    PoolCode,
    Redemption,
    RedemptionChange,
    RedemptionRegistry,
    Reward,
    RewardStock,
    RewardUse,
    Voucher,
    VoucherCode,
    VoucherUse,
)

_Session = Session | scoped_session[Any]


def find_reward(session: _Session, reward_id: UUID) -> Reward | None:
    """Return the reward as the database has it."""
    return session.get(Reward, reward_id, populate_existing=True)


def read_taken(
    session: _Session, member_id: UUID, reward_id: UUID, period: date | None, live: bool, day: date | None
) -> tuple[int, int | None]:
    """Return how many the member has taken in ``period``, and what is left of the stock of ``day``; None: unknown."""
    used = select(RewardUse.used).where(
        RewardUse.member_id == member_id, RewardUse.reward_id == reward_id, RewardUse.period == period
    )
    left = select(RewardStock.total - RewardStock.taken).where(
        RewardStock.reward_id == reward_id, RewardStock.live.is_(live), RewardStock.day == day
    )
    row = session.execute(select(func.coalesce(used.scalar_subquery(), 0), left.scalar_subquery())).one()
    return row[0], row[1]


def give_back_use(session: _Session, member_id: UUID, reward_id: UUID, period: date, quantity: int) -> None:
    """Let ``quantity`` count no longer against the member's limit of ``period``."""
    session.execute(
        update(RewardUse)
        .where(RewardUse.member_id == member_id, RewardUse.reward_id == reward_id, RewardUse.period == period)
        .values(used=RewardUse.used - quantity)
        .execution_options(synchronize_session=False)
    )


def find_registered(session: _Session, redemption_id: UUID) -> RedemptionRegistry | None:
    """Return whose the redemption is."""
    return session.get(RedemptionRegistry, redemption_id)


def find_redemption(session: _Session, member_id: UUID, redemption_id: UUID) -> Redemption | None:
    """Return a member's redemption as the database has it."""
    return session.get(Redemption, (member_id, redemption_id), populate_existing=True)


def _shown_state(moment: datetime) -> Any:
    """Return the state by the clock, as ``showing.state_of`` tells it."""
    is_over = or_(
        and_(Redemption.state == "held", Redemption.held_until <= moment),
        and_(Redemption.state == "issued", Redemption.expires_at <= moment),
    )
    return case((is_over, literal("expired")), else_=Redemption.state)


def list_redemptions(
    session: _Session, member_id: UUID, state: str | None, moment: datetime, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Return one page of a member's redemptions with their rewards, newest first."""
    query = (
        select(Redemption, Reward)
        .join(Reward, Reward.reward_id == Redemption.reward_id)
        .where(Redemption.member_id == member_id)
        .order_by(Redemption.redemption_id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if state is not None:
        query = query.where(_shown_state(moment) == state)
    if before is not None:
        query = query.where(Redemption.redemption_id < before)
    return session.execute(query).all()


def list_of_merchant(
    session: _Session, merchant_id: UUID, live: bool, state: str, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Return one page of the redemptions of a merchant's rewards that are stored in ``state``, newest first."""
    query = (
        select(Redemption, Reward)
        .join(Reward, Reward.reward_id == Redemption.reward_id)
        .where(Redemption.merchant_id == merchant_id, Redemption.live.is_(live), Redemption.state == state)
        .order_by(Redemption.redemption_id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if before is not None:
        query = query.where(Redemption.redemption_id < before)
    return session.execute(query).all()


def list_of_staff(
    session: _Session, filters: dict[str, Any], moment: datetime, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Return one page of live redemptions by member, reward and state, each where it is given, newest first."""
    query = (
        select(Redemption, Reward)
        .join(
            RedemptionRegistry,
            and_(
                RedemptionRegistry.member_id == Redemption.member_id,
                RedemptionRegistry.redemption_id == Redemption.redemption_id,
            ),
        )
        .join(Reward, Reward.reward_id == Redemption.reward_id)
        .where(RedemptionRegistry.live.is_(True))
        .order_by(RedemptionRegistry.redemption_id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if filters["member_id"] is not None:
        query = query.where(Redemption.member_id == filters["member_id"])
    if filters["reward_id"] is not None:
        query = query.where(Redemption.reward_id == filters["reward_id"])
    if filters["state"] is not None:
        query = query.where(_shown_state(moment) == filters["state"])
    if before is not None:
        query = query.where(RedemptionRegistry.redemption_id < before)
    return session.execute(query).all()


def list_changes(session: _Session, member_id: UUID, redemption_id: UUID) -> Sequence[RedemptionChange]:
    """Return what became of a redemption, in order."""
    return session.scalars(
        select(RedemptionChange)
        .where(RedemptionChange.member_id == member_id, RedemptionChange.redemption_id == redemption_id)
        .order_by(RedemptionChange.number)
    ).all()


def count_changes(session: _Session, member_id: UUID, redemption_id: UUID) -> int:
    """Return how many changes there were."""
    query = select(func.count()).where(
        RedemptionChange.member_id == member_id, RedemptionChange.redemption_id == redemption_id
    )
    return session.scalar(query) or 0


def list_vouchers(session: _Session, member_id: UUID, redemption_ids: Sequence[UUID]) -> Sequence[Voucher]:
    """Return the vouchers of a member's redemptions, in the order in which they were made."""
    return session.scalars(
        select(Voucher)
        .where(Voucher.member_id == member_id, Voucher.redemption_id.in_(redemption_ids))
        .order_by(Voucher.voucher_id)
        .execution_options(populate_existing=True)
    ).all()


def list_uses(session: _Session, member_id: UUID, voucher_ids: Sequence[UUID]) -> Sequence[VoucherUse]:
    """Return the uses of a member's vouchers, oldest first, those that were undone among them."""
    return session.scalars(
        select(VoucherUse)
        .where(VoucherUse.member_id == member_id, VoucherUse.voucher_id.in_(voucher_ids))
        .order_by(VoucherUse.use_id)
        .execution_options(populate_existing=True)
    ).all()


def find_voucher(session: _Session, member_id: UUID, voucher_id: UUID) -> Voucher | None:
    """Return a member's voucher as the database has it."""
    return session.get(Voucher, (member_id, voucher_id), populate_existing=True)


def find_code(session: _Session, hashes: Sequence[bytes], live: bool) -> VoucherCode | None:
    """Return whose voucher one of ``hashes`` names."""
    return session.scalars(
        select(VoucherCode).where(VoucherCode.code_hash.in_(hashes), VoucherCode.live.is_(live)).limit(1)
    ).first()


def has_pool(session: _Session, merchant_id: UUID) -> bool:
    """Return whether any code was imported that this merchant may be shown."""
    query = select(Reward.reward_id).where(
        Reward.kind == "voucher_pool", or_(Reward.merchant_id == merchant_id, Reward.merchant_id.is_(None))
    )
    return session.scalar(select(query.exists())) or False


def list_pool_codes(session: _Session, reward_id: UUID, hashes: Sequence[bytes]) -> Sequence[PoolCode]:
    """Return these codes of a reward's pool."""
    return session.scalars(
        select(PoolCode).where(PoolCode.reward_id == reward_id, PoolCode.code_hash.in_(hashes))
    ).all()


def list_lapsed(session: _Session, moment: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return the redemptions whose time was over by ``moment`` and that are not booked so, as (member, redemption)."""
    held = select(Redemption.member_id, Redemption.redemption_id).where(
        Redemption.state == "held", Redemption.held_until <= moment
    )
    issued = select(Redemption.member_id, Redemption.redemption_id).where(
        Redemption.state == "issued", Redemption.expires_at <= moment
    )
    due = (held.order_by(Redemption.held_until), issued.order_by(Redemption.expires_at))
    return [(row[0], row[1]) for query in due for row in session.execute(query.limit(limit))]
