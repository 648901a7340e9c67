"""Live and test data beside each other: a plugin does all of its work in one, and sees nothing of the other."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.ids import new_id
from tests import world
from tests.answers import assert_problem
from tests.ledger.conftest import differences

Watch = Callable[[], AbstractContextManager[None]]
POINTS = 200


@dataclass
class Side:
    """One of the two worlds of a shop: its key, a shopper signed in, and what they have there."""

    name: str
    key: dict[str, str]
    shopper: dict[str, str]
    member_id: str
    code: str
    ref: str
    order: str = ""
    activity_id: str = ""
    hold_id: str = ""
    claim_code: str = ""
    return_id: str = ""


def send(client: FlaskClient, side: Side, path: str, body: Any = None, method: str = "POST") -> TestResponse:
    """Ask as the side's plugin would; each time under a new key, where one is wanted."""
    headers = side.key | {"Idempotency-Key": str(new_id())}
    return client.open(path, method=method, json=body, headers=headers)


def fill(client: FlaskClient, side: Side) -> Side:
    """Report an order, a part of it that came back, and a hold of the side's shopper, and a receipt of nobody."""
    side.order = f"order-{side.name}"
    order = world.basket(side.ref, id=side.order)
    side.activity_id = send(client, side, "/v1/activities", order).json["id"]
    hold = {"member": {"ref": side.ref}, "points": 5, "order": side.order}
    side.hold_id = send(client, side, "/v1/holds", hold).json["id"]
    side.claim_code = send(client, side, "/v1/activities", world.basket("nobody", id=f"receipt-{side.name}")).json[
        "claim_code"
    ]
    returned = {"id": f"return-{side.name}", "activity": side.order, "lines": [{"id": "1", "quantity": 1}]}
    side.return_id = send(client, side, "/v1/returns", returned).json["id"]
    product = {"names": {"en": "Carrots"}, "category": "produce"}
    assert send(client, side, f"/v1/products/sku-{side.name}", product, "PUT").status_code == 201
    return side


@pytest.fixture
def sides(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, shopper: Callable[[UUID], dict[str, str]]
) -> dict[str, Side]:
    """The live world, in which points come from orders alone, and the test world with a made-up shopper."""
    member_id, code = customer.member_id, customer.code
    live = Side("live", shop.live, shopper(member_id), str(member_id), code, customer.ref)
    made = client.post("/v1/test/members", json={"ref": "test-customer", "points": POINTS}, headers=shop.test).json
    token = world.bearer(made["access_token"])
    test = Side("test", shop.test, token, made["member_id"], made["member_code"], "test-customer")
    return {side.name: fill(client, side) for side in (live, test)}


@pytest.fixture(params=["live", "test"])
def pair(request: pytest.FixtureRequest, sides: dict[str, Side]) -> tuple[Side, Side]:
    """Who asks, and the side that is asked about; both ways round."""
    other = {"live": "test", "test": "live"}[request.param]
    return sides[request.param], sides[other]


def questions(other: Side, pay_code: str) -> list[tuple[str, str, Any, int, str]]:
    """Return (method, path, body, status, code) of what must find nothing of ``other``."""
    named = [{"id": other.member_id}, {"code": other.code}]
    holds = f"/v1/holds/{other.hold_id}"
    asked: list[tuple[str, str, Any, int, str]] = [
        ("GET", f"/v1/activities/{other.activity_id}", None, 404, "activity_not_found"),
        ("GET", f"/v1/activities/{other.order}", None, 404, "activity_not_found"),
        ("POST", f"/v1/activities/{other.order}/complete", {}, 404, "activity_not_found"),
        ("POST", f"/v1/activities/{other.activity_id}/complete", {}, 404, "activity_not_found"),
        ("POST", "/v1/returns", {"id": "return-9", "activity": other.order}, 404, "activity_not_found"),
        ("POST", "/v1/returns", {"id": "return-9", "activity": other.activity_id}, 404, "activity_not_found"),
        ("GET", f"/v1/returns/{other.return_id}", None, 404, "return_not_found"),
        ("GET", f"/v1/returns/return-{other.name}", None, 404, "return_not_found"),
        ("GET", f"/v1/customers/{other.ref}", None, 404, "customer_not_found"),
        ("DELETE", f"/v1/customers/{other.ref}", None, 404, "customer_not_found"),
        ("PUT", "/v1/customers/c-9", {"member_code": other.code}, 404, "member_not_found"),
        ("GET", f"/v1/products/sku-{other.name}", None, 404, "product_not_found"),
        ("DELETE", f"/v1/products/sku-{other.name}", None, 404, "product_not_found"),
        ("GET", holds, None, 404, "hold_not_found"),
        ("POST", f"{holds}/capture", {}, 404, "hold_not_found"),
        ("POST", f"{holds}/release", None, 404, "hold_not_found"),
        ("POST", "/v1/holds", {"pay_code": pay_code, "points": 1}, 404, "invalid_pay_code"),
    ]
    for member in named:
        asked += [
            ("POST", "/v1/activities", world.basket(id="order-9", member=member), 404, "member_not_found"),
            ("POST", "/v1/previews", cart(member), 404, "member_not_found"),
        ]
    asked += [
        ("POST", "/v1/holds", {"member": member, "points": 1}, 404, "member_not_linked")
        for member in (*named, {"ref": other.ref})
    ]
    return asked


def cart(member: dict[str, str]) -> dict[str, Any]:
    body = world.basket(member=member)
    del body["id"]
    return body


