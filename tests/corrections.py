"""What must hold after any number of returns, completions, revisions and claims, recomputed from what is stored.

Of every activity that somebody has, what is left is worked out from its newest revision and its returns, by code of
its own. From that follows what the lots of the activity are worth, what stands of its impact, what is used of limits
and budgets, and what the member's days add up to.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.activities import queries
from app.activities.again import worth_of
from app.activities.reading import facts_of_stored, impact_subject
from app.campaigns.models import BudgetSlot
from app.core.database import db
from app.core.projector import drain
from app.engagement.models import METRICS, MemberDay
from app.impact import service as impact
from app.ledger import service as ledger
from app.programme import service as programme

_SHARED = ("total", "weight_g", "pieces")


@dataclass(frozen=True)
class Left:
    """An activity, its awards' worth by version and rule, and its body without what came back, None for nothing."""

    row: Any
    worth: Mapping[tuple[str, str], int]
    body: Mapping[str, Any] | None


def body_without(body: Mapping[str, Any], returned: Mapping[str, int]) -> dict[str, Any] | None:
    """Return ``body`` without the quantities ``returned`` by line; None where it had lines and none is left."""
    lines = []
    for line in body.get("lines", ()):
        bought = line.get("quantity", 1)
        left = bought - returned.get(line["id"], 0)
        assert left >= 0, "more came back than was bought"
        if left:
            shared = {
                name: round(Fraction(line[name] * left, bought)) for name in _SHARED if line.get(name) is not None
            }
            lines.append({**line, **shared, "quantity": left})
    if body.get("lines") and not lines:
        return None
    return {**body, "lines": lines}


def left_of_all() -> list[Left]:
    """Return every activity that somebody has, as it stands."""
    db.session.rollback()
    activities = db.session.execute(text(
        "SELECT DISTINCT ON (member_id, activity_id) member_id, activity_id, revision, occurred_at, body, outcome"
        " FROM activity ORDER BY member_id, activity_id, revision DESC"
    )).all()  # fmt: skip
    returns: dict[UUID, list[Any]] = defaultdict(list)
    for row in db.session.execute(text("SELECT activity_id, is_whole, lines, outcome FROM activity_return")):
        returns[row.activity_id].append(row)
    return [_left(row, returns[row.activity_id]) for row in activities]


def _left(row: Any, returns: list[Any]) -> Left:
    returned: Counter[str] = Counter()
    for line in (line for each in returns for line in each.lines):
        returned[line["id"]] += line["quantity"]
    duplicates = row.outcome.get("duplicates", [])
    for line in row.body.get("lines", ()):
        if line["id"] in duplicates:
            returned[line["id"]] = line.get("quantity", 1)
    gone = None in duplicates or any(each.is_whole for each in returns)
    worth: Counter[tuple[str, str]] = Counter()
    if returns:
        last = min(returns, key=lambda each: sum(rule["points"] for rule in each.outcome["worth"]))
        for rule in last.outcome["worth"]:
            worth[rule["version_id"], rule["rule"]] += rule["points"]
    else:
        for award in row.outcome["awards"]:
            worth[award["version_id"], award["rule"]] += award["points"]
    return Left(row, worth, None if gone else body_without(row.body, returned))


def faults() -> list[str]:
    """Return what does not hold, of everything that is live."""
    drain()
    activities = left_of_all()
    found = [f"ledger: {each}" for each in ledger.verify(ledger.Verification())]
    for check in (_lots, _again, _impact, _limits, _budgets, _days):
        found += check(activities)
    db.session.rollback()
    return found


def _lots(activities: list[Left]) -> Iterator[str]:
    """Of each rule's lots what was not taken back is what it is worth, or more by what has expired of them."""
    lots: dict[tuple[UUID, str, str], tuple[int, int]] = {}
    for row in db.session.execute(text(
        "SELECT p.activity_id, l.campaign_version_id::text, l.rule, sum(l.amount - l.reversed - l.clawed_back)::bigint,"
        " sum(l.expired)::bigint FROM lot AS l JOIN entry AS e ON e.member_id = l.member_id AND e.seq = l.lot_id"
        " JOIN posting AS p ON p.member_id = e.member_id AND p.idempotency_key = e.posting_key"
        " WHERE p.activity_id IS NOT NULL GROUP BY 1, 2, 3"
    )):  # fmt: skip
        lots[row[0], row[1], row[2]] = row[3], row[4]
    for each in activities:
        for (version, rule), points in each.worth.items():
            stands, expired = lots.pop((each.row.activity_id, version, rule), (0, 0))
            if not points <= stands <= points + expired:
                yield f"lots of {each.row.activity_id} {rule}: {stands} stand, worth {points}, expired {expired}"
    for (activity_id, _, rule), (stands, expired) in lots.items():
        if not 0 <= stands <= expired:
            yield f"lots of {activity_id} {rule}: {stands} stand, worth nothing, expired {expired}"


