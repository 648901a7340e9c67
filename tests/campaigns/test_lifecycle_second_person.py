"""Two people: nobody brings in force alone what is above the programme's limit, by whichever way."""

from typing import Any

import pytest

from app.campaigns.checking.linting import Finding
from app.campaigns.lifecycle import exposure_of, is_within, may_approve
from app.campaigns.service import checks
from tests import world
from tests.answers import assert_problem
from tests.campaigns.conftest import Desk
from tests.campaigns.documents import campaign_document, rule_document


@pytest.fixture
def both(app: Any) -> world.Staff:
    """Somebody who may propose and approve."""
    return world.make_staff("editor", "approver")


def changed(points: int) -> dict[str, Any]:
    return campaign_document(rule_document(award={"type": "fixed", "points": points}))


@pytest.mark.parametrize(
    ("document", "estimate", "exposure"),
    [({}, None, None), ({}, 5, 5), ({"budget": None}, 5, 5), ({"budget": {"points": 9}}, None, 9),
     ({"budget": {"points": 9}}, 5, 9), ({"budget": {"points": 9}}, 50, 9)],
)  # fmt: skip
def test_a_budget_bounds_a_campaign_and_else_an_estimate_does(
    document: dict[str, Any], estimate: int | None, exposure: int | None
) -> None:
    assert exposure_of(document, estimate) == exposure


def test_what_has_no_bound_is_above_every_limit() -> None:
    assert not is_within(None, 10**12)
    assert is_within(0, 0)
    assert is_within(10, 10)
    assert not is_within(11, 10)


def test_a_second_person_wrote_nothing_and_submitted_nothing(both: world.Staff) -> None:
    other = world.make_staff("editor")
    assert may_approve(both.staff_id, other.staff_id, [other.staff_id, None])
    assert not may_approve(both.staff_id, both.staff_id, [other.staff_id])
    assert not may_approve(both.staff_id, other.staff_id, [other.staff_id, both.staff_id])
    assert may_approve(both.staff_id, None, [None])


@pytest.mark.parametrize("roles", [("editor", "approver"), ("admin",)])
def test_nobody_approves_their_own(desk: Desk, roles: tuple[str, ...]) -> None:
    author = world.make_staff(*roles)
    desk.create(by=author)
    desk.act("submit", by=author)
    before = desk.get().json
    assert_problem(desk.act("approve", by=author), 403, "second_person_needed")
    assert desk.get().json == before
    assert desk.act("approve", by=desk.approver).json["state"] == "approved"


@pytest.mark.parametrize("sent", [{}, {"json": {}}, {"json": {"override_reason": None}}, {"data": ""}])
def test_an_approval_needs_no_body(desk: Desk, sent: dict[str, Any]) -> None:
    desk.create()
    desk.run("submit")
    headers = desk.approver.headers | {"If-Match": desk.etag()}
    answer = desk.client.post("/v1/admin/campaigns/spring/approve", headers=headers, **sent)
    assert (answer.status_code, answer.json["state"]) == (200, "approved")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [({"json": {"reason": "x"}}, 422, "validation_failed"), ({"json": []}, 422, "validation_failed"),
     ({"data": "{}"}, 415, "unsupported_media_type"),
     ({"data": "{", "content_type": "application/json"}, 400, "malformed_json"),
     ({"data": b" " * (1024 * 1024 + 1), "content_type": "application/json"}, 413, "payload_too_large")],
)  # fmt: skip
def test_a_body_of_an_approval_that_does_not_fit_is_refused(
    desk: Desk, sent: dict[str, Any], status: int, code: str
) -> None:
    desk.create()
    desk.run("submit")
    headers = desk.approver.headers | {"If-Match": desk.etag()}
    assert_problem(desk.client.post("/v1/admin/campaigns/spring/approve", headers=headers, **sent), status, code)
    assert desk.get().json["state"] == "submitted"


def test_nobody_approves_what_they_submitted(desk: Desk, both: world.Staff) -> None:
    desk.create()
    desk.act("submit", by=both)
    assert_problem(desk.act("approve", by=both), 403, "second_person_needed")


def test_another_s_small_change_does_not_make_one_s_own_part_another_s(desk: Desk, both: world.Staff) -> None:
    desk.create(changed(1000), by=both)
    desk.put(changed(1001))
    desk.run("submit")
    assert_problem(desk.act("approve", by=both), 403, "second_person_needed")


def test_what_was_written_before_an_approval_is_settled(desk: Desk, both: world.Staff) -> None:
    desk.create(changed(10), by=both)
    desk.run("submit", "approve", "activate")
    desk.put(changed(11))
    desk.run("submit")
    assert desk.act("approve", by=both).json["change"] == {"version": 2, "state": "approved"}


def test_what_came_in_force_without_approval_is_not_settled(desk: Desk, both: world.Staff) -> None:
    """Both wrote what pays by the limit; approving the version that lifts the bound would approve their own part."""
    desk.create(changed(10), by=both)
    desk.estimate(10)
    desk.act("activate", by=both)
    desk.put(changed(11))
    desk.run("submit")
    assert_problem(desk.act("approve", by=both), 403, "second_person_needed")
    assert desk.run("approve")["change"]["state"] == "approved"


@pytest.mark.parametrize("steps", [("submit",), ("submit", "approve")])
def test_a_change_undoes_submission_and_approval(desk: Desk, steps: tuple[str, ...]) -> None:
    desk.create(changed(10))
    desk.run(*steps)
    answer = desk.put(changed(1000))
    assert (answer.json["state"], answer.json["version"]) == ("draft", 2)
    assert_problem(desk.act("approve"), 409, "campaign_state")
    assert_problem(desk.act("activate"), 409, "approval_needed")
    assert desk.versions()[1]["state"] == "dropped"


