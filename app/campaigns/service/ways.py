"""Ways to earn: the campaigns that are open to a member now or soon, and what is left of the member's own limits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.campaigns import usage_queries
from app.campaigns.audiences import is_held_out
from app.campaigns.earning_words import TEXT_LOCALES, earns_text, nearest_locale
from app.campaigns.engine import Limit, Rule
from app.campaigns.explanations import label
from app.campaigns.expressions import ExpressionError, make_context
from app.campaigns.limits import period_start
from app.campaigns.schedules import is_open, next_window
from app.campaigns.service.books import Running, languages, running
from app.campaigns.usage import HOUSEHOLD, LimitAsk, Member
from app.catalog import service as catalog
from app.core.database import driver_connection
from app.core.evidence import GRADES, RANK
from app.members.service import MemberFacts
from app.merchants import service as merchants
from app.programme import service as programme

SOON = timedelta(days=30)
_OWN = ("member", "household")
_GRADE_OF = {RANK[grade]: grade for grade in GRADES}


class Position(NamedTuple):
    """The place of a way in the list: those that are open first, then by when they open."""

    is_later: bool
    opens_at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class WaysPage:
    """Ways to earn as the contract shows them, and the place of the last, None where no more follow."""

    data: list[dict[str, Any]]
    last: Position | None


@dataclass(frozen=True, slots=True)
class _Way:
    """A campaign that is open, or opens soon: its rules, and the window that is open or the next."""

    rules: Sequence[Rule]
    position: Position
    closes_at: datetime | None


def choose_locale(asked: Iterable[str]) -> str:
    """Return the first of ``asked`` in which campaigns can be told, or one of its language; English where none is."""
    return nearest_locale(asked, [*TEXT_LOCALES, *languages()])


def list_ways(
    member: MemberFacts,
    locale: str,
    moment: datetime,
    *,
    after: Position | None = None,
    limit: int = 20,
) -> WaysPage:
    """Return the campaigns that ``member`` can earn by at ``moment``, or within 30 days of it, in ``locale``.

    Neither those that are paused nor those whose audience the member is not in, nor those that hold the member out.
    Open ones first, then by when they open.
    """
    facts = {
        "tier": member.tier,
        "region": member.region,
        "tags": list(member.tags),
        "age_days": (moment - member.enrolled_at).days,
    }
    ways = (_way(each, moment) for each in running(moment, moment + SOON))
    meant = [way for way in ways if way is not None and (after is None or way.position > after)]
    meant.sort(key=lambda way: way.position)
    page: list[_Way] = []
    for way in meant:
        if _is_for(way.rules[0], member.member_id, facts, moment):
            page.append(way)
            if len(page) > limit:
                break
    shown = page[:limit]
    last = shown[-1].position if len(page) > limit else None
    return WaysPage(_Telling(shown, member, locale, moment).ways(), last)


def _way(each: Running, moment: datetime) -> _Way | None:
    """Return the campaign's window that is open, or the next that opens soon; None where there is none."""
    rule = each.rules[0]
    window = next_window(rule.schedule, max(moment, each.active_from))
    if window is None:
        return None
    opens_at, closes_at = max(window[0], each.active_from), window[1]
    if opens_at > moment + SOON:
        return None
    # clocks that are turned back can close a window for an hour between its opening and its end
    is_later = opens_at > moment or (rule.schedule.recurrence is not None and not is_open(rule.schedule, moment))
    return _Way(each.rules, Position(is_later, opens_at, rule.campaign_key), closes_at)


def _is_for(rule: Rule, member_id: UUID, facts: Mapping[str, Any], moment: datetime) -> bool:
    """Return whether the member is in the audience of the rule's campaign, and is not held out of it."""
    if rule.holdout_percent and is_held_out(rule.campaign_id, member_id, rule.holdout_percent):
        return False
    if rule.audience is None:
        return True
    try:
        return rule.audience.admits(facts, lambda: make_context({"member": facts, "now": moment}))
    except ExpressionError:
        return False  # as it is when something is to be paid


