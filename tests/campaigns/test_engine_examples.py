"""The examples that stand beside a rule are run, and told of where they do not hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from app.activities.reading import facts_of as facts_of_read
from app.activities.schemas import CartSchema
from app.campaigns.examples import run_examples
from app.campaigns.schemas import CampaignSchema
from app.core import schemas
from tests.campaigns.documents import campaign_document, compiled, rule_document

CARROTS = {"id": "1", "category": "produce", "quantity": 2, "total": 1198, "packaging": ["UNPACKED"]}
SOAP = {"id": "2", "category": "household", "total": 250}
BASKET = {"currency": "EUR", "lines": [CARROTS, SOAP]}
PER_UNIT = {"type": "per_unit", "points": 10}
DOUBLE = {"type": "multiplier", "factor": "2"}


def facts_of(body: Mapping[str, Any], moment: datetime) -> Mapping[str, Any]:
    """Read an activity as the contract does."""
    read = schemas.load(CartSchema(), dict(body))
    return facts_of_read(read, read["occurred_at"] or moment, "staff")


def example(points: int, activity: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    code = more.pop("code", None)
    return {"activity": BASKET if activity is None else activity, "expect": {"points": points, "code": code}} | more


def faults(*rules: dict[str, Any], **campaign: Any) -> list[dict[str, str]]:
    given = campaign_document(*rules, **campaign)
    return run_examples(CampaignSchema().load(given), compiled(given), facts_of)


def faults_of(*examples: dict[str, Any], **rule: Any) -> list[dict[str, str]]:
    return faults(rule_document(examples=list(examples), **rule))


def test_examples_that_hold_are_not_told_of() -> None:
    assert faults_of(example(30), example(10, {"currency": "EUR", "lines": [SOAP]}), award=PER_UNIT) == []
    assert faults(rule_document()) == []


def test_an_example_that_pays_something_else_is_told_with_its_place() -> None:
    rules = [rule_document(key="a"), rule_document(key="b", award=PER_UNIT, examples=[example(30), example(31)])]
    assert faults(*rules) == [
        {"pointer": "/rules/1/examples/1/expect/points", "detail": "It pays 30 points, not 31."}
    ]  # fmt: skip


def test_an_example_that_pays_nothing_says_why() -> None:
    assert faults_of(example(10), match={"categories": ["toys"]}) == [
        {"pointer": "/rules/0/examples/0/expect/points", "detail": "It pays 0 points (condition_not_met), not 10."}
    ]


@pytest.mark.parametrize(
    ("points", "code", "rule", "fault"),
    [
        (0, "condition_not_met", {"when": "activity.total > 10000"}, None),
        (0, "rule_error", {"when": "activity.total / 0 > 1"}, None),
        (10, "matched", {}, None),
        (0, "certificate_missing", {"match": {"categories": ["toys"]}}, "It says condition_not_met"),
        (10, "paused", {}, "It says matched"),
    ],
)
def test_an_example_may_expect_a_reason(points: int, code: str, rule: dict[str, Any], fault: str | None) -> None:
    told = faults_of(example(points, code=code), **rule)
    if fault is None:
        assert told == []
    else:
        [only] = told
        assert only["pointer"] == "/rules/0/examples/0/expect/code"
        assert only["detail"].startswith(fault)


def test_a_reason_is_known_however_many_rules_the_campaign_has() -> None:
    others = [rule_document(key=f"r{number}", match={"categories": [f"c{number}"]}) for number in range(40)]
    last = rule_document(key="z", match={"categories": ["z"]}, examples=[example(0, code="condition_not_met")])
    assert faults(*others, last) == []


@pytest.mark.parametrize(
    ("activity", "pointer"),
    [
        ({"lines": [CARROTS]}, "/activity/currency"),
        (BASKET | {"colour": "green"}, "/activity/colour"),
        ({"currency": "EUR", "lines": [CARROTS | {"quantity": 0}]}, "/activity/lines/0/quantity"),
        ({"kind": "theft"}, "/activity/kind"),
        ({"kind": "recycling"}, "/activity/kind"),  # a good one, but the rule is for purchases
    ],
)
def test_an_activity_that_breaks_the_contract_is_told_with_its_place(activity: dict[str, Any], pointer: str) -> None:
    told = faults_of(example(10, activity))
    assert [fault["pointer"] for fault in told] == [f"/rules/0/examples/0{pointer}"]


def test_the_kind_is_the_rules_where_none_is_given() -> None:
    assert faults_of(example(10, {}), kind="learning") == []


def test_the_member_is_a_new_one_unless_described() -> None:
    rule = {"when": "member.tier == 'gold' && member.age_days > 30"}
    described = {"tier": "gold", "age_days": 31}
    assert faults_of(example(0), example(10, member=described), **rule) == []
    document = rule_document(examples=[example(0, code="not_in_audience"), example(10, member={"tags": ["student"]})])
    assert faults(document, audience={"tags": ["student"]}) == []


def test_nobody_is_held_out_of_an_example() -> None:
    assert faults(rule_document(examples=[example(10)]), holdout_percent=50) == []


def test_the_time_is_the_first_window_unless_named() -> None:
    recurrence = {"rrule": "FREQ=WEEKLY;BYDAY=WE;COUNT=4", "start_time": "18:00", "duration_minutes": 240}
    rule = rule_document(
        when="now.getHours() == 18 || now.getHours() == 21",
        examples=[
            example(10), example(10, now="2026-01-14T21:30:00Z"),
            example(0, now="2026-01-14T22:00:00Z", code="outside_schedule"),
            example(10, BASKET | {"occurred_at": "2026-01-14T19:00:00Z"}, now="2026-01-14T21:00:00Z"),
        ],
    )  # fmt: skip
    assert faults(rule, recurrence=recurrence) == []


def test_the_merchant_is_one_that_the_rule_names() -> None:
    assert faults_of(example(10), match={"merchants": ["corner-shop", "other-shop"]}) == []


def test_what_other_rules_pay_is_multiplied() -> None:
    assert faults_of(example(0), example(40, base_points=40), award=DOUBLE) == []
    # by line on each line
    of_lines = {"scope": "line", "match": {"categories": ["produce"]}, "award": DOUBLE}
    assert faults_of(example(40, base_points=40), **of_lines) == []
    assert faults_of(example(80, base_points=40), **(of_lines | {"match": {}})) == []


def test_the_campaigns_own_rules_are_multiplied_too_and_those_of_a_group_compete() -> None:
    base = rule_document(key="base", award=PER_UNIT)
    assert (
        faults(base, rule_document(key="double", award=DOUBLE, examples=[example(30), example(35, base_points=5)]))
        == []
    )
    stacking = {"group": "g", "mode": "best"}
    beaten = rule_document(key="beaten", stacking=stacking, examples=[example(0, code="beaten_in_group")])
    assert faults(base | {"stacking": stacking}, beaten) == []


def test_limits_and_budget_are_whole_and_hold() -> None:
    limit = {"unit": "points", "by": "member", "per": "day", "amount": 12}
    rule = rule_document(award=PER_UNIT, limits=[limit], examples=[example(12, code="limit_reached_member")])
    assert faults(rule) == []
    assert (
        faults(rule_document(award=PER_UNIT, examples=[example(25, code="budget_exhausted")]), budget={"points": 25})
        == []
    )


def test_a_limit_of_a_device_binds_where_the_activity_names_one() -> None:
    limits = [{"unit": "points", "by": "device", "per": "day", "amount": 12}]
    assert faults_of(example(30), example(12, BASKET | {"device": "till-3"}), award=PER_UNIT, limits=limits) == []
