"""How rules of one stacking group compete."""

from typing import Any

import pytest

from tests.campaigns.documents import (
    activity,
    by_line,
    campaign_document,
    compiled,
    evaluated,
    line,
    missed,
    paid,
    rule_document,
)

BREAD = line("bread", category="bakery", quantity=2, total=600)
PEARS = line("pears", category="produce", quantity=5, total=300)
SOAP = line("soap", category="household", quantity=1, total=250)
BASKET = activity(BREAD, PEARS, SOAP)
PER_UNIT = {"type": "per_unit", "points": 3}
EUROS = {"type": "per_amount", "points": 2, "per": 100, "currency": "EUR"}
LINE = {"scope": "line"}


def fixed(points: int) -> dict[str, Any]:
    return {"type": "fixed", "points": points}


def contend(*rules: dict[str, Any], mode: str = "best", basket: dict[str, Any] = BASKET) -> Any:
    """Evaluate ``rules`` of keys a, b, c, …, all in one group."""
    named = [
        rule_document(key=key, stacking={"group": "g", "mode": mode}) | rule
        for key, rule in zip("abcdef", rules, strict=False)
    ]
    return evaluated(compiled(campaign_document(*named)), basket)


@pytest.mark.parametrize(
    ("mode", "awarded", "reasons"),
    [
        ("sum", {"a": 10, "b": 30, "c": 20}, {}),
        ("best", {"b": 30}, {"a": "beaten_in_group", "c": "beaten_in_group"}),
        ("exclusive", {"a": 10}, {"b": "beaten_in_group", "c": "beaten_in_group"}),
    ],
)
def test_whole_rules_all_pay_or_the_best_or_the_first(
    mode: str, awarded: dict[str, int], reasons: dict[str, str]
) -> None:
    evaluation = contend({"award": fixed(10)}, {"award": fixed(30)}, {"award": fixed(20)}, mode=mode)
    assert (paid(evaluation), missed(evaluation)) == (awarded, reasons)


@pytest.mark.parametrize(
    ("modes", "awarded"),
    [
        (("sum", "best"), {"b": 30}),
        (("best", "exclusive"), {"a": 10}),
        (("exclusive", "sum"), {"a": 10}),
    ],
)
def test_where_modes_differ_the_strictest_holds(modes: tuple[str, str], awarded: dict[str, int]) -> None:
    stackings = [{"stacking": {"group": "g", "mode": mode}} for mode in modes]
    assert paid(contend({"award": fixed(10)} | stackings[0], {"award": fixed(30)} | stackings[1])) == awarded


def test_only_rules_that_would_pay_set_the_mode() -> None:
    never = {"match": {"categories": ["toys"]}, "stacking": {"group": "g", "mode": "exclusive"}}
    evaluation = contend({"award": fixed(10)}, never, {"award": fixed(30)}, mode="sum")
    assert paid(evaluation) == {"a": 10, "c": 30}


@pytest.mark.parametrize("mode", ["best", "exclusive"])
def test_of_equals_the_first_in_order_wins(mode: str) -> None:
    assert paid(contend({"award": fixed(10)}, {"award": fixed(10)}, mode=mode)) == {"a": 10}
    first = {"award": fixed(10), "priority": 1}
    assert paid(contend({"award": fixed(10), "priority": 2}, first, mode=mode)) == {"b": 10}


def test_groups_and_rules_without_one_do_not_meddle() -> None:
    evaluation = contend(
        {"award": fixed(10)}, {"award": fixed(30)},
        {"award": fixed(20), "stacking": {"group": "other", "mode": "best"}}, {"award": fixed(5), "stacking": None},
    )  # fmt: skip
    assert paid(evaluation) == {"b": 30, "c": 20, "d": 5}
    assert [each.rule.key for each in evaluation.desired] == ["b", "c", "d"]


def test_a_group_is_the_programmes() -> None:
    stacking = {"group": "g", "mode": "best"}
    rules = compiled(
        campaign_document(rule_document(key="a", award=fixed(10), stacking=stacking), key="one"),
        campaign_document(rule_document(key="b", award=fixed(20), stacking=stacking), key="two"),
    )
    assert paid(evaluated(rules, BASKET)) == {"b": 20}


def test_line_rules_compete_line_by_line_for_the_best() -> None:
    # units: bread 6, pears 15, soap 3; euros: 12, 6, 5
    evaluation = contend(LINE | {"award": PER_UNIT}, LINE | {"award": EUROS})
    assert by_line(evaluation, "a") == {"pears": 15}
    assert by_line(evaluation, "b") == {"bread": 12, "soap": 5}
    assert not evaluation.missed


def test_line_rules_compete_line_by_line_for_the_first() -> None:
    produce = LINE | {"award": fixed(1), "match": {"categories": ["produce"]}}
    evaluation = contend(produce, LINE | {"award": EUROS}, mode="exclusive")
    assert by_line(evaluation, "a") == {"pears": 1}
    assert by_line(evaluation, "b") == {"bread": 12, "soap": 5}


