"""What a campaign document may say: everything new is optional, and what makes no sense is refused with its place."""

from typing import Any
from uuid import UUID

import pytest

from app.campaigns.engine import Limit, Stacking
from app.campaigns.explanations import REASONS
from app.campaigns.schemas import CampaignSchema
from app.core import schemas
from app.core.errors import ValidationProblem
from tests.campaigns.documents import MERCHANT, campaign_document, compiled, rule_document

RECURRENCE = {"rrule": "FREQ=WEEKLY;BYDAY=WE;COUNT=4", "start_time": "18:00", "duration_minutes": 240}
LIMIT = {"unit": "points", "by": "member", "per": "day", "amount": 50}
EXAMPLE = {"activity": {"lines": []}, "expect": {"points": 10}}
FULL = campaign_document(
    rule_document(
        priority=7,
        stacking={"group": "organic", "mode": "best"},
        limits=[LIMIT, LIMIT | {"unit": "count"}, LIMIT | {"by": "campaign", "per": "campaign"}],
        award={"type": "expression", "expression": "activity.total / 100"},
        examples=[EXAMPLE, EXAMPLE | {"now": "2026-05-04T12:00:00Z", "base_points": 5, "member": {"tier": "gold"}}],
    ),
    descriptions={"en": "Buy organic.", "zh-CN": "购买有机产品。"},
    recurrence=RECURRENCE,
    audience={"tiers": ["gold"], "regions": ["DE", "CN-SH"], "tags": None, "age_days_min": 1, "age_days_max": 1},
    budget={"points": 100_000},
    funder=MERCHANT["key"],
    holdout_percent=10,
)


def pointers(document: dict[str, Any]) -> list[str]:
    """Where ``document`` is refused, by the schema or as it is compiled."""
    try:
        schemas.load(CampaignSchema(), document)
        compiled(document)
    except ValidationProblem as problem:
        return [error["pointer"] for error in problem.errors or []]
    return []


def test_all_that_is_new_may_be_left_out() -> None:
    read = CampaignSchema().load(campaign_document())
    assert read["descriptions"] == {}
    assert {read[name] for name in ("recurrence", "audience", "budget", "funder")} == {None}
    assert read["holdout_percent"] == 0
    [rule] = read["rules"]
    assert (rule["priority"], rule["stacking"], rule["limits"], rule["examples"]) == (None, None, [], [])


def test_what_a_document_says_is_in_its_rules() -> None:
    assert pointers(FULL) == []
    [rule] = compiled(FULL)
    assert rule.limits == (
        Limit("points", "member", "day", 50), Limit("count", "member", "day", 50),
        Limit("points", "campaign", "campaign", 50),
    )  # fmt: skip
    assert [limit.key for limit in rule.limits] == [
        "member:points:day", "member:count:day", "campaign:points:campaign",
    ]  # fmt: skip
    assert (rule.stacking, rule.priority) == (Stacking("organic", "best"), 7)
    assert (rule.budget_points, rule.funder, rule.holdout_percent) == (100_000, UUID(MERCHANT["id"]), 10)
    assert rule.audience is not None
    assert rule.audience.regions == {"DE", "CN-SH"}
    assert rule.schedule.recurrence is not None
    assert rule.descriptions["zh-CN"] == "购买有机产品。"


