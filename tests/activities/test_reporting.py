"""Reporting an activity: its own id makes it harmless to repeat, and its member is who the merchant may name."""

import itertools
import json
from datetime import timedelta

import pytest
from psycopg import connect

from app.campaigns.service import save_campaign
from app.core.clock import now
from app.core.codes import normalise_code
from app.merchants.service import unlink_customer
from tests import world
from tests.answers import assert_problem, check_problem
from tests.world import BASKET_AWARDED, CAMPAIGNS, ago, basket, line

UNKNOWN = {"ref": "nobody-yet"}


@pytest.fixture
def report(client, shop):
    """A function that reports an activity, by default as the shop's live key."""
    return lambda body, headers=None: client.post("/v1/activities", json=body, headers=headers or shop.live)


@pytest.fixture
def report_batch(client, shop):
    """A function that reports a batch and returns its results."""

    def send(items, headers=None):
        answer = client.post("/v1/activities/batch", json={"activities": items}, headers=headers or shop.live)
        assert answer.status_code == 200, answer.text
        return answer.json["results"]

    return send


@pytest.fixture
def wallet(client, shopper):
    return lambda customer: client.get("/v1/me/wallet", headers=shopper(customer.member_id)).json


def shuffled(body):
    """Return ``body`` with the keys of its objects in another order."""
    if isinstance(body, dict):
        return {key: shuffled(body[key]) for key in reversed(body)}
    return [shuffled(item) for item in body] if isinstance(body, list) else body


def test_the_first_report_is_created_and_a_repetition_gets_the_same_answer(report, customer, wallet, writes_nothing):
    body = basket(customer.ref)
    first = report(body)
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    assert first.headers["Cache-Control"] == "no-store"
    assert first.json["points"]["awarded"] == BASKET_AWARDED
    assert first.json["external_id"] == body["id"]
    assert first.json["member_id"] == str(customer.member_id)
    with writes_nothing():
        for again in (report(body), report(shuffled(body))):
            assert again.status_code == 200
            assert again.headers["Idempotent-Replayed"] == "true"
            assert again.json == first.json
    assert wallet(customer)["lifetime"]["issued"] == BASKET_AWARDED


def test_a_very_old_activity_is_still_repeated_and_never_refused_as_too_old(report, customer, time_machine):
    body = basket(customer.ref)
    waiting = basket("nobody-yet", id="order-2")
    first, first_waiting = report(body), report(waiting)
    time_machine.move_to(now() + timedelta(days=400))
    again = report(body)
    assert (again.status_code, again.json) == (200, first.json)
    again = report(waiting)
    assert (again.status_code, again.json) == (202, first_waiting.json)
    assert_problem(report(basket(customer.ref, id="order-3", occurred_at=body["occurred_at"])), 422,
                   "validation_failed", "/occurred_at")  # fmt: skip


