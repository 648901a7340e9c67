"""The limits and budgets that bind an activity: what is asked before it is evaluated, what is taken and given back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg

from app.campaigns import usage_queries
from app.campaigns.limits import Headroom, Settlement
from app.campaigns.service.books import budgets_of, candidates
from app.campaigns.service.budgets import give_back_funds, known_exhausted, lock_funds, read_budgets
from app.campaigns.usage import LimitAsk, Member, Subjects, Taken, UsageBoard, asks_of, shared_counters
from app.core.database import driver_connection
from app.core.unit_of_work import unit_of_work
from app.programme import service as programme

_NOTHING: Mapping[UUID, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What binds one activity: limits to be asked for, and the budgets of campaigns that could pay for it."""

    asks: Sequence[LimitAsk]
    budgets: Mapping[UUID, int]

    @property
    def key(self) -> tuple[Any, ...]:
        """What equal bounds have in common."""
        return (*self.asks, *self.budgets)

    def spent(self, settlement: Settlement) -> dict[UUID, int]:
        """Return the points of ``settlement`` by campaign, of the campaigns that have a budget."""
        spent: dict[UUID, int] = {}
        for granted in settlement.granted if self.budgets else ():
            campaign_id = granted.desired.rule.campaign_id
            if campaign_id in self.budgets:
                spent[campaign_id] = spent.get(campaign_id, 0) + granted.points
        return spent


UNBOUND = Bounds((), {})


def bounds_of(activity: Mapping[str, Any], merchant: Mapping[str, Any], subjects: Subjects) -> Bounds:
    """Return what binds ``activity``, from this process's memory alone."""
    rules = candidates(activity, merchant)
    budgets = budgets_of({rule.campaign_id for rule in rules})
    if not budgets and not any(rule.limits for rule in rules):
        return UNBOUND
    return Bounds(asks_of(rules, subjects, activity["occurred_at"], programme.current().zone), budgets)


def new_board(bounds: Iterable[Bounds], live: bool) -> UsageBoard:
    """Return a board for one round, which knows the budgets that were found empty a moment ago."""
    campaign_ids = {campaign_id for each in bounds for campaign_id in each.budgets}
    return UsageBoard(known_exhausted(campaign_ids, live) if campaign_ids else {})


def read_headroom(bounds: Bounds, member: Member | None, live: bool) -> Headroom:
    """Return what is left for ``member`` now, locking nothing: what a preview goes by; of nobody's limits, all."""
    board = UsageBoard({campaign_id: each.left for campaign_id, each in read_budgets(bounds.budgets, live).items()})
    if member is not None:
        with driver_connection() as connection:
            board.read(bounds.asks, member, usage_queries.read_usage(connection, bounds.asks, member))
    return board.headroom(bounds.asks, member)


class LockedBounds:
    """Limits and budgets of one activity, locked until the open unit of work ends; the account's lock comes first.

    What the activity took before, ``taken`` and ``spent``, is given back first.
    """

    def __init__(
        self,
        bounds: Bounds,
        member: Member,
        live: bool,
        taken: Sequence[Taken] = (),
        spent: Mapping[UUID, int] = _NOTHING,
    ) -> None:
        self._bounds, self._member = bounds, member
        self._funds = lock_funds({*bounds.budgets, *spent}, live)
        self._funds.put_back(spent)
        self.board = UsageBoard({each: left for each, left in self._funds.left().items() if each in bounds.budgets})
        with unit_of_work(), driver_connection() as connection:
            counters = {tuple(row[:4]): row for row in _shared_rows(taken)}
            counters |= {tuple(row[:4]): row for row in shared_counters(bounds.asks, member)}
            usage_queries.lock_shared_usage(connection, list(counters.values()))
            _give_back_usage(connection, member.member_id, taken)
            self.board.read(bounds.asks, member, usage_queries.read_usage(connection, bounds.asks, member))

    def take_funds(self, settlement: Settlement) -> list[UUID]:
        """Take what ``settlement`` spends from the budgets; return the campaigns whose budget is empty then."""
        self._funds.take(self._bounds.spent(settlement))
        return [campaign_id for campaign_id, left in self._funds.left().items() if left == 0]


def give_back(member_id: UUID, taken: Iterable[Taken], spent: Mapping[UUID, int], live: bool) -> None:
    """Return to limits and budgets what an activity took of them; the caller has locked the member's account."""
    give_back_funds(spent, live)
    with unit_of_work(), driver_connection() as connection:
        _give_back_usage(connection, member_id, list(taken))


def _shared_rows(taken: Iterable[Taken]) -> list[tuple[Any, ...]]:
    return [
        (each.campaign_id, each.limit_key, each.period, each.subject, each.amount)
        for each in taken
        if each.subject is not None
    ]


def _give_back_usage(connection: psycopg.Connection[Any], member_id: UUID, taken: Sequence[Taken]) -> None:
    of_member = [(each.campaign_id, each.limit_key, each.period, each.amount) for each in taken if each.subject is None]
    usage_queries.give_back_usage(connection, member_id, of_member, _shared_rows(taken))