def test_a_rule_without_a_priority_has_its_campaigns() -> None:
    rules = compiled(campaign_document(rule_document(key="a"), rule_document(key="b", priority=0), priority=5))
    assert [rule.priority for rule in rules] == [5, 0]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"descriptions": {"de": "Nur deutsch"}}, "/descriptions"),
        ({"descriptions": {"en": "x" * 1001}}, "/descriptions/en/value"),
        ({"recurrence": {}}, "/recurrence/rrule"),
        ({"recurrence": RECURRENCE | {"rrule": "FREQ=SECONDLY;COUNT=9"}}, "/recurrence/rrule"),
        ({"recurrence": RECURRENCE | {"rrule": "FREQ=DAILY"}}, "/recurrence/rrule"),
        ({"recurrence": RECURRENCE | {"rrule": "FREQ=DAILY;" + "BYMONTH=1" * 200}}, "/recurrence/rrule"),
        ({"recurrence": RECURRENCE | {"start_time": "24:00"}}, "/recurrence/start_time"),
        ({"recurrence": RECURRENCE | {"start_time": "9:00"}}, "/recurrence/start_time"),
        ({"recurrence": RECURRENCE | {"duration_minutes": 0}}, "/recurrence/duration_minutes"),
        ({"recurrence": RECURRENCE | {"duration_minutes": 10_081}}, "/recurrence/duration_minutes"),
        ({"recurrence": RECURRENCE | {"zone": "UTC"}}, "/recurrence/zone"),
        ({"audience": {"tiers": []}}, "/audience/tiers"),
        ({"audience": {"regions": ["Berlin"]}}, "/audience/regions/0"),
        ({"audience": {"age_days_min": -1}}, "/audience/age_days_min"),
        ({"audience": {"age_days_min": 2, "age_days_max": 1}}, "/audience/age_days_max"),
        ({"audience": {"expression": "member.tier =="}}, "/audience/expression"),
        ({"audience": {"expression": "activity.total > 1"}}, "/audience/expression"),
        ({"audience": {"expression": "x" * 2001}}, "/audience/expression"),
        ({"audience": {"countries": ["DE"]}}, "/audience/countries"),
        ({"budget": {}}, "/budget/points"),
        ({"budget": {"points": 0}}, "/budget/points"),
        ({"budget": {"points": 10**12 + 1}}, "/budget/points"),
        ({"budget": {"points": 1.5}}, "/budget/points"),
        ({"funder": "no-such-shop"}, "/funder"),
        ({"holdout_percent": 51}, "/holdout_percent"),
        ({"holdout_percent": -1}, "/holdout_percent"),
        ({"holdout_percent": True}, "/holdout_percent"),
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(changes: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers(campaign_document(**changes))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"award": {"type": "expression"}}, "/award/expression"),
        ({"award": {"type": "expression", "expression": "1", "points": 1}}, "/award/points"),
        ({"award": {"type": "fixed", "points": 1, "expression": "1"}}, "/award/expression"),
        ({"award": {"type": "expression", "expression": "1 +"}}, "/award/expression"),
        ({"award": {"type": "expression", "expression": "line.total"}}, "/award/expression"),
        ({"award": {"type": "expression", "expression": "x" * 10_000}}, "/award/expression"),
        ({"award": {"type": "expression", "expression": ""}}, "/award/expression"),
        ({"priority": 1001}, "/priority"),
        ({"stacking": {"group": "g"}}, "/stacking/mode"),
        ({"stacking": {"group": "g", "mode": "worst"}}, "/stacking/mode"),
        ({"stacking": {"group": "Two Words", "mode": "best"}}, "/stacking/group"),
        ({"limits": [LIMIT | {"unit": "euros"}]}, "/limits/0/unit"),
        ({"limits": [LIMIT | {"by": "city"}]}, "/limits/0/by"),
        ({"limits": [LIMIT | {"per": "hour"}]}, "/limits/0/per"),
        ({"limits": [LIMIT | {"amount": 0}]}, "/limits/0/amount"),
        ({"limits": [LIMIT, LIMIT | {"by": "household"}, LIMIT | {"amount": 60}]}, "/limits/2"),
        ({"limits": [LIMIT] * 11}, "/limits"),
        ({"examples": [{"activity": {}}]}, "/examples/0/expect"),
        ({"examples": [{"expect": {"points": 1}}]}, "/examples/0/activity"),
        ({"examples": [EXAMPLE | {"expect": {"points": -1}}]}, "/examples/0/expect/points"),
        ({"examples": [EXAMPLE | {"now": "yesterday"}]}, "/examples/0/now"),
        ({"examples": [EXAMPLE | {"member": {"name": "Ada"}}]}, "/examples/0/member/name"),
        ({"examples": [EXAMPLE | {"base_points": 0}]}, "/examples/0/base_points"),
        ({"examples": [EXAMPLE] * 21}, "/examples"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(changes: dict[str, Any], pointer: str) -> None:
    assert pointers(campaign_document(rule_document(**changes))) == [f"/rules/0{pointer}"]


def test_a_variable_that_the_expression_binds_itself_is_no_mistake() -> None:
    document = campaign_document(rule_document(when="member.tags.exists(tag, tag == 'student')"))
    assert pointers(document) == []
    document = campaign_document(rule_document(when="member.tags.exists(tag, tag == other)"))
    assert pointers(document) == ["/rules/0/when"]


@pytest.mark.parametrize("language", REASONS)
def test_every_reason_has_words_in_every_language(language: str) -> None:
    limits = {limit.code for by in ("member", "household", "device", "merchant", "station", "campaign")
              for limit in [Limit("points", by, "day", 1)]}  # fmt: skip
    assert limits <= REASONS[language].keys()
    assert REASONS[language].keys() == REASONS["en"].keys()
    for detail, step in REASONS[language].values():
        assert detail.format(rule="R") != ""
        assert step is None or step.format(rule="R") != ""
