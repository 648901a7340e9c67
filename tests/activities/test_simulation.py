"""Simulation: what it says is what the award that follows pays, and it explains every rule."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings

from app.campaigns import service as campaigns
from app.core.clock import format_time, now
from tests import world
from tests.activities.test_backtests import BASKETS, draft, rule
from tests.answers import assert_problem


@pytest.fixture
def editor(app: Flask) -> dict[str, str]:
    return world.make_staff("editor").headers


def activity(**changes: Any) -> dict[str, Any]:
    """A basket without what a simulation does not need."""
    return {key: value for key, value in world.basket(**changes).items() if key not in ("id", "occurred_at", "member")}


def simulate(
    client: FlaskClient, headers: dict[str, str], key: str, body: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    answer = client.post(
        f"/v1/admin/campaigns/{key}/simulate", json={"activity": body or activity()} | changes, headers=headers
    )
    assert answer.status_code == 200, answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json
    return found


def paid(answer: dict[str, Any]) -> dict[str, int]:
    return {award["rule"]: award["points"] for award in answer["awards"]}


def codes(answer: dict[str, Any]) -> dict[str, str]:
    return {missed["rule"]: missed["code"] for missed in answer["missed"]}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(baskets=BASKETS)
def test_a_simulation_equals_the_award_that_follows(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str], baskets: list[Any]
) -> None:
    [customer] = world.make_customers(shop, 1)
    for place, (_, age, lines, packaging, completed) in enumerate(baskets):
        occurred_at = format_time((now() - timedelta(days=age)).replace(microsecond=0))
        numbered = [line | {"id": str(number)} for number, line in enumerate(lines)]
        body = world.basket(
            customer.ref, id=f"{customer.code}-{place}", occurred_at=occurred_at, lines=numbered, packaging=packaging,
            completed=completed,
        )  # fmt: skip
        said = simulate(
            client, editor, "less-packaging", body, member={"id": str(customer.member_id)}, merchant=shop.key,
            together_with="in_force",
        )  # fmt: skip
        answer = client.post("/v1/activities", json=body, headers=shop.live)
        assert answer.status_code == 201
        for name in ("points", "awards", "missed", "impact", "occurred_at"):
            assert said[name] == answer.json[name], name


def test_nothing_is_written_and_no_id_is_told(
    client: FlaskClient, programme: None, editor: dict[str, str], writes_nothing: Any
) -> None:
    with writes_nothing():
        said = simulate(client, editor, "less-packaging")
    assert set(said) == {"campaign", "version", "now", "occurred_at", "points", "awards", "missed", "impact"}
    assert said["now"] == said["occurred_at"]
    assert paid(said) == {"loose": 6, "no-bag": 2}
    assert codes(said) == {"reusable-box": "condition_not_met"}


def test_every_rule_is_explained_in_the_readers_language(
    client: FlaskClient, programme: None, editor: dict[str, str]
) -> None:
    rules = [rule(f"rule-{number}", match={"certifications": ["FSC"]}, labels={"en": "One", "zh-CN": "规则"})
             for number in range(60)]  # fmt: skip
    key = draft(client, editor, *rules)
    said = simulate(client, editor | {"Accept-Language": "zh-CN"}, key)
    assert codes(said) == {each["key"]: "certificate_missing" for each in rules}
    assert {missed["detail"] for missed in said["missed"]} == {"没有符合“规则”所需认证的商品。"}
    everything = simulate(client, editor, key, together_with="in_force")
    assert len(everything["missed"]) + len(paid(everything)) == 60 + 5  # without the one for recycling


def test_any_version_is_tried_as_if_it_ran(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    key = draft(client, editor, rule())
    seen = client.get(f"/v1/admin/campaigns/{key}", headers=editor)
    second = {**seen.json["document"], "rules": [rule(award={"type": "fixed", "points": 7})]}
    changed = client.put(f"/v1/admin/campaigns/{key}", json=second, headers=editor | {"If-Match": seen.headers["ETag"]})
    assert changed.status_code == 200
    assert [simulate(client, editor, key, version=number)["points"]["awarded"] for number in (1, 2, None)] == [10, 7, 7]
    assert simulate(client, editor, seen.json["id"])["version"] == 2
    client.post("/v1/admin/campaigns/greens/pause", headers=editor | {
        "If-Match": client.get("/v1/admin/campaigns/greens", headers=editor).headers["ETag"]})  # fmt: skip
    assert paid(simulate(client, editor, "greens")) == {"produce-euro": 11}
    beside = simulate(client, editor, key, together_with="in_force")
    assert codes(beside)["produce-euro"] == "paused"


def test_the_moment_decides_schedule_age_and_terms(
    client: FlaskClient, programme: None, editor: dict[str, str]
) -> None:
    aged = rule(when="member.age_days >= 30 && now >= timestamp('2031-07-01T00:00:00Z')", pending={"days": 14})
    key = draft(
        client, editor, aged, starts_at="2031-07-01T00:00:00Z", ends_at="2031-08-01T00:00:00Z",
        time_zone="Asia/Shanghai",
        recurrence={"rrule": "FREQ=WEEKLY;BYDAY=WE", "start_time": "18:00", "duration_minutes": 240},
    )  # fmt: skip
    wednesday = "2031-07-02T10:00:00Z"
    old = {"age_days": 30}
    inside = simulate(client, editor, key, member=old, now=wednesday)
    assert paid(inside) == {"each": 10}
    assert inside["awards"][0]["available_at"] == "2031-07-16T10:00:00Z"
    assert codes(simulate(client, editor, key, member=old, now="2031-07-02T14:00:00Z")) == {"each": "outside_schedule"}
    assert codes(simulate(client, editor, key, now=wednesday)) == {"each": "condition_not_met"}
    then = activity() | {"occurred_at": "2031-07-09T10:30:00Z"}
    assert paid(simulate(client, editor, key, then, member=old, now="2031-09-01T00:00:00Z")) == {"each": 10}


def test_a_real_member_has_their_own_facts_and_may_be_held_out(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    key = draft(client, editor, rule(), holdout_percent=50)
    campaign_id = UUID(client.get(f"/v1/admin/campaigns/{key}", headers=editor).json["id"])
    customers = world.make_customers(shop, 12)
    for customer in customers:
        said = simulate(client, editor, key, member={"id": str(customer.member_id)})
        is_out = campaigns.is_held_out(campaign_id, customer.member_id, 50)
        assert codes(said) == ({"each": "not_in_audience"} if is_out else {})
    assert paid(simulate(client, editor, key)) == {"each": 10}, "nobody is never held out"
    members_only = draft(client, editor, rule(), key="vip", audience={"tiers": ["forest"], "tags": ["student"]})
    assert paid(simulate(client, editor, members_only, member={"tier": "forest", "tags": ["student"]})) == {"each": 10}
    assert codes(simulate(client, editor, members_only)) == {"each": "not_in_audience"}


def test_limits_and_budget_cut_and_say_so(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    limited = rule("limited", limits=[{"unit": "points", "by": "member", "per": "day", "amount": 4}], priority=1)
    rest = rule("rest", {"type": "per_unit", "points": 4}, scope="line")
    key = draft(client, editor, limited, rest, rule("too-late", priority=900), budget={"points": 9})
    said = simulate(client, editor, key)
    assert [(each["rule"], each["points"], each["desired_points"]) for each in said["awards"]] == [
        ("limited", 4, 10), ("rest", 5, 8)
    ]  # fmt: skip
    assert [[reason["code"] for reason in award["reasons"]] for award in said["awards"]] == [
        ["matched", "limit_reached_member"], ["matched", "budget_exhausted"]
    ]  # fmt: skip
    assert all(reason["detail"] for award in said["awards"] for reason in award["reasons"])
    assert codes(said) == {"too-late": "budget_exhausted"}
    assert said["points"]["awarded"] == 9


def test_a_real_member_has_what_is_left_of_limits(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    limited = rule(limits=[{"unit": "points", "by": "member", "per": "campaign", "amount": 13}])
    key = draft(client, editor, limited)
    document = client.get(f"/v1/admin/campaigns/{key}", headers=editor).json["document"]
    campaigns.save_campaign(document, active_from=world.LONG_AGO)
    [customer] = world.make_customers(shop, 1)
    assert paid(simulate(client, editor, key, member={"id": str(customer.member_id)})) == {"each": 10}
    client.post("/v1/activities", json=world.basket(customer.ref), headers=shop.live)
    said = simulate(client, editor, key, member={"id": str(customer.member_id)})
    assert [(award["points"], award["desired_points"]) for award in said["awards"]] == [(3, 10)]
    assert [reason["code"] for reason in said["awards"][0]["reasons"]] == ["matched", "limit_reached_member"]


def test_others_stand_beside_it_by_name(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    double = rule("double", {"type": "multiplier", "factor": "2"})
    key = draft(client, editor, double)
    assert codes(simulate(client, editor, key)) == {"double": "below_minimum"}
    with_one = simulate(client, editor, key, together_with=["greens"])
    assert paid(with_one) == {"produce-euro": 11, "double": 11}
    greens = client.get("/v1/admin/campaigns/greens", headers=editor).json["id"]
    with_all = simulate(client, editor, key, together_with=[greens, "certified-products", "less-packaging", key])
    assert paid(with_all) == {**world.BASKET_POINTS, "double": world.BASKET_AWARDED}
    assert paid(simulate(client, editor, key, together_with="in_force")) == paid(with_all)


def test_the_merchant_is_named_by_key(client: FlaskClient, shop: world.Shop, editor: dict[str, str]) -> None:
    key = draft(client, editor, rule(match={"merchants": [shop.key]}))
    assert codes(simulate(client, editor, key)) == {"each": "condition_not_met"}
    assert paid(simulate(client, editor, key, merchant=shop.key)) == {"each": 10}


def test_what_cannot_be_asked(client: FlaskClient, shop: world.Shop, editor: dict[str, str]) -> None:
    path = "/v1/admin/campaigns/greens/simulate"
    for changes, pointer in (
        ({"together_with": "nobody"}, "/together_with"),
        ({"together_with": ["nowhere"]}, "/together_with/0"),
        ({"together_with": [7]}, "/together_with"),
        ({"together_with": {"in_force": True}}, "/together_with"),
        ({"merchant": "nowhere"}, "/merchant"),
        ({"now": "2026-05-04T12:00:00"}, "/now"),
        ({"member": {"id": str(UUID(int=7)), "tier": "seed"}}, "/member"),
        ({"member": {"age_days": -1}}, "/member/age_days"),
        ({"activity": activity() | {"colour": "green"}}, "/activity/colour"),
        ({"activity": activity(packaging=["CARDBOARD_CASTLE"])}, "/activity/packaging/0"),
        ({"version": 10**9}, "/version"),
    ):
        answer = client.post(path, json={"activity": activity()} | changes, headers=editor)
        assert_problem(answer, 422, "validation_failed", pointer)
    nobody = client.post(path, json={"activity": activity(), "member": {"id": str(UUID(int=7))}}, headers=editor)
    assert_problem(nobody, 404, "member_not_found")
    [tester] = world.make_customers(shop, 1, live=False)
    other_mode = {"activity": activity(), "member": {"id": str(tester.member_id)}}
    assert_problem(client.post(path, json=other_mode, headers=editor), 404, "member_not_found")
    assert_problem(
        client.post(path, json={"activity": activity(), "version": 9}, headers=editor), 404,
        "campaign_version_not_found",
    )  # fmt: skip
    viewer = world.make_staff("viewer").headers
    assert paid(simulate(client, viewer, "greens")) == {"produce-euro": 11}
