"""What each part of a rule does to what an activity earns."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.campaigns.engine import UNTRIED_MAX, RuleBook, share_by_largest_remainder
from tests.campaigns.documents import (
    START,
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

BREAD = line("bread", category="bakery", quantity=2, total=598, weight_g=1000, certifications=["EU_ORGANIC"])
PEARS = line("pears", category="produce", quantity=3, total=301, weight_g=755, packaging=["UNPACKED"])
SOAP = line("soap", category="household", total=250, material="PET")
BASKET = activity(BREAD, PEARS, SOAP, packaging=["NO_BAG"])


def evaluated_rule(subject: dict[str, Any] = BASKET, **changes: Any) -> Any:
    return evaluated(compiled(campaign_document(rule_document(**changes))), subject)


@pytest.mark.parametrize(
    ("scope", "award", "lines"),
    [
        ("activity", {"type": "fixed", "points": 7}, {None: 7}),
        ("line", {"type": "fixed", "points": 7}, {"bread": 7, "pears": 7, "soap": 7}),
        ("activity", {"type": "per_unit", "points": 2}, {None: 12}),
        ("line", {"type": "per_unit", "points": 2}, {"bread": 4, "pears": 6, "soap": 2}),
        # 1149 minor units are 11.49 points; by line 5.98 + 3.01 + 2.50, floor 11: 5 + 3 + 2 and one more
        ("activity", {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}, {None: 11}),
        (
            "line",
            {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"},
            {"bread": 6, "pears": 3, "soap": 2},
        ),
        # 1755 g; soap has no weight and so none of it
        ("activity", {"type": "per_weight", "points": 3, "per_g": 500}, {None: 10}),
        ("line", {"type": "per_weight", "points": 3, "per_g": 500}, {"bread": 6, "pears": 4, "soap": 0}),
    ],
)
def test_an_award_pays_what_its_type_says(scope: str, award: dict[str, Any], lines: dict[str | None, int]) -> None:
    evaluation = evaluated_rule(scope=scope, award=award)
    assert by_line(evaluation, "rule") == lines
    assert paid(evaluation) == {"rule": sum(lines.values())}
    assert not evaluation.missed


@pytest.mark.parametrize(
    ("match", "lines"),
    [
        ({"categories": ["produce"]}, {"pears"}),
        ({"categories": ["produce", "bakery"]}, {"pears", "bread"}),
        ({"certifications": ["EU_ORGANIC", "FSC"]}, {"bread"}),
        ({"packaging": ["UNPACKED"]}, {"pears"}),
        ({"packaging": ["NO_BAG"]}, {"bread", "pears", "soap"}),
        ({"materials": ["PET"]}, {"soap"}),
        ({"merchants": ["corner-shop"]}, {"bread", "pears", "soap"}),
        ({"categories": ["bakery"], "certifications": ["EU_ORGANIC"]}, {"bread"}),
        ({"categories": ["produce"], "certifications": ["EU_ORGANIC"]}, set()),
        ({"merchants": ["other-shop"]}, set()),
    ],
)
def test_a_line_rule_pays_the_lines_that_meet_all_its_lists(match: dict[str, list[str]], lines: set[str]) -> None:
    evaluation = evaluated_rule(scope="line", match=match)
    assert {name for desired in evaluation.desired for name, _ in desired.lines} == lines


@pytest.mark.parametrize(
    ("match", "pays"),
    [
        ({"categories": ["produce"], "certifications": ["EU_ORGANIC"]}, True),  # on two lines: the activity has both
        ({"packaging": ["NO_BAG"], "materials": ["PET"]}, True),
        ({"packaging": ["NO_BAG"], "materials": ["GLASS"]}, False),
    ],
)
def test_an_activity_rule_looks_at_the_whole(match: dict[str, list[str]], pays: bool) -> None:
    assert bool(paid(evaluated_rule(scope="activity", match=match))) is pays


def test_an_activity_without_lines_can_earn() -> None:
    evaluation = evaluated_rule(activity(kind="learning"), kind="learning")
    assert by_line(evaluation, "rule") == {None: 10}


def test_a_line_rule_names_the_certificate_that_paid() -> None:
    [desired] = evaluated_rule(scope="line", match={"certifications": ["EU_ORGANIC"]}).desired
    assert desired.certificates == {"bread": {"code": "EU_ORGANIC", "number": "EU_ORGANIC-1"}}


@pytest.mark.parametrize(
    ("when", "outcome"),
    [
        ("activity.total > 1000", "paid"),
        ("activity.total > 2000", "condition_not_met"),
        ("member.tier == 'seed' && 'student' in member.tags && member.age_days >= 40", "paid"),
        ("merchant.key == 'corner-shop'", "paid"),
        ("now.getFullYear() == 2026", "paid"),
        ("activity.occurred_at < now", "condition_not_met"),
        ("activity.nothing_of_this_name", "rule_error"),
        ("activity.total / 0 == 1", "rule_error"),
        ("activity.total", "rule_error"),
        ("9223372036854775807 + activity.total > 0", "rule_error"),
    ],
)
def test_a_condition_holds_or_not_or_is_a_rule_error(when: str, outcome: str) -> None:
    evaluation = evaluated_rule(when=when)
    assert missed(evaluation).get("rule", "paid") == outcome
    assert bool(paid(evaluation)) is (outcome == "paid")


def test_a_line_condition_sees_each_line_in_turn() -> None:
    evaluation = evaluated_rule(scope="line", when="line.quantity >= 2 && product.category != 'produce'")
    assert by_line(evaluation, "rule") == {"bread": 10}


def test_a_condition_that_fails_on_one_line_pays_nothing_and_leaves_other_rules_alone() -> None:
    rules = compiled(
        campaign_document(
            rule_document(key="heavy", scope="line", when="line.weight_g > 100"),  # soap has no weight
            rule_document(key="plain"),
        )
    )
    evaluation = evaluated(rules, BASKET)
    assert (paid(evaluation), missed(evaluation)) == ({"plain": 10}, {"heavy": "rule_error"})


@pytest.mark.parametrize(
    ("rounding", "total", "points"),
    [
        ("floor", 199, 1), ("half_up", 199, 2), ("ceil", 199, 2),
        ("floor", 150, 1), ("half_up", 150, 2), ("half_up", 149, 1), ("ceil", 101, 2), ("ceil", 100, 1),
        ("half_up", 49, 0), ("ceil", 1, 1), ("ceil", 0, 0),
    ],
)  # fmt: skip
def test_points_are_rounded_once_a_rule(rounding: str, total: int, points: int) -> None:
    award = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}
    evaluation = evaluated_rule(activity(line("1", total=total)), award=award, rounding=rounding)
    assert paid(evaluation) == ({"rule": points} if points else {})
    assert missed(evaluation) == ({} if points else {"rule": "below_minimum"})


def test_lines_are_summed_before_they_are_rounded() -> None:
    halves = activity(*(line(str(number), total=50) for number in range(5)))
    award = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}
    evaluation = evaluated_rule(halves, scope="line", award=award)
    assert by_line(evaluation, "rule") == {"0": 1, "1": 1, "2": 0, "3": 0, "4": 0}


@pytest.mark.parametrize(
    ("bounds", "points"),
    [({"minimum": 12}, 12), ({"minimum": 13}, 0), ({"maximum": 5}, 5), ({"minimum": 12, "maximum": 5}, 5)],
)
def test_less_than_the_minimum_pays_nothing_and_more_than_the_maximum_is_cut(
    bounds: dict[str, int], points: int
) -> None:
    evaluation = evaluated_rule(award={"type": "per_unit", "points": 2}, **bounds)
    assert paid(evaluation) == ({"rule": points} if points else {})
    assert missed(evaluation) == ({} if points else {"rule": "below_minimum"})


def test_what_the_maximum_leaves_is_shared_among_the_lines() -> None:
    evaluation = evaluated_rule(scope="line", award={"type": "per_unit", "points": 2}, maximum=5)
    assert by_line(evaluation, "rule") == {"bread": 2, "pears": 2, "soap": 1}  # of 5: 1 2/3, 2 1/2, 5/6


@pytest.mark.parametrize(
    ("subject", "changes", "code"),
    [
        (activity(line("1"), currency="CNY"),
         {"award": {"type": "per_amount", "points": 1, "per": 1, "currency": "EUR"}}, "currency_differs"),
        (activity(line("1"), evidence="photo"), {"minimum_evidence": "staff"}, "evidence_too_weak"),
        (activity(line("1")), {"match": {"certifications": ["EU_ORGANIC"]}}, "certificate_missing"),
        (activity(line("1", refused={"EU_ORGANIC": "certificate_expired"})),
         {"match": {"certifications": ["EU_ORGANIC"]}}, "certificate_expired"),
        (activity(line("1", refused={"FSC": "certificate_expired"})),
         {"match": {"certifications": ["EU_ORGANIC"]}}, "certificate_missing"),
        (activity(line("1", refused={"EU_ORGANIC": "certificate_missing"}),
                  line("2", refused={"FSC": "certificate_expired"})),
         {"match": {"certifications": ["EU_ORGANIC", "FSC"]}, "scope": "line"}, "certificate_expired"),
        (activity(line("1", certifications=["FSC"], refused={"EU_ORGANIC": "certificate_expired"})),
         {"match": {"certifications": ["EU_ORGANIC", "FSC"], "categories": ["toys"]}}, "condition_not_met"),
        (activity(line("1", category="toys")), {"match": {"categories": ["books"]}}, "condition_not_met"),
        # the activity has the certificate, on a line of another category
        (activity(line("1", certifications=["EU_ORGANIC"]), line("2", category="toys")),
         {"scope": "line", "match": {"categories": ["toys"], "certifications": ["EU_ORGANIC"]}}, "condition_not_met"),
        (activity(line("1"), occurred_at=START - timedelta(microseconds=1)), {}, "outside_schedule"),
    ],
)  # fmt: skip
def test_a_rule_that_misses_says_why(subject: dict[str, Any], changes: dict[str, Any], code: str) -> None:
    evaluation = evaluated_rule(subject, **changes)
    assert (paid(evaluation), missed(evaluation)) == ({}, {"rule": code})


@pytest.mark.parametrize("evidence", ["staff", "machine", "serialised"])
def test_evidence_of_the_grade_or_better_is_enough(evidence: str) -> None:
    assert paid(evaluated_rule(activity(line("1"), evidence=evidence), minimum_evidence="staff")) == {"rule": 10}


@pytest.mark.parametrize(
    ("occurred_at", "pays"),
    [
        (START, True),
        (datetime(2026, 6, 1, tzinfo=UTC) - timedelta(microseconds=1), True),
        (datetime(2026, 6, 1, tzinfo=UTC), False),
    ],
)
def test_a_campaign_runs_from_its_start_to_before_its_end(occurred_at: datetime, pays: bool) -> None:
    rules = compiled(campaign_document(ends_at="2026-06-01T00:00:00Z"))
    evaluation = evaluated(rules, activity(line("1"), occurred_at=occurred_at))
    assert missed(evaluation) == ({} if pays else {"rule": "outside_schedule"})


def test_a_paused_campaign_pays_nothing_and_says_so() -> None:
    evaluation = evaluated(compiled(campaign_document()), BASKET, paused=[UUID(int=1)])
    assert (paid(evaluation), missed(evaluation)) == ({}, {"rule": "paused"})


def test_an_error_is_not_even_met_by_a_rule_that_is_barred() -> None:
    broken = rule_document(when="activity.nothing_of_this_name")
    evaluation = evaluated(compiled(campaign_document(broken)), BASKET, paused=[UUID(int=1)])
    assert missed(evaluation) == {"rule": "paused"}


def multiplied(base: dict[str, Any], **changes: Any) -> Any:
    multiplier = rule_document(key="double", **({"award": {"type": "multiplier", "factor": "2"}} | changes))
    return evaluated(compiled(campaign_document(multiplier, base)), BASKET)


PER_AMOUNT = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}


def test_a_multiplier_adds_to_the_exact_base_points_whatever_the_order_of_the_rules() -> None:
    evaluation = multiplied(
        rule_document(key="base", award=PER_AMOUNT), award={"type": "multiplier", "factor": "1.5"}, rounding="half_up"
    )
    assert paid(evaluation) == {"base": 11, "double": 6}  # half of the exact 11.49, not of the rounded 11


def test_a_line_multiplier_adds_to_the_base_points_of_the_lines_it_matches() -> None:
    evaluation = multiplied(
        rule_document(key="base", scope="line", award={"type": "per_unit", "points": 3}),
        scope="line", match={"categories": ["bakery"]},
    )  # fmt: skip
    assert by_line(evaluation, "double") == {"bread": 6}


def test_a_line_multiplier_leaves_points_of_the_whole_activity_alone() -> None:
    evaluation = multiplied(rule_document(key="base"), scope="line")
    assert (paid(evaluation), missed(evaluation)) == ({"base": 10}, {"double": "below_minimum"})


def test_multipliers_do_not_multiply_each_other() -> None:
    rules = compiled(
        campaign_document(
            rule_document(key="base"),
            rule_document(key="double", award={"type": "multiplier", "factor": "2"}),
            rule_document(key="triple", award={"type": "multiplier", "factor": "3"}),
        )
    )
    assert paid(evaluated(rules, BASKET)) == {"base": 10, "double": 10, "triple": 20}


def test_a_multiplier_without_base_points_pays_nothing() -> None:
    evaluation = multiplied(rule_document(key="base", minimum=11))
    assert missed(evaluation) == {"base": "below_minimum", "double": "below_minimum"}


def test_a_multiplier_of_a_fraction_is_exact() -> None:
    evaluation = multiplied(
        rule_document(key="base", award={"type": "fixed", "points": 1_000_000}),
        award={"type": "multiplier", "factor": "1.000001"},
    )
    assert paid(evaluation) == {"base": 1_000_000, "double": 1}


def test_only_rules_that_something_in_the_activity_anchors_are_tried() -> None:
    rules = compiled(
        campaign_document(
            rule_document(key="always", when="activity.nothing_of_this_name"),
            rule_document(key="toys", match={"categories": ["toys"]}, when="activity.nothing_of_this_name"),
            rule_document(key="bakery", match={"categories": ["bakery"]}, when="activity.nothing_of_this_name"),
        )
    )
    evaluation = evaluated(rules, BASKET)
    assert missed(evaluation) == {"always": "rule_error", "bakery": "rule_error", "toys": "condition_not_met"}


def test_the_prefilter_names_the_rules_by_the_most_selective_list_and_kind() -> None:
    rules = compiled(
        campaign_document(
            rule_document(key="a", match={"categories": ["toys"], "certifications": ["FSC"]}),
            rule_document(key="b", match={"categories": ["toys"]}),
            rule_document(key="c", kind="recycling"),
        )
    )
    book = RuleBook(rules)
    assert book.candidates("purchase", {"categories": {"toys": 1}}) == {1}
    assert book.candidates("purchase", {"certifications": {"FSC": 1}}) == {0}
    assert book.candidates("recycling", {}) == {0}
    assert book.candidates("repair", {"categories": {"toys": 1}}) == set()


def test_no_more_than_twenty_untried_rules_are_named_the_first_by_priority() -> None:
    documents = [
        campaign_document(
            *(rule_document(key=f"r{number:02}", match={"categories": ["toys"]}) for number in range(UNTRIED_MAX)),
            key=key,
            priority=priority,
        )
        for key, priority in (("later", 200), ("sooner", 100))
    ]
    evaluation = evaluated(compiled(*documents), BASKET)
    assert [each.rule.campaign_key for each in evaluation.missed] == ["sooner"] * UNTRIED_MAX


def test_an_untried_rule_out_of_its_schedule_says_so() -> None:
    rules = compiled(campaign_document(rule_document(match={"categories": ["toys"]}), ends_at="2026-02-01T00:00:00Z"))
    assert missed(evaluated(rules, BASKET)) == {"rule": "outside_schedule"}


def test_outcomes_come_in_the_order_of_priority_campaign_and_rule() -> None:
    documents = [
        campaign_document(rule_document(key="z"), rule_document(key="a"), key="second"),
        campaign_document(rule_document(key="m"), key="first"),
        campaign_document(rule_document(key="x"), key="urgent", priority=1),
    ]
    evaluation = evaluated(compiled(*documents), BASKET)
    assert [each.rule.key for each in evaluation.desired] == ["x", "m", "a", "z"]


@pytest.mark.parametrize(
    ("points", "weights", "shares"),
    [
        (10, [1, 1, 1], [4, 3, 3]),
        (1, [1, 1, 1], [1, 0, 0]),
        (5, [4, 6, 2], [2, 2, 1]),
        (0, [3, 4], [0, 0]),
        (7, [0, 7], [0, 7]),
        (2, [1, 2, 1], [1, 1, 0]),
    ],
)
def test_points_are_shared_by_largest_remainder(points: int, weights: list[Any], shares: list[int]) -> None:
    assert share_by_largest_remainder(points, weights) == shares
