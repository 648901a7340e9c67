"""An order that is delivered: points that wait for it become available, from then on, once."""

from datetime import timedelta

import pytest

from app.core.clock import format_time, now
from app.ledger import service as ledger
from tests import world
from tests.answers import assert_problem
from tests.corrections import faults
from tests.world import ago, basket

BOXED = {"packaging": ["REUSABLE_BOX"]}  # earns 15 that wait for completion


@pytest.fixture
def report(client, shop):
    return lambda body, headers=None: client.post("/v1/activities", json=body, headers=headers or shop.live)


@pytest.fixture
def complete(client, shop):
    def send(any_id="order-1", headers=None, **body):
        return client.post(f"/v1/activities/{any_id}/complete", json=body, headers=headers or shop.live)

    return send


@pytest.fixture
def wallet(client, shopper):
    return lambda customer: client.get("/v1/me/wallet", headers=shopper(customer.member_id)).json


@pytest.fixture(autouse=True)
def balanced(app):
    yield
    assert faults() == []


def test_what_waits_for_completion_becomes_available_and_again_is_harmless(report, complete, customer, wallet):
    made = report(basket(customer.ref, **BOXED)).json
    before = wallet(customer)
    completed_at = ago(minutes=10)
    for any_id in ("order-1", made["id"]):
        answer = complete(any_id, occurred_at=completed_at)
        assert answer.status_code == 200
        assert answer.json["completed_at"] == completed_at
        after = wallet(customer)
        assert after["available"] == before["available"] + 15
        assert after["pending"] == before["pending"] - 15
    assert complete(occurred_at=ago(minutes=1)).json["completed_at"] == completed_at  # the first time counts


def test_points_live_from_completion_on(report, complete, customer, wallet, time_machine):
    report(basket(customer.ref, lines=[world.line(certifications=[], packaging=[], total=100)], **BOXED))
    time_machine.move_to(now() + timedelta(days=40))
    complete()
    [expiring] = wallet(customer)["expiring"]
    assert expiring["points"] == 15
    assert expiring["expires_at"] > format_time(now() + timedelta(days=364))


def test_what_was_not_complete_in_90_days_lapses_for_good(report, complete, customer, wallet, time_machine):
    report(basket(customer.ref, **BOXED))
    before = wallet(customer)["lifetime"]["issued"]
    time_machine.move_to(now() + timedelta(days=91))
    assert complete().status_code == 200
    after = wallet(customer)
    assert after["pending"] == 0
    assert (after["lifetime"]["issued"], after["lifetime"]["expired"]) == (before, 15 + 6)


def test_what_becomes_available_repays_what_is_owed(report, complete, customer, wallet, client, shop):
    report(basket(customer.ref, **BOXED))
    report(basket(customer.ref, id="order-2", packaging=[]))
    ledger.spend_points(customer.member_id, 34, key="spend:1", actor="test", fingerprint=b"1", moment=now())
    client.post("/v1/returns", json={"id": "ret-1", "activity": "order-2"}, headers=shop.live)
    assert wallet(customer)["debt"] == 17
    complete()
    assert (wallet(customer)["debt"], wallet(customer)["available"]) == (2, 0)


def test_returned_before_and_after_completion_takes_the_same(report, complete, customer, wallet, client, shop):
    for number, steps in enumerate(("rc", "cr")):
        report(basket(customer.ref, id=f"order-{number}", **BOXED))
        for step in steps:
            if step == "c":
                assert complete(f"order-{number}").status_code == 200
            else:
                body = {"id": f"ret-{number}", "activity": f"order-{number}"}
                assert client.post("/v1/returns", json=body, headers=shop.live).json["reversed"]["points"] == 52
    after = wallet(customer)
    assert (after["pending"], after["available"], after["debt"]) == (0, 0, 0)


def test_anothers_order_and_bad_times_are_refused(report, complete, customer, shop, writes_nothing):
    report(basket(customer.ref, **BOXED))
    other = world.make_shop("other-shop")
    with writes_nothing():
        assert_problem(complete(headers=other.live), 404, "activity_not_found")
        assert_problem(complete(headers=shop.test), 404, "activity_not_found")
        assert_problem(complete("order-9"), 404, "activity_not_found")
        assert_problem(complete(occurred_at="2999-01-01T00:00:00Z"), 422, "validation_failed", "/occurred_at")
        assert_problem(complete(occurred_at=ago(days=2)), 409, "completed_before_activity")
