"""Budgets: cut into slots that awards take without waiting, never more than there is, told at 80 and 100 percent."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from flask import current_app
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.campaigns import usage_queries
from app.campaigns.errors import BudgetBelowPaid
from app.campaigns.models import BudgetNotice, BudgetSlot, Campaign
from app.campaigns.usage_rows import SLOTS
from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.outbox import FactKind, add_subject_fact
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import service as ledger

NOTICE_PERCENTS = (80, 100)
EXHAUSTED_SECONDS = 1.0
NOTICE_SECONDS = 1.0
log = structlog.get_logger()
_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class Budget:
    """A campaign's budget in points: all of it, what is paid (less what came back), and what is left."""

    points: int
    paid: int

    @property
    def left(self) -> int:
        """What can still be paid."""
        return self.points - self.paid


def read_budgets(campaign_ids: Collection[UUID], live: bool = True) -> dict[UUID, Budget]:
    """Return the budgets of those campaigns that have one."""
    if not campaign_ids:
        return {}
    rows = db.session.execute(
        select(BudgetSlot.campaign_id, func.sum(BudgetSlot.share), func.sum(BudgetSlot.remaining))
        .where(BudgetSlot.campaign_id.in_(campaign_ids), BudgetSlot.live == live)
        .group_by(BudgetSlot.campaign_id)
    )
    return {campaign_id: Budget(int(share), int(share - remaining)) for campaign_id, share, remaining in rows}


def check_budget(campaign_id: UUID, points: int | None) -> None:
    """Raise BudgetBelowPaid where a budget of ``points`` would be below what was paid from the one there is."""
    budget = read_budgets([campaign_id]).get(campaign_id)
    if budget is not None and points is not None and budget.paid > points:
        raise BudgetBelowPaid(f"{budget.paid} points are paid already.", points_paid=budget.paid)


def set_budget(session: _Session, campaign_id: UUID, points: int | None, version_ids: Collection[UUID]) -> None:
    """Give a campaign, whose row the caller has locked, a budget of ``points``, or none; what is paid stays paid.

    What was paid before there was a budget counts too: ``version_ids`` are the campaign's versions. Raises
    BudgetBelowPaid.
    """
    if points is None:
        session.execute(delete(BudgetSlot).where(BudgetSlot.campaign_id == campaign_id))
        session.execute(delete(BudgetNotice).where(BudgetNotice.campaign_id == campaign_id))
        return
    for live in (False, True):
        with driver_connection() as connection:
            usage_queries.lock_slots(connection, [campaign_id], live)
        budget = read_budgets([campaign_id], live).get(campaign_id)
        before = ledger.sum_paid(version_ids) if live and budget is None else 0
        paid = before if budget is None else budget.paid
        if live and paid > points:
            raise BudgetBelowPaid(f"{paid} points are paid already.", points_paid=paid)
        _store(session, campaign_id, live, points, max(0, points - paid))
    for percent in NOTICE_PERCENTS:
        if paid * 100 < percent * points:
            of_this = (BudgetNotice.campaign_id == campaign_id) & (BudgetNotice.percent == percent)
            session.execute(delete(BudgetNotice).where(of_this))
    _forget_exhausted(campaign_id)


def _store(session: _Session, campaign_id: UUID, live: bool, points: int, left: int) -> None:
    rows = [
        {"campaign_id": campaign_id, "live": live, "slot": slot, "share": _part(points, slot),
         "remaining": _part(left, slot)}
        for slot in range(SLOTS)
    ]  # fmt: skip
    statement = insert(BudgetSlot).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["campaign_id", "live", "slot"],
            set_={"share": statement.excluded.share, "remaining": statement.excluded.remaining},
        )
    )


def _part(points: int, slot: int) -> int:
    return points // SLOTS + (slot < points % SLOTS)


@dataclass(slots=True)
class LockedFunds:
    """The slots of some budgets, locked until the transaction ends."""

    live: bool
    slots: usage_queries.Slots

    def left(self) -> dict[UUID, int]:
        """Return what is left of each budget."""
        return {campaign_id: sum(slots.values()) for campaign_id, slots in self.slots.items()}

    def put_back(self, spent: Mapping[UUID, int]) -> None:
        """Return ``spent`` points by campaign to these budgets; a campaign without one keeps nothing."""
        moves = []
        for campaign_id, points in spent.items():
            slots = self.slots.get(campaign_id)
            if points and slots:
                slot = min(slots)
                slots[slot] += points
                moves.append((campaign_id, slot, points))
            _forget_exhausted(campaign_id)
        with driver_connection() as connection:
            usage_queries.move_slots(connection, moves, self.live)

    def take(self, spent: Mapping[UUID, int]) -> None:
        """Take ``spent`` points by campaign, of which each budget has enough; campaigns without one are passed over."""
        moves = []
        for campaign_id, points in spent.items():
            for slot, remaining in self.slots.get(campaign_id, {}).items():
                part = min(points, remaining)
                if part:
                    moves.append((campaign_id, slot, -part))
                    self.slots[campaign_id][slot] -= part
                    points -= part
        with driver_connection() as connection:
            usage_queries.move_slots(connection, moves, self.live)


