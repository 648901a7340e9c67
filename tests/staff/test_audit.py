"""The audit log: who did what to which object, appended and never changed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.database import db, driver_connection
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.staff import service
from app.staff.models import AuditEntry
from tests import world
from tests.answers import assert_problem

PATH = "/v1/admin/audit"
START = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def admin(app: Flask) -> world.Staff:
    return world.make_staff("admin")


def record(number: int = 0, action: str = "thing.changed", **more: Any) -> UUID:
    return service.record_audit(
        action, more.pop("kind", "thing"), more.pop("object_id", number), before=None, after={"number": number} | more,
        moment=START + timedelta(hours=number),
    )  # fmt: skip


def numbers(client: FlaskClient, admin: world.Staff, query: str = "") -> list[int]:
    answer = client.get(f"{PATH}?{query}", headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return [entry["after"]["number"] for entry in answer.json["data"] if entry["object"]["kind"] == "thing"]


def test_what_a_command_did_is_nobody_s(client: FlaskClient, admin: world.Staff) -> None:
    made = record(7, at=START, who=admin.staff_id)
    [entry] = client.get(f"{PATH}?object_kind=thing", headers=admin.headers).json["data"]
    assert entry == {
        "id": str(made), "staff": None, "action": "thing.changed", "object": {"kind": "thing", "id": "7"},
        "before": None, "after": {"number": 7, "at": "2026-05-04T12:00:00Z", "who": str(admin.staff_id)},
        "at": "2026-05-04T19:00:00Z", "request_id": None,
    }  # fmt: skip


def test_what_staff_did_names_them_and_the_request(client: FlaskClient, admin: world.Staff, shop: world.Shop) -> None:
    made = client.post(
        f"/v1/admin/merchants/{shop.merchant_id}/keys",
        json={"label": "till", "live": True, "scopes": ["holds"]},
        headers=admin.headers | {"X-Request-Id": "request-0001"},
    ).json
    client.delete(f"/v1/admin/merchants/{shop.merchant_id}/keys/{made['key_id']}", headers=admin.headers)
    revoked, issued = client.get(f"{PATH}?object_id={made['key_id']}", headers=admin.headers).json["data"]
    assert (issued["action"], revoked["action"]) == ("merchant_key.issued", "merchant_key.revoked")
    assert issued["staff"] == {"id": str(admin.staff_id), "name": "Ada"}
    assert issued["request_id"] == "request-0001"
    assert made["key"] not in str(issued)
    assert issued["after"]["scopes"] == ["holds"]


def test_the_log_comes_in_pages_newest_first(client: FlaskClient, admin: world.Staff) -> None:
    for number in range(5):
        record(number)
    first = client.get(f"{PATH}?limit=3&object_kind=thing", headers=admin.headers).json
    path = f"{PATH}?limit=3&object_kind=thing&cursor={first['next_cursor']}"
    rest = client.get(path, headers=admin.headers).json
    assert [entry["after"]["number"] for entry in first["data"] + rest["data"]] == [4, 3, 2, 1, 0]
    assert rest["next_cursor"] is None
    for headers, query in (
        (world.make_staff("admin").headers, path),
        (admin.headers, path.replace("object_kind=thing&", "")),
    ):
        assert_problem(client.get(query, headers=headers), 400, "invalid_cursor")


def test_filters_narrow_the_log(client: FlaskClient, admin: world.Staff) -> None:
    record(1)
    record(2, "thing.removed")
    record(3, object_id="x")
    for query, expected in (
        ("", [3, 2, 1]), ("action=thing.removed", [2]), ("object_id=x", [3]), (f"staff_id={new_id()}", []),
        ("from=2026-05-04T14:00:00Z&to=2026-05-04T15:00:00Z", [2]), ("to=2026-05-04T13:00:01Z", [1]),
    ):  # fmt: skip
        assert numbers(client, admin, query) == expected
    for query in ("from=yesterday", "staff_id=7", "object_id=", "who=ada"):
        assert_problem(client.get(f"{PATH}?{query}", headers=admin.headers), 422, "validation_failed")


def test_only_those_who_answer_for_it_read_the_log(client: FlaskClient) -> None:
    for role, status in (("viewer", 403), ("support", 403), ("editor", 403), ("authority", 200), ("finance", 200)):
        assert client.get(PATH, headers=world.make_staff(role).headers).status_code == status


def test_an_entry_goes_with_the_work_that_failed(app: Flask) -> None:
    def fail() -> None:
        with unit_of_work():
            record(1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert db.session.scalar(db.select(db.func.count()).select_from(AuditEntry)) == 0


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "DELETE FROM ledger_verification"]
)
def test_the_application_can_not_change_the_log(app: Flask, statement: str) -> None:
    with driver_connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
