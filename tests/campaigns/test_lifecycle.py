"""A campaign's life: each state allows its steps and no other, to those whose role it is."""

from collections.abc import Callable
from typing import Any

import pytest

from app.core.ids import new_id
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.campaigns.conftest import PATH, Desk
from tests.campaigns.documents import campaign_document, rule_document

STEPS = ("submit", "approve", "reject", "activate", "pause", "end", "archive")
# How a campaign gets into each state, and which steps that state allows with the state they lead to.
WAYS: dict[str, tuple[str, ...]] = {
    "draft": (),
    "submitted": ("submit",),
    "approved": ("submit", "approve"),
    "active": ("submit", "approve", "activate"),
    "paused": ("submit", "approve", "activate", "pause"),
    "ended": ("submit", "approve", "activate", "end"),
    "archived": ("submit", "approve", "activate", "end", "archive"),
}
ALLOWED: dict[str, dict[str, str]] = {
    "draft": {"submit": "submitted", "archive": "archived"},
    "submitted": {"approve": "approved", "reject": "draft"},
    "approved": {"activate": "active", "reject": "draft"},
    "active": {"pause": "paused", "end": "ended"},
    "paused": {"activate": "active", "end": "ended"},
    "ended": {"archive": "archived"},
    "archived": {},
}


def changed(points: int, **more: Any) -> dict[str, Any]:
    return campaign_document(rule_document(award={"type": "fixed", "points": points}), **more)


@pytest.mark.parametrize("state", WAYS)
def test_a_state_allows_its_steps_and_no_other(
    desk: Desk, state: str, writes_nothing: Callable[[], Any], subtests: pytest.Subtests
) -> None:
    for step in STEPS:
        with subtests.test(step):
            key = f"{state}-{step}"
            desk.create(campaign_document(key=key))
            assert desk.run(*WAYS[state], key=key)["state"] == state
            before = desk.get(key)
            if step in ALLOWED[state]:
                answer = desk.act(step, key=key)
                assert (answer.status_code, answer.json["state"]) == (200, ALLOWED[state][step])
                assert answer.headers["ETag"] != before.headers["ETag"]
                assert desk.get(key).headers["ETag"] == answer.headers["ETag"]
                continue
            with writes_nothing():
                refused = desk.act(step, key=key)
            code = "campaign_closed" if state in ("ended", "archived") else "campaign_state"
            if (state, step) == ("draft", "activate"):
                code = "approval_needed"
            assert_problem(refused, 409, code)
            if code != "approval_needed":
                assert refused.json["campaign_state"] == state
            assert desk.get(key).json == before.json


@pytest.mark.parametrize("state", ["ended", "archived"])
def test_nothing_changes_a_campaign_that_is_over(desk: Desk, state: str) -> None:
    desk.create()
    before = desk.run(*WAYS[state])
    assert_problem(desk.put(changed(11)), 409, "campaign_closed")
    assert_problem(desk.put(before["document"]), 409, "campaign_closed")
    assert desk.get().json == before
    assert (before["in_force_version"], before["change"]) == (None, None)
    assert desk.versions()[0]["state"] == "past"


def test_a_draft_that_never_ran_can_be_put_away(desk: Desk) -> None:
    desk.create()
    desk.run("archive")
    assert_problem(desk.act("submit"), 409, "campaign_closed")
    assert desk.versions()[0]["state"] == "draft"


@pytest.mark.parametrize("state", WAYS)
def test_every_step_names_what_was_seen(desk: Desk, state: str, subtests: pytest.Subtests) -> None:
    """428 and 412 come before any word about the state, because the state may be one the caller never saw."""
    desk.create()
    before = desk.run(*WAYS[state])
    headers = world.make_staff("editor", "approver").headers
    for step in (*STEPS, ""):
        body = {"reason": "Not yet"} if step == "reject" else {} if step == "approve" else before["document"]
        method = "POST" if step else "PUT"
        path = f"{PATH}/spring/{step}" if step else f"{PATH}/spring"
        with subtests.test(step or "put"):
            for seen, status, code in (
                ({}, 428, "precondition_required"),
                ({"If-Match": "*"}, 428, "precondition_required"),
                ({"If-Match": '"99"'}, 412, "precondition_failed"),
                ({"If-Match": f"W/{desk.etag()}"}, 412, "precondition_failed"),
            ):
                answer = desk.client.open(path, method=method, json=body, headers=headers | seen)
                assert_problem(answer, status, code)
    assert desk.get().json == before


