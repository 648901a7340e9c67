"""What limits and budgets an activity meets: what to ask of the counters, what is left, what is written back. Pure.

A limit counts by its subject. The member is the only one whose counter nobody else writes, so the version of the
member's account guards it; every other subject (a household, a device, a merchant, a station, the campaign) is shared,
and its counter's own CHECK refuses a writer that has read too early. Test mode has counters of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.campaigns.engine import Rule
from app.campaigns.limits import Headroom, Limit, Settlement, period_start

HOUSEHOLD = "household"
LimitKey = tuple[UUID, str, str]


@dataclass(frozen=True, slots=True)
class Subjects:
    """Who is concerned by an activity: where it was reported, and whose it is, as far as that is known."""

    merchant_id: UUID
    live: bool
    device: str | None
    station: str | None


@dataclass(frozen=True, slots=True)
class LimitAsk:
    """A limit that binds an activity; ``subject`` None is the member, ``household`` the member's household."""

    campaign_id: UUID
    rule: str
    limit: Limit
    period: date
    subject: str | None

    @property
    def key(self) -> LimitKey:
        """The limit, as ``settle`` knows it."""
        return self.campaign_id, self.rule, self.limit.key

    @property
    def limit_key(self) -> str:
        """The limit within its campaign, as the counters know it."""
        return f"{self.rule}/{self.limit.key}"


def _subject(limit: Limit, subjects: Subjects) -> tuple[bool, str | None]:
    """Return whether the limit binds here, and the subject that it counts by."""
    world = "" if subjects.live else "test:"
    if limit.by == "member":
        return True, None
    if limit.by == HOUSEHOLD:
        return True, HOUSEHOLD
    if limit.by == "merchant":
        return True, f"{world}merchant:{subjects.merchant_id}"
    if limit.by == "campaign":
        return True, f"{world}campaign"
    # a merchant names its devices and stations itself: the same name elsewhere is another one
    name = subjects.device if limit.by == "device" else subjects.station
    return name is not None, f"{world}{limit.by}:{subjects.merchant_id}:{name}"


def asks_of(rules: Iterable[Rule], subjects: Subjects, occurred_at: datetime, zone: ZoneInfo) -> list[LimitAsk]:
    """Return the limits of ``rules`` that bind an activity of ``subjects`` that occurred then."""
    asks = []
    for rule in rules:
        for limit in rule.limits:
            binds, subject = _subject(limit, subjects)
            if binds:
                period = period_start(limit.per, occurred_at, zone)
                asks.append(LimitAsk(rule.campaign_id, rule.key, limit, period, subject))
    return asks


def household_subject(household_id: UUID | None, member_id: UUID) -> str:
    """Return the counter's name of a household; a member in none is a household of one."""
    return f"{HOUSEHOLD}:{household_id or member_id}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one activity took of one limit: enough to give it back; ``subject`` None is the member."""

    campaign_id: UUID
    rule: str
    limit: str
    period: date
    subject: str | None
    used_max: int
    amount: int

    @property
    def limit_key(self) -> str:
        """The limit within its campaign, as the counters know it."""
        return f"{self.rule}/{self.limit}"

    def of(self, amount: int) -> "Taken":
        """Return ``amount`` of it."""
        return replace(self, amount=amount)


@dataclass(frozen=True, slots=True)
class Member:
    """Whose limits are meant."""

    member_id: UUID
    household_id: UUID | None


_Counter = tuple[UUID, str, date, str | UUID]


def _counter(ask: LimitAsk, member: Member) -> _Counter:
    subject: str | UUID | None = ask.subject
    if subject is None:
        subject = member.member_id
    elif subject == HOUSEHOLD:
        subject = household_subject(member.household_id, member.member_id)
    return ask.campaign_id, ask.limit_key, ask.period, subject


def shared_counters(asks: Iterable[LimitAsk], member: Member) -> list[tuple[UUID, str, date, str, int]]:
    """Return the counters that ``asks`` share with others: campaign, limit key, period, subject, what is allowed."""
    return [
        (*counter[:3], str(counter[3]), ask.limit.amount)
        for ask in asks
        if ask.subject is not None
        for counter in (_counter(ask, member),)
    ]


@dataclass(slots=True)
class UsageBoard:
    """What is used of limits as one round has read it, moved on by what the round itself takes.

    ``funds`` names the campaigns whose budget is known, with what is left of it; where a campaign is not in it, the
    statement that writes the award finds out.
    """

    funds: dict[UUID, int] = field(default_factory=dict)
    used: dict[_Counter, int] = field(default_factory=dict)

    def read(self, asks: Sequence[LimitAsk], member: Member, used: Sequence[int]) -> None:
        """Take in what the counters of ``asks`` said; what is known of a counter already stands."""
        for ask, count in zip(asks, used, strict=True):
            self.used.setdefault(_counter(ask, member), count)

    def headroom(self, asks: Iterable[LimitAsk], member: Member | None) -> Headroom:
        """Return what is left; of a limit of nobody's, all."""
        left = {}
        for ask in asks:
            used = self.used.get(_counter(ask, member), 0) if member else 0
            left[ask.key] = max(0, ask.limit.amount - used)
        return Headroom(left, dict(self.funds))

    def take(self, asks: Iterable[LimitAsk], member: Member, settlement: Settlement) -> list[Taken]:
        """Note what ``settlement`` takes, and return it limit by limit."""
        taken = []
        for ask in asks:
            amount = settlement.taken.get(ask.key, 0)
            if amount == 0:
                continue
            counter = _counter(ask, member)
            self.used[counter] = self.used.get(counter, 0) + amount
            subject = None if ask.subject is None else str(counter[3])
            taken.append(Taken(ask.campaign_id, ask.rule, ask.limit.key, ask.period, subject, ask.limit.amount, amount))
        for campaign_id, points in settlement.spent.items():
            if campaign_id in self.funds:
                self.funds[campaign_id] -= points
        return taken


def taken_codes(taken: Iterable[Taken]) -> list[dict[str, Any]]:
    """Return what is stored of ``taken`` beside the outcome, for the day on which it is given back."""
    return [
        {"campaign": str(each.campaign_id), "rule": each.rule, "limit": each.limit, "period": each.period.isoformat(),
         "subject": each.subject, "amount": each.amount}
        for each in taken
    ]  # fmt: skip


def taken_from_codes(codes: Iterable[Mapping[str, Any]]) -> list[Taken]:
    """Return what ``taken_codes`` stored."""
    return [
        Taken(
            UUID(code["campaign"]), code["rule"], code["limit"], date.fromisoformat(code["period"]), code["subject"], 0,
            code["amount"],
        )
        for code in codes
    ]  # fmt: skip
