"""Replay recorded activities, in the order of time, through a version of a campaign that may not be in force. Pure.

1. Each activity is evaluated as it was when it was reported: what occurred then, at the time of its receipt, by the
   facts of the member as they are today.
2. Limits and budget begin with nothing used and are taken in the order in which activities occurred.
3. Only what the campaign's own rules pay is counted. Where what they pay depends on others (a multiplier, a stacking
   group), the rules of the other campaigns that were in force then are evaluated beside them, with their limits and
   budgets; otherwise they are left out, which makes no difference.
4. Pauses are left out: the question is what the rules pay.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from app.activities.reading import facts_of_stored
from app.activities.tallies import Tally
from app.activities.usage import Subjects, Usage
from app.campaigns.service import Settlement, trials


@dataclass(frozen=True, slots=True)
class Recorded:
    """An activity as it was stored, what was really paid for it, and its member and merchant as they are today."""

    activity_id: UUID
    member_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    body: str
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
        self._usage = Usage(zone)
        self.tally = Tally()

    def take(self, recorded: Recorded) -> int:
        """Replay one activity, which occurred no earlier than the last; return the points that would be paid."""
        body: dict[str, Any] = orjson.loads(recorded.body)
        facts = facts_of_stored(body, recorded.occurred_at, recorded.evidence_default)
        member = {
            "id": recorded.member_id,
            "tier": recorded.tier,
            "region": recorded.region,
            "tags": recorded.tags,
            "age_days": (recorded.recorded_at - recorded.enrolled_at).days,
        }
        merchant = {"id": str(recorded.merchant_id), "key": recorded.merchant_key}
        book = self._book_at(recorded.occurred_at)
        evaluation = trials.evaluate(book, facts, member, merchant, recorded.recorded_at)
        subjects = Subjects(
            recorded.member_id, recorded.household_id, recorded.merchant_id, body.get("device"), body.get("station")
        )
        points = self._count(self._usage.settle(evaluation, subjects, recorded.occurred_at))
        self.tally.add_activity(
            recorded.member_id, recorded.tier, recorded.region, points=points,
            paid_by_campaign=recorded.paid_by_campaign, paid_by_all=recorded.paid_by_all,
        )  # fmt: skip
        return points

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
