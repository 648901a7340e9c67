"""What the programme allows at a checkout, and what the shopper has to confirm."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.clock import format_time, now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.ledger import service
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.ledger.conftest import GiveAward, account_of, differences, point_award

START = now().replace(microsecond=0) + timedelta(days=1)  # after whatever the fixtures book
ORDER = {"order": "order-1", "order_total": 4000, "currency": "EUR"}
Watch = Callable[[], AbstractContextManager[None]]
Shopper = Callable[[UUID], dict[str, str]]


def rules(**changes: Any) -> None:
    programme.change(programme.DEFAULTS | changes)


@pytest.fixture
def payer(customer: world.Customer, give: GiveAward) -> world.Customer:
    """A linked customer with 10,000 points."""
    give(customer.member_id, point_award(10_000))
    return customer


@pytest.fixture
def post(client: FlaskClient) -> Callable[..., TestResponse]:
    def send(path: str, headers: dict[str, str], body: Any = None, key: str | None = None) -> TestResponse:
        sent = headers | {"Idempotency-Key": key or str(new_id())}
        return client.post(path, headers=sent) if body is None else client.post(path, json=body, headers=sent)

    return send


@pytest.fixture
def hold(post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer) -> Callable[..., TestResponse]:
    def send(points: int, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return post("/v1/holds", headers or shop.live, {"member": {"ref": payer.ref}, "points": points} | more)

    return send


def balances(member_id: UUID) -> tuple[int, int, int]:
    db.session.rollback()
    account = account_of(member_id)
    return account.available, account.held, account.spent


def allowed(answer: TestResponse) -> tuple[int, int, int | None]:
    return answer.json["points_min"], answer.json["points_multiple"], answer.json["points_max"]


def test_each_rule_has_its_own_refusal_that_says_what_is_allowed(
    hold: Callable[..., TestResponse], writes_nothing: Watch, payer: world.Customer
) -> None:
    rules(hold_points_min=150, hold_points_multiple=100, hold_order_percent_max=30)
    before = (balances(payer.member_id), account_of(payer.member_id).version)
    for points, code in ((100, "hold_below_minimum"), (250, "hold_not_multiple"), (1300, "hold_above_share")):
        answer = hold(points, **ORDER)
        assert_problem(answer, 409, code)
        assert allowed(answer) == (200, 100, 1200)
    answer = hold(1300, **ORDER | {"order_total": 600})
    assert_problem(answer, 409, "hold_above_share")
    assert allowed(answer) == (200, 100, 0)
    assert_problem(hold(200), 422, "order_total_required", "/order_total")
    answer = hold(200, **ORDER | {"currency": "USD"})
    assert_problem(answer, 409, "order_currency_differs")
    assert answer.json["currency"] == "EUR"
    assert (balances(payer.member_id), account_of(payer.member_id).version) == before
    assert hold(1200, **ORDER).status_code == 201


def test_without_a_share_an_order_needs_no_total(hold: Callable[..., TestResponse]) -> None:
    rules(hold_points_min=20)
    answer = hold(19)
    assert_problem(answer, 409, "hold_below_minimum")
    assert allowed(answer) == (20, 1, None)
    assert hold(4001).status_code == 201
    assert_problem(hold(4001, **ORDER), 409, "hold_above_share")


def test_holds_of_one_order_share_what_points_may_pay(
    hold: Callable[..., TestResponse], post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer,
    give: GiveAward,
) -> None:  # fmt: skip
    rules(hold_order_percent_max=50)
    first = hold(1500, **ORDER).json
    answer = hold(501, **ORDER)
    assert_problem(answer, 409, "hold_above_share")
    assert allowed(answer) == (1, 1, 500)
    [other] = world.make_customers(shop, 1)
    give(other.member_id, point_award(3000))
    assert_problem(hold(501, **ORDER, member={"ref": other.ref}), 409, "hold_above_share")
    assert hold(2000, **ORDER | {"order": "order-2"}).status_code == 201
    # what was not captured of the first is free again
    post(f"/v1/holds/{first['id']}/capture", shop.live, {"points": 1000})
    assert hold(1000, **ORDER, member={"ref": other.ref}).status_code == 201
    assert_problem(hold(1, **ORDER), 409, "hold_above_share")
    assert hold(2000, shop.test, **ORDER).status_code == 404  # the other world's order is another


def test_holds_of_one_order_at_once_keep_to_its_share(
    app: Flask, shop: world.Shop, payer: world.Customer, give: GiveAward
) -> None:
    rules(hold_order_percent_max=50)
    others = world.make_customers(shop, 7)
    for other in others:
        give(other.member_id, point_award(1000))

    def attempt(customer: world.Customer) -> int:
        sent = shop.live | {"Idempotency-Key": str(new_id())}
        body = {"member": {"ref": customer.ref}, "points": 500} | ORDER
        return app.test_client().post("/v1/holds", json=body, headers=sent).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(attempt, [payer, *others])) == [201] * 4 + [409] * 4


def test_what_a_preview_calls_spendable_can_be_held(
    client: FlaskClient, hold: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer
) -> None:
    rules(hold_points_min=100, hold_points_multiple=100, hold_order_percent_max=30)
    cart = {"kind": "purchase", "member": {"ref": payer.ref}, "currency": "EUR",
            "lines": [world.line(total=2500), world.line(id="2", total=1480)]}  # fmt: skip

    def spendable(**changes: Any) -> Any:
        return client.post("/v1/previews", json=cart | changes, headers=shop.live).json["spendable"]

    assert spendable() == {"points": 1100, "worth": 1100, "currency": "EUR"}
    order = {"order_total": 3980, "currency": "EUR"}
    assert_problem(hold(1200, **order), 409, "hold_above_share")
    assert hold(1100, **order).status_code == 201
    assert spendable(currency="USD") == {"points": 0, "worth": 0, "currency": "EUR"}
    assert spendable(lines=[world.line(total=300)])["points"] == 0
    bottles = {"kind": "recycling", "lines": [{"id": "1", "material": "PET", "weight_g": 500}], "currency": None}
    assert spendable(**bottles)["points"] == 8900


# --- confirmation


@pytest.fixture
def asking(app: Flask) -> None:
    """The shopper confirms what is more than 1,000 points, within two minutes."""
    rules(hold_unconfirmed_points_max=1000, hold_confirmation_seconds=120)


@pytest.fixture
def waiting(asking: None, hold: Callable[..., TestResponse]) -> dict[str, Any]:
    """A hold of 1,001 points that waits for its shopper."""
    answer = hold(1001, **ORDER)
    assert (answer.status_code, answer.json["status"]) == (201, "requires_confirmation")
    return dict(answer.json)


def seconds(shown: dict[str, Any], name: str) -> float:
    return (
        datetime.fromisoformat(shown[name]) - datetime.fromisoformat(shown["created_at"])
    ).total_seconds()  # fmt: skip


def test_many_points_are_held_and_captured_once_the_shopper_has_confirmed(
    client: FlaskClient, post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer,
    shopper: Shopper, waiting: dict[str, Any],
) -> None:  # fmt: skip
    me, path = shopper(payer.member_id), f"/v1/holds/{waiting['id']}"
    assert (seconds(waiting, "confirm_by"), seconds(waiting, "expires_at"), waiting["released"]) == (120, 900, 0)
    assert balances(payer.member_id) == (8999, 1001, 0)
    early = post(path + "/capture", shop.live, {})
    assert_problem(early, 409, "confirmation_required")
    assert early.json["confirm_by"] == waiting["confirm_by"]
    listed = client.get("/v1/me/holds?status=requires_confirmation", headers=me).json["data"]
    assert listed == [waiting | {"merchant": {"id": str(shop.merchant_id), "name": "corner-shop"}}]
    confirmed = client.post(f"/v1/me/holds/{waiting['id']}/confirm", headers=me)
    assert (confirmed.status_code, confirmed.json["status"]) == (200, "open")
    assert confirmed.json["confirmed_at"] is not None
    assert client.post(f"/v1/me/holds/{waiting['id']}/confirm", headers=me).json == confirmed.json
    assert client.get("/v1/me/holds?status=requires_confirmation", headers=me).json["data"] == []
    assert_problem(client.post(f"/v1/me/holds/{waiting['id']}/decline", headers=me), 409, "confirmation_not_awaited")
    assert client.get(path, headers=shop.live).json == {
        key: value for key, value in confirmed.json.items() if key != "merchant"
    }
    assert post(path + "/capture", shop.live, {"points": 1000}).json["status"] == "captured"
    assert balances(payer.member_id) == (9000, 0, 1000)
    assert_problem(client.post(f"/v1/me/holds/{waiting['id']}/confirm", headers=me), 409, "hold_captured")
    kinds = {row.kind: row.payload for row in db.session.scalars(db.select(OutboxRow))}
    assert kinds["held"]["confirm_by"] == waiting["confirm_by"]
    assert kinds["hold_confirmed"] == {"hold": waiting["id"], "points": 1001}
    assert differences() == []


def test_a_confirmed_hold_lasts_as_long_as_the_merchant_asked(
    client: FlaskClient, post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer,
    shopper: Shopper, hold: Callable[..., TestResponse], asking: None,
) -> None:  # fmt: skip
    with time_machine.travel(START, tick=False) as clock:
        me, placed = shopper(payer.member_id), hold(2000, **ORDER).json
        clock.shift(119)
        assert client.post(f"/v1/me/holds/{placed['id']}/confirm", headers=me).json["status"] == "open"
        clock.shift(780)
        assert client.get("/v1/me/wallet", headers=me).json["held"] == 2000
        service.settle_due_accounts()
        assert post(f"/v1/holds/{placed['id']}/capture", shop.live, {}).json["captured"] == 2000
    assert differences() == []


def test_what_nobody_confirms_goes_back_by_the_clock(
    client: FlaskClient, post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer,
    shopper: Shopper, hold: Callable[..., TestResponse], asking: None,
) -> None:  # fmt: skip
    with time_machine.travel(START, tick=False) as clock:
        me, placed = shopper(payer.member_id), hold(2000, **ORDER).json
        clock.shift(120)
        shown = client.get(f"/v1/holds/{placed['id']}", headers=shop.live).json
        assert [shown[name] for name in ("status", "released", "closed_at")] == [
            "expired", 2000, format_time(START + timedelta(seconds=120)),
        ]  # fmt: skip
        assert client.get("/v1/me/wallet", headers=me).json["available"] == 10_000
        assert client.get("/v1/me/holds?status=requires_confirmation", headers=me).json["data"] == []
        for verb in ("confirm", "decline"):
            assert_problem(client.post(f"/v1/me/holds/{placed['id']}/{verb}", headers=me), 409, "hold_expired")
        assert_problem(post(f"/v1/holds/{placed['id']}/capture", shop.live, {}), 409, "hold_expired")
        assert service.settle_due_accounts() == 1
        assert balances(payer.member_id) == (10_000, 0, 0)
        assert client.get(f"/v1/holds/{placed['id']}", headers=shop.live).json == shown
    assert differences() == []


def test_a_declined_hold_gives_its_points_back(
    client: FlaskClient, post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer,
    shopper: Shopper, waiting: dict[str, Any],
) -> None:  # fmt: skip
    me = shopper(payer.member_id)
    declined = client.post(f"/v1/me/holds/{waiting['id']}/decline", headers=me)
    assert [declined.json[name] for name in ("status", "captured", "released")] == ["declined", 0, 1001]
    assert client.post(f"/v1/me/holds/{waiting['id']}/decline", headers=me).json == declined.json
    assert balances(payer.member_id) == (10_000, 0, 0)
    for verb in ("capture", "release"):
        assert_problem(post(f"/v1/holds/{waiting['id']}/{verb}", shop.live, {}), 409, "hold_declined")
    assert_problem(client.post(f"/v1/me/holds/{waiting['id']}/confirm", headers=me), 409, "hold_declined")
    entry = client.get("/v1/me/wallet/entries", headers=me).json["data"][0]
    assert (entry["kind"], entry["hold"]) == ("release", {"id": waiting["id"], "order": "order-1"})
    assert differences() == []


def test_a_merchant_may_give_up_what_waits(
    post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer, waiting: dict[str, Any]
) -> None:
    assert post(f"/v1/holds/{waiting['id']}/release", shop.live).json["status"] == "released"
    assert balances(payer.member_id) == (10_000, 0, 0)


def test_a_pay_code_is_a_confirmation(
    client: FlaskClient, post: Callable[..., TestResponse], shop: world.Shop, payer: world.Customer,
    shopper: Shopper, asking: None,
) -> None:  # fmt: skip
    code = client.post("/v1/me/pay-codes", headers=shopper(payer.member_id)).json["code"]
    placed = post("/v1/holds", shop.live, {"pay_code": code, "points": 2000}).json
    assert [placed[name] for name in ("status", "confirm_by", "confirmed_at")] == ["open", None, None]
    me = shopper(payer.member_id)
    for verb in ("confirm", "decline"):
        answer = client.post(f"/v1/me/holds/{placed['id']}/{verb}", headers=me)
        assert_problem(answer, 409, "confirmation_not_awaited")


def test_small_holds_of_one_order_add_up(hold: Callable[..., TestResponse], asking: None) -> None:
    assert hold(600, **ORDER).json["status"] == "open"
    assert hold(400, **ORDER).json["status"] == "open"
    assert hold(1, **ORDER).json["status"] == "requires_confirmation"
    assert hold(1000, **ORDER | {"order": "order-2"}).json["status"] == "open"


def test_nobody_is_asked_where_the_programme_does_not_want_it(hold: Callable[..., TestResponse]) -> None:
    rules(hold_unconfirmed_points_max=None)
    assert hold(10_000).json["status"] == "open"
    rules(hold_unconfirmed_points_max=0)


def test_a_stranger_s_hold_is_not_there(
    client: FlaskClient, shop: world.Shop, shopper: Shopper, waiting: dict[str, Any], new_member: Callable[[], UUID]
) -> None:
    stranger = shopper(new_member())
    assert client.get("/v1/me/holds", headers=stranger).json == {"data": [], "next_cursor": None}
    for verb in ("confirm", "decline"):
        assert_problem(client.post(f"/v1/me/holds/{waiting['id']}/{verb}", headers=stranger), 404, "hold_not_found")


def test_what_another_room_holds_is_not_for_the_shopper_to_decide(
    client: FlaskClient, payer: world.Customer, shopper: Shopper
) -> None:
    hold_id, me = new_id(), shopper(payer.member_id)
    service.hold_points(
        payer.member_id, hold_id, 5, expires_at=now() + timedelta(days=1), live=True, actor="test", fingerprint=b"",
        moment=now(),
    )  # fmt: skip
    assert client.get("/v1/me/holds", headers=me).json["data"] == []
    for verb in ("confirm", "decline"):
        assert_problem(client.post(f"/v1/me/holds/{hold_id}/{verb}", headers=me), 404, "hold_not_found")


def test_own_holds_come_newest_first_in_pages(
    client: FlaskClient, hold: Callable[..., TestResponse], payer: world.Customer, shopper: Shopper
) -> None:
    placed = [hold(points).json["id"] for points in (1, 2, 3)]
    me = shopper(payer.member_id)
    first = client.get("/v1/me/holds?limit=2", headers=me).json
    second = client.get(f"/v1/me/holds?limit=2&cursor={first['next_cursor']}", headers=me).json
    assert [each["id"] for each in first["data"] + second["data"]] == placed[::-1]
    assert second["next_cursor"] is None
    other = client.get(f"/v1/me/holds?status=requires_confirmation&cursor={first['next_cursor']}", headers=me)
    assert_problem(other, 400, "invalid_cursor")
    assert_problem(client.get("/v1/me/holds?status=open", headers=me), 422, "validation_failed", "/status")


def test_the_worth_of_a_hold_stays_what_it_was_when_it_was_placed(
    client: FlaskClient, hold: Callable[..., TestResponse], shop: world.Shop
) -> None:
    placed = hold(100, **ORDER).json
    rules(point_value_micros=5_000)
    assert client.get(f"/v1/holds/{placed['id']}", headers=shop.live).json == placed
    assert hold(100).json["worth"] == {"amount": 50, "currency": "EUR"}