def test_a_line_rule_that_wins_no_line_is_beaten() -> None:
    evaluation = contend(LINE | {"award": fixed(1)}, LINE | {"award": fixed(2)})
    assert (paid(evaluation), missed(evaluation)) == ({"b": 6}, {"a": "beaten_in_group"})


def test_the_first_that_offers_nothing_on_a_line_does_not_win_it() -> None:
    by_weight = LINE | {"award": {"type": "per_weight", "points": 1, "per_g": 1}}
    weighed = activity(line("light"), line("heavy", weight_g=7))
    evaluation = contend(by_weight, LINE | {"award": fixed(3)}, mode="exclusive", basket=weighed)
    assert (by_line(evaluation, "a"), by_line(evaluation, "b")) == ({"heavy": 7}, {"light": 3})


def test_with_a_rule_of_the_whole_among_them_whole_competes_against_whole() -> None:
    # by line 24 in all: pears 15 beside bread 6 and soap 3
    for points, winner in ((23, {"a": 24}), (24, {"a": 24}), (25, {"b": 25})):
        evaluation = contend(LINE | {"award": PER_UNIT}, {"award": fixed(points)})
        assert paid(evaluation) == winner


def test_exact_points_decide_not_rounded_ones() -> None:
    # 1149 minor units: 11.49 and 11.5 points, both 11 when rounded down
    award = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}
    better = {"type": "expression", "expression": "11.5"}
    basket = activity(line("1", total=1149))
    assert paid(contend({"award": award}, {"award": better}, basket=basket)) == {"b": 11}


def test_what_the_maximum_cuts_off_does_not_count_for_the_best() -> None:
    assert paid(contend({"award": fixed(100), "maximum": 5}, {"award": fixed(10)})) == {"b": 10}


@pytest.mark.parametrize("mode", ["best", "exclusive"])
def test_a_rule_that_would_pay_nothing_beats_nobody(mode: str) -> None:
    evaluation = contend({"award": fixed(100), "minimum": 101}, {"award": fixed(10)}, mode=mode)
    assert (paid(evaluation), missed(evaluation)) == ({"b": 10}, {"a": "below_minimum"})


def test_a_rule_left_with_too_few_lines_leaves_them_to_the_others() -> None:
    # a wins bread (4 against 3) and loses the rest; 4 is below its minimum of 10, so b gets bread too
    first = LINE | {"award": {"type": "per_unit", "points": 2}, "minimum": 10}
    second = LINE | {"award": {"type": "expression", "expression": "line.id == 'bread' ? 3 : 11"}}
    evaluation = contend(first, second)
    assert by_line(evaluation, "b") == {"bread": 3, "pears": 11, "soap": 11}
    assert missed(evaluation) == {"a": "beaten_in_group"}


def test_where_several_are_left_with_too_few_lines_the_last_in_order_gives_way_first() -> None:
    # alone each pays 3 lines; line by line a keeps bread, b pears, c soap, each below 4
    rules = [
        LINE | {"minimum": 4, "award": {"type": "expression", "expression": f"line.id == '{name}' ? 3 : 2"}}
        for name in ("bread", "pears", "soap")
    ]
    evaluation = contend(*rules)
    # c gives way: soap goes to a (2 against 2, first in order), which now has 5; b keeps 3 and gives way as well
    assert by_line(evaluation, "a") == {"bread": 3, "pears": 2, "soap": 2}
    assert missed(evaluation) == {"b": "beaten_in_group", "c": "beaten_in_group"}


def test_multipliers_multiply_only_what_was_not_beaten() -> None:
    double = {"award": {"type": "multiplier", "factor": "2"}, "stacking": None}
    assert paid(contend({"award": fixed(10)}, {"award": fixed(30)}, double)) == {"b": 30, "c": 30}


def test_multipliers_compete_among_themselves_and_never_with_base_rules() -> None:
    double = {"award": {"type": "multiplier", "factor": "2"}}
    triple = {"award": {"type": "multiplier", "factor": "3"}}
    evaluation = contend({"award": fixed(10)}, double, triple)
    assert (paid(evaluation), missed(evaluation)) == ({"a": 10, "c": 20}, {"b": "beaten_in_group"})


def test_a_line_multiplier_and_a_whole_one_compete_as_wholes() -> None:
    base = LINE | {"award": fixed(10), "stacking": None}
    bakery = LINE | {"award": {"type": "multiplier", "factor": "3"}, "match": {"categories": ["bakery"]}}
    whole = {"award": {"type": "multiplier", "factor": "1.5"}}
    assert paid(contend(base, bakery, whole)) == {"a": 30, "b": 20}  # 20 against 15
    assert paid(contend(base, bakery, {"award": {"type": "multiplier", "factor": "2"}})) == {"a": 30, "c": 30}
