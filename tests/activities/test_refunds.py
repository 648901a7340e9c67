"""A return of an order that points paid for: points and money go back in its proportion, once, to whoever paid."""

from collections.abc import Callable
from datetime import datetime, timedelta
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
from app.ledger import service as ledger
from app.ledger.models import Entry, Lot, Posting
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.concurrency.racing import at_once
from tests.world import basket, line

LINES = [line(), line(id="2", sku="B-2", total=2800, quantity=4, packaging=[], certifications=[])]  # 39.98 EUR
Shopper = Callable[[UUID], dict[str, str]]
Report = Callable[..., TestResponse]


@pytest.fixture(autouse=True)
def balanced(app: Flask) -> Any:
    yield
    db.session.rollback()
    assert [str(each) for each in ledger.verify(ledger.Verification())] == []


def give_points(member_id: UUID, points: int, expires_at: datetime | None = None) -> None:
    ledger.adjust_points(
        member_id, points, key=f"adjust:{new_id()}", actor="test", reason="r", expires_at=expires_at, fingerprint=b"",
        moment=now(),
    )  # fmt: skip


@pytest.fixture
def payer(customer: world.Customer) -> world.Customer:
    """A linked customer with 2,000 points."""
    give_points(customer.member_id, 2000)
    return customer


@pytest.fixture
def pay(client: FlaskClient, shop: world.Shop) -> Callable[..., None]:
    """A function that pays for order-1 with points, which are captured."""

    def send(points: int, headers: dict[str, str] | None = None, **more: Any) -> None:
        key = {"Idempotency-Key": str(new_id())}
        headers = (headers or shop.live) | key
        order = {"order": "order-1", "order_total": 3998, "currency": "EUR"}
        held = client.post("/v1/holds", json={"points": points} | order | more, headers=headers)
        assert held.status_code == 201, held.text
        done = client.post(f"/v1/holds/{held.json['id']}/capture", json={}, headers=headers)
        assert done.status_code == 200, done.text

    return send


@pytest.fixture
def report(client: FlaskClient, shop: world.Shop) -> Report:
    return lambda body, headers=None: client.post("/v1/activities", json=body, headers=headers or shop.live)


@pytest.fixture
def give_back(client: FlaskClient, shop: world.Shop) -> Report:
    def send(number: int = 1, headers: dict[str, str] | None = None, **body: Any) -> TestResponse:
        given = {"id": f"ret-{number}", "activity": "order-1"} | body
        return client.post("/v1/returns", json=given, headers=headers or shop.live)

    return send


def some(quantity: int, line_id: str = "1") -> list[dict[str, Any]]:
    return [{"id": line_id, "quantity": quantity}]


def available(member_id: UUID) -> int:
    db.session.rollback()
    return ledger.read_wallet(member_id).available


def test_a_part_gives_back_its_share_and_the_rest_the_rest(
    report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer, client: FlaskClient,
    shop: world.Shop,
) -> None:  # fmt: skip
    pay(1000, member={"ref": payer.ref})
    report(basket(payer.ref, lines=LINES))
    first = give_back(1, lines=some(1)).json
    assert first["refunded"] == {"points": 150, "worth": 150, "money": 449, "currency": "EUR"}  # of 5.99, 15 %
    again = give_back(1, lines=some(1))
    assert (again.status_code, again.json) == (200, first)
    assert client.get("/v1/returns/ret-1", headers=shop.live).json == first
    rest = give_back(2).json["refunded"]
    assert rest == {"points": 850, "worth": 850, "money": 3998 - 1000 - 449, "currency": "EUR"}
    db.session.rollback()
    postings = db.session.scalars(db.select(Posting).where(Posting.kind == "refund").order_by(Posting.first_seq)).all()
    assert [(each.reason, str(each.activity_id)) for each in postings] == [("return", first["activity"])] * 2
    assert ledger.read_wallet(payer.member_id).lifetime["spent"] == 0


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
def test_parts_in_any_order_come_to_the_whole(
    order: tuple[int, ...], report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer
) -> None:
    pay(777, member={"ref": payer.ref})
    report(basket(payer.ref, lines=LINES))
    parts = [some(1), some(1), some(3, "2"), some(1, "2")]
    told = [give_back(number, lines=parts[number]).json["refunded"] for number in order]
    assert sum(each["points"] for each in told) == sum(each["worth"] for each in told) == 777
    assert sum(each["money"] for each in told) == 3998 - 777


