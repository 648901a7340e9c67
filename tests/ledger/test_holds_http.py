"""Paying with points at a checkout: holds, pay codes, and who may spend whose points."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.ledger.models import Hold, PayCode
from app.members import service as members
from app.members.models import Member
from tests import world
from tests.answers import assert_problem
from tests.ledger.conftest import GiveAward, account_of, differences, point_award

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
Watch = Callable[[], AbstractContextManager[None]]
Shopper = Callable[[UUID], dict[str, str]]


@pytest.fixture
def payer(customer: world.Customer, give: GiveAward) -> world.Customer:
    """A linked customer with 60 points that expire first and 40 that never do."""
    give(customer.member_id, point_award(60, expires_at=datetime(2999, 1, 1, tzinfo=UTC)), point_award(40))
    return customer


def post(
    client: FlaskClient, path: str, headers: dict[str, str], body: Any = None, key: str | None = None
) -> TestResponse:
    sent = headers | {"Idempotency-Key": key or str(new_id())}
    return client.post(path, headers=sent) if body is None else client.post(path, json=body, headers=sent)


def hold(client: FlaskClient, headers: dict[str, str], payer: world.Customer, points: Any = 50, **more: Any) -> Any:
    return post(client, "/v1/holds", headers, {"member": {"ref": payer.ref}, "points": points} | more)


def held(client: FlaskClient, shop: world.Shop, payer: world.Customer, points: int = 50, **more: Any) -> str:
    answer = hold(client, shop.live, payer, points, **more)
    assert answer.status_code == 201, answer.text
    return f"/v1/holds/{answer.json['id']}"


def balances(member_id: UUID) -> tuple[int, int, int]:
    db.session.rollback()
    account = account_of(member_id)
    return account.available, account.held, account.spent


def test_a_hold_is_placed_read_and_captured_in_part(
    client: FlaskClient, shop: world.Shop, payer: world.Customer
) -> None:
    order = {"order": "order-1", "order_total": 4990, "currency": "EUR"}
    answer = hold(client, shop.live, payer, 70, **order)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    shown = answer.json
    assert {name: shown[name] for name in ("status", "points", "captured", "released", "closed_at", *order)} == {
        "status": "open", "points": 70, "captured": 0, "released": 0, "closed_at": None,
    } | order  # fmt: skip
    assert shown["worth"] == {"amount": 70, "currency": "EUR"}
    times = [datetime.fromisoformat(shown[name]) for name in ("created_at", "expires_at")]
    assert times[1] - times[0] == timedelta(minutes=15)
    assert client.get(f"/v1/holds/{shown['id']}", headers=shop.live).json == shown
    assert balances(payer.member_id) == (30, 70, 0)
    captured = post(client, f"/v1/holds/{shown['id']}/capture", shop.live, {"points": 65})
    assert captured.status_code == 200
    assert [captured.json[name] for name in ("status", "captured", "released")] == ["captured", 65, 5]
    assert balances(payer.member_id) == (35, 0, 65)
    assert client.get(f"/v1/holds/{shown['id']}", headers=shop.live).json == captured.json
    assert differences() == []


def test_all_of_a_hold_is_captured_unless_less_is_named(
    client: FlaskClient, shop: world.Shop, payer: world.Customer
) -> None:
    captured = post(client, held(client, shop, payer) + "/capture", shop.live, {})
    assert [captured.json[name] for name in ("status", "captured", "released")] == ["captured", 50, 0]
    assert balances(payer.member_id) == (50, 0, 50)


def test_a_released_hold_gives_its_points_back(client: FlaskClient, shop: world.Shop, payer: world.Customer) -> None:
    path = held(client, shop, payer)
    released = post(client, path + "/release", shop.live)
    assert [released.json[name] for name in ("status", "captured", "released")] == ["released", 0, 50]
    assert balances(payer.member_id) == (100, 0, 0)
    assert differences() == []


def test_a_hold_ends_by_itself(client: FlaskClient, shop: world.Shop, payer: world.Customer, shopper: Shopper) -> None:
    path = held(client, shop, payer, expires_in=60)
    with time_machine.travel(now() + timedelta(seconds=61), tick=False):
        shown = client.get(path, headers=shop.live).json
        assert [shown["status"], shown["released"], shown["closed_at"]] == ["expired", 50, shown["expires_at"]]
        assert client.get("/v1/me/wallet", headers=shopper(payer.member_id)).json["available"] == 100
        for verb in ("capture", "release"):
            assert_problem(post(client, f"{path}/{verb}", shop.live, {}), 409, "hold_expired")


def test_the_same_key_holds_once(client: FlaskClient, shop: world.Shop, payer: world.Customer) -> None:
    body = {"member": {"ref": payer.ref}, "points": 30}
    first = post(client, "/v1/holds", shop.live, body, "a-key")
    again = post(client, "/v1/holds", shop.live, body, "a-key")
    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (201, first.json, "true")
    assert again.headers["Cache-Control"] == "no-store"
    assert_problem(post(client, "/v1/holds", shop.live, body | {"points": 31}, "a-key"), 422, "idempotency_key_reused")
    path = f"/v1/holds/{first.json['id']}/capture"
    captured = post(client, path, shop.live, {"points": 20}, "b-key")
    assert post(client, path, shop.live, {"points": 20}, "b-key").json == captured.json
    assert_problem(post(client, path, shop.live, {"points": 10}, "b-key"), 422, "idempotency_key_reused")
    assert balances(payer.member_id) == (80, 0, 20)


def test_a_key_is_demanded(client: FlaskClient, shop: world.Shop, payer: world.Customer, writes_nothing: Watch) -> None:
    path = held(client, shop, payer)
    with writes_nothing():
        for route in ("/v1/holds", f"{path}/capture", f"{path}/release"):
            body = {"member": {"ref": payer.ref}, "points": 1} if route == "/v1/holds" else {}
            assert_problem(client.post(route, json=body, headers=shop.live), 400, "idempotency_key_required")


def unchanged(member_id: UUID) -> tuple[Any, ...]:
    account = account_of(member_id)
    return (*balances(member_id), account.version, account.last_seq)


@pytest.mark.parametrize("points", [0, -1, 10**12 + 1, 1.5, 1.0, "5", True, None])
def test_points_that_are_none_are_refused(
    client: FlaskClient, shop: world.Shop, payer: world.Customer, points: Any
) -> None:
    path = held(client, shop, payer)
    before = unchanged(payer.member_id)
    code = "validation_failed" if points is None else "invalid_points"
    assert_problem(hold(client, shop.live, payer, points), 422, code, "/points")
    if points is not None:
        assert_problem(post(client, path + "/capture", shop.live, {"points": points}), 422, code, "/points")
    assert unchanged(payer.member_id) == before


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"expires_in": 0}, "/expires_in"), ({"expires_in": 7 * 86400 + 1}, "/expires_in"), ({"order": "a b"}, "/order"),
     ({"order_total": 1}, "/currency"), ({"order_total": -1, "currency": "EUR"}, "/order_total"),
     ({"currency": "XXZ"}, "/currency"), ({"pay_code": "x"}, ""), ({"member": {}}, "/member"), ({"more": 1}, "/more"),
     ({"member": {"id": "x"}}, "/member/id")],
)  # fmt: skip
def test_a_hold_that_does_not_fit_is_refused_with_its_place(
    client: FlaskClient, shop: world.Shop, payer: world.Customer, changes: dict[str, Any], pointer: str
) -> None:
    before = unchanged(payer.member_id)
    assert_problem(hold(client, shop.live, payer, **changes), 422, "validation_failed", pointer)
    assert unchanged(payer.member_id) == before


def test_each_refusal_has_its_own_code_and_changes_nothing(
    client: FlaskClient, shop: world.Shop, payer: world.Customer
) -> None:
    captured, released, still_open = (held(client, shop, payer, 10) for _ in range(3))
    post(client, captured + "/capture", shop.live, {"points": 4})
    post(client, released + "/release", shop.live)
    before = unchanged(payer.member_id)
    short = hold(client, shop.live, payer, 87)
    assert_problem(short, 409, "insufficient_points")
    assert short.json["missing_points"] == 1
    assert_problem(post(client, still_open + "/capture", shop.live, {"points": 11}), 409, "capture_exceeds_hold")
    assert_problem(post(client, captured + "/capture", shop.live, {"points": 4}), 409, "hold_captured")
    assert_problem(post(client, captured + "/release", shop.live), 409, "hold_captured")
    assert_problem(post(client, released + "/capture", shop.live, {}), 409, "hold_released")
    assert_problem(post(client, released + "/release", shop.live), 409, "hold_released")
    assert unchanged(payer.member_id) == before


def test_another_merchant_s_hold_and_the_other_mode_s_are_not_there(
    client: FlaskClient, shop: world.Shop, payer: world.Customer
) -> None:
    other = world.make_shop("other-shop")
    path = held(client, shop, payer)
    before = unchanged(payer.member_id)
    for headers in (other.live, shop.test):
        assert_problem(client.get(path, headers=headers), 404, "hold_not_found")
        for verb in ("capture", "release"):
            assert_problem(post(client, f"{path}/{verb}", headers, {}), 404, "hold_not_found")
    assert_problem(client.get(f"/v1/holds/{new_id()}", headers=shop.live), 404, "hold_not_found")
    assert unchanged(payer.member_id) == before


def test_only_linked_members_can_be_spent_from(
    client: FlaskClient, shop: world.Shop, payer: world.Customer, new_member: Callable[[], UUID]
) -> None:
    other = world.make_shop("other-shop")
    stranger = members.get_member(new_member())
    before = unchanged(payer.member_id)
    named: list[dict[str, Any]] = [{"id": str(payer.member_id)}, {"code": payer.code}, {"ref": payer.ref}]
    for reference in named:
        body = {"member": reference, "points": 1}
        [place] = reference
        assert_problem(post(client, "/v1/holds", other.live, body), 404, "member_not_linked", f"/member/{place}")
        assert_problem(post(client, "/v1/holds", shop.test, body), 404, "member_not_linked", f"/member/{place}")
    for reference in ({"id": str(stranger.member_id)}, {"code": stranger.code}, {"id": str(new_id())}, {"code": "x"}):
        assert_problem(
            post(client, "/v1/holds", shop.live, {"member": reference, "points": 1}), 404, "member_not_linked"
        )
    assert unchanged(payer.member_id) == before
    for reference in named:
        assert post(client, "/v1/holds", shop.live, {"member": reference, "points": 1}).status_code == 201


def test_who_owes_points_or_is_suspended_can_not_spend(
    client: FlaskClient, shop: world.Shop, payer: world.Customer
) -> None:
    member = db.session.get(Member, payer.member_id)
    assert member is not None
    db.session.execute(db.update(Member).where(Member.member_id == payer.member_id).values(status="suspended"))
    db.session.commit()
    assert_problem(hold(client, shop.live, payer), 403, "member_not_active")


def test_the_key_needs_the_scope(
    client: FlaskClient, shop: world.Shop, payer: world.Customer, shopper: Shopper
) -> None:
    narrow = world.make_shop("narrow", scopes=["activities"])
    for headers in (narrow.live, shopper(payer.member_id), world.make_staff("admin").headers):
        assert_problem(hold(client, headers, payer), 403, "forbidden")


def pay_code(client: FlaskClient, headers: dict[str, str]) -> str:
    answer = client.post("/v1/me/pay-codes", headers=headers)
    assert (answer.status_code, answer.json["expires_in"]) == (201, 60)
    return str(answer.json["code"])


def test_a_pay_code_lets_any_till_hold_once(
    client: FlaskClient, shop: world.Shop, payer: world.Customer, shopper: Shopper
) -> None:
    other = world.make_shop("other-shop")
    code = pay_code(client, shopper(payer.member_id))
    stored = db.session.scalars(db.select(PayCode)).one()
    assert code.replace("-", "").encode() not in bytes(stored.code_hash)
    assert_problem(post(client, "/v1/holds", other.live, {"pay_code": code, "points": 101}), 409, "insufficient_points")
    placed = post(client, "/v1/holds", other.live, {"pay_code": code.lower(), "points": 100})
    assert placed.status_code == 201
    assert_problem(post(client, "/v1/holds", other.live, {"pay_code": code, "points": 1}), 404, "invalid_pay_code")
    assert post(client, f"/v1/holds/{placed.json['id']}/capture", other.live, {}).status_code == 200
    assert balances(payer.member_id) == (0, 0, 100)


def test_a_pay_code_is_good_for_a_minute_until_the_next_and_in_its_own_mode(
    client: FlaskClient, shop: world.Shop, payer: world.Customer, shopper: Shopper
) -> None:
    with time_machine.travel(START, tick=False):
        headers = shopper(payer.member_id)
        first, code = pay_code(client, headers), pay_code(client, headers)
        for sent, key in ((first, shop.live), (code, shop.test), ("nonsense", shop.live), (code[:-1], shop.live)):
            assert_problem(post(client, "/v1/holds", key, {"pay_code": sent, "points": 1}), 404, "invalid_pay_code")
    with time_machine.travel(START + timedelta(seconds=60), tick=False):
        assert_problem(post(client, "/v1/holds", shop.live, {"pay_code": code, "points": 1}), 404, "invalid_pay_code")


def test_two_tills_with_one_pay_code_hold_once(
    app: Flask, shop: world.Shop, payer: world.Customer, shopper: Shopper
) -> None:
    code = pay_code(app.test_client(), shopper(payer.member_id))

    def attempt(_: int) -> int:
        return post(app.test_client(), "/v1/holds", shop.live, {"pay_code": code, "points": 1}).status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == [201, 404, 404, 404]
    assert db.session.scalar(db.select(db.func.count()).select_from(Hold)) == 1


def test_a_capture_and_a_release_at_once_close_a_hold_once(app: Flask, shop: world.Shop, payer: world.Customer) -> None:
    path = held(app.test_client(), shop, payer)

    def attempt(verb: str) -> int:
        return post(app.test_client(), f"{path}/{verb}", shop.live, {}).status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, ["capture", "release"] * 2)) == [200, 409, 409, 409]
    assert balances(payer.member_id) in ((50, 0, 50), (100, 0, 0))
    assert differences() == []