ROLES = ("viewer", "support", "editor", "approver", "finance", "authority", "admin")


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("GET", "", set(ROLES)),
        ("GET", "/spring", set(ROLES)),
        ("GET", "/spring/versions", set(ROLES)),
        ("GET", "/spring/export", set(ROLES)),
        ("POST", "", {"editor", "admin"}),
        ("POST", "/import", {"editor", "admin"}),
        ("POST", "/spring/copy", {"editor", "admin"}),
        ("PUT", "/spring", {"editor", "admin"}),
        ("POST", "/spring/submit", {"editor", "admin"}),
        ("POST", "/spring/approve", {"approver", "admin"}),
        ("POST", "/spring/reject", {"approver", "admin"}),
        ("POST", "/spring/activate", {"editor", "approver", "admin"}),
        ("POST", "/spring/pause", {"editor", "admin"}),
        ("POST", "/spring/end", {"editor", "admin"}),
        ("POST", "/spring/archive", {"editor", "admin"}),
    ],
)
def test_each_route_is_for_its_roles(desk: Desk, method: str, path: str, roles: set[str]) -> None:
    desk.create()
    allowed = set()
    for role in ROLES:
        sent = {"json": {}} if method != "GET" else {}
        answer = desk.client.open(f"{PATH}{path}", method=method, headers=world.make_staff(role).headers, **sent)
        assert answer.status_code in ((200,) if method == "GET" else (403, 412, 422, 428)), answer.text
        if answer.status_code != 403:
            allowed.add(role)
    assert allowed == roles


@pytest.mark.parametrize("any_id", ["nothing", "NOTHING", "%00", "a b", "%ff", str(new_id()), "..", "x" * 300])
def test_what_is_not_there_is_not_found(desk: Desk, any_id: str) -> None:
    headers = desk.admin.headers | {"If-Match": '"1"'}
    assert_problem(desk.client.get(f"{PATH}/{any_id}", headers=headers), 404, "campaign_not_found")
    answer = desk.client.put(f"{PATH}/{any_id}", json=campaign_document(), headers=headers)
    assert_problem(answer, 404, "campaign_not_found")
    for step in (*STEPS, "copy"):
        body = {"reason": "x"} if step == "reject" else {"key": "b"} if step == "copy" else {}
        answer = desk.client.post(f"{PATH}/{any_id}/{step}", json=body, headers=headers)
        assert_problem(answer, 404, "campaign_not_found")


def test_a_bounded_campaign_goes_by_one_person_and_an_unbounded_one_does_not(desk: Desk) -> None:
    programme.change(programme.DEFAULTS | {"campaign_exposure_points_max_alone": 500})
    for points, status in ((None, 409), (501, 409), (500, 200), (0, 200)):
        key = f"up-to-{points}".lower()
        desk.create(campaign_document(key=key))
        if points is not None:
            desk.estimate(points, key)
        assert desk.get(key).json["needs_approval"] is (status == 409)
        answer = desk.act("activate", key=key)
        assert answer.status_code == status, answer.text
        if status == 409:
            assert_problem(answer, 409, "approval_needed")
            assert (answer.json["exposure_points"], answer.json["points_max_alone"]) == (points, 500)
        else:
            assert (answer.json["state"], answer.json["in_force_version"]) == ("active", 1)


