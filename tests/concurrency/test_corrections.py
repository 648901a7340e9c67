"""Returns, completions, revisions and claims under real threads and real commits, beside each other and beside awards.

After every race, ``tests.corrections`` recomputes wallets, impact, limits, budgets and days from what is stored.
"""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from app.campaigns import service as campaigns
from app.core.clock import now
from app.core.ids import new_id
from app.ledger import service as ledger
from tests import world
from tests.concurrency.racing import at_once
from tests.corrections import faults
from tests.world import BASKET_AWARDED, basket, line

THREADS = 8
ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 2
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
CAPPED = {
    "key": "capped", "labels": {"en": "Capped"}, "starts_at": "2020-01-01T00:00:00Z", "budget": {"points": 2000},
    "rules": [
        {"key": "unit", "labels": {"en": "Unit"}, "kind": "purchase", "scope": "line",
         "award": {"type": "per_unit", "points": 7},
         "limits": [{"unit": "points", "by": "member", "per": "day", "amount": 100},
                    {"unit": "points", "by": "household", "per": "day", "amount": 90},
                    {"unit": "points", "by": "merchant", "per": "day", "amount": 600}]},
        {"key": "visit", "labels": {"en": "Visit"}, "kind": "purchase", "scope": "activity",
         "award": {"type": "fixed", "points": 3}, "pending": {"until": "completed"},
         "limits": [{"unit": "count", "by": "member", "per": "day", "amount": 4},
                    {"unit": "count", "by": "campaign", "per": "day", "amount": 40}]},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def sound(app, shop):
    """The programme has a campaign with limits and a budget; whatever happened, all adds up afterwards."""
    campaigns.save_campaign(CAPPED, active_from=world.LONG_AGO)
    yield
    assert faults() == []


@pytest.fixture
def claim(app, shopper):
    """A function that returns a call by which a shopper, signed in here, claims a code."""

    def prepare(customer, code):
        headers = shopper(customer.member_id)
        return lambda: app.test_client().post("/v1/me/claims", json={"code": code}, headers=headers)

    return prepare


def order(customer: world.Customer, number: int, **changes: Any) -> dict[str, Any]:
    return basket(customer.ref, id=f"order-{number}", lines=[line(quantity=10, total=5990)]) | changes


def return_of(number: int, activity: int, quantity: int = 1) -> dict[str, Any]:
    return {"id": f"ret-{number}", "activity": f"order-{activity}", "lines": [{"id": "1", "quantity": quantity}]}


def statuses(answers: Any) -> Counter[Any]:
    """Count what came of calls: the status, or the code of a problem; a fault of ours is shown."""
    assert all(answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    return Counter(answer.status_code if answer.status_code < 400 else answer.json["code"] for answer in answers)


def shuffled(*calls: Any) -> list[Any]:
    return random.sample(calls, len(calls))


def test_of_sixteen_returns_of_one_line_no_more_come_back_than_were_bought(send, customer):
    for number in range(ROUNDS):
        made = send("/v1/activities", order(customer, number)).json
        returns = [return_of(16 * number + each, number) for each in range(16)]
        answers = at_once([partial(send, "/v1/returns", body) for body in returns])
        assert statuses(answers) == {201: 10, "return_exceeds_purchase": 6}
        taken = sum(answer.json["reversed"]["points"] for answer in answers if answer.status_code == 201)
        assert taken == made["points"]["awarded"]


def test_batches_of_returns_that_cross_give_back_each_piece_once(send, shop):
    customers = world.make_customers(shop, 3)
    for each, customer in enumerate(customers):
        send("/v1/activities", order(customer, each))
    batches = []
    for thread in range(THREADS):
        items = [return_of(100 * thread + each, each % 3, 1 + each % 2) for each in range(6)]
        batches.append(items if thread % 2 else items[::-1])
    answers = at_once([partial(send, "/v1/returns/batch", {"returns": items}) for items in batches])
    assert {answer.status_code for answer in answers} == {200}
    results = [result for answer in answers for result in answer.json["results"]]
    assert {result["status"] for result in results} == {201, 409}
    back = sum(line["quantity"] for each in results if each["return"] for line in each["return"]["lines"])
    assert 27 <= back <= 30  # a return of two may find one left


def test_one_id_is_one_return(send, customer):
    for number in range(ROUNDS):
        send("/v1/activities", order(customer, number))
        same, other = return_of(number, number), return_of(number, number, 2)
        answers = at_once([partial(send, "/v1/returns", body) for body in [same, other] * 4])
        counted = statuses(answers)
        assert counted == {201: 1, 200: 3, "return_id_reused": 4}
        booked = [answer.json for answer in answers if answer.status_code < 400]
        assert all(each == booked[0] for each in booked)


def test_whatever_happens_to_the_account_meanwhile_each_return_takes_its_own(send, shop, app):
    for number in range(0, 10 * ROUNDS, 10):
        [customer] = world.make_customers(shop, 1)
        for each in range(3):
            send("/v1/activities", order(customer, number + each))
        ends_at = now() + timedelta(hours=1)
        ledger.adjust_points(
            customer.member_id, 30, key="adjust", actor="test", reason="r", fingerprint=b"", moment=now(),
            expires_at=ends_at,
        )  # fmt: skip
        asked = {"member": {"ref": customer.ref}, "points": 12, "order": "o"}
        held = _spend(app, shop, "/v1/holds", asked).json["id"]
        calls = [partial(send, "/v1/returns", return_of(number + each, number + each % 3, 4)) for each in range(5)]
        calls += [partial(send, "/v1/activities", order(customer, number + each)) for each in range(3, 7)]
        calls += [partial(_spend, app, shop, "/v1/holds", asked)] * 2
        calls += [
            partial(_spend, app, shop, f"/v1/holds/{held}/capture", {"points": 5}),
            partial(_settle, app, ends_at),
        ]
        answers = [answer for answer in at_once(shuffled(*calls)) if answer is not None]
        assert statuses(answers).keys() <= {200, 201, "insufficient_points", "in_debt", "hold_expired"}
        assert faults() == []


def _spend(app: Any, shop: world.Shop, path: str, body: Any) -> Any:
    return app.test_client().post(path, json=body, headers=shop.live | {"Idempotency-Key": str(new_id())})


def _settle(app: Any, moment: Any) -> None:
    with app.app_context():
        ledger.settle_due_accounts(moment)


def test_a_return_and_a_revision_at_once_are_one_after_the_other(send, customer):
    for number in range(ROUNDS * 4):
        send("/v1/activities", order(customer, number))
        revised = order(customer, number, revision=2, lines=[line(quantity=3, total=1797)])
        returns = [return_of(2 * number + each, number, 2) for each in range(2)]
        calls = [partial(send, "/v1/activities", revised), *(partial(send, "/v1/returns", body) for body in returns)]
        found = statuses(at_once(shuffled(*calls)))
        assert found in ({201: 2, "activity_closed": 1}, {201: 2, "return_exceeds_purchase": 1}), found


@pytest.mark.parametrize("is_known", [True, False], ids=["of a member", "of nobody"])
def test_revisions_at_once_leave_the_highest(send, shop, app, is_known):
    [customer] = world.make_customers(shop, 1)
    done = 201 if is_known else 202
    for number in range(ROUNDS):
        first = order(customer, number) | ({} if is_known else {"member": {"ref": "nobody-yet"}})
        send("/v1/activities", first)
        bodies = [
            first | {"revision": each, "lines": [line(quantity=each, total=599 * each)]} for each in range(2, 7)
        ]  # fmt: skip
        answers = at_once([partial(send, "/v1/activities", body) for body in shuffled(*bodies, *bodies)])
        assert statuses(answers).keys() <= {200, done, "revision_stale"}
        highest = [answer for answer in answers if answer.status_code < 400 and answer.json["revision"] == 6]
        assert [answer.headers.get("Idempotent-Replayed") for answer in highest].count("true") == 1
        assert highest[0].json == highest[1].json
        seen = app.test_client().get(f"/v1/activities/order-{number}", headers=shop.live).json
        assert seen == highest[0].json


@pytest.mark.parametrize("is_known", [True, False], ids=["of a member", "of nobody"])
def test_of_two_contents_of_one_revision_one_stands(send, shop, is_known):
    [customer] = world.make_customers(shop, 1)
    for number in range(ROUNDS):
        first = order(customer, number) | ({} if is_known else {"member": {"ref": "nobody-yet"}})
        send("/v1/activities", first)
        bodies = [first | {"revision": 2, "lines": [line(quantity=each, total=599)]} for each in (1, 2)] * 3
        found = statuses(at_once([partial(send, "/v1/activities", body) for body in bodies]))
        assert found == ({201: 1, 200: 2} if is_known else {202: 3}) | {"activity_id_reused": 3}


def test_a_return_and_a_completion_at_once_both_hold(send, customer):
    for number in range(ROUNDS * 2):
        send("/v1/activities", order(customer, number, packaging=["REUSABLE_BOX"]))
        returns = [return_of(10 * number + each, number, 4) for each in range(3)]
        returns.append({"id": f"all-{number}", "activity": f"order-{number}"})
        calls = [partial(send, f"/v1/activities/order-{number}/complete", {})] * 3
        calls += [partial(send, "/v1/returns", body) for body in returns]
        found = statuses(at_once(shuffled(*calls)))
        assert found[200] == 3
        assert found[201] >= 1
        assert found.keys() <= {200, 201, "return_exceeds_purchase"}


def test_of_all_who_claim_a_code_one_has_it(send, shop, claim):
    for number in range(ROUNDS):
        customers = world.make_customers(shop, 4)
        code = send("/v1/activities", basket("nobody-yet", id=f"order-{number}")).json["claim_code"]
        found = statuses(at_once([claim(customer, code) for customer in customers * 2]))
        assert found == {201: 1, 200: 1, "duplicate_claim": 6}


def test_a_claim_takes_what_comes_while_it_is_made(send, shop, claim):
    for number in range(ROUNDS * 3):
        one, other = world.make_customers(shop, 2)
        waiting = basket("nobody-yet", id=f"order-{number}", packaging=["REUSABLE_BOX"], lines=[line(quantity=6)])
        code = send("/v1/activities", waiting).json["claim_code"]
        calls = [claim(one, code), claim(one, code), claim(other, code)]
        calls.append(partial(send, f"/v1/activities/order-{number}/complete", {}))
        calls += [partial(send, "/v1/returns", return_of(10 * number + each, number, 2)) for each in range(4)]
        found = statuses(at_once(shuffled(*calls)))
        assert found["duplicate_claim"] in (1, 2)
        assert found["return_exceeds_purchase"] == 1
        assert sum(found.values()) == 8
        assert faults() == []


@pytest.mark.parametrize("named", [False, True], ids=["of nobody", "of a member"])
def test_a_claim_and_a_revision_at_once_are_one_after_the_other(send, shop, claim, named):
    for number in range(ROUNDS * 2):
        one, other = world.make_customers(shop, 2)
        code = send("/v1/activities", basket("nobody-yet", id=f"order-{number}")).json["claim_code"]
        lines = [line(quantity=1, total=599)]
        revised = basket(other.ref if named else "nobody-yet", id=f"order-{number}", revision=2, lines=lines)
        calls = [claim(one, code), claim(one, code), claim(other, code)]
        calls += [partial(send, "/v1/activities", revised)] * 2
        calls.append(partial(send, "/v1/returns", return_of(number, number)))
        found = statuses(at_once(shuffled(*calls)))
        assert found.keys() <= {200, 201, 202, "duplicate_claim", "activity_closed", "activity_member_changed"}, found
        assert faults() == []


def _send_as(app: Any, shop: world.Shop, path: str, body: Any) -> Any:
    return app.test_client().post(path, json=body, headers=shop.live)


def test_of_all_who_report_a_receipt_one_keeps_it(app, shop):
    shops = [shop, world.make_shop("other-shop"), world.make_shop("third-shop")]
    people = [(each, customer) for each in shops for customer in world.make_customers(each, 3)]
    for number in range(ROUNDS):
        bodies = [
            (each, basket(customer.ref, id=f"{number}-{customer.code}", receipt=f"R-{number}"))
            for each, customer in people
        ]
        answers = at_once([partial(_send_as, app, each, "/v1/activities", body) for each, body in bodies])
        assert statuses(answers) == {201: 9}
        assert Counter(answer.json["status"] for answer in answers) == {"accepted": 1, "duplicate": 8}


def _batch_of_proofs(customer: world.Customer, number: int, place: int) -> list[dict[str, Any]]:
    """Five activities with three serial numbers each, most with a receipt, the other way round every second time."""
    step = -1 if place % 2 else 1
    return [
        basket(
            customer.ref, id=f"{number}-{customer.code}-{count}", receipt=f"R-{number}-{count}" if place % 4 else None,
            lines=[
                line(id=f"{count}-{serial}", serial=f"S-{number}-{count}-{serial}", quantity=1, total=599)
                for serial in range(3)
            ][::step],
        )
        for count in range(5)
    ][::step]  # fmt: skip


def test_of_all_batches_that_name_the_same_receipts_and_serials_one_keeps_each(app, shop):
    shops = [shop, world.make_shop("other-shop")]
    people = [(each, customer) for each in shops for customer in world.make_customers(each, 4)]
    for number in range(ROUNDS):
        calls = []
        for place, (each, customer) in enumerate(people):
            batch = {"activities": _batch_of_proofs(customer, number, place)}
            calls.append(partial(_send_as, app, each, "/v1/activities/batch", batch))
        answers = at_once(calls)
        assert statuses(answers) == {200: 8}
        results = [result for answer in answers for result in answer.json["results"]]
        assert Counter(result["status"] for result in results) == {201: 40}
        awards = [award for result in results for award in result["activity"]["awards"]]
        lines = Counter(award["line"] for award in awards if award["rule"] == "organic")
        assert lines == {f"{count}-{serial}": 1 for count in range(5) for serial in range(3)}
        assert faults() == []


def test_who_loses_one_serial_number_after_the_other_is_stored_all_the_same(send, customer, settings, query):
    serials = [f"sn-{number}" for number in range(6)]
    lines = [line(id=serial, serial=serial, quantity=1, total=599) for serial in [*serials, "sn-own"]]
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        others = [stack.enter_context(psycopg.connect(settings.database_owner_url)) for _ in serials]
        for connection, serial in zip(others, serials, strict=True):
            connection.execute(
                "INSERT INTO claimed_proof (live, kind, proof, value, activity_id)"
                " VALUES (true, 'purchase', 'serial', %s, %s)",
                (serial, new_id()),
            )
        sent = pool.submit(send, "/v1/activities", basket(customer.ref, lines=lines))
        for connection in others:  # each is committed once our writer waits for it, and no sooner
            deadline = time.monotonic() + 10
            while query(WAITING) == [(0,)] and time.monotonic() < deadline:
                time.sleep(0.005)
            connection.commit()
        answer = sent.result()
    assert answer.status_code == 201, answer.text
    assert {award["line"] for award in answer.json["awards"] if award["rule"] == "organic"} == {"sn-own"}


def test_receipts_that_change_hands_by_revisions_are_never_two_peoples(send, shop):
    customers = world.make_customers(shop, 4)
    codes = [customer.code for customer in customers]
    for number in range(ROUNDS):
        orders = [
            basket(customer.ref, id=f"{number}-{customer.code}", receipt=f"{number}-{customer.code}")
            for customer in customers
        ]
        for body in orders:
            assert send("/v1/activities", body).json["status"] == "accepted"
        revised = [
            body | {"revision": 2, "receipt": f"{number}-{codes[place - 1]}"} for place, body in enumerate(orders)
        ]
        answers = at_once([partial(send, "/v1/activities", body) for body in revised])
        assert statuses(answers) == {201: 4}
        assert faults() == []


def test_what_limits_and_budget_get_back_goes_to_who_comes_next_and_no_further(send, shop):
    customers = world.make_customers(shop, 6)
    for number in range(0, 100 * ROUNDS, 100):
        for place, customer in enumerate(customers):
            send("/v1/activities", order(customer, number + place))
        calls = [partial(send, "/v1/returns", return_of(number + place, number + place, 5)) for place in range(6)]
        calls += [
            partial(send, "/v1/activities", order(customer, number + 10 + place))
            for place, customer in enumerate(customers)
        ]
        assert statuses(at_once(shuffled(*calls))) == {201: 12}
        assert faults() == []


def test_basket_awarded_is_paid_beside_the_capped_campaign(send, customer):
    answer = send("/v1/activities", basket(customer.ref)).json
    assert answer["points"]["awarded"] == BASKET_AWARDED + 2 * 7 + 3