def test_an_order_that_no_points_paid_for_tells_nothing(
    client: FlaskClient, report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer,
    shopper: Shopper,
) -> None:  # fmt: skip
    pay(100, member={"ref": payer.ref}, order="order-2")
    pay(100, member={"ref": payer.ref}, order=None)
    code = client.post("/v1/me/pay-codes", headers=shopper(payer.member_id)).json["code"]
    pay(100, world.make_shop("other-shop").live, pay_code=code)  # another merchant's order of the same name
    report(basket(payer.ref, lines=LINES))
    assert "refunded" not in give_back().json
    assert available(payer.member_id) == 1700


def test_what_is_only_held_or_was_released_is_not_given_back_twice(
    client: FlaskClient, report: Report, give_back: Report, payer: world.Customer, shop: world.Shop
) -> None:
    held = []
    for key in ("a", "b"):
        body = {"member": {"ref": payer.ref}, "points": 500, "order": "order-1"}
        held.append(client.post("/v1/holds", json=body, headers=shop.live | {"Idempotency-Key": key}).json["id"])
    client.post(f"/v1/holds/{held[0]}/release", headers=shop.live | {"Idempotency-Key": "r"})
    report(basket(payer.ref, lines=LINES))
    assert "refunded" not in give_back().json
    assert ledger.read_wallet(payer.member_id).held == 500


def test_points_go_back_to_their_own_lots_and_expired_ones_live_a_week(
    report: Report, pay: Callable[..., None], give_back: Report, customer: world.Customer, shop: world.Shop
) -> None:
    ends_at = now() + timedelta(hours=6)
    give_points(customer.member_id, 300, ends_at)
    pay(300, member={"ref": customer.ref})
    report(basket(customer.ref, lines=LINES))
    with time_machine.travel(ends_at + timedelta(hours=1), tick=False):
        assert give_back().json["refunded"]["points"] == 300
    db.session.rollback()
    [lot] = db.session.scalars(db.select(Lot).where(Lot.amount == 300))
    assert (lot.remaining, lot.spent, lot.expires_at) == (300, 0, ends_at + timedelta(hours=1, days=7))


def test_what_the_order_had_earned_and_paid_with_is_taken_back_out_of_what_comes_back(
    report: Report, pay: Callable[..., None], give_back: Report, customer: world.Customer
) -> None:
    report(basket(customer.ref, lines=LINES))
    earned = available(customer.member_id)
    pay(earned, member={"ref": customer.ref})
    answer = give_back().json
    assert (answer["refunded"]["points"], answer["reversed"]["to_debt"]) == (earned, 0)
    wallet = ledger.read_wallet(customer.member_id)
    assert (wallet.available, wallet.debt, wallet.pending) == (0, 0, 0)


def test_two_who_paid_for_one_order_both_get_theirs(
    client: FlaskClient, report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer,
    shop: world.Shop, shopper: Shopper,
) -> None:  # fmt: skip
    [friend] = world.make_customers(shop, 1)
    give_points(friend.member_id, 400)
    code = client.post("/v1/me/pay-codes", headers=shopper(friend.member_id)).json["code"]
    pay(1000, member={"ref": payer.ref})
    pay(301, pay_code=code)
    report(basket(payer.ref, lines=LINES))
    half = give_back(1, lines=some(2)).json["refunded"]  # 11.98 of 39.98
    assert half == {"points": 300 + 90, "worth": 390, "money": 808, "currency": "EUR"}
    assert available(friend.member_id) == 99 + 90
    assert give_back(2).json["refunded"]["points"] == 700 + 211
    assert available(friend.member_id) == 400
    assert available(payer.member_id) == 2000