def test_what_waits_for_approval_is_not_activated_behind_the_approver_s_back(desk: Desk) -> None:
    desk.create()
    desk.estimate(1)
    desk.run("submit")
    assert_problem(desk.act("activate"), 409, "campaign_state")


def test_a_lower_limit_holds_for_what_is_not_active_yet(desk: Desk) -> None:
    desk.create()
    desk.estimate(500)
    programme.change(programme.DEFAULTS | {"campaign_exposure_points_max_alone": 499})
    assert_problem(desk.act("activate"), 409, "approval_needed")


def test_a_change_waits_while_the_old_version_pays_on(desk: Desk) -> None:
    desk.create()
    desk.run("submit", "approve", "activate")
    answer = desk.put(changed(11))
    assert answer.json["change"] == {"version": 2, "state": "draft"}
    assert (answer.json["state"], answer.json["version"], answer.json["in_force_version"]) == ("active", 2, 1)
    assert answer.json["document"] == changed(11)
    assert_problem(desk.act("activate"), 409, "approval_needed")
    assert desk.run("submit")["change"] == {"version": 2, "state": "submitted"}
    refused = desk.act("submit")
    assert_problem(refused, 409, "campaign_state")
    assert (refused.json["campaign_state"], refused.json["change_state"]) == ("active", "submitted")
    assert desk.run("approve")["change"] == {"version": 2, "state": "approved"}
    done = desk.run("activate")
    assert (done["state"], done["change"], done["in_force_version"]) == ("active", None, 2)
    assert [version["state"] for version in desk.versions()] == ["in_force", "past"]
    assert_problem(desk.act("activate"), 409, "campaign_state")


def test_a_change_is_rejected_with_a_reason_and_the_campaign_runs_on(desk: Desk) -> None:
    desk.create()
    desk.run("submit", "approve", "activate")
    desk.put(changed(11))
    desk.run("submit")
    answer = desk.act("reject", reason="Twice as much?")
    assert (answer.json["state"], answer.json["change"]) == ("active", {"version": 2, "state": "draft"})
    assert answer.json["rejection"]["reason"] == "Twice as much?"
    assert answer.json["rejection"]["by"] == str(desk.approver.staff_id)
    assert desk.get().json["rejection"] == answer.json["rejection"]
    assert desk.run("submit", "approve", "activate")["in_force_version"] == 2


def test_a_paused_campaign_resumes_with_what_is_ready(desk: Desk) -> None:
    desk.create()
    desk.run("submit", "approve", "activate", "pause")
    desk.put(changed(11))
    resumed = desk.run("activate")
    assert (resumed["state"], resumed["in_force_version"], resumed["change"]["state"]) == ("active", 1, "draft")
    assert (desk.run("pause", "submit", "approve")["state"]) == "paused"
    resumed = desk.run("activate")
    assert (resumed["state"], resumed["in_force_version"], resumed["change"]) == ("active", 2, None)


def test_the_end_drops_the_change_that_waits(desk: Desk) -> None:
    desk.create()
    desk.run("submit", "approve", "activate")
    desk.put(changed(11))
    desk.run("submit", "approve")
    ended = desk.run("end")
    assert (ended["state"], ended["change"], ended["in_force_version"]) == ("ended", None, None)
    for step in ("activate", "approve", "reject", "submit"):
        assert_problem(desk.act(step), 409, "campaign_closed")
    assert [version["state"] for version in desk.versions()] == ["dropped", "past"]


def test_an_estimate_counts_for_the_newest_version_of_what_is_not_over(desk: Desk) -> None:
    desk.create()
    desk.estimate(7)
    before = desk.etag()
    assert desk.get().json["exposure_points"] == 7
    desk.put(changed(11))
    assert desk.get().json["exposure_points"] is None, "what was estimated of another document says nothing of this one"
    assert desk.etag() != before
    assert [version["exposure_points"] for version in desk.versions()] == [None, 7]
    desk.run("submit", "approve", "activate", "end")
    desk.estimate(8)
    assert desk.get().json["exposure_points"] is None