def test_a_change_of_an_approved_change_needs_its_own_approval(desk: Desk) -> None:
    desk.create(changed(10))
    desk.run("submit", "approve", "activate")
    desk.put(changed(11))
    desk.run("submit", "approve")
    assert desk.put(changed(1000)).json["change"] == {"version": 3, "state": "draft"}
    assert_problem(desk.act("activate"), 409, "approval_needed")
    assert desk.get().json["in_force_version"] == 1


def test_an_approval_is_of_the_version_that_was_seen(desk: Desk) -> None:
    desk.create(changed(10))
    seen = desk.act("submit").headers["ETag"]
    desk.put(changed(1000))
    desk.run("submit")
    assert_problem(desk.act("approve", etag=seen), 412, "precondition_failed")
    assert desk.get().json["state"] == "submitted"


def test_an_approval_can_be_taken_back_before_it_is_used(desk: Desk) -> None:
    desk.create()
    desk.run("submit", "approve")
    assert desk.act("reject").json["state"] == "draft"
    [version] = desk.versions()
    assert (version["approved_by"], version["approved_at"], version["submitted_by"]) == (None, None, None)
    assert_problem(desk.act("activate"), 409, "approval_needed")


def test_a_copy_and_an_import_start_without_approval(desk: Desk, both: world.Staff) -> None:
    desk.create()
    desk.run("submit", "approve", "activate")
    exported = desk.client.get("/v1/admin/campaigns/spring/export", headers=both.headers).json
    exported["campaign"]["key"] = "summer"
    imported = desk.client.post("/v1/admin/campaigns/import", json=exported, headers=both.headers)
    copied = desk.client.post("/v1/admin/campaigns/spring/copy", json={"key": "autumn"}, headers=both.headers)
    for answer, key in ((imported, "summer"), (copied, "autumn")):
        assert (answer.status_code, answer.json["state"], answer.json["needs_approval"]) == (201, "draft", True)
        assert_problem(desk.act("activate", by=both, key=key), 409, "approval_needed")
        desk.act("submit", key=key)
        assert_problem(desk.act("approve", by=both, key=key), 403, "second_person_needed")


def test_a_version_within_the_limit_comes_in_force_at_once_where_it_says_what_pays_already(desk: Desk) -> None:
    """That is how a change is withdrawn: what pays is put again."""
    desk.create(changed(10))
    desk.run("submit", "approve", "activate")
    desk.put(changed(1000))
    answer = desk.put(changed(10) | {"priority": 100})
    assert (answer.json["in_force_version"], answer.json["change"]) == (3, None)
    assert [version["state"] for version in desk.versions()] == ["in_force", "dropped", "past"]


@pytest.fixture
def linter(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more check: a fixed award of 13 points must be overridden, one of 12 is only told."""

    def check(document: Any) -> list[Finding]:
        points = document["rules"][0]["award"]["points"]
        severity = {13: "error", 12: "warning"}.get(points)
        return [Finding("unlucky", severity, "/rules/0/award/points", f"{points} points")] if severity else []

    monkeypatch.setattr(checks, "CHECKS", [*checks.CHECKS, check])


@pytest.mark.usefixtures("linter")
def test_a_warning_is_told_and_keeps_nobody(desk: Desk) -> None:
    expected = {"severity": "warning", "code": "unlucky", "pointer": "/rules/0/award/points", "detail": "12 points"}
    assert desk.create(changed(12)).json["warnings"] == [expected]
    desk.estimate(1)
    assert desk.run("activate")["warnings"] == [expected]
    assert desk.versions()[0]["warnings"] == [expected]


@pytest.mark.usefixtures("linter")
def test_an_error_is_overridden_by_an_approver_with_a_reason(desk: Desk) -> None:
    created = desk.create(changed(13))
    desk.estimate(1)
    assert created.json["warnings"][0]["severity"] == "error"
    assert desk.get().json["needs_approval"] is True
    refused = desk.act("activate")
    assert_problem(refused, 409, "approval_needed")
    assert refused.json["warnings"] == created.json["warnings"]
    desk.run("submit")
    refused = desk.act("approve")
    assert_problem(refused, 409, "override_reason_needed")
    assert refused.json["warnings"] == created.json["warnings"]
    assert_problem(desk.act("approve", override_reason=""), 422, "validation_failed", "/override_reason")
    answer = desk.act("approve", override_reason="It is Friday")
    assert (answer.json["state"], answer.json["override_reason"]) == ("approved", "It is Friday")
    assert desk.run("activate")["state"] == "active"
    assert desk.versions()[0]["override_reason"] == "It is Friday"
    assert next(each for each in desk.audit() if each["action"] == "campaign.approved")["after"]["override_reason"] == (
        "It is Friday"
    )


@pytest.mark.usefixtures("linter")
def test_what_stands_beside_it_may_turn_a_version_into_one_that_must_be_overridden(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.create(changed(11))
    desk.estimate(1)
    desk.run("submit")

    def later(document: Any) -> list[Finding]:
        return [Finding("new_neighbour", "error", "/rules/0", "There is another one now")]

    monkeypatch.setattr(checks, "CHECKS", [*checks.CHECKS, later])
    assert_problem(desk.act("approve"), 409, "override_reason_needed")