def test_who_paid_for_a_receipt_that_nobody_has_claimed_gets_points_back_at_once_and_once(
    client: FlaskClient, report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer,
    shop: world.Shop, shopper: Shopper,
) -> None:  # fmt: skip
    me = shopper(payer.member_id)
    pay(1000, pay_code=client.post("/v1/me/pay-codes", headers=me).json["code"])
    waiting = report(basket("nobody", lines=LINES)).json
    first = give_back(1, lines=some(1)).json
    assert (first["status"], first["refunded"]["points"]) == ("waiting_for_claim", 150)
    assert available(payer.member_id) == 1150
    second = give_back(2, lines=some(1)).json
    assert second["refunded"] == {"points": 150, "worth": 150, "money": 449, "currency": "EUR"}
    assert give_back(2, lines=some(1)).json == second
    assert client.post("/v1/me/claims", json={"code": waiting["claim_code"]}, headers=me).status_code == 201
    booked = client.get("/v1/returns/ret-2", headers=shop.live).json
    assert (booked["status"], booked["refunded"]) == ("booked", second["refunded"])
    last = give_back(3).json["refunded"]
    assert (last["points"], last["money"]) == (700, 3998 - 1000 - 898)
    db.session.rollback()
    back = db.session.scalars(db.select(Entry.amount).where(Entry.source == "spent").order_by(Entry.seq)).all()
    assert back == [150, 150, 700]


def test_the_worth_is_that_of_when_it_was_paid(
    report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer
) -> None:
    pay(1000, member={"ref": payer.ref})
    programme.change(programme.DEFAULTS | {"point_value_micros": 5_000})
    report(basket(payer.ref, lines=LINES))
    assert give_back().json["refunded"] == {"points": 1000, "worth": 1000, "money": 2998, "currency": "EUR"}


def test_an_order_in_another_currency_gives_points_back_and_tells_no_money(
    report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer
) -> None:
    pay(1000, member={"ref": payer.ref}, order_total=None, currency=None)
    report(basket(payer.ref, lines=LINES, currency="USD"))
    assert give_back(1, lines=some(1)).json["refunded"] == {
        "points": 150, "worth": 150, "money": None, "currency": "EUR",
    }  # fmt: skip
    assert give_back(2).json["refunded"]["points"] == 850


def test_the_other_world_s_order_is_another(
    report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer, shop: world.Shop
) -> None:
    [made_up] = world.make_customers(shop, 1, live=False)
    give_points(made_up.member_id, 500)
    pay(500, shop.test, member={"ref": made_up.ref})
    report(basket(payer.ref, lines=LINES))
    assert "refunded" not in give_back().json
    report(basket(made_up.ref, lines=LINES), shop.test)
    assert give_back(1, shop.test).json["refunded"]["points"] == 500


def test_a_refused_return_gives_nothing_back(
    report: Report, pay: Callable[..., None], give_back: Report, payer: world.Customer
) -> None:
    pay(1000, member={"ref": payer.ref})
    report(basket(payer.ref, lines=LINES))
    before = available(payer.member_id)
    assert_problem(give_back(1, lines=some(3)), 409, "return_exceeds_purchase")
    assert available(payer.member_id) == before
    give_back(1, lines=some(1))
    assert_problem(give_back(1, lines=some(2)), 409, "return_id_reused")


def test_parts_that_come_at_once_give_back_the_whole(
    app: Flask, report: Report, pay: Callable[..., None], payer: world.Customer, shop: world.Shop
) -> None:
    [friend] = world.make_customers(shop, 1)
    give_points(friend.member_id, 501)
    pay(999, member={"ref": payer.ref})
    pay(501, member={"ref": friend.ref})
    report(basket(payer.ref, lines=LINES))
    db.session.rollback()
    parts = [*[some(1)] * 2, *[some(1, "2")] * 4]

    def send(number: int) -> Any:
        body = {"id": f"ret-{number}", "activity": "order-1", "lines": parts[number]}
        return app.test_client().post("/v1/returns", json=body, headers=shop.live)

    answers = at_once([lambda number=number: send(number) for number in range(len(parts))])  # type: ignore[misc]
    assert [answer.status_code for answer in answers] == [201] * 6
    told = [answer.json["refunded"] for answer in answers]
    assert sum(each["points"] for each in told) == 1500
    assert sum(each["money"] for each in told) == 3998 - 1500
    assert available(friend.member_id) == 501