def test_a_repetition_gets_the_first_answer_though_the_rules_have_changed(report, customer, shop, client):
    body = basket(customer.ref)
    first = report(body)
    for campaign in CAMPAIGNS:
        rules = [rule | {"maximum": 1, "labels": {"en": "Other words"}} for rule in campaign["rules"]]
        save_campaign(campaign | {"rules": rules}, active_from=world.LONG_AGO)
    assert report(body).json == first.json
    assert client.get("/v1/activities/order-1", headers=shop.live).json == first.json
    other = report(basket(customer.ref, id="order-2")).json
    assert other["points"]["awarded"] == len(world.BASKET_POINTS)
    assert {award["version"] for award in other["awards"]} == {2}


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "USD"},
        {"lines": [line(quantity=3)]},
        {"member": {"ref": "customer-2"}},
        {"metadata": {"a": 1}},
        {"packaging": []},
        {"occurred_at": ago(hours=2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_id_with_other_content_is_refused(change, report, customer, writes_nothing):
    report(basket(customer.ref))
    with writes_nothing():
        assert_problem(report(basket(customer.ref) | change), 409, "activity_id_reused")


def test_a_revision_below_the_stored_one_is_stale(report, customer, writes_nothing):
    assert report(basket(customer.ref, revision=2)).status_code == 201
    with writes_nothing():
        assert_problem(report(basket(customer.ref, revision=1)), 409, "revision_stale")
        assert_problem(report(basket(customer.ref)), 409, "revision_stale")
        assert report(basket(customer.ref, revision=2)).status_code == 200


def test_an_id_twice_in_a_batch_is_awarded_once(report_batch, customer, wallet):
    same, other = basket(customer.ref), basket(customer.ref, packaging=[])
    results = report_batch([same, same, other, basket(customer.ref, id="order-2"), same])
    assert [result["status"] for result in results] == [201, 200, 409, 201, 200]
    assert [result["replayed"] for result in results] == [False, True, False, False, True]
    assert results[0]["activity"] == results[1]["activity"] == results[4]["activity"]
    check_problem(results[2]["problem"], 409, "activity_id_reused")
    assert wallet(customer)["lifetime"]["issued"] == 2 * BASKET_AWARDED


def test_a_batch_again_pays_nothing_and_answers_the_same(report_batch, shop, customer, writes_nothing):
    [other] = world.make_customers(shop, 1)
    items = [basket(ref, id=f"order-{number}") for number, ref in enumerate([customer.ref, other.ref, "x"] * 20)]
    first = report_batch(items)
    assert [result["status"] for result in first] == [201, 201, 202] * 20
    with writes_nothing():
        again = report_batch(items)
        assert [result["status"] for result in again] == [200, 200, 202] * 20
        assert all(result["replayed"] for result in again)
        assert [result["activity"] for result in again] == [result["activity"] for result in first]
        backwards = report_batch(items[::-1])
        assert [result["activity"] for result in backwards[::-1]] == [result["activity"] for result in first]


def test_a_batch_may_name_one_member_in_every_way(report_batch, customer, wallet):
    ways = [{"ref": customer.ref}, {"code": customer.code}, {"id": str(customer.member_id)}]
    results = report_batch([basket(id=f"order-{number}", member=way) for number, way in enumerate(ways * 10)])
    assert {(result["status"], result["activity"]["member_id"]) for result in results} == {
        (201, str(customer.member_id))
    }
    assert wallet(customer)["lifetime"]["issued"] == 30 * BASKET_AWARDED


@pytest.mark.parametrize("member", [UNKNOWN, None], ids=["an unknown reference", "nobody"])
def test_an_activity_of_nobody_waits_under_a_claim_code(member, report, shop, customer, client, settings):
    body = basket(member=member)
    first = report(body)
    assert first.status_code == 202
    assert first.json["status"] == "waiting_for_claim"
    assert first.json["member_id"] is None
    assert first.json["points"]["awarded"] == 0
    code = first.json["claim_code"]
    assert normalise_code(code.lower()) == code.replace("-", "")
    again = report(body)
    assert (again.status_code, again.json) == (202, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.get("/v1/activities/order-1", headers=shop.live).json == first.json
    assert report(body | {"id": "order-2"}).json["claim_code"] != code
    assert_problem(report(body | {"packaging": []}), 409, "activity_id_reused")
    with connect(settings.database_owner_url) as connection:
        stored = connection.execute("SELECT code_hash::text || body::text || external_id FROM claim").fetchall()
    assert not any(code.replace("-", "") in row[0] or code in row[0] for row in stored)


def test_a_reference_linked_later_does_not_change_what_waits(report, client, shop, customer, wallet):
    first = report(basket("newcomer"))
    linked = client.put("/v1/customers/newcomer", json={"member_code": customer.code}, headers=shop.live)
    assert linked.status_code == 201
    again = report(basket("newcomer"))
    assert (again.status_code, again.json) == (202, first.json)
    assert wallet(customer)["lifetime"]["issued"] == 0
    assert report(basket("newcomer", id="order-2")).status_code == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"packaging": ["NO_BAGS"]}, "/packaging/0"),
        ({"occurred_at": ago(days=31)}, "/occurred_at"),
        ({"evidence": "serialised"}, "/evidence"),
    ],
    ids=["code", "time", "evidence"],
)
def test_what_is_wrong_is_refused_though_nobody_is_known(change, pointer, report, report_batch, shop, writes_nothing):
    body = basket(member=UNKNOWN) | change
    with writes_nothing():
        assert_problem(report(body), 422, "validation_failed", pointer)
        [result] = report_batch([body])
        check_problem(result["problem"], 422, "validation_failed", pointer)


def test_a_member_is_named_by_id_only_once_linked(report, shop, customer, client, writes_nothing):
    stranger = world.make_shop("other-shop")
    body = basket(member={"id": str(customer.member_id)})
    with writes_nothing():
        assert_problem(report(body, stranger.live), 404, "member_not_found", "/member/id")
    client.put("/v1/customers/x", json={"member_code": customer.code}, headers=stranger.live)
    assert report(body, stranger.live).status_code == 201
    unlink_customer(stranger.merchant_id, True, "x")
    assert report(body, stranger.live).status_code == 200
    assert_problem(report(body | {"id": "order-2"}, stranger.live), 404, "member_not_found", "/member/id")
    assert report(body).status_code == 201


