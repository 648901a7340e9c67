"""What limits and budgets leave of what rules want to pay. Pure: what is left of each is passed in.

1. Base rules first, in their order, then multipliers in theirs: of a budget that is not enough for all, the first in
   order take theirs.
2. A multiplier multiplies what the base rules were granted: where one was cut, what it was cut to. It never gets more
   than it desired.
3. Each of a rule's limits, then the campaign's budget, grants what it has left: of points as many as there are, of a
   ``count`` all or nothing. The least of these is paid, and its code is told: the first such, where several are equal.
4. What is cut is shared among the lines again by largest remainder, in proportion to what each line was to get.
5. A rule that is granted nothing has missed, with that code. A limit or budget that ``Headroom`` does not name does not
   bind.
6. Where the points of all rules together are bounded, that bound comes last.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.campaigns.engine.arithmetic import round_points, share_by_largest_remainder
from app.campaigns.engine.outcomes import Base, Desired, Evaluation, Missed
from app.campaigns.engine.rules import Limit

__all__ = ["Granted", "Headroom", "Limit", "LimitKey", "Settlement", "period_start", "settle"]

LimitKey = tuple[UUID, str, str]  # campaign, rule, the limit's key
_ALWAYS = date(1970, 1, 1)
_MATCHED: tuple[str, ...] = ("matched",)


def period_start(per: str, occurred_at: datetime, zone: ZoneInfo) -> date:
    """Return the first day of the period in which ``occurred_at`` counts, in the calendar of ``zone``.

    A week begins on Monday (ISO 8601). The period of a campaign is one for all time, whose first day is 1970-01-01.
    """
    if per == "campaign":
        return _ALWAYS
    day = occurred_at.astimezone(zone).date()
    if per == "day":
        return day
    if per == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if per == "month" else day.replace(month=1, day=1)


@dataclass(frozen=True, slots=True)
class Headroom:
    """What is left of limits (points or activities) and of the budgets of campaigns (points); absent does not bind.

    ``points`` is the most that all rules together may pay for what a shopper declares; None does not bind.
    """

    left: Mapping[LimitKey, int] = field(default_factory=dict)
    funds: Mapping[UUID, int] = field(default_factory=dict)
    points: int | None = None


class Granted(NamedTuple):
    """What a rule pays: each line (None is the activity) with its points and the points it was to get.

    ``codes`` are ``matched`` and, where something cut it, the codes of what did.
    """

    desired: Desired
    points: int
    lines: tuple[tuple[str | None, int, int], ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is paid and what is not, in the order of the rules, and what that takes of limits and budgets.

    ``taken`` has each limit that was named and concerns a rule that wanted to pay, with 0 where it got nothing, so
    that it is a headroom by which the same comes out again; so has ``spent`` each budget, and also what was paid by
    campaigns that have a budget which was not named.
    """

    granted: tuple[Granted, ...]
    missed: tuple[Missed, ...]
    taken: Mapping[LimitKey, int]
    spent: Mapping[UUID, int]

    @property
    def points(self) -> int:
        """All that is paid."""
        return sum(granted.points for granted in self.granted)


def settle(evaluation: Evaluation, headroom: Headroom) -> Settlement:
    """Return what is paid of ``evaluation`` with ``headroom``; see the module for the rules."""
    till = _Till(headroom)
    bases = [desired for desired in evaluation.desired if not desired.rule.is_multiplier]
    granted = [till.grant(desired, desired.points, desired.lines, _MATCHED) for desired in bases]
    if len(bases) < len(evaluation.desired):
        cuts = [_Cut(one, paid) for one, paid in zip(bases, granted, strict=True) if paid.points < one.points]
        base = _base_of(granted) if cuts else None
        for desired in evaluation.desired:
            if desired.rule.is_multiplier:
                granted.append(_grant_multiplier(till, desired, base, cuts))
        granted.sort(key=lambda each: each.desired.rule.order)
    missed = evaluation.missed
    if any(not each.points for each in granted):
        cut = [Missed(each.desired.rule, each.codes[-1]) for each in granted if not each.points]
        missed = tuple(sorted([*missed, *cut], key=lambda each: each.rule.order))
    return Settlement(tuple(each for each in granted if each.points), missed, till.taken, till.spent)


