"""Who a campaign is for, and who is held out of it."""

from typing import Any
from uuid import UUID

import pytest

from app.campaigns.audiences import is_held_out
from app.core.ids import new_id
from tests.campaigns.documents import (
    activity,
    campaign_document,
    compiled,
    evaluated,
    line,
    missed,
    paid,
    rule_document,
)

BASKET = activity(line("1"))
FIRST = UUID(int=1)


@pytest.mark.parametrize(
    ("audience", "pays"),
    [
        ({}, True),
        ({"tiers": ["gold", "seed"]}, True),
        ({"tiers": ["gold"]}, False),
        ({"regions": ["DE-BE"]}, True),
        ({"regions": ["DE"]}, True),  # a country has its regions in it
        ({"regions": ["DE-BB", "CN"]}, False),
        ({"tags": ["teacher", "student"]}, True),
        ({"tags": ["teacher"]}, False),
        ({"age_days_min": 40, "age_days_max": 40}, True),
        ({"age_days_min": 41}, False),
        ({"age_days_max": 39}, False),
        ({"expression": "member.age_days > 30 && member.tags.exists(tag, tag.startsWith('stud'))"}, True),
        ({"expression": "now.getFullYear() == 2025"}, False),
        ({"tiers": ["seed"], "tags": ["teacher"]}, False),  # all parts must hold
        ({"tiers": ["seed"], "expression": "member.region != 'DE-BE'"}, False),
    ],
)
def test_a_campaign_pays_its_audience_alone(audience: dict[str, Any], pays: bool) -> None:
    evaluation = evaluated(compiled(campaign_document(audience=audience)), BASKET)
    assert (paid(evaluation), missed(evaluation)) == (
        ({"rule": 10}, {}) if pays else ({}, {"rule": "not_in_audience"})
    )  # fmt: skip


@pytest.mark.parametrize("audience", [{"regions": ["DE"]}, {"tags": ["student"]}])
def test_who_has_no_region_or_tag_is_in_no_audience_of_one(audience: dict[str, Any]) -> None:
    evaluation = evaluated(compiled(campaign_document(audience=audience)), BASKET, region=None, tags=[])
    assert missed(evaluation) == {"rule": "not_in_audience"}


def test_a_region_is_not_taken_for_a_country() -> None:
    evaluation = evaluated(compiled(campaign_document(audience={"regions": ["DE-BE"]})), BASKET, region="DE")
    assert missed(evaluation) == {"rule": "not_in_audience"}


@pytest.mark.parametrize("expression", ["member.age_days / 0 > 1", "member.nothing_of_this_name", "member.tier"])
def test_an_audience_that_fails_is_a_rule_error_of_all_its_rules(expression: str) -> None:
    broken = campaign_document(
        rule_document(key="tried"), rule_document(key="untried", match={"categories": ["toys"]}),
        key="broken", audience={"expression": expression},
    )  # fmt: skip
    evaluation = evaluated(compiled(broken, campaign_document(rule_document(key="sound"))), BASKET)
    assert (paid(evaluation), missed(evaluation)) == ({"sound": 10}, {"tried": "rule_error", "untried": "rule_error"})


def test_the_lists_come_before_the_expression() -> None:
    audience = {"tiers": ["gold"], "expression": "member.nothing_of_this_name"}
    assert missed(evaluated(compiled(campaign_document(audience=audience)), BASKET)) == {"rule": "not_in_audience"}


def test_an_untried_rule_for_others_says_so() -> None:
    document = campaign_document(rule_document(match={"categories": ["toys"]}), audience={"tiers": ["gold"]})
    assert missed(evaluated(compiled(document), BASKET)) == {"rule": "not_in_audience"}


def test_schedule_and_pause_are_told_before_the_audience() -> None:
    document = campaign_document(audience={"tiers": ["gold"]})
    assert missed(evaluated(compiled(document), BASKET, paused=[FIRST])) == {"rule": "paused"}
    over = compiled(document | {"ends_at": "2026-02-01T00:00:00Z"})
    assert missed(evaluated(over, BASKET, paused=[FIRST])) == {"rule": "outside_schedule"}


@pytest.mark.parametrize("percent", [0, 1, 10, 50])
def test_a_share_of_members_is_held_out_near_the_percentage(percent: int) -> None:
    campaign_id, members = new_id(), [new_id() for _ in range(5000)]
    held_out = sum(is_held_out(campaign_id, member_id, percent) for member_id in members)
    assert abs(held_out - 50 * percent) <= 150  # 4 standard deviations at 50 %


def test_the_same_members_are_held_out_for_ever_and_more_only_join_them() -> None:
    """The bucket is the first four bytes of SHA-256 over both ids, modulo 10,000: a report recomputes it."""
    member_id = UUID("019a5f3e-1f00-7a57-8a52-6a1d3c9b7e02")
    campaign_id = UUID("019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11")
    held_out = [percent for percent in range(101) if is_held_out(campaign_id, member_id, percent)]
    assert held_out == list(range(51, 101))  # its bucket is 5099


def test_another_campaign_holds_out_others() -> None:
    members = [new_id() for _ in range(1000)]
    one, other = ({m for m in members if is_held_out(UUID(int=n), m, 50)} for n in (1, 2))
    assert 150 < len(one & other) < 350


def test_who_is_held_out_gets_nothing_and_nobody_never_is() -> None:
    rules = compiled(campaign_document(holdout_percent=50))
    members = [new_id() for _ in range(50)]
    for member_id in members:
        expected = {"rule": "not_in_audience"} if is_held_out(FIRST, member_id, 50) else {}
        assert missed(evaluated(rules, BASKET, id=member_id)) == expected
    assert len({is_held_out(FIRST, member_id, 50) for member_id in members}) == 2
    assert paid(evaluated(rules, BASKET, id=None)) == paid(evaluated(rules, BASKET)) == {"rule": 10}