def test_a_key_finds_nothing_of_the_other_side(
    client: FlaskClient, pair: tuple[Side, Side], writes_nothing: Watch, subtests: Any
) -> None:
    asker, other = pair
    pay_code = client.post("/v1/me/pay-codes", headers=other.shopper).json["code"]
    with writes_nothing():
        preview = send(client, asker, "/v1/previews", cart({"ref": other.ref})).json
        assert (preview["member_id"], preview["spendable"]) == (None, None)
        listed = {
            "activities": [{"id": other.order}, {"id": asker.order}],
            "returns": [{"id": f"return-{side.name}"} for side in (asker, other)],
        }
        assert send(client, asker, "/v1/reconciliations", listed).json == {
            "activities": {"missing": [other.order], "different": []},
            "returns": {"missing": [f"return-{other.name}"], "different": []},
        }
        if asker.name == "test":
            hurried = send(client, asker, f"/v1/test/members/{other.member_id}/mature")
            assert_problem(hurried, 404, "member_not_found")
    for method, path, body, status, code in questions(other, pay_code):
        with subtests.test(f"{method} {path}"):
            assert_problem(send(client, asker, path, body, method), status, code)
    used = send(client, other, "/v1/holds", {"pay_code": pay_code, "points": 1})
    assert used.status_code == 201, "what the other side refused is still good on its own"


def test_a_reference_of_the_other_side_names_nobody_and_waits(client: FlaskClient, pair: tuple[Side, Side]) -> None:
    asker, other = pair
    before = client.get("/v1/me/wallet", headers=other.shopper).json
    answer = send(client, asker, "/v1/activities", world.basket(other.ref, id="order-9"))
    assert (answer.status_code, answer.json["member_id"]) == (202, None)
    after = client.get("/v1/me/wallet", headers=other.shopper).json
    assert {**after, "as_of": None} == {**before, "as_of": None}


def test_one_id_and_one_reference_are_two_things_on_the_two_sides(client: FlaskClient, sides: dict[str, Side]) -> None:
    live, test = sides["live"], sides["test"]
    assert send(client, test, f"/v1/customers/{live.ref}", {"member_code": test.code}, "PUT").status_code == 201
    assert send(client, live, f"/v1/customers/{live.ref}", method="GET").json["member_id"] == live.member_id
    again = send(client, test, "/v1/activities", world.basket(live.ref, id=live.order, packaging=[]))
    assert (again.status_code, again.json["member_id"]) == (201, test.member_id)
    assert send(client, live, f"/v1/activities/{live.order}", method="GET").json["id"] == live.activity_id


def test_a_shopper_finds_nothing_of_the_other_side(client: FlaskClient, pair: tuple[Side, Side]) -> None:
    asker, other = pair
    listed = client.get("/v1/me/activities", headers=asker.shopper).json["data"]
    assert [each["id"] for each in listed] == [asker.activity_id]
    theirs = client.get(f"/v1/me/activities/{other.activity_id}", headers=asker.shopper)
    assert_problem(theirs, 404, "activity_not_found")
    claimed = client.post("/v1/me/claims", json={"code": other.claim_code}, headers=asker.shopper)
    assert_problem(claimed, 404, "claim_not_found")
    own = client.post("/v1/me/claims", json={"code": asker.claim_code}, headers=asker.shopper)
    assert (own.status_code, own.json["member_id"]) == (201, asker.member_id)
    gift = client.post(
        "/v1/me/gifts", json={"member_code": other.code, "points": 1},
        headers=asker.shopper | {"Idempotency-Key": str(new_id())},
    )  # fmt: skip
    assert_problem(gift, 404, "member_not_found")
    assert client.post("/v1/me/household", json={}, headers=other.shopper).status_code == 201
    invite = client.post("/v1/me/household/invites", headers=other.shopper).json["code"]
    joined = client.post("/v1/me/household/join", json={"code": invite}, headers=asker.shopper)
    assert_problem(joined, 404, "invite_not_found")


def test_a_receipt_and_a_serial_number_are_claimed_in_each_world_by_itself(
    client: FlaskClient, sides: dict[str, Side]
) -> None:
    for side in sides.values():
        order = world.basket(side.ref, id="order-8", receipt="R-1", lines=[world.line(serial="S-1")])
        answer = send(client, side, "/v1/activities", order)
        assert (answer.status_code, answer.json["status"]) == (201, "accepted")
        assert answer.json["points"]["awarded"] == world.BASKET_AWARDED


def test_the_made_up_shopper_does_all_that_a_live_one_does(client: FlaskClient, sides: dict[str, Side]) -> None:
    test = sides["test"]
    for path in ("/v1/me", "/v1/me/wallet", "/v1/me/wallet/entries", "/v1/me/activities", "/v1/campaigns"):
        assert client.get(path, headers=test.shopper).status_code == 200, path
    wallet = client.get("/v1/me/wallet", headers=test.shopper).json
    assert (wallet["available"], wallet["held"], wallet["pending"]) == (POINTS + 10 - 5, 5, 10)
    pay_code = client.post("/v1/me/pay-codes", headers=test.shopper).json["code"]
    hold = send(client, test, "/v1/holds", {"pay_code": pay_code, "points": 10})
    assert hold.status_code == 201, hold.text
    captured = send(client, test, f"/v1/holds/{hold.json['id']}/capture", {"points": 4})
    assert (captured.json["captured"], captured.json["released"]) == (4, 6)
    assert send(client, test, f"/v1/holds/{test.hold_id}/release").status_code == 200
    assert client.get("/v1/me/wallet", headers=test.shopper).json["available"] == POINTS + 10 - 4
    assert differences() == []
