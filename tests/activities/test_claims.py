"""What a merchant reported without knowing whose it is: claimed once, by the code on the receipt."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.activities.voiding import void_activity
from app.core.clock import now
from app.core.codes import ALPHABET
from app.core.database import db
from app.core.ids import new_id
from tests import world
from tests.answers import assert_problem
from tests.corrections import faults
from tests.world import BASKET_AWARDED, basket, line


@pytest.fixture
def report(client, shop):
    return lambda body, headers=None: client.post("/v1/activities", json=body, headers=headers or shop.live)


@pytest.fixture
def code(report):
    """The code of an activity of nobody."""
    return report(basket("nobody-yet")).json["claim_code"]


@pytest.fixture
def claim(client, shopper):
    """A function by which a shopper, signed in once, claims a code."""
    headers = {}

    def send(customer, code):
        if customer.member_id not in headers:
            headers[customer.member_id] = shopper(customer.member_id)
        return client.post("/v1/me/claims", json={"code": code}, headers=headers[customer.member_id])

    return send


@pytest.fixture
def wallet(client, shopper):
    return lambda customer: client.get("/v1/me/wallet", headers=shopper(customer.member_id)).json


@pytest.fixture(autouse=True)
def balanced(app):
    yield
    assert faults() == []


def test_a_claim_books_it_and_again_is_harmless(code, claim, customer, wallet, client, shop, writes_nothing):
    answer = claim(customer, code.lower().replace("-", " "))
    assert answer.status_code == 201
    assert answer.json["status"] == "accepted"
    assert answer.json["points"]["awarded"] == BASKET_AWARDED
    assert wallet(customer)["lifetime"]["issued"] == BASKET_AWARDED
    with writes_nothing():
        again = claim(customer, code)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        assert again.json == answer.json
        assert client.get("/v1/activities/order-1", headers=shop.live).json == answer.json


def test_the_receipts_qr_code_says_the_code(report, claim, customer):
    waiting = report(basket("nobody-yet")).json
    assert waiting["claim_qr"] == "GREENPOINTS:CLAIM:" + waiting["claim_code"].replace("-", "")
    assert claim(customer, waiting["claim_qr"]).status_code == 201


def test_the_first_keeps_it(code, claim, shop, wallet, programme, writes_nothing):
    first, second = world.make_customers(shop, 2)
    claim(first, code)
    claim(second, "nonsense")  # signs in
    with writes_nothing():
        assert_problem(claim(second, code), 409, "duplicate_claim")
    assert wallet(second)["lifetime"]["issued"] == 0


def test_one_wrong_character_is_found_without_the_database(code, claim, customer, app, monkeypatch):
    symbols = code.replace("-", "")
    asked = []
    monkeypatch.setattr("app.activities.claims.hash_of", lambda text: asked.append(text) or b"")
    for place in range(9):
        wrong = ALPHABET[(ALPHABET.index(symbols[place]) + 1) % 32]
        mistyped = symbols[:place] + wrong + symbols[place + 1 :]
        assert_problem(claim(customer, mistyped), 422, "invalid_code", "/code")
    assert asked == []


def test_ten_wrong_codes_in_a_minute_are_enough(code, claim, customer, shop):
    other = world.make_customers(shop, 1)[0]
    for number in range(10):
        assert claim(customer, "0000-0000-0000-00" if number % 2 else "nonsense").status_code in (404, 422)
    refused = claim(customer, code)
    assert_problem(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) <= 61
    assert claim(other, code).status_code == 201


def test_it_waits_thirty_days(code, claim, customer, time_machine, writes_nothing):
    time_machine.move_to(now() + timedelta(days=30, minutes=1))
    claim(customer, "nonsense")  # signs in
    with writes_nothing():
        assert_problem(claim(customer, code), 409, "claim_expired")


def test_a_test_code_is_nobodys_in_the_live_world(report, claim, shop, customer):
    code = report(basket("nobody-yet"), shop.test).json["claim_code"]
    assert_problem(claim(customer, code), 404, "claim_not_found")
    [tester] = world.make_customers(shop, 1, live=False)
    assert claim(tester, code).status_code == 201


def test_what_was_returned_and_completed_meanwhile_is_booked_with_it(report, claim, customer, client, shop, wallet):
    code = report(basket("nobody-yet", packaging=["REUSABLE_BOX", "NO_BAG"])).json["claim_code"]
    part = {"id": "ret-1", "activity": "order-1", "lines": [{"id": "1", "quantity": 1}]}
    kept = client.post("/v1/returns", json=part, headers=shop.live)
    assert (kept.status_code, kept.json["status"]) == (201, "waiting_for_claim")
    assert client.post("/v1/returns", json=part, headers=shop.live).json == kept.json
    assert client.post("/v1/activities/order-1/complete", json={}, headers=shop.live).status_code == 200
    too_much = part | {"id": "ret-2", "lines": [{"id": "1", "quantity": 2}]}
    assert_problem(client.post("/v1/returns", json=too_much, headers=shop.live), 409, "return_exceeds_purchase")
    answer = claim(customer, code)
    assert answer.json["returned"]["points"] == 19
    assert answer.json["completed_at"]
    after = wallet(customer)
    assert (after["pending"], after["available"]) == (10, 10 + 15)
    booked = client.get("/v1/returns/ret-1", headers=shop.live).json
    assert (booked["status"], booked["reversed"]["points"]) == ("booked", 19)


def test_a_return_named_like_the_id_of_one_that_waits_is_another(report, claim, customer, client, shop, wallet):
    code = report(basket("nobody-yet")).json["claim_code"]
    report(basket(customer.ref, id="order-2"))
    part = {"id": "ret-1", "activity": "order-1", "lines": [{"id": "1", "quantity": 1}]}
    kept = client.post("/v1/returns", json=part, headers=shop.live).json
    other = client.post("/v1/returns", json={"id": kept["id"], "activity": "order-2"}, headers=shop.live)
    assert (other.status_code, other.json["reversed"]["points"]) == (201, BASKET_AWARDED)
    assert claim(customer, code).json["returned"]["points"] == 19
    assert client.get("/v1/returns/ret-1", headers=shop.live).json["status"] == "booked"
    assert client.get(f"/v1/returns/{kept['id']}", headers=shop.live).json == other.json


def test_a_whole_return_leaves_nothing_to_claim(report, claim, customer, client, shop, wallet):
    code = report(basket("nobody-yet")).json["claim_code"]
    client.post("/v1/returns", json={"id": "ret-1", "activity": "order-1"}, headers=shop.live)
    assert claim(customer, code).status_code == 201
    after = wallet(customer)
    assert (after["pending"], after["available"], after["debt"]) == (0, 0, 0)


def test_a_revision_takes_the_place_of_what_waits_and_gives_it_to_whom_it_names(report, claim, customer, wallet):
    code = report(basket("nobody-yet")).json["claim_code"]
    second = report(basket("nobody-yet", revision=2, lines=[line(quantity=1, total=599)]))
    assert (second.status_code, second.json["claim_code"]) == (202, code)
    third = report(basket(customer.ref, revision=3, lines=[line(quantity=1, total=599)]))
    assert third.status_code == 201
    assert wallet(customer)["lifetime"]["issued"] == 10 + 3 + 5 + 2
    assert claim(customer, code).status_code == 200


def test_one_receipt_is_claimed_once_across_merchants_and_staff_see_both(report, shop, wallet, client, programme):
    first, second = world.make_customers(shop, 2)
    other = world.make_shop("other-shop")
    [stranger] = world.make_customers(other, 1)
    made = report(basket(first.ref, receipt="R-5531")).json
    for body, headers in (
        (basket(second.ref, id="order-2", receipt=" r-5531 "), shop.live),
        (basket(stranger.ref, id="order-1", receipt="R-5531"), other.live),
    ):
        again = report(body, headers)
        assert again.status_code == 201
        assert (again.json["status"], again.json["points"]["awarded"]) == ("duplicate", 0)
        assert {missed["code"] for missed in again.json["missed"]} >= {"duplicate_claim"}
        assert again.json["impact"] == []
    assert report(basket(first.ref, receipt="R-5531")).json == made
    assert wallet(second)["lifetime"]["issued"] == wallet(stranger)["lifetime"]["issued"] == 0
    staff = world.make_staff("support")
    seen = client.get("/v1/admin/duplicate-claims", headers=staff.headers).json["data"]
    assert [(each["proof"], each["value"], each["first"]["external_id"]) for each in seen] == [
        ("receipt", "r-5531", "order-1")
    ] * 2
    assert {each["second"]["external_id"] for each in seen} == {"order-2", "order-1"}
    pages = client.get("/v1/admin/duplicate-claims?limit=1", headers=staff.headers).json
    then = client.get(f"/v1/admin/duplicate-claims?cursor={pages['next_cursor']}", headers=staff.headers).json
    assert pages["data"] + then["data"] == seen


def test_a_serial_number_is_claimed_once_a_kind_and_the_other_lines_still_earn(report, shop, programme):
    first, second = world.make_customers(shop, 2)
    report(basket(first.ref, lines=[line(serial="SN-1")]))
    mixed = [line(serial="sn-1"), line(id="2", sku="B", serial="SN-2"), line(id="3", sku="C", serial="SN-2")]
    answer = report(basket(second.ref, id="order-2", lines=mixed)).json
    assert answer["status"] == "accepted"
    assert {award["line"] for award in answer["awards"]} == {"2", None}


def test_a_batch_with_a_duplicate_pays_all_others(client, shop, programme, wallet):
    customers = world.make_customers(shop, 3)
    items = [
        basket(customers[0].ref, id="a", receipt="R-1"),
        basket(customers[1].ref, id="b", receipt="R-1"),
        basket(customers[2].ref, id="c", receipt="R-2"),
    ]
    results = client.post("/v1/activities/batch", json={"activities": items}, headers=shop.live).json["results"]
    assert [each["status"] for each in results] == [201, 201, 201]
    assert [each["activity"]["points"]["awarded"] for each in results] == [BASKET_AWARDED, 0, BASKET_AWARDED]
    more = [basket(customers[0].ref, id="d", receipt="R-2"), basket(customers[1].ref, id="e", receipt="R-3")]
    results = client.post("/v1/activities/batch", json={"activities": more}, headers=shop.live).json["results"]
    assert [each["activity"]["points"]["awarded"] for each in results] == [0, BASKET_AWARDED]


DUPLICATES = {
    "receipt": {"receipt": "R-1"},
    "every line": {"lines": [line(serial="S-1")]},
    "one of two lines": {"lines": [line(serial="S-1"), line(id="2", sku="B", quantity=3)]},
    "the same line twice": {"lines": [line(serial="S-9"), line(id="2", sku="B", serial="S-9")]},
}


@pytest.mark.parametrize("change", DUPLICATES.values(), ids=DUPLICATES)
def test_a_return_of_a_duplicate_takes_what_it_was_paid_whatever_comes_back_first(change, report, shop, client):
    first, second = world.make_customers(shop, 2)
    report(basket(first.ref, receipt="R-1", lines=[line(serial="S-1")]))
    made = report(basket(second.ref, id="order-2") | change).json
    taken = 0
    for each in change.get("lines", [line()])[::-1]:
        for _ in range(each["quantity"]):
            taken += _return(client, shop, {"activity": "order-2", "lines": [{"id": each["id"], "quantity": 1}]})
            assert faults() == []
    assert taken == made["points"]["awarded"]


@pytest.mark.parametrize("change", DUPLICATES.values(), ids=DUPLICATES)
def test_a_duplicate_that_is_revised_and_voided_counts_right(change, report, shop, client, writes_nothing):
    first, second = world.make_customers(shop, 2)
    report(basket(first.ref, receipt="R-1", lines=[line(serial="S-1")]))
    report(basket(second.ref, id="order-2") | change)
    free = report(basket(second.ref, id="order-2", revision=2)).json
    assert free["points"]["awarded"] == BASKET_AWARDED
    again = report(basket(second.ref, id="order-2", revision=3) | change).json
    assert faults() == []
    void_activity(second.member_id, UUID(again["id"]), live=True, actor="staff:ada", reason="rejected", moment=now())
    assert faults() == []


def _return(client, shop, body):
    answer = client.post("/v1/returns", json={"id": str(new_id())} | body, headers=shop.live)
    assert answer.status_code == 201, answer.text
    return answer.json["reversed"]["points"]


def test_an_unknown_code_of_the_right_form_is_not_found(claim, customer):
    assert_problem(claim(customer, "00000000000000"), 404, "claim_not_found")
    assert db.session.scalar(db.text("SELECT count(*) FROM claim")) == 0