def _again(activities: list[Left]) -> Iterator[str]:
    """Evaluated again as it came, by what was kept of that moment, every activity is worth what it was paid."""
    for each in activities:
        stored = queries.find_stored(db.session, each.row.member_id, each.row.activity_id)
        assert stored is not None
        paid = replace(stored, worth=None).paid()
        worth = worth_of(stored, stored.facts())
        if worth != paid:
            yield f"again {each.row.activity_id}: worth {worth}, paid {paid}"


def _claimed(each: Left) -> Counter[str]:
    values: Counter[str] = Counter()
    if each.body is not None:
        facts = facts_of_stored(each.body, each.row.occurred_at, "staff")
        for entry in impact.claim_impact(impact_subject(facts)).entries:
            values[entry.metric] += entry.value
    return +values


def _impact(activities: list[Left]) -> Iterator[str]:
    booked: dict[UUID, Counter[str]] = defaultdict(Counter)
    for row in db.session.execute(text(
        "SELECT activity_id, metric, sum(value)::bigint, sum(low)::bigint, sum(high)::bigint, sum(units_micros)::bigint"
        " FROM impact_entry GROUP BY 1, 2"
    )):  # fmt: skip
        booked[row[0]][row[1]] += row[2]
        if not row[3] <= row[2] <= row[4] or (row[2] == 0 and (row[3] or row[4] or row[5])):
            yield f"impact of {row[0]} {row[1]}: {row[2:]}"
    for each in activities:
        stands, claimed = +booked.pop(each.row.activity_id, Counter()), _claimed(each)
        if stands != claimed:
            yield f"impact of {each.row.activity_id}: booked {dict(stands)}, left {dict(claimed)}"
    yield from (f"impact of {activity_id}, which is nobody's" for activity_id in booked)


def _limits(activities: list[Left]) -> Iterator[str]:
    expected: Counter[tuple[Any, ...]] = Counter()
    units = _units()
    for each in activities:
        worth: Counter[tuple[str, str]] = Counter()
        for (version, rule), points in each.worth.items():
            worth[units[version]["campaign"], rule] += points
        for taken in each.row.outcome.get("taken", ()):
            version = next(iter(v for v in units if units[v]["campaign"] == taken["campaign"]))
            points = worth[taken["campaign"], taken["rule"]]
            unit = units[version][taken["rule"], taken["limit"]]
            amount = min(points, taken["amount"]) if unit == "points" else taken["amount"] * bool(points)
            key = (taken["campaign"], f"{taken['rule']}/{taken['limit']}", taken["period"])
            expected[(*key, taken["subject"] or str(each.row.member_id))] += amount
    stated: Counter[tuple[Any, ...]] = Counter()
    for row in db.session.execute(text(
        "SELECT campaign_id::text, limit_key, period::text, member_id::text, used FROM member_limit_usage"
        " UNION ALL SELECT campaign_id::text, limit_key, period::text, subject, used FROM shared_limit_usage"
    )):  # fmt: skip
        stated[tuple(row[:4])] += row[4]
    if +stated != +expected:
        for key in stated | expected:
            if stated[key] != expected[key]:
                yield f"limit {key}: {stated[key]} used, {expected[key]} expected"


def _units() -> dict[str, dict[Any, str]]:
    """Return of each version its campaign, and the unit of each limit by rule and key of the limit."""
    from app.campaigns import service as campaigns

    ids = list(db.session.scalars(text("SELECT campaign_version_id FROM campaign_version")))
    found: dict[str, dict[Any, str]] = {}
    for version_id, rules in campaigns.rules_of_versions(ids).items():
        of_version = found.setdefault(str(version_id), {})
        for rule in rules:
            of_version["campaign"] = str(rule.campaign_id)
            of_version |= {(rule.key, limit.key): limit.unit for limit in rule.limits}
    return found


def _budgets(activities: list[Left]) -> Iterator[str]:
    units = _units()
    expected: Counter[str] = Counter()
    for each in activities:
        for (version, _), points in each.worth.items():
            expected[units[version]["campaign"]] += points
    slots = db.session.query(BudgetSlot).filter(BudgetSlot.live)
    paid: Counter[str] = Counter()
    for slot in slots:
        paid[str(slot.campaign_id)] += slot.share - slot.remaining
    for campaign_id, points in paid.items():
        if points != expected[campaign_id]:
            yield f"budget of {campaign_id}: {points} paid, {expected[campaign_id]} expected"


def _days(activities: list[Left]) -> Iterator[str]:
    zone = programme.current().zone
    expected: dict[tuple[UUID, Any], Counter[str]] = defaultdict(Counter)
    for each in activities:
        totals = expected[each.row.member_id, each.row.occurred_at.astimezone(zone).date()]
        totals["activities"] += each.body is not None
        totals["points"] += sum(each.worth.values())
        totals.update(_claimed(each))
    columns = ("activities", "points", *METRICS)
    stated = {
        (row.member_id, row.day): Counter({name: getattr(row, name) for name in columns})
        for row in db.session.query(MemberDay).populate_existing()
    }
    for key in stated.keys() | expected.keys():
        one, other = stated.get(key, Counter()), expected.get(key, Counter())
        if {**one, **dict.fromkeys(other, 0), **one} != {**dict.fromkeys(one, 0), **other}:
            yield f"day {key}: {dict(one)}, expected {dict(other)}"
