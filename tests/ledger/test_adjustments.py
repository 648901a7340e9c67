"""Adjustments by hand: alone up to a limit, by two people above it, capped by the day, and audited."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.ids import new_id
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.ledger.conftest import GiveAward, NewMember, account_of, differences, point_award

PATH = "/v1/admin/adjustments"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def support(app: Flask) -> world.Staff:
    return world.make_staff("support")


@pytest.fixture
def approver(app: Flask) -> world.Staff:
    return world.make_staff("approver")


@pytest.fixture
def member_id(new_member: NewMember, give: GiveAward) -> UUID:
    made = new_member()
    give(made, point_award(100))
    return made


def propose(
    client: FlaskClient, caller: world.Staff, member_id: UUID, points: Any, key: str = "", **more: Any
) -> TestResponse:
    body = {"member_id": str(member_id), "points": points, "reason": "Lost receipt"} | more
    return client.post(PATH, json=body, headers=caller.headers | {"Idempotency-Key": key or str(new_id())})


def decide(client: FlaskClient, caller: world.Staff, answer: TestResponse, verb: str) -> TestResponse:
    return client.post(f"{PATH}/{answer.json['id']}/{verb}", headers=caller.headers)


def audit(client: FlaskClient, answer: TestResponse) -> list[dict[str, Any]]:
    query = f"/v1/admin/audit?object_kind=adjustment&object_id={answer.json['id']}"
    entries: list[dict[str, Any]] = client.get(query, headers=world.make_staff("admin").headers).json["data"]
    return entries


@pytest.mark.parametrize("points", [500, -100])
def test_up_to_the_limit_one_person_is_enough(
    client: FlaskClient, support: world.Staff, member_id: UUID, points: int
) -> None:
    answer = propose(client, support, member_id, points, "a-key")
    assert (answer.status_code, answer.json["status"]) == (201, "APPROVED")
    assert answer.json["decided_by"] == str(support.staff_id)
    again = propose(client, support, member_id, points, "a-key")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (answer.json, "true")
    assert account_of(member_id).available == 100 + points
    [entry] = audit(client, answer)
    assert (entry["action"], entry["staff"]["id"]) == ("adjustment.booked", str(support.staff_id))
    assert (entry["before"], entry["after"]["available"]) == (None, 100 + points)
    assert differences() == []


def test_above_the_limit_a_second_person_approves(
    client: FlaskClient, support: world.Staff, approver: world.Staff, member_id: UUID
) -> None:
    answer = propose(client, support, member_id, 501)
    assert (answer.status_code, answer.json["status"], answer.json["decided_at"]) == (201, "PROPOSED", None)
    assert account_of(member_id).available == 100
    done = decide(client, approver, answer, "approve")
    assert (done.status_code, done.json["status"]) == (200, "APPROVED")
    assert done.json["decided_by"] == str(approver.staff_id)
    assert account_of(member_id).available == 601
    for verb in ("approve", "reject"):
        assert_problem(decide(client, approver, answer, verb), 409, "adjustment_closed")
    approved, proposed = audit(client, answer)
    assert (proposed["action"], approved["action"]) == ("adjustment.proposed", "adjustment.approved")
    assert (approved["before"]["status"], approved["after"]["status"]) == ("PROPOSED", "APPROVED")
    assert client.get(f"{PATH}/{answer.json['id']}", headers=support.headers).json == done.json


def test_nobody_approves_their_own(client: FlaskClient, approver: world.Staff, member_id: UUID) -> None:
    admin = world.make_staff("admin", "approver", "support")
    answer = propose(client, admin, member_id, 501)
    assert_problem(decide(client, admin, answer, "approve"), 403, "second_person_needed")
    assert account_of(member_id).available == 100
    assert decide(client, admin, answer, "reject").json["status"] == "REJECTED"
    assert_problem(decide(client, approver, answer, "approve"), 409, "adjustment_closed")


def test_a_proposal_is_over_after_seven_days(
    client: FlaskClient, support: world.Staff, approver: world.Staff, member_id: UUID
) -> None:
    answer = propose(client, support, member_id, 501)
    with time_machine.travel(now() + timedelta(days=7, seconds=1), tick=False):
        later = world.Staff(support.staff_id, world.make_staff("admin").headers)
        assert client.get(f"{PATH}/{answer.json['id']}", headers=later.headers).json["status"] == "EXPIRED"
        assert_problem(decide(client, later, answer, "approve"), 409, "adjustment_closed")
        found = {
            status: len(client.get(f"{PATH}?status={status}", headers=later.headers).json["data"])
            for status in ("PROPOSED", "EXPIRED", "APPROVED", "REJECTED")
        }
    assert found == {"PROPOSED": 0, "EXPIRED": 1, "APPROVED": 0, "REJECTED": 0}
    assert account_of(member_id).available == 100


def test_points_that_are_gone_meanwhile_are_not_taken(
    client: FlaskClient, support: world.Staff, approver: world.Staff, member_id: UUID, give: GiveAward
) -> None:
    assert_problem(propose(client, support, member_id, -101), 409, "insufficient_points")
    answer = propose(client, support, member_id, -600)
    assert answer.json["status"] == "PROPOSED"
    assert_problem(decide(client, approver, answer, "approve"), 409, "insufficient_points")
    give(member_id, point_award(500))
    assert decide(client, approver, answer, "approve").json["status"] == "APPROVED"
    assert account_of(member_id).available == 0
    assert differences() == []


@pytest.mark.parametrize("points", [0, 0.5, 10**12 + 1, -(10**12) - 1, True, "5"])
def test_points_that_are_none_are_refused(
    client: FlaskClient, support: world.Staff, member_id: UUID, points: Any
) -> None:
    assert_problem(propose(client, support, member_id, points), 422, "invalid_points", "/points")


def test_what_does_not_fit_is_refused(client: FlaskClient, support: world.Staff, member_id: UUID) -> None:
    assert_problem(propose(client, support, new_id(), 5), 404, "member_not_found", "/member_id")
    assert_problem(propose(client, support, member_id, 5, reason=""), 422, "validation_failed", "/reason")
    body = {"member_id": str(member_id), "points": 5, "reason": "x"}
    assert_problem(client.post(PATH, json=body, headers=support.headers), 400, "idempotency_key_required")
    for verb in ("approve", "reject"):
        path = f"{PATH}/{new_id()}/{verb}"
        assert_problem(client.post(path, headers=world.make_staff("approver").headers), 404, "adjustment_not_found")
        assert_problem(client.post(path, headers=support.headers), 403, "forbidden")
    for role in ("viewer", "editor", "authority"):
        assert_problem(propose(client, world.make_staff(role), member_id, 5), 403, "forbidden")
    assert account_of(member_id).version == 1


def test_the_roles_cap_what_one_person_does_in_a_day(
    client: FlaskClient, support: world.Staff, approver: world.Staff, member_id: UUID
) -> None:
    programme.change(programme.DEFAULTS | {"adjustment_points_max_daily": {"support": 1000, "approver": 700}})
    with time_machine.travel(NOON, tick=False) as clock:
        support = world.Staff(support.staff_id, _token(support))
        assert propose(client, support, member_id, 400).status_code == 201
        waiting = propose(client, support, member_id, 600)
        assert waiting.json["status"] == "PROPOSED"
        full = propose(client, support, member_id, 1)
        assert_problem(full, 409, "daily_cap_reached")
        assert full.json["points_left"] == 0
        approver = world.Staff(approver.staff_id, _token(approver))
        assert propose(client, approver, member_id, 101).status_code == 201
        assert_problem(decide(client, approver, waiting, "approve"), 409, "daily_cap_reached")
        assert decide(client, approver, waiting, "reject").status_code == 200
        assert propose(client, support, member_id, 600).status_code == 201
        clock.move_to(NOON + timedelta(hours=12))
        support = world.Staff(support.staff_id, _token(support))
        assert propose(client, support, member_id, 400).status_code == 201


def _token(caller: world.Staff) -> dict[str, str]:
    from app.staff import service as staff

    return world.bearer(staff.issue_token(caller.staff_id)[0])


def test_the_cap_and_the_decision_hold_when_everything_comes_at_once(
    app: Flask, support: world.Staff, member_id: UUID
) -> None:
    programme.change(programme.DEFAULTS | {"adjustment_points_max_daily": {"support": 1000}})

    def attempt(_: int) -> int:
        return propose(app.test_client(), support, member_id, 400).status_code

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(attempt, range(6))) == [201, 201, 409, 409, 409, 409]
    waiting = propose(app.test_client(), world.make_staff("finance"), member_id, 900)
    people = [world.make_staff("approver") for _ in range(4)]

    def approve(person: world.Staff) -> int:
        return decide(app.test_client(), person, waiting, "approve").status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(approve, people)) == [200, 409, 409, 409]
    assert account_of(member_id).available == 100 + 800 + 900
    assert differences() == []


def test_adjustments_are_listed_in_pages(client: FlaskClient, support: world.Staff, member_id: UUID) -> None:
    made = [propose(client, support, member_id, number).json["id"] for number in range(1, 6)]
    first = client.get(f"{PATH}?limit=3&member_id={member_id}", headers=support.headers).json
    rest = client.get(
        f"{PATH}?limit=3&member_id={member_id}&cursor={first['next_cursor']}", headers=support.headers
    ).json
    assert [each["id"] for each in first["data"] + rest["data"]] == made[::-1]
    assert rest["next_cursor"] is None
    foreign = client.get(f"{PATH}?limit=3&cursor={first['next_cursor']}", headers=support.headers)
    assert_problem(foreign, 400, "invalid_cursor")
    assert client.get(f"{PATH}?member_id={new_id()}", headers=support.headers).json["data"] == []
    assert_problem(client.get(f"{PATH}?status=open", headers=support.headers), 422, "validation_failed", "/status")
