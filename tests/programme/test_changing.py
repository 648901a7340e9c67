"""The programme's settings: changed by an admin who has seen them, audited, and followed by every process."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.programme import service as programme
from tests import world
from tests.answers import assert_problem

PATH = "/v1/admin/programme"


@pytest.fixture
def admin(app: Flask) -> world.Staff:
    return world.make_staff("admin")


def put(client: FlaskClient, caller: world.Staff, etag: str | None, **changes: Any) -> TestResponse:
    seen = {} if etag is None else {"If-Match": etag}
    return client.put(PATH, json=programme.DEFAULTS | changes, headers=caller.headers | seen)


def get(client: FlaskClient, caller: world.Staff) -> TestResponse:
    return client.get(PATH, headers=caller.headers)


def test_an_admin_changes_what_they_have_seen(client: FlaskClient, admin: world.Staff) -> None:
    first = get(client, admin)
    assert (first.status_code, first.headers["ETag"], first.json) == (200, '"0"', programme.DEFAULTS)
    done = put(client, admin, first.headers["ETag"], name="Ours", campaign_exposure_points_max_alone=5)
    assert (done.status_code, done.headers["ETag"]) == (200, '"1"')
    assert done.json == programme.DEFAULTS | {"name": "Ours", "campaign_exposure_points_max_alone": 5}
    assert get(client, admin).json == done.json
    assert programme.current().campaign_exposure_points_max_alone == 5


def test_what_was_read_can_be_sent_back_and_changes_nothing(client: FlaskClient, admin: world.Staff) -> None:
    put(client, admin, '"0"', name="Ours")
    seen = get(client, admin)
    again = client.put(PATH, json=seen.json, headers=admin.headers | {"If-Match": seen.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"], again.json) == (200, seen.headers["ETag"], seen.json)


def test_a_setting_that_came_later_has_its_default_and_is_no_change(client: FlaskClient, admin: world.Staff) -> None:
    older = {name: value for name, value in programme.DEFAULTS.items() if not name.startswith("campaign_")}
    put(client, admin, '"0"', name="Ours")
    answer = client.put(PATH, json=older | {"name": "Ours"}, headers=admin.headers | {"If-Match": '"1"'})
    assert (answer.headers["ETag"], answer.json["campaign_exposure_points_max_alone"]) == ('"1"', 10_000)


def test_who_has_seen_nothing_or_what_is_no_longer_so_changes_nothing(
    client: FlaskClient, admin: world.Staff, writes_nothing: Callable[[], Any]
) -> None:
    put(client, admin, '"0"', name="Ours")
    with writes_nothing():
        assert_problem(put(client, admin, None, name="Theirs"), 428, "precondition_required")
        assert_problem(put(client, admin, "*", name="Theirs"), 428, "precondition_required")
        for stale in ('"0"', '"2"', 'W/"1"'):
            assert_problem(put(client, admin, stale, name="Theirs"), 412, "precondition_failed")
    assert programme.current().name == "Ours"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"campaign_exposure_points_max_alone": -1}, "/campaign_exposure_points_max_alone"),
     ({"campaign_exposure_points_max_alone": 10**12 + 1}, "/campaign_exposure_points_max_alone"),
     ({"campaign_exposure_points_max_alone": True}, "/campaign_exposure_points_max_alone"),
     ({"campaign_exposure_points_max_alone": None}, "/campaign_exposure_points_max_alone"),
     ({"time_zone": "Mars/Olympus"}, "/time_zone"), ({"currency": "EEE"}, "/currency"), ({"colour": 1}, "/colour"),
     ({"version": 1}, "/version")],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(
    client: FlaskClient, admin: world.Staff, changes: dict[str, Any], pointer: str
) -> None:
    assert_problem(put(client, admin, '"0"', **changes), 422, "validation_failed", pointer)
    assert programme.current().version == 0


@pytest.mark.parametrize("role", ["viewer", "support", "editor", "approver", "finance", "authority"])
def test_only_an_admin_changes_them(client: FlaskClient, role: str) -> None:
    """Finance adjusts points within limits that stand there, approvers approve by one: nobody moves their own."""
    assert_problem(put(client, world.make_staff(role), '"0"', name="Mine"), 403, "forbidden")


def test_the_audit_log_says_who_changed_what(client: FlaskClient, admin: world.Staff) -> None:
    put(client, admin, '"0"', name="Ours")
    put(client, admin, '"1"', name="Ours")
    put(client, admin, '"1"', name="Theirs", currency="CNY")
    found = client.get("/v1/admin/audit?object_kind=programme", headers=admin.headers).json["data"]
    second, first = found
    assert {entry["action"] for entry in found} == {"programme.changed"}
    assert {entry["staff"]["id"] for entry in found} == {str(admin.staff_id)}
    assert (first["before"], first["after"]["name"]) == (programme.DEFAULTS, "Ours")
    assert (second["before"], second["after"]["currency"]) == (first["after"], "CNY")


def test_a_command_s_change_is_audited_as_nobody_s(client: FlaskClient, admin: world.Staff) -> None:
    programme.change(programme.DEFAULTS | {"name": "Ours"})
    [entry] = client.get("/v1/admin/audit?object_kind=programme", headers=admin.headers).json["data"]
    assert (entry["staff"], entry["after"]["name"]) == (None, "Ours")


def test_of_changes_at_once_one_is_made(app: Flask, admin: world.Staff) -> None:
    def attempt(number: int) -> int:
        return put(app.test_client(), admin, '"0"', name=f"Name {number}").status_code

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(attempt, range(6))) == [200, *[412] * 5]
    assert get(app.test_client(), admin).headers["ETag"] == '"1"'


def test_another_process_follows_within_a_second(client: FlaskClient, admin: world.Staff, other_app: Flask) -> None:
    other = other_app.test_client()
    assert get(other, admin).json["name"] == "Greenpoints"
    put(client, admin, '"0"', name="Ours")
    changed_at = time.monotonic()
    assert get(client, admin).json["name"] == "Ours"
    while get(other, admin).json["name"] != "Ours":
        assert time.monotonic() - changed_at < 1
        time.sleep(0.02)