class _Till:
    """What is left while rules are paid one after the other."""

    def __init__(self, headroom: Headroom) -> None:
        self._left = headroom.left
        self._funds = dict(headroom.funds)
        self._points = headroom.points
        self.taken: dict[LimitKey, int] = {}
        self.spent: dict[UUID, int] = {}

    def grant(
        self, desired: Desired, points: int, lines: Sequence[tuple[str | None, int]], codes: tuple[str, ...]
    ) -> Granted:
        """Pay as much of ``points``, shared as ``lines``, as limits and budget allow."""
        rule = desired.rule
        allowed, code = points, None
        named: list[tuple[LimitKey, Limit]] = []
        for limit in rule.limits:
            key = (rule.campaign_id, rule.key, limit.key)
            left = self._left.get(key)
            if left is not None:
                named.append((key, limit))
                if left < (allowed if limit.unit == "points" else min(allowed, 1)):
                    allowed, code = max(left, 0), limit.code
        fund = self._funds.get(rule.campaign_id) if self._funds else None
        if fund is not None and fund < allowed:
            allowed, code = max(fund, 0), "budget_exhausted"
        if self._points is not None:
            if self._points < allowed:
                allowed, code = self._points, "limit_reached_declared"
            self._points -= allowed
        for key, limit in named:
            self.taken[key] = allowed if limit.unit == "points" else min(allowed, 1)
        if fund is not None or rule.budget_points is not None:
            self._spend(rule.campaign_id, allowed)
        if code is not None:
            codes = codes if code in codes else (*codes, code)
            lines = _shared_again(lines, allowed)
        return Granted(desired, allowed, _beside_desired(desired, lines) if allowed else (), codes)

    def _spend(self, campaign_id: UUID, points: int) -> None:
        if campaign_id in self._funds:
            self._funds[campaign_id] -= points
        self.spent[campaign_id] = self.spent.get(campaign_id, 0) + points


def _shared_again(lines: Sequence[tuple[str | None, int]], points: int) -> Sequence[tuple[str | None, int]]:
    """Return ``lines`` with ``points`` in all, in proportion to what they have."""
    shares = share_by_largest_remainder(points, [share for _, share in lines]) if points else [0] * len(lines)
    return [(line, share) for (line, _), share in zip(lines, shares, strict=True)]


def _beside_desired(
    desired: Desired, lines: Sequence[tuple[str | None, int]]
) -> tuple[tuple[str | None, int, int], ...]:
    """Return ``lines`` with what each was to get."""
    if lines is desired.lines:
        return tuple([(line, points, points) for line, points in lines])
    wanted = [points for _, points in desired.lines]
    paid = [points for _, points in lines]
    if any(map(operator.gt, paid, wanted)):
        # sharing anew has moved a point from one line to another: what was wanted moves with it
        more = share_by_largest_remainder(desired.points - sum(paid), [share or 1 for share in wanted])
        wanted = list(map(operator.add, paid, more))
    return tuple([(line, points, share) for (line, points), share in zip(lines, wanted, strict=True)])


@dataclass(frozen=True, slots=True)
class _Cut:
    """A base rule that is paid less than it wanted."""

    wanted: Desired
    paid: Granted

    def bears_on(self, desired: Desired) -> bool:
        """Return whether the multiplier would multiply any of it."""
        if not desired.rule.is_of_lines:
            return True
        lines = {line for line, _ in desired.lines}
        return any(line in lines for line, _ in self.wanted.lines)


def _base_of(granted: Iterable[Granted]) -> Base:
    """Return what multipliers multiply: the exact points of what was granted in full, else the points granted."""
    return Base(
        [
            (each.lines, each.desired.amounts, each.desired.over)
            if each.points == each.desired.points
            else (each.lines, [points for _, points, _ in each.lines], 1)
            for each in granted
        ]
    )


def _grant_multiplier(till: _Till, desired: Desired, base: Base | None, cuts: Iterable[_Cut]) -> Granted:
    """Pay a multiplier of what was granted; ``base`` is None where all was granted in full."""
    if base is None:
        return till.grant(desired, desired.points, desired.lines, _MATCHED)
    rule = desired.rule
    names = [line for line, _ in desired.lines]
    amounts, over = base.multiplied(rule, names)
    points = min(desired.points, round_points(rule.rounding, sum(amounts), over))
    lines = _shared_again(list(zip(names, amounts, strict=True)), points)
    codes = _MATCHED
    if points < desired.points:
        codes = (*_MATCHED, next(cut.paid.codes[-1] for cut in cuts if cut.bears_on(desired)))
    return till.grant(desired, points, lines, codes)