def lock_funds(campaign_ids: Iterable[UUID], live: bool) -> LockedFunds:
    """Lock every slot of these campaigns' budgets, waiting for whoever takes from them; joins the unit of work."""
    with unit_of_work(), driver_connection() as connection:
        return LockedFunds(live, usage_queries.lock_slots(connection, campaign_ids, live))


def give_back_funds(spent: Mapping[UUID, int], live: bool) -> None:
    """Return points to the budgets that paid them; joins the unit of work. A campaign without one keeps nothing."""
    if spent:
        lock_funds(spent, live).put_back(spent)


def _kept(name: str) -> dict[UUID, float]:
    kept: dict[UUID, float] = current_app.extensions.setdefault(name, {})
    return kept


def note_exhausted(campaign_ids: Iterable[UUID], live: bool) -> None:
    """Remember for a second that nothing is left of these budgets, so that awards need not ask again."""
    for campaign_id in campaign_ids:
        if live:
            _kept("exhausted_budgets")[campaign_id] = time.monotonic() + EXHAUSTED_SECONDS


def known_exhausted(campaign_ids: Iterable[UUID], live: bool) -> dict[UUID, int]:
    """Return 0 for each of these campaigns whose budget was found empty within the last second."""
    kept = current_app.extensions.get("exhausted_budgets")
    if not kept or not live:
        return {}
    moment = time.monotonic()
    return {campaign_id: 0 for campaign_id in campaign_ids if kept.get(campaign_id, 0.0) > moment}


def _forget_exhausted(campaign_id: UUID) -> None:
    _kept("exhausted_budgets").pop(campaign_id, None)


def watch_budgets(campaign_ids: Iterable[UUID]) -> None:
    """Tell the outbox where 80 or 100 percent of a budget are spent; looks once a second at most.

    Comes after the award it follows, in a transaction of its own: it can't fail that. The job ``notice_budgets`` does
    what is missed.
    """
    looked_at, moment = _kept("budgets_looked_at"), time.monotonic()
    for campaign_id in campaign_ids:
        if looked_at.get(campaign_id, 0.0) + NOTICE_SECONDS > moment:
            continue
        looked_at[campaign_id] = moment
        try:
            retry_transient(lambda found=campaign_id: notice_budget(found))  # type: ignore[misc]
        except Exception as error:
            log.error("budget_notice_failed", campaign_id=str(campaign_id), exc_info=error)


def notice_budget(campaign_id: UUID) -> list[int]:
    """Write a fact for each threshold that is reached and was not told; return the thresholds in percent."""
    budget = read_budgets([campaign_id]).get(campaign_id)
    if budget is None or budget.paid * 100 < min(NOTICE_PERCENTS) * budget.points:
        return []
    with unit_of_work() as session:
        session.execute(select(Campaign).where(Campaign.campaign_id == campaign_id).with_for_update(key_share=True))
        told = set(session.scalars(select(BudgetNotice.percent).where(BudgetNotice.campaign_id == campaign_id)))
        reached = [
            percent
            for percent in NOTICE_PERCENTS
            if percent not in told and budget.paid * 100 >= percent * budget.points
        ]
        for percent in reached:
            session.add(BudgetNotice(campaign_id=campaign_id, percent=percent, noticed_at=now()))
            payload = {"campaign": str(campaign_id), "percent": percent, "points": budget.points, "paid": budget.paid}
            add_subject_fact(campaign_id, FactKind.BUDGET, payload, now())
    return reached


def notice_budgets() -> int:
    """Tell what is to be told of any budget; return how many thresholds."""
    is_low = func.sum(BudgetSlot.remaining) * 5 <= func.sum(BudgetSlot.share)
    query = select(BudgetSlot.campaign_id).where(BudgetSlot.live).group_by(BudgetSlot.campaign_id).having(is_low)
    campaign_ids = list(db.session.scalars(query))
    return sum(len(retry_transient(lambda found=each: notice_budget(found))) for each in campaign_ids)  # type: ignore[misc]
