"""What limits and budgets leave of what rules want to pay."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.campaigns.engine import Evaluation, Rule
from app.campaigns.limits import Headroom, Limit, Settlement, period_start, settle
from tests.campaigns.documents import (
    activity,
    campaign_document,
    compiled,
    evaluated,
    granted,
    headroom,
    line,
    missed,
    rule_document,
)

BREAD = line("bread", category="bakery", quantity=2, total=600)
PEARS = line("pears", category="produce", quantity=5, total=300)
SOAP = line("soap", category="household", quantity=1, total=250)
BASKET = activity(BREAD, PEARS, SOAP)
PER_UNIT = {"type": "per_unit", "points": 3}
DOUBLE = {"type": "multiplier", "factor": "2"}
DAILY = {"unit": "points", "by": "member", "per": "day", "amount": 50}
WEEKLY_COUNT = {"unit": "count", "by": "member", "per": "week", "amount": 2}


def fixed(points: int) -> dict[str, Any]:
    return {"type": "fixed", "points": points}


def desired(*rules: dict[str, Any], **campaign: Any) -> tuple[list[Rule], Evaluation]:
    """The rules of keys a, b, c, … and what they want to pay."""
    named = [rule_document(key=key) | rule for key, rule in zip("abcdef", rules, strict=False)]
    found = compiled(campaign_document(*named, **campaign))
    return found, evaluated(found, BASKET)


def lines_of(settlement: Settlement, key: str) -> dict[str | None, tuple[int, int]]:
    """Points and desired points of one rule, by line."""
    [lines] = [each.lines for each in settlement.granted if each.desired.rule.key == key]
    return {name: (points, wanted) for name, points, wanted in lines}


def codes_of(settlement: Settlement, key: str) -> tuple[str, ...]:
    [codes] = [each.codes for each in settlement.granted if each.desired.rule.key == key]
    return codes


def missed_codes(settlement: Settlement) -> dict[str, str]:
    return {each.rule.key: each.code for each in settlement.missed}


def test_with_no_headroom_named_all_is_paid_as_desired() -> None:
    _, evaluation = desired(
        {"award": fixed(10), "limits": [DAILY]}, {"scope": "line", "award": PER_UNIT}, {"award": DOUBLE},
        {"match": {"categories": ["toys"]}},
    )  # fmt: skip
    settlement = settle(evaluation, Headroom())
    assert granted(settlement) == {"a": 10, "b": 24, "c": 34}
    assert lines_of(settlement, "b") == {"bread": (6, 6), "pears": (15, 15), "soap": (3, 3)}
    assert {codes_of(settlement, key) for key in "abc"} == {("matched",)}
    assert settlement.missed == evaluation.missed
    assert (settlement.taken, settlement.spent, settlement.points) == ({}, {}, 68)


@pytest.mark.parametrize(
    ("limit", "left", "points"),
    [
        (DAILY, 51, 10), (DAILY, 10, 10), (DAILY, 9, 9), (DAILY, 1, 1), (DAILY, 0, 0), (DAILY, -5, 0),
        (WEEKLY_COUNT, 2, 10), (WEEKLY_COUNT, 1, 10), (WEEKLY_COUNT, 0, 0), (WEEKLY_COUNT, -1, 0),
    ],
)  # fmt: skip
def test_a_limit_pays_what_it_has_left(limit: dict[str, Any], left: int, points: int) -> None:
    rules, evaluation = desired({"award": fixed(10), "limits": [limit]})
    key = rules[0].limits[0].key
    settlement = settle(evaluation, headroom(rules, left={f"a {key}": left}))
    assert granted(settlement) == ({"a": points} if points else {})
    assert missed_codes(settlement) == ({} if points else {"a": "limit_reached_member"})
    taken = points if limit["unit"] == "points" else min(points, 1)
    assert settlement.taken == {(UUID(int=1), "a", key): taken}
    if points:
        assert lines_of(settlement, "a") == {None: (points, 10)}
        assert codes_of(settlement, "a") == (("matched",) if points == 10 else ("matched", "limit_reached_member"))


@pytest.mark.parametrize(
    ("by", "code"),
    [
        *((by, f"limit_reached_{by}") for by in ("member", "household", "device", "merchant", "station")),
        ("campaign", "budget_exhausted"),
    ],
)
@pytest.mark.parametrize("per", ["day", "week", "month", "year", "campaign"])
def test_each_kind_of_limit_has_its_key_and_code(by: str, code: str, per: str) -> None:
    limit = {"unit": "points", "by": by, "per": per, "amount": 5}
    rules, evaluation = desired({"award": fixed(10), "limits": [limit]})
    assert rules[0].limits == (Limit("points", by, per, 5),)
    settlement = settle(evaluation, headroom(rules, left={f"a {by}:points:{per}": 5}))
    assert (granted(settlement), codes_of(settlement, "a")) == ({"a": 5}, ("matched", code))


def test_of_several_limits_the_least_is_paid_and_told() -> None:
    household = DAILY | {"by": "household", "per": "month"}
    rules, evaluation = desired({"award": fixed(10), "limits": [DAILY, household, WEEKLY_COUNT]})
    left = {"a member:points:day": 7, "a household:points:month": 4, "a member:count:week": 2}
    settlement = settle(evaluation, headroom(rules, left=left))
    assert (granted(settlement), codes_of(settlement, "a")) == ({"a": 4}, ("matched", "limit_reached_household"))
    assert list(settlement.taken.values()) == [4, 4, 1]  # each of them is used by what is paid


def test_of_limits_that_leave_equally_little_the_first_is_told() -> None:
    household = DAILY | {"by": "household"}
    rules, evaluation = desired({"award": fixed(10), "limits": [household, WEEKLY_COUNT, DAILY]})
    left = {"a household:points:day": 0, "a member:count:week": 0, "a member:points:day": 0}
    assert missed_codes(settle(evaluation, headroom(rules, left=left))) == {"a": "limit_reached_household"}


def test_a_limit_that_is_not_named_does_not_bind_and_is_not_taken_from() -> None:
    device = DAILY | {"by": "device"}
    rules, evaluation = desired({"award": fixed(10), "limits": [DAILY, device]})
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 20}))
    assert granted(settlement) == {"a": 10}
    assert settlement.taken == {(UUID(int=1), "a", "member:points:day"): 10}


def test_limits_of_one_rule_leave_others_alone() -> None:
    rules, evaluation = desired({"award": fixed(10), "limits": [DAILY]}, {"award": fixed(10), "limits": [DAILY]})
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 3, "b member:points:day": 50}))
    assert granted(settlement) == {"a": 3, "b": 10}


@pytest.mark.parametrize(
    ("left", "lines"),
    [
        (12, {"bread": (3, 6), "pears": (8, 15), "soap": (1, 3)}),  # halves; earlier lines first: 3, 7.5, 1.5
        (5, {"bread": (1, 6), "pears": (3, 15), "soap": (1, 3)}),  # 1.25, 3.125, 0.625
        (1, {"bread": (0, 6), "pears": (1, 15), "soap": (0, 3)}),
    ],
)
def test_what_is_cut_is_shared_among_the_lines_again(left: int, lines: dict[str, tuple[int, int]]) -> None:
    rules, evaluation = desired({"scope": "line", "award": PER_UNIT, "limits": [DAILY]})
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": left}))
    assert lines_of(settlement, "a") == lines


@pytest.mark.parametrize(
    ("funds", "awarded", "reasons"),
    [
        (100, {"a": 10, "b": 30, "c": 20}, {}),
        (60, {"a": 10, "b": 30, "c": 20}, {}),
        (59, {"a": 10, "b": 30, "c": 19}, {}),
        (35, {"a": 10, "b": 25}, {"c": "budget_exhausted"}),
        (10, {"a": 10}, {"b": "budget_exhausted", "c": "budget_exhausted"}),
        (0, {}, {"a": "budget_exhausted", "b": "budget_exhausted", "c": "budget_exhausted"}),
        (-1, {}, {"a": "budget_exhausted", "b": "budget_exhausted", "c": "budget_exhausted"}),
    ],
)
def test_a_budget_pays_the_rules_in_their_order_until_nothing_is_left(
    funds: int, awarded: dict[str, int], reasons: dict[str, str]
) -> None:
    rules, evaluation = desired(
        {"award": fixed(10)}, {"award": fixed(30)}, {"award": fixed(20)}, budget={"points": 1000}
    )
    settlement = settle(evaluation, headroom(rules, funds=funds))
    assert (granted(settlement), missed_codes(settlement)) == (awarded, reasons)
    assert settlement.spent == {UUID(int=1): sum(awarded.values())}


def test_the_order_is_that_of_priorities() -> None:
    rules, evaluation = desired({"award": fixed(10), "priority": 2}, {"award": fixed(10), "priority": 1})
    assert granted(settle(evaluation, headroom(rules, funds=15))) == {"b": 10, "a": 5}


def test_a_budget_that_is_not_named_does_not_bind_yet_what_it_pays_is_told() -> None:
    _, evaluation = desired({"award": fixed(10)}, budget={"points": 1})
    settlement = settle(evaluation, Headroom())
    assert (granted(settlement), settlement.spent) == ({"a": 10}, {UUID(int=1): 10})


def test_what_a_limit_refuses_is_left_in_the_budget() -> None:
    rules, evaluation = desired({"award": fixed(10), "limits": [DAILY]}, {"award": fixed(10)})
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 2}, funds=11))
    assert granted(settlement) == {"a": 2, "b": 9}
    assert codes_of(settlement, "b") == ("matched", "budget_exhausted")


def test_what_the_budget_refuses_is_left_in_the_limit() -> None:
    rules, evaluation = desired({"award": fixed(10), "limits": [DAILY, WEEKLY_COUNT]})
    left = {"a member:points:day": 7, "a member:count:week": 1}
    settlement = settle(evaluation, headroom(rules, left=left, funds=3))
    assert (granted(settlement), codes_of(settlement, "a")) == ({"a": 3}, ("matched", "budget_exhausted"))
    assert list(settlement.taken.values()) == [3, 1]
    nothing = settle(evaluation, headroom(rules, left=left, funds=0))
    assert list(nothing.taken.values()) == [0, 0]


def test_each_campaign_has_its_own_budget() -> None:
    rules = compiled(
        campaign_document(rule_document(key="a", award=fixed(10)), key="one"),
        campaign_document(rule_document(key="b", award=fixed(10)), key="two"),
    )
    settlement = settle(evaluated(rules, BASKET), Headroom(funds={UUID(int=1): 4, UUID(int=2): 10}))
    assert granted(settlement) == {"a": 4, "b": 10}
    assert settlement.spent == {UUID(int=1): 4, UUID(int=2): 10}


def test_a_multiplier_multiplies_what_its_base_was_granted() -> None:
    rules, evaluation = desired(
        {"award": fixed(30), "limits": [DAILY]}, {"award": {"type": "multiplier", "factor": "3"}}
    )
    assert granted(settle(evaluation, Headroom())) == {"a": 30, "b": 60}
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 12}))
    assert granted(settlement) == {"a": 12, "b": 24}
    assert codes_of(settlement, "b") == ("matched", "limit_reached_member")
    assert lines_of(settlement, "b") == {None: (24, 60)}


def test_a_multiplier_of_nothing_misses_with_the_code_of_its_base() -> None:
    rules, evaluation = desired({"award": fixed(30), "limits": [DAILY]}, {"award": DOUBLE})
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 0}))
    assert missed_codes(settlement) == {"a": "limit_reached_member", "b": "limit_reached_member"}


def test_a_base_granted_in_full_is_multiplied_exactly() -> None:
    euros = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}  # 11.50, rounded down to 11
    rules, evaluation = desired(
        {"award": euros}, {"award": fixed(30), "limits": [DAILY]}, {"award": {"type": "multiplier", "factor": "3"}}
    )
    settlement = settle(evaluation, headroom(rules, left={"b member:points:day": 1}))
    assert granted(settlement) == {"a": 11, "b": 1, "c": 25}  # twice 11.50 + 1, not twice 12


def test_a_line_multiplier_multiplies_what_its_lines_were_granted() -> None:
    rules, evaluation = desired(
        {"scope": "line", "award": PER_UNIT, "limits": [DAILY]},
        {"scope": "line", "award": DOUBLE, "match": {"categories": ["bakery", "produce"]}},
        {"scope": "line", "award": fixed(4)},
    )
    assert granted(settle(evaluation, Headroom())) == {"a": 24, "b": 29, "c": 12}
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 12}))
    assert lines_of(settlement, "a") == {"bread": (3, 6), "pears": (8, 15), "soap": (1, 3)}
    assert lines_of(settlement, "b") == {"bread": (7, 10), "pears": (12, 19)}


def test_a_multiplier_pays_nothing_on_a_line_whose_base_was_refused() -> None:
    # exactly 0.95 on bread and 3 on pears: of 3 points, largest remainder gives bread one
    by_line = {"type": "expression", "expression": "0.95"}
    rules, evaluation = desired(
        {"scope": "line", "award": by_line, "rounding": "ceil", "match": {"categories": ["bakery"]}, "limits": [DAILY]},
        {"scope": "line", "award": fixed(3), "match": {"categories": ["produce"]}},
        {"scope": "line", "award": DOUBLE},
    )
    assert lines_of(settle(evaluation, Headroom()), "c") == {"bread": (1, 1), "pears": (2, 2)}
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 0}))
    assert lines_of(settlement, "c") == {"bread": (0, 0), "pears": (3, 3)}
    assert codes_of(settlement, "c") == ("matched",)


def test_a_multiplier_never_gets_more_than_it_desired() -> None:
    # exactly 0.6 a line, 2 points in all, of which one is granted: bread has 1, more than its exact 0.6
    rules, evaluation = desired(
        {"scope": "line", "award": {"type": "expression", "expression": "0.6"}, "rounding": "ceil", "limits": [DAILY]},
        {"scope": "line", "award": {"type": "multiplier", "factor": "3"}, "match": {"categories": ["bakery"]}},
    )
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 1}))
    assert lines_of(settlement, "a")["bread"] == (1, 1)
    assert granted(settlement) == {"a": 1, "b": 1}


def test_a_cut_elsewhere_leaves_a_line_multiplier_alone() -> None:
    rules, evaluation = desired(
        {"scope": "line", "award": PER_UNIT, "match": {"categories": ["household"]}, "limits": [DAILY]},
        {"scope": "line", "award": PER_UNIT, "match": {"categories": ["bakery"]}},
        {"scope": "line", "award": DOUBLE, "match": {"categories": ["bakery"]}},
    )
    settlement = settle(evaluation, headroom(rules, left={"a member:points:day": 0}))
    assert granted(settlement) == {"b": 6, "c": 6}
    assert codes_of(settlement, "c") == ("matched",)


def test_a_multiplier_has_limits_and_a_budget_of_its_own() -> None:
    rules, evaluation = desired({"award": fixed(30)}, {"award": DOUBLE, "limits": [DAILY]})
    assert granted(settle(evaluation, headroom(rules, left={"b member:points:day": 8}))) == {"a": 30, "b": 8}
    assert granted(settle(evaluation, headroom(rules, funds=40))) == {"a": 30, "b": 10}


def test_a_base_is_paid_before_a_multiplier_that_comes_first_in_order() -> None:
    rules, evaluation = desired({"award": DOUBLE, "priority": 1}, {"award": fixed(30), "priority": 2})
    assert granted(settle(evaluation, headroom(rules, funds=40))) == {"a": 10, "b": 30}


def test_a_multiplier_cut_twice_tells_both_reasons() -> None:
    rules, evaluation = desired({"award": fixed(30), "limits": [DAILY]}, {"award": DOUBLE, "limits": [WEEKLY_COUNT]})
    left = {"a member:points:day": 20, "b member:count:week": 1}
    settlement = settle(evaluation, headroom(rules, left=left, funds=25))
    assert granted(settlement) == {"a": 20, "b": 5}
    assert codes_of(settlement, "b") == ("matched", "limit_reached_member", "budget_exhausted")


def test_what_maximum_has_cut_is_not_multiplied() -> None:
    _, evaluation = desired({"award": fixed(30), "maximum": 12}, {"award": DOUBLE})
    assert granted(settle(evaluation, Headroom())) == {"a": 12, "b": 12}
    _, evaluation = desired({"scope": "line", "award": PER_UNIT, "maximum": 12}, {"scope": "line", "award": DOUBLE})
    assert lines_of(settle(evaluation, Headroom()), "b") == {"bread": (3, 3), "pears": (8, 8), "soap": (1, 1)}


def test_a_minimum_asks_what_was_earned_not_what_was_granted() -> None:
    rules, evaluation = desired({"award": fixed(10), "minimum": 10, "limits": [DAILY]})
    assert granted(settle(evaluation, headroom(rules, left={"a member:points:day": 3}))) == {"a": 3}


def test_reasons_come_in_the_order_of_the_rules() -> None:
    rules, evaluation = desired(
        {"match": {"categories": ["toys"]}}, {"award": fixed(10), "limits": [DAILY]}, {"when": "activity.total > 10000"}
    )
    settlement = settle(evaluation, headroom(rules, left={"b member:points:day": 0}))
    assert list(missed_codes(settlement).items()) == [
        ("a", "condition_not_met"), ("b", "limit_reached_member"), ("c", "condition_not_met"),
    ]  # fmt: skip
    assert missed(evaluation).keys() == {"a", "c"}


@pytest.mark.parametrize(
    ("per", "occurred_at", "zone", "start"),
    [
        ("day", datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC), "Asia/Shanghai", date(2026, 3, 1)),
        ("day", datetime(2026, 3, 1, 16, tzinfo=UTC), "Asia/Shanghai", date(2026, 3, 2)),
        ("day", datetime(2028, 2, 29, 12, tzinfo=UTC), "UTC", date(2028, 2, 29)),
        # clocks go forward at 02:00: a day of 23 hours, and back in October: one of 25
        ("day", datetime(2026, 3, 29, 21, 59, tzinfo=UTC), "Europe/Berlin", date(2026, 3, 29)),
        ("day", datetime(2026, 3, 29, 22, tzinfo=UTC), "Europe/Berlin", date(2026, 3, 30)),
        ("day", datetime(2026, 10, 24, 22, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 25)),
        ("day", datetime(2026, 10, 25, 22, 59, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 25)),
        ("week", datetime(2026, 5, 3, 23, 59, tzinfo=UTC), "UTC", date(2026, 4, 27)),  # a Sunday
        ("week", datetime(2026, 5, 4, tzinfo=UTC), "UTC", date(2026, 5, 4)),  # a Monday
        ("week", datetime(2027, 1, 1, tzinfo=UTC), "UTC", date(2026, 12, 28)),  # the week goes over the year's end
        ("month", datetime(2026, 1, 31, 23, tzinfo=UTC), "Europe/Berlin", date(2026, 2, 1)),
        ("month", datetime(2028, 2, 29, tzinfo=UTC), "UTC", date(2028, 2, 1)),
        ("year", datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "Europe/Berlin", date(2027, 1, 1)),
        ("year", datetime(2027, 1, 1, 4, tzinfo=UTC), "America/New_York", date(2026, 1, 1)),
        ("campaign", datetime(2026, 5, 4, tzinfo=UTC), "UTC", date(1970, 1, 1)),
    ],
)  # fmt: skip
def test_a_period_begins_by_the_programmes_calendar(per: str, occurred_at: datetime, zone: str, start: date) -> None:
    assert period_start(per, occurred_at, ZoneInfo(zone)) == start


def test_points_of_all_rules_together_are_bounded_in_their_order() -> None:
    _, evaluation = desired({"award": fixed(10)}, {"award": PER_UNIT, "scope": "line"}, {"award": fixed(5)})
    unbound = settle(evaluation, Headroom())
    assert settle(evaluation, Headroom(points=unbound.points)) == unbound
    settlement = settle(evaluation, Headroom(points=12))
    assert settlement.points == 12
    assert codes_of(settlement, "a") == ("matched",)
    assert codes_of(settlement, "b") == ("matched", "limit_reached_declared")
    assert sum(points for points, _ in lines_of(settlement, "b").values()) == 2
    assert missed_codes(settlement) == {"c": "limit_reached_declared"}
    assert settle(evaluation, Headroom(points=0)).points == 0


def test_what_the_bound_of_all_rules_cuts_takes_no_more_of_limits_and_budgets() -> None:
    limited = {"award": fixed(10), "limits": [DAILY, WEEKLY_COUNT]}
    rules, evaluation = desired(limited, limited, budget={"points": 1000})
    left = Headroom(
        {
            (rule.campaign_id, rule.key, limit.key): 2 if limit.unit == "count" else 50
            for rule in rules
            for limit in rule.limits
        },
        {rules[0].campaign_id: 1000},
        10,
    )
    settlement = settle(evaluation, left)
    taken = {(key, limit): amount for (_, key, limit), amount in settlement.taken.items()}
    by_unit = {(rule.key, limit.unit): taken[rule.key, limit.key] for rule in rules for limit in rule.limits}
    assert by_unit == {("a", "points"): 10, ("a", "count"): 1, ("b", "points"): 0, ("b", "count"): 0}
    assert list(settlement.spent.values()) == [10]