class _Telling:
    """One page of ways, told to one member: what they share is looked up once."""

    def __init__(self, ways: Sequence[_Way], member: MemberFacts, locale: str, moment: datetime) -> None:
        self._ways = ways
        self._locale = locale
        self._moment = moment
        self._zone = programme.current().zone
        self._reference = catalog.reference()
        rules = [rule for way in ways for rule in way.rules]
        partners = merchants.list_merchants(
            ids={rule.funder for rule in rules if rule.funder is not None},
            keys={key for rule in rules for key in rule.match.get("merchants", ())},
        )
        self._funders = {partner.merchant_id: partner for partner in partners}
        self._shops = {partner.key: partner.name for partner in partners}
        asks = [
            self._ask(way, rule, limit)
            for way in ways for rule in way.rules for limit in rule.limits if limit.by in _OWN
        ]  # fmt: skip
        counted = Member(member.member_id, member.household_id)
        with driver_connection() as connection:
            self._used = dict(zip(asks, usage_queries.read_usage(connection, asks, counted), strict=True))

    def ways(self) -> list[dict[str, Any]]:
        """Return the ways as the contract shows them."""
        return [self._shown(way) for way in self._ways]

    def _shown(self, way: _Way) -> dict[str, Any]:
        first, position = way.rules[0], way.position
        funder = None if first.funder is None else self._funders[first.funder]
        window = {"starts_at": position.opens_at, "ends_at": way.closes_at}
        return {
            "id": first.campaign_id,
            "key": first.campaign_key,
            "name": label(first.campaign_labels, self._locale),
            "description": label(first.descriptions, self._locale) or None,
            "starts_at": first.schedule.starts_at,
            "ends_at": first.schedule.ends_at,
            "time_zone": first.schedule.zone.key,
            "open_now": not position.is_later,
            "next_window": None if first.schedule.recurrence is None else window,
            "rules": [self._rule(way, rule) for rule in sorted(way.rules, key=lambda rule: rule.order)],
            "funded_by": funder and {"key": funder.key, "name": funder.name},
        }

    def _rule(self, way: _Way, rule: Rule) -> dict[str, Any]:
        pending, expiry = rule.pending, rule.expiry
        return {
            "key": rule.key,
            "name": label(rule.labels, self._locale),
            "kind": rule.kind,
            "earns": {name: value for name, value in rule.award.items() if name != "expression"},
            "earns_text": earns_text(rule.award, rule.maximum, self._locale),
            "minimum": rule.minimum,
            "maximum": rule.maximum,
            "needs": self._needs(rule),
            "limits": [self._limit(way, rule, limit) for limit in rule.limits],
            "minimum_evidence": _GRADE_OF[rule.minimum_rank],
            "pending": pending and ({"until": "completed"} if pending.days is None else {"days": pending.days}),
            "expiry": expiry and {"months": expiry.months, "round_to": expiry.round_to},
        }

    def _needs(self, rule: Rule) -> dict[str, list[dict[str, str]]]:
        """Return the rule's lists, each with the names that the catalogue, or the list of merchants, has."""
        reference = self._reference
        names: dict[str, Callable[[str], str]] = {
            "certifications": lambda code: reference.certifications[code].name,
            "packaging": lambda code: reference.packaging[code].name,
            "materials": lambda code: reference.materials[code].name,
            "merchants": lambda code: self._shops[code],
        }
        return {
            dimension: [{"code": code, "name": _name(names.get(dimension), code)} for code in sorted(codes)]
            for dimension, codes in rule.match.items()
        }

    def _limit(self, way: _Way, rule: Rule, limit: Limit) -> dict[str, Any]:
        ask = self._ask(way, rule, limit)
        is_own = limit.by in _OWN
        return {
            "by": limit.by,
            "per": limit.per,
            "unit": limit.unit,
            "amount": limit.amount,
            "left": max(0, limit.amount - self._used.get(ask, 0)) if is_own else None,
            "resets_at": _period_end(limit.per, ask.period, self._zone),
        }

    def _ask(self, way: _Way, rule: Rule, limit: Limit) -> LimitAsk:
        """Return the limit in the period that counts now, or when the campaign opens."""
        counted_at = way.position.opens_at if way.position.is_later else self._moment
        subject = None if limit.by == "member" else HOUSEHOLD
        return LimitAsk(rule.campaign_id, rule.key, limit, period_start(limit.per, counted_at, self._zone), subject)


def _name(known: Callable[[str], str] | None, code: str) -> str:
    """Return the name of ``code``, or the code where nobody has named it."""
    try:
        return code if known is None else known(code)
    except KeyError:
        return code


def _period_end(per: str, first: date, zone: ZoneInfo) -> datetime | None:
    """Return when the period that begins on ``first`` is over in the calendar of ``zone``; None if it never is."""
    if per == "campaign":
        return None
    if per == "day":
        following = first + timedelta(days=1)
    elif per == "week":
        following = first + timedelta(days=7)
    elif per == "month":
        following = (first + timedelta(days=31)).replace(day=1)
    else:
        following = first.replace(year=first.year + 1)
    return datetime.combine(following, time.min, zone)
