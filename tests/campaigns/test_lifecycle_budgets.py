"""A budget bounds what a campaign could pay: within the programme's limit a change is in force at once."""

from typing import Any

import pytest

from app.programme import service as programme
from tests.answers import assert_problem
from tests.campaigns.conftest import Desk
from tests.campaigns.documents import campaign_document, rule_document


def within(budget: int | None, points: int = 10) -> dict[str, Any]:
    rule = rule_document(award={"type": "fixed", "points": points})
    return campaign_document(rule, budget=None if budget is None else {"points": budget})


def untouched(points: int) -> dict[str, int]:
    return {"points": points, "paid": 0, "left": points}


def test_an_editor_alone_activates_a_budget_within_the_limit(desk: Desk) -> None:
    shown = desk.create(within(10_000)).json
    assert (shown["budget"], shown["exposure_points"], shown["needs_approval"]) == (untouched(10_000), 10_000, False)
    assert desk.run("activate")["state"] == "active"
    desk.create(within(10_001) | {"key": "summer"})
    assert_problem(desk.act("activate", key="summer"), 409, "approval_needed")


@pytest.mark.parametrize("steps", [(), ("pause",)])
def test_a_change_within_the_limit_is_in_force_at_once(desk: Desk, steps: tuple[str, ...]) -> None:
    desk.create(within(10_000))
    before = desk.run("activate", *steps)
    after = desk.put(within(9_000)).json
    assert (after["state"], after["in_force_version"], after["change"]) == (before["state"], 2, None)
    assert (after["budget"], desk.versions()[0]["activated_by"]) == (untouched(9_000), str(desk.editor.staff_id))


@pytest.mark.parametrize("budget", [10_001, None])
def test_a_change_above_the_limit_waits_and_the_old_budget_holds(desk: Desk, budget: int | None) -> None:
    desk.create(within(10_000))
    desk.run("activate")
    waiting = desk.put(within(budget)).json
    assert (waiting["in_force_version"], waiting["change"]) == (1, {"version": 2, "state": "draft"})
    assert (waiting["budget"], waiting["exposure_points"]) == (untouched(10_000), budget)
    done = desk.run("submit", "approve", "activate")
    assert (done["in_force_version"], done["budget"]) == (2, None if budget is None else untouched(budget))


def test_a_change_within_the_limit_takes_the_place_of_one_that_was_approved(desk: Desk) -> None:
    desk.create(within(10_000))
    desk.run("activate")
    desk.put(within(10_001))
    desk.run("submit", "approve")
    assert desk.put(within(9_000)).json["in_force_version"] == 3
    assert [version["state"] for version in desk.versions()] == ["in_force", "dropped", "past"]


def test_a_small_version_in_force_does_not_make_the_approval_of_a_large_one_needless(desk: Desk) -> None:
    desk.create(within(10_001))
    desk.run("submit", "approve", "activate")
    assert desk.put(within(1)).json["in_force_version"] == 2
    assert desk.put(within(10_001)).json["change"] == {"version": 3, "state": "draft"}
    assert_problem(desk.act("activate"), 409, "approval_needed")


def test_an_estimate_does_not_lift_a_budget_nor_lower_it(desk: Desk) -> None:
    desk.create(within(10_001))
    desk.estimate(1)
    assert desk.get().json["exposure_points"] == 10_001
    assert_problem(desk.act("activate"), 409, "approval_needed")
    programme.change(programme.DEFAULTS | {"campaign_exposure_points_max_alone": 10_001})
    assert desk.run("activate")["state"] == "active"
