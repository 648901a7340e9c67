"""Replay recorded activities, in the order of time, through a version of a campaign that may not be in force. Pure.

1. Each activity is evaluated as it was when it was reported: what occurred then, at the time of its receipt, with the
   certificates that counted then, by the facts of the member as they are today.
2. Limits and budget begin with nothing used and are taken in the order in which activities occurred.
3. Only what the campaign's own rules pay is counted. Where what they pay depends on others (a multiplier, a stacking
   group), the rules of the other campaigns that were in force then are evaluated beside them, with their limits and
   budgets; otherwise they are left out, which makes no difference.
4. Pauses are left out: the question is what the rules pay.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from app.activities.reading import age_days, facts_of_stored
from app.activities.tallies import Tally
from app.campaigns.service import Evaluation, Member, Settlement, Subjects, UsageBoard, asks_of, settle, trials


@dataclass(frozen=True, slots=True)
class Recorded:
    """An activity as it was stored, what was really paid for it, and its member and merchant as they are today.

    ``certificates`` is how its certificates were judged when it was evaluated.
    """

    activity_id: UUID
    member_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    body: str
    certificates: Mapping[str, Any] | None
    paid_by_all: int
    paid_by_campaign: int
    tier: str
    region: str | None
    tags: list[str]
    enrolled_at: datetime
    household_id: UUID | None
    merchant_id: UUID
    merchant_key: str
    evidence_default: str


class Replay:
    """One replay: feed it the activities, then read ``tally``."""

    def __init__(self, trial: trials.Trial, book_at: Callable[[datetime], trials.RuleBook], zone: ZoneInfo) -> None:
        self._campaign_id = trial.campaign_id
        self._book_at = book_at
        self._zone = zone
        self._board = UsageBoard()
        self._spent: dict[UUID, int] = {}
        self.tally = Tally()

    def take(self, recorded: Recorded) -> int:
        """Replay one activity, which occurred no earlier than the last; return the points that would be paid."""
        body: dict[str, Any] = orjson.loads(recorded.body)
        facts = facts_of_stored(body, recorded.occurred_at, recorded.evidence_default, recorded.certificates)
        member = {
            "id": recorded.member_id,
            "tier": recorded.tier,
            "region": recorded.region,
            "tags": recorded.tags,
            "age_days": age_days(recorded.enrolled_at, recorded.occurred_at),
        }
        merchant = {"id": str(recorded.merchant_id), "key": recorded.merchant_key}
        book = self._book_at(recorded.occurred_at)
        evaluation = trials.evaluate(book, facts, member, merchant, recorded.recorded_at)
        subjects = Subjects(recorded.merchant_id, True, body.get("device"), body.get("station"))
        points = self._count(self._settle(evaluation, subjects, recorded))
        self.tally.add_activity(
            recorded.member_id, recorded.tier, recorded.region, points=points,
            paid_by_campaign=recorded.paid_by_campaign, paid_by_all=recorded.paid_by_all,
        )  # fmt: skip
        return points

    def _settle(self, evaluation: Evaluation, subjects: Subjects, recorded: Recorded) -> Settlement:
        """Return what is paid with what is left, and take it; a budget is that of the version that pays."""
        rules = [desired.rule for desired in evaluation.desired]
        asks = asks_of(rules, subjects, recorded.occurred_at, self._zone)
        member = Member(recorded.member_id, recorded.household_id)
        self._board.funds = {
            rule.campaign_id: max(0, rule.budget_points - self._spent.get(rule.campaign_id, 0))
            for rule in rules
            if rule.budget_points is not None
        }
        settlement = settle(evaluation, self._board.headroom(asks, member))
        self._board.take(asks, member, settlement)
        for campaign_id, points in settlement.spent.items():
            self._spent[campaign_id] = self._spent.get(campaign_id, 0) + points
        return settlement

    def _count(self, settlement: Settlement) -> int:
        """Count what the campaign's own rules are paid of a settlement; return the points."""
        tally, points = self.tally, 0
        for granted in settlement.granted:
            rule = granted.desired.rule
            if rule.campaign_id == self._campaign_id:
                points += granted.points
                tally.add_award(rule.key, granted.points, granted.desired.points)
                for code in granted.codes[1:]:
                    tally.add_reason(code)
        for missed in settlement.missed:
            if missed.rule.campaign_id == self._campaign_id:
                tally.add_reason(missed.code)
        return points
