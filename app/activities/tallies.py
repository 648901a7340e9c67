"""What a backtest has paid so far, and what that amounts to. Pure.

1. A member's tier and region are those they have today, as the facts that rules see are.
2. A percentile is the smallest number of points that at least that share of the paid members do not exceed.
3. Winners and losers are the members whose points differ most from what the campaign really paid them, by member id
   where they are equal.
4. The exposure is what the version would pay over its whole run at the rate of the replayed days: over 30 days where
   the run has no end. It is rounded up.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

TOP = 10
OPEN_ENDED = timedelta(days=30)
PERCENTILES = (10, 25, 50, 75, 90, 99)
_STEPS = (1, 2, 5)
_TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class _Member:
    """What one member really got of the campaign, and what the version would have paid them."""

    tier: str
    region: str | None
    paid: int = 0
    points: int = 0


@dataclass(slots=True)
class Tally:
    """The sums of a backtest; it grows with the number of members, not of activities."""

    activities: int = 0
    activities_paid: int = 0
    points: int = 0
    desired_points: int = 0
    paid_by_campaign: int = 0
    paid_by_all: int = 0
    members: dict[UUID, _Member] = field(default_factory=dict)
    by_rule: dict[str, list[int]] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def add_activity(
        self, member_id: UUID, tier: str, region: str | None, *, points: int, paid_by_campaign: int, paid_by_all: int
    ) -> None:
        """Count an activity: the points that the version would pay, and what was really paid for it."""
        self.activities += 1
        self.points += points
        self.activities_paid += points > 0
        self.paid_by_campaign += paid_by_campaign
        self.paid_by_all += paid_by_all
        member = self.members.get(member_id)
        if member is None:
            member = self.members[member_id] = _Member(tier, region)
        member.points += points
        member.paid += paid_by_campaign

    def add_award(self, rule: str, points: int, desired_points: int) -> None:
        """Count what one rule would pay for an activity, and what it would without limits and budget."""
        self.desired_points += desired_points
        sums = self.by_rule.setdefault(rule, [0, 0, 0])
        sums[0] += points
        sums[1] += desired_points
        sums[2] += 1

    def add_reason(self, code: str) -> None:
        """Count that a rule did not pay, or not all, for this reason."""
        self.reasons[code] = self.reasons.get(code, 0) + 1

    def totals(self) -> dict[str, Any]:
        """Return the result, but for what needs the programme's settings."""
        paid = sorted(member.points for member in self.members.values() if member.points)
        return {
            "activities": self.activities,
            "activities_paid": self.activities_paid,
            "points": self.points,
            "desired_points": self.desired_points,
            "really_paid": {"by_campaign": self.paid_by_campaign, "by_all": self.paid_by_all},
            "members": len(self.members),
            "members_paid": len(paid),
            "distribution": distribution(paid),
            "winners": self._differences(1),
            "losers": self._differences(-1),
            "by_tier": self._grouped("tier"),
            "by_region": self._grouped("region"),
            "by_rule": [
                {"rule": rule, "points": sums[0], "desired_points": sums[1], "activities": sums[2]}
                for rule, sums in sorted(self.by_rule.items())
            ],
            "reasons": [{"code": code, "count": count} for code, count in sorted(self.reasons.items())],
        }

    def _differences(self, sign: int) -> list[dict[str, Any]]:
        differing = (
            (-sign * (member.points - member.paid), member_id)
            for member_id, member in self.members.items()
            if sign * (member.points - member.paid) > 0
        )
        return [
            {
                "member_id": str(member_id),
                "paid": self.members[member_id].paid,
                "would_pay": self.members[member_id].points,
                "difference": -sign * rank,
            }
            for rank, member_id in heapq.nsmallest(TOP, differing)
        ]

    def _grouped(self, name: str) -> list[dict[str, Any]]:
        groups: dict[str | None, list[int]] = {}
        for member in self.members.values():
            sums = groups.setdefault(getattr(member, name), [0, 0, 0, 0])
            sums[0] += 1
            sums[1] += member.points > 0
            sums[2] += member.points
            sums[3] += member.paid
        return [
            {name: value, "members": sums[0], "members_paid": sums[1], "points": sums[2], "really_paid": sums[3]}
            for value, sums in sorted(groups.items(), key=lambda item: (item[0] is None, item[0]))
        ]


def distribution(paid: Sequence[int]) -> dict[str, Any] | None:
    """Return how ``paid``, the points of each paid member in ascending order, are spread; None where there is none."""
    if not paid:
        return None
    at = {f"p{percent}": paid[-(-percent * len(paid) // 100) - 1] for percent in PERCENTILES}
    return {"minimum": paid[0], **at, "maximum": paid[-1], "mean": round(sum(paid) / len(paid), 2),
            "histogram": _histogram(paid)}  # fmt: skip


def _histogram(paid: Sequence[int]) -> list[dict[str, int]]:
    """Return the number of members by bounds inclusive: 1, 2–4, 5–9, 10–19, 20–49, …"""
    bars: list[dict[str, int]] = []
    bounds = _bounds()
    low, high = next(bounds)
    for points in paid:
        while points >= high:
            low, high = next(bounds)
        if not bars or bars[-1]["from"] != low:
            bars.append({"from": low, "to": high - 1, "members": 0})
        bars[-1]["members"] += 1
    return bars


def _bounds() -> Iterator[tuple[int, int]]:
    scale = 1
    while True:
        for step, following in zip(_STEPS, (*_STEPS[1:], 10), strict=True):
            yield step * scale, following * scale
        scale *= 10


def exposure(points: int, replayed: timedelta, run: timedelta | None) -> dict[str, Any]:
    """Return what a version would pay over its ``run`` (None has no end), that pays ``points`` in ``replayed``."""
    length = OPEN_ENDED if run is None else run
    return {
        "points": -(-points * (length // _TICK) // (replayed // _TICK)),
        "days": round(length / timedelta(days=1), 2),
        "replayed_days": round(replayed / timedelta(days=1), 2),
    }
