"""Limits and budgets counted in memory, for activities that are only tried. Pure.

It begins with nothing used. A limit counts by its subject in each period of the programme's calendar; a device or a
station is one of its merchant's, and where an activity names none, that limit does not bind it. A member in no
household is a household of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.campaigns.service import Evaluation, Headroom, Limit, Rule, Settlement, period_start, settle

_Key = tuple[UUID, str, str]
_Counter = tuple[UUID, str, str, date, object]


@dataclass(frozen=True, slots=True)
class Subjects:
    """Who and what an activity concerns: ``household`` None is the member alone."""

    member: UUID | None
    household: UUID | None
    merchant: UUID | None
    device: str | None
    station: str | None

    def counted_by(self, limit: Limit) -> object:
        """Return what ``limit`` counts by, None where it does not bind."""
        if limit.by == "member":
            return self.member or "nobody"
        if limit.by == "household":
            return self.household or self.member or "nobody"
        if limit.by == "campaign":
            return "campaign"
        if limit.by == "merchant":
            return self.merchant or "no merchant"
        name = self.device if limit.by == "device" else self.station
        return None if name is None else (self.merchant, name)


@dataclass(slots=True)
class Usage:
    """What is used of limits and spent of budgets."""

    zone: ZoneInfo
    used: dict[_Counter, int] = field(default_factory=dict)
    spent: dict[UUID, int] = field(default_factory=dict)

    def headroom(self, evaluation: Evaluation, subjects: Subjects, occurred_at: datetime) -> Headroom:
        """Return what is left of the limits and budgets of the rules that want to pay."""
        left: dict[_Key, int] = {}
        funds: dict[UUID, int] = {}
        for rule in (desired.rule for desired in evaluation.desired):
            if rule.budget_points is not None:
                funds[rule.campaign_id] = rule.budget_points - self.spent.get(rule.campaign_id, 0)
            for amount, key, counter in self._counters(rule, subjects, occurred_at):
                left[key] = amount - self.used.get(counter, 0)
        return Headroom(left, funds)

    def settle(self, evaluation: Evaluation, subjects: Subjects, occurred_at: datetime) -> Settlement:
        """Return what is paid of ``evaluation`` with what is left, and count it."""
        settlement = settle(evaluation, self.headroom(evaluation, subjects, occurred_at))
        for granted in settlement.granted:
            for _, key, counter in self._counters(granted.desired.rule, subjects, occurred_at):
                self.used[counter] = self.used.get(counter, 0) + settlement.taken[key]
        for campaign_id, points in settlement.spent.items():
            self.spent[campaign_id] = self.spent.get(campaign_id, 0) + points
        return settlement

    def _counters(self, rule: Rule, subjects: Subjects, occurred_at: datetime) -> Iterator[tuple[int, _Key, _Counter]]:
        for limit in rule.limits:
            subject = subjects.counted_by(limit)
            if subject is not None:
                period = period_start(limit.per, occurred_at, self.zone)
                key = (rule.campaign_id, rule.key, limit.key)
                yield limit.amount, key, (*key, period, subject)
