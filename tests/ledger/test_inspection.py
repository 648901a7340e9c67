"""What staff see: a member by code or address, their points, and how the last proof of the ledger ended."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.clock import now
from app.core.ids import new_id
from app.ledger.service import inspection
from app.ledger.verification import Verification
from app.members import service as members
from tests import world
from tests.answers import assert_problem
from tests.ledger.conftest import GiveAward, NewMember, point_award


@pytest.fixture
def viewer(app: Flask) -> dict[str, str]:
    return world.make_staff("viewer").headers


@pytest.fixture
def member_id(new_member: NewMember, give: GiveAward) -> UUID:
    made = new_member()
    for number in range(1, 6):
        give(made, point_award(number, expires_at=datetime(2999, 1, number, tzinfo=UTC)))
    return made


def test_a_member_is_found_by_code_or_address(client: FlaskClient) -> None:
    support = world.make_staff("support").headers
    ada = members.enrol_member(address="ada@example.org", moment=now())
    fake = members.enrol_member(address="ada@example.org", live=False, moment=now())
    for query, found in (
        (f"code={ada.code.lower()}", [ada]), ("address=ADA@example.org", [ada, fake]), ("code=nonsense", []),
        ("address=bob@example.org", []), (f"code={fake.code}", [fake]),
    ):  # fmt: skip
        answer = client.get(f"/v1/admin/members?{query}", headers=support)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        shown = [(each["id"], each["live"]) for each in answer.json["data"]]
        assert shown == [(str(each.member_id), each.live) for each in found]
    for query in ("", "code=1&address=2", "address=nobody", "name=ada"):
        assert_problem(client.get(f"/v1/admin/members?{query}", headers=support), 422, "validation_failed")
    assert_problem(client.get("/v1/admin/members?code=1", headers=world.make_staff("viewer").headers), 403, "forbidden")


def test_staff_see_what_the_member_sees(
    client: FlaskClient, viewer: dict[str, str], member_id: UUID, shopper: Callable[[UUID], dict[str, str]]
) -> None:
    for name in ("wallet", "entries"):
        own = client.get("/v1/me/wallet" if name == "wallet" else "/v1/me/wallet/entries", headers=shopper(member_id))
        seen = client.get(f"/v1/admin/members/{member_id}/{name}", headers=viewer)
        assert seen.headers["Cache-Control"] == "no-store"
        assert seen.json | {"as_of": 0} == own.json | {"as_of": 0}


@pytest.mark.parametrize(("name", "key"), [("entries", "seq"), ("lots", "id")])
def test_entries_and_lots_come_in_pages(
    client: FlaskClient, viewer: dict[str, str], member_id: UUID, name: str, key: str
) -> None:
    path = f"/v1/admin/members/{member_id}/{name}"
    first = client.get(f"{path}?limit=3", headers=viewer).json
    rest = client.get(f"{path}?limit=3&cursor={first['next_cursor']}", headers=viewer).json
    assert [each[key] for each in first["data"] + rest["data"]] == [5, 4, 3, 2, 1]
    assert rest["next_cursor"] is None
    other = world.make_staff("viewer").headers
    assert_problem(client.get(f"{path}?cursor={first['next_cursor']}", headers=other), 400, "invalid_cursor")


def test_a_lot_says_where_its_points_are(client: FlaskClient, viewer: dict[str, str], member_id: UUID) -> None:
    lot = client.get(f"/v1/admin/members/{member_id}/lots?limit=1", headers=viewer).json["data"][0]
    assert lot["amount"] == sum(lot[part] for part in ("remaining", "held", "spent", "expired", "reversed", "repaid"))
    assert (lot["amount"], lot["rule"], lot["expires_at"]) == (5, "a-rule", "2999-01-05T00:00:00Z")
    assert lot["activity_id"]


def test_staff_see_why_an_activity_earned_no_more(
    client: FlaskClient, viewer: dict[str, str], shop: world.Shop, customer: world.Customer
) -> None:
    client.post("/v1/activities", json=world.basket(customer.ref), headers=shop.live)
    answer = client.get(f"/v1/admin/members/{customer.member_id}/activities", headers=viewer)
    [activity] = answer.json["data"]
    assert activity["points"]["awarded"] == world.BASKET_AWARDED
    assert activity["missed"]


def test_nobody_s_points_are_not_there(client: FlaskClient, viewer: dict[str, str], member_id: UUID) -> None:
    shop = world.make_shop()
    for name in ("wallet", "entries", "lots", "activities"):
        assert_problem(client.get(f"/v1/admin/members/{new_id()}/{name}", headers=viewer), 404, "member_not_found")
        assert_problem(client.get(f"/v1/admin/members/{member_id}/{name}", headers=shop.live), 403, "forbidden")


def test_the_last_verification_is_shown(
    client: FlaskClient, viewer: dict[str, str], member_id: UUID, owner: psycopg.Connection
) -> None:
    path = "/v1/admin/ledger/verification"
    assert_problem(client.get(path, headers=viewer), 404, "verification_not_found")
    assert list(inspection.verify_and_keep(Verification())) == []
    clean = client.get(path, headers=viewer).json
    assert clean["checked"] == {"members": 1, "entries": 5, "lots": 5, "points_issued": 15}
    assert (clean["differences"], clean["lines"]) == (0, [])
    owner.execute("UPDATE entry SET available = available + 1 WHERE seq = 2")
    lines = [str(difference) for difference in inspection.verify_and_keep(Verification())]
    faulty = client.get(path, headers=viewer).json
    assert lines
    assert (faulty["differences"], faulty["lines"]) == (len(lines), lines)


def test_the_command_keeps_what_it_finds(app: Flask, client: FlaskClient, viewer: dict[str, str]) -> None:
    result = app.test_cli_runner().invoke(args=["ledger", "verify"])
    assert result.exit_code == 0, result.output
    assert client.get("/v1/admin/ledger/verification", headers=viewer).json["differences"] == 0
