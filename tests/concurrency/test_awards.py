"""Awards under real threads and real commits: whatever races, each activity is awarded once and the books agree."""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from app.core.clock import now
from tests import world
from tests.concurrency.racing import at_once, held_id
from tests.world import BASKET_AWARDED, ago, basket

THREADS = 8
ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 2


def test_one_batch_from_eight_threads_awards_each_basket_once(send_batches, shop, assert_books):
    customers = world.make_customers(shop, 5)
    refs = [customer.ref for customer in customers] + ["nobody-yet"]
    batch = [basket(ref, id=f"order-{number}") for number, ref in enumerate(refs * 6)]
    everything = send_batches([batch] * THREADS)
    for index, item in enumerate(batch):
        results = [results[index] for results in everything]
        is_waiting = item["member"]["ref"] == "nobody-yet"
        assert {result["status"] for result in results} <= ({202} if is_waiting else {201, 200}), results
        assert sum(not result["replayed"] for result in results) == 1
        assert len({str(result["activity"]["id"]) for result in results}) == 1
        assert all(result["activity"] == results[0]["activity"] for result in results)
    assert_books(activities=30, waiting=6)


def test_eight_threads_award_different_activities_of_one_member(send, customer, assert_books):
    def report(thread):
        return [send("/v1/activities", basket(customer.ref, id=f"order-{thread}-{number}")) for number in range(8)]

    answers = at_once([lambda thread=thread: report(thread) for thread in range(THREADS)])
    assert Counter(answer.status_code for each in answers for answer in each) == {201: 64}
    assert_books(activities=64)


def test_batches_that_cross_the_same_members_all_get_through(send_batches, shop, assert_books):
    refs = [customer.ref for customer in world.make_customers(shop, 6)]
    for number in range(ROUNDS):
        batches = []
        for thread in range(THREADS):
            order = refs if thread % 2 else refs[::-1]
            batches.append([basket(ref, id=f"{number}-{thread}-{ref}") for ref in order])
        assert Counter(result["status"] for results in send_batches(batches) for result in results) == {201: 48}
    assert_books(activities=48 * ROUNDS)


def test_one_batch_in_eight_orders_awards_each_basket_once(send_batches, shop, assert_books):
    refs = [customer.ref for customer in world.make_customers(shop, 6)]
    batch = [basket(ref, id=f"order-{number}") for number, ref in enumerate(refs * 4)]
    shuffler = random.Random(20261123)  # noqa: S311 - an order, not a secret
    everything = send_batches([shuffler.sample(batch, len(batch)) for _ in range(THREADS)])
    assert Counter(result["status"] for results in everything for result in results) == {201: 24, 200: 7 * 24}
    assert_books(activities=24)


def test_batches_that_fight_for_ids_over_different_members_all_get_an_answer(send_batches, shop, assert_books):
    customers = world.make_customers(shop, 2 * THREADS)
    batches = []
    for thread in range(THREADS):
        ids = ["order-1", "order-2"] if thread % 2 else ["order-2", "order-1"]
        pair = sorted(customers[2 * thread : 2 * thread + 2], key=lambda customer: customer.member_id)
        batches.append([basket(customer.ref, id=id_) for customer, id_ in zip(pair, ids, strict=True)])
    everything = send_batches(batches)
    assert Counter(result["status"] for results in everything for result in results) == {201: 2, 409: 14}
    assert_books(activities=2)


def test_a_deadlock_is_seen_by_no_caller(send_batches, shop, settings, query, assert_books):
    """Two batches stop halfway, each with the id that the other wants next; then both are let go."""
    first, second = world.make_customers(shop, 2)
    batches = [
        [basket(first.ref, id=id_) for id_ in ("a", "held-1", "b")],
        [basket(second.ref, id=id_) for id_ in ("b", "held-2", "a")],
    ]
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )  # fmt: skip
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    [[before]] = query(deadlocks)
    with ThreadPoolExecutor(1) as pool:
        with held_id(settings, shop, "held-1"), held_id(settings, shop, "held-2"):
            sent = pool.submit(send_batches, batches)
            until = time.monotonic() + 10
            while query(waiting) != [(2,)]:
                assert time.monotonic() < until, "the batches never waited for each other's ids"
                time.sleep(0.02)
        everything = sent.result()
    assert Counter(result["status"] for results in everything for result in results) == {201: 4, 409: 2}
    assert query(deadlocks) > [(before,)]
    assert_books(activities=4)


def test_one_id_with_eight_contents_is_taken_once(send, customer, assert_books):
    bodies = [basket(customer.ref, metadata={"till": thread}) for thread in range(THREADS)]
    answers = at_once([lambda body=body: send("/v1/activities", body) for body in bodies])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} == {"activity_id_reused"}
    assert_books(activities=1)


def test_one_activity_of_nobody_gets_one_claim_code(send, customer, query):
    answers = at_once([lambda: send("/v1/activities", basket("nobody-yet"))] * THREADS)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["claim_code"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert query("SELECT (SELECT count(*) FROM claim), (SELECT count(*) FROM activity_registry)") == [(1, 1)]


def test_what_is_due_is_settled_once_before_the_next_award(send, send_batches, shop, shopper, app, time_machine, query,
                                                           assert_books):  # fmt: skip
    """After 40 days organic points have matured and loose ones expired, whoever comes first."""
    customers = world.make_customers(shop, 3)
    start = now()
    send_batches([[basket(each.ref, id=f"order-{each.ref}-{number}") for each in customers for number in range(4)]])
    assert_books(activities=12)
    time_machine.move_to(start + timedelta(days=40))
    late = ago(hours=1)
    batches = [
        [basket(each.ref, id=f"late-{each.ref}-{thread}", occurred_at=late) for each in customers[:: (-1) ** thread]]
        for thread in range(THREADS)
    ]
    everything = send_batches(batches)
    assert Counter(result["status"] for results in everything for result in results) == {201: 24}
    assert_books(activities=36)
    for customer in customers:
        wallet = app.test_client().get("/v1/me/wallet", headers=shopper(customer.member_id)).json
        # four of before, with 20 matured and 6 expired of each, and eight of now
        assert (wallet["available"], wallet["pending"]) == (4 * 33 + 8 * 19, 8 * 20)
        assert wallet["lifetime"] == {"issued": 12 * BASKET_AWARDED, "spent": 0, "expired": 4 * 6, "reversed": 0}
    assert query("SELECT count(DISTINCT member_id), count(*) FROM posting WHERE kind = 'expire'") == [(3, 3)]
    booked = query("SELECT sum(amount) FILTER (WHERE target = 'available'), sum(amount) FILTER (WHERE target ="
                   " 'expired') FROM entry WHERE source <> 'issued'")  # fmt: skip
    assert booked == [(3 * 4 * 20, 3 * 4 * 6)]


def test_a_reference_linked_by_eight_at_once_is_linked_once(app, shop, customer, query):
    body = {"member_code": customer.code}
    answers = at_once([lambda: app.test_client().put("/v1/customers/newcomer", json=body, headers=shop.live)] * THREADS)
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert all(answer.json["member_id"] == str(customer.member_id) for answer in answers)
    assert query("SELECT count(*) FROM customer_link WHERE ref = 'newcomer'") == [(1,)]