def test_a_member_is_named_by_code_however_it_is_written(report, shop):
    stranger = world.make_shop("other-shop")
    numbers = itertools.count()
    for customer in world.make_customers(shop, 12):
        code = customer.code
        for spelling in (
            code,
            code.lower(),
            code.replace("0", "O").replace("1", "I"),
            code.replace("0", "o").replace("1", "l"),
            f" {code[:3]}-{code[3:6]} {code[6:]} ",
        ):
            answer = report(basket(id=f"order-{next(numbers)}", member={"code": spelling}), stranger.live)
            assert answer.status_code == 201, (spelling, answer.text)
            assert answer.json["member_id"] == str(customer.member_id)


def test_one_wrong_symbol_of_a_code_names_nobody(report, customer):
    code = customer.code
    for place in range(len(code)):
        wrong = code[:place] + ("7" if code[place] != "7" else "8") + code[place + 1 :]
        assert_problem(report(basket(member={"code": wrong})), 404, "member_not_found", "/member/code")


def test_test_and_live_are_two_worlds(report, client, shop, customer, shopper, wallet, writes_nothing):
    """The same id, reference and content in both: two activities, and neither key sees the other's."""
    [twin] = world.make_customers(shop, 1, live=False)
    live = report(basket(customer.ref))
    with writes_nothing():
        for way in ({"code": customer.code}, {"id": str(customer.member_id)}):
            assert_problem(report(basket(member=way), shop.test), 404, "member_not_found")
        for way in ({"code": twin.code}, {"id": str(twin.member_id)}):
            assert_problem(report(basket(id="order-2", member=way)), 404, "member_not_found")
        for any_id in ("order-1", live.json["id"]):
            assert client.get(f"/v1/activities/{any_id}", headers=shop.live).json == live.json
            assert_problem(client.get(f"/v1/activities/{any_id}", headers=shop.test), 404, "activity_not_found")
        assert_problem(client.get(f"/v1/customers/{customer.ref}", headers=shop.test), 404, "customer_not_found")
    assert report(basket(customer.ref), shop.test).status_code == 202
    assert report(basket(twin.ref, id="order-3"), shop.test).json["member_id"] == str(twin.member_id)
    assert_problem(client.get("/v1/activities/order-3", headers=shop.live), 404, "activity_not_found")
    assert wallet(customer)["lifetime"]["issued"] == BASKET_AWARDED
    assert client.get("/v1/me/wallet", headers=shopper(twin.member_id)).json["lifetime"]["issued"] == BASKET_AWARDED


def test_an_activity_is_read_by_either_id_and_by_nobody_else(report, client, shop, customer):
    first = report(basket(customer.ref)).json
    stranger = world.make_shop("other-shop")
    for any_id in ("order-1", first["id"], first["id"].upper()):
        answer = client.get(f"/v1/activities/{any_id}", headers=shop.live)
        assert (answer.status_code, answer.json) == (200, first)
        assert answer.headers["Cache-Control"] == "no-store"
        assert_problem(client.get(f"/v1/activities/{any_id}", headers=stranger.live), 404, "activity_not_found")


def test_an_id_that_is_our_id_of_anothers_activity_is_the_merchants_own(report, client, shop, customer):
    first = report(basket(customer.ref)).json
    stranger = world.make_shop("other-shop")
    own = report(basket("x", id=first["id"]), stranger.live).json
    assert client.get(f"/v1/activities/{first['id']}", headers=stranger.live).json == own
    assert client.get(f"/v1/activities/{first['id']}", headers=shop.live).json == first


def test_a_shopper_reads_what_was_reported_of_them_and_no_more(report, client, shop, customer, shopper):
    ours = [report(basket(customer.ref, id=f"order-{number}")).json for number in range(3)]
    [other] = world.make_customers(shop, 1)
    theirs = report(basket(other.ref, id="order-9")).json
    headers = shopper(customer.member_id)
    assert client.get("/v1/me/activities", headers=headers).json == {"data": ours[::-1], "next_cursor": None}
    assert client.get(f"/v1/me/activities/{ours[0]['id']}", headers=headers).json == ours[0]
    assert_problem(client.get(f"/v1/me/activities/{theirs['id']}", headers=headers), 404, "activity_not_found")


def test_every_body_is_kept_as_it_was_sent(report, customer, settings):
    body = basket(customer.ref, metadata={"über": "☃", "n": 0.1, "big": 2**53 - 1, "none": None, "yes": True})
    report(body)
    with connect(settings.database_owner_url) as connection:
        [[stored]] = connection.execute("SELECT body::text FROM activity").fetchall()
    assert json.loads(stored) == body
