"""Who owes whom for points. Pure.

1. A point costs whoever funds it when it is spent, and earns the place where it is spent as much. The programme
   stands between all of them: a party's balance is what it gets for points spent at it, less what it pays for its own.
2. What was given back of spent points is taken off both sides, in the month in which it was given back.
3. What all spent points of a month are worth is rounded half to even once, and shared among the pairs of funder and
   place by largest remainder; so too what was given back. An amount stands on two sides: all balances come to zero.
4. Points that expire, or are taken back, cost nobody anything by that: they are told, not owed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from uuid import UUID

from app.campaigns.service import share_by_largest_remainder

PROGRAMME = UUID(int=0)  # among the ids of merchants, none of which it is


@dataclass(frozen=True, slots=True)
class Movement:
    """Points of ``funder`` that were ``issued``, ``expired``, ``reversed``, or ``spent`` or ``refunded`` at ``place``.

    ``gift`` are points that left a member for another, where they are issued again.
    """

    kind: str
    funder: UUID
    place: UUID
    points: int


@dataclass(frozen=True, slots=True)
class Spend:
    """Points of one funder spent at one place in a month, or given back there, and the amounts that they are worth."""

    funder: UUID
    place: UUID
    spent_points: int = 0
    refunded_points: int = 0
    spent_amount: int = 0
    refunded_amount: int = 0

    @property
    def amount(self) -> int:
        """What the funder pays and the place gets, through the programme."""
        return self.spent_amount - self.refunded_amount


@dataclass(frozen=True, slots=True)
class Fund:
    """What became of one funder's points in a month, beside being spent."""

    funder: UUID
    issued_points: int = 0
    expired_points: int = 0
    reversed_points: int = 0


def sort_out(movements: Iterable[Movement]) -> tuple[list[Spend], list[Fund]]:
    """Return the spends by funder and place and the funds by funder, each in the order of their ids, without amounts.

    Gifts net out: what a giver's lots lost, the receiver's were issued.
    """
    spends: dict[tuple[UUID, UUID], Spend] = {}
    funds: dict[UUID, Fund] = {}
    for each in movements:
        pair = each.funder, each.place
        fund = funds.setdefault(each.funder, Fund(each.funder))
        if each.kind in ("spent", "refunded"):
            spend = spends.setdefault(pair, Spend(*pair))
            points = getattr(spend, f"{each.kind}_points") + each.points
            spends[pair] = replace(spend, **{f"{each.kind}_points": points})
        elif each.kind == "gift":
            funds[each.funder] = replace(fund, issued_points=fund.issued_points - each.points)
        else:
            points = getattr(fund, f"{each.kind}_points") + each.points
            funds[each.funder] = replace(fund, **{f"{each.kind}_points": points})
    return [spends[pair] for pair in sorted(spends)], [funds[funder] for funder in sorted(funds)]


def priced(spends: Sequence[Spend], point_worth: Fraction) -> list[Spend]:
    """Return ``spends`` with their amounts in minor units, of which one point is worth ``point_worth``."""
    spent = _shared([spend.spent_points for spend in spends], point_worth)
    refunded = _shared([spend.refunded_points for spend in spends], point_worth)
    return [
        replace(spend, spent_amount=one, refunded_amount=other)
        for spend, one, other in zip(spends, spent, refunded, strict=True)
    ]


def _shared(points: Sequence[int], point_worth: Fraction) -> list[int]:
    total = round(sum(points) * point_worth)
    return share_by_largest_remainder(total, points) if any(points) else list(points)


@dataclass(frozen=True, slots=True)
class Line:
    """A party and one counterparty: the counterparty's points spent here, and the party's own spent there."""

    counterparty: UUID
    here: Spend
    there: Spend

    @property
    def balance(self) -> int:
        """What the party gets on account of the counterparty; below 0, what it pays."""
        return self.here.amount - self.there.amount


@dataclass(frozen=True, slots=True)
class Account:
    """What a party gets and pays in a month, by counterparty; ``fund`` is what became of the points it funds."""

    party: UUID
    fund: Fund
    lines: Sequence[Line]

    @property
    def receivable(self) -> int:
        """What the party gets for points spent at it."""
        return sum(line.here.amount for line in self.lines)

    @property
    def payable(self) -> int:
        """What the party pays for points that it funds and that were spent anywhere."""
        return sum(line.there.amount for line in self.lines)

    @property
    def balance(self) -> int:
        """What the party gets in all; below 0, what it pays."""
        return self.receivable - self.payable


def account_of(party: UUID, spends: Iterable[Spend], funds: Iterable[Fund]) -> Account:
    """Return a party's account, which is empty where nothing concerned it."""
    here: dict[UUID, Spend] = {}
    there: dict[UUID, Spend] = {}
    for spend in spends:
        if spend.place == party:
            here[spend.funder] = spend
        if spend.funder == party:
            there[spend.place] = spend
    lines = [
        Line(other, here.get(other, Spend(other, party)), there.get(other, Spend(party, other)))
        for other in sorted(here.keys() | there.keys())
    ]
    return Account(party, next((fund for fund in funds if fund.funder == party), Fund(party)), lines)


def accounts_of(spends: Sequence[Spend], funds: Sequence[Fund]) -> list[Account]:
    """Return the account of every party that a month concerns, the programme's first; their balances come to zero."""
    by_party: dict[UUID, list[Spend]] = defaultdict(list)
    for spend in spends:
        for party in {spend.funder, spend.place}:
            by_party[party].append(spend)
    of_funder = {fund.funder: [fund] for fund in funds}
    parties = sorted({PROGRAMME} | by_party.keys() | of_funder.keys())
    return [account_of(party, by_party[party], of_funder.get(party, ())) for party in parties]
