"""Single reports that come at once share rounds; each gets its own answer, and waits for nobody else's account."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from app.activities import evaluating, rounds, sharing
from app.activities.evaluating import Source
from app.activities.intake import read_report
from app.activities.outcome import Accepted
from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.merchants.service import authenticate, link_customer
from tests import world
from tests.answers import assert_problem
from tests.concurrency.racing import at_once, held_id
from tests.world import BASKET_AWARDED, ago, basket, line

PATH = "/v1/activities"
SECONDS = 20


def source_of(shop):
    return Source(authenticate(shop.live["Authorization"].removeprefix("Bearer ")))


def until(condition):
    """Wait until ``condition()`` holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.005)


@pytest.fixture
def send_together(app, shop, customer, send, settings, monkeypatch):
    """A function that posts bodies so that they share one round; it returns the answers, and the sizes of all rounds.

    One more report holds the turn meanwhile: it waits for an id that somebody else holds.
    """
    sizes = []

    def play(origin, reports, *rest):
        sizes.append(len(reports))
        return rounds_play(origin, reports, *rest)

    rounds_play = rounds.play
    monkeypatch.setattr(rounds, "play", play)

    def waiting():
        lanes = app.extensions.get("award_lanes")
        return [len(queue) for queue in lanes.open._waiting.values()] if lanes else []

    def run(bodies, meanwhile=lambda: None):
        with ThreadPoolExecutor(len(bodies) + 1) as pool:
            with held_id(settings, shop, "holding"):
                holding = pool.submit(send, PATH, basket(customer.ref, id="holding"))
                until(lambda: waiting() == [0])
                answers = []
                for place, body in enumerate(bodies, 1):
                    answers.append(pool.submit(send, PATH, body))
                    until(lambda place=place: waiting() == [place])
            meanwhile()
            assert holding.result(SECONDS).status_code == 201
            found = [answer.result(SECONDS) for answer in answers]
        assert waiting() == []
        return found, sizes

    return run


def test_sixty_four_threads_award_different_activities_of_one_member(send, customer, assert_books):
    answers = at_once([
        lambda number=number: send(PATH, basket(customer.ref, id=f"order-{number}")) for number in range(64)
    ])  # fmt: skip
    assert Counter(answer.status_code for answer in answers) == {201: 64}
    assert {answer.json["external_id"] for answer in answers} == {f"order-{number}" for number in range(64)}
    assert_books(activities=64)


def test_one_id_from_sixteen_threads_is_awarded_once_and_told_to_all(send, customer, assert_books):
    answers = at_once([lambda: send(PATH, basket(customer.ref))] * 16)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 15}
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 15
    assert all(answer.json == answers[0].json for answer in answers)
    assert_books(activities=1)


def test_reports_that_come_meanwhile_are_one_round(send_together, shop, assert_books):
    customers = world.make_customers(shop, 3)
    bodies = [basket(customers[number % 3].ref, id=f"order-{number}") for number in range(9)]
    answers, sizes = send_together(bodies)
    assert [answer.status_code for answer in answers] == [201] * 9
    assert [answer.json["external_id"] for answer in answers] == [body["id"] for body in bodies]
    assert [answer.json["member_id"] for answer in answers] == [str(customers[n % 3].member_id) for n in range(9)]
    assert sizes == [1, 9]
    assert_books(activities=10)


def test_one_with_a_fault_among_others_is_refused_alone(send_together, send, shop, customer, assert_books):
    good, other = world.make_customers(shop, 2)
    known = basket(good.ref, id="known")
    first = send(PATH, known)
    bodies = [
        basket(good.ref, id="good-1"),
        basket(good.ref, id="too-old", occurred_at=ago(days=31)),
        basket(good.ref, id="no-such-packaging", lines=[line(packaging=["GOLD"])]),
        basket(id="nobody", member={"id": str(new_id())}),
        known | {"metadata": {"changed": 1}},
        known,
        basket("nobody-yet", id="unclaimed"),
        basket(other.ref, id="good-2"),
        basket(good.ref, id="twice"),
        basket(good.ref, id="twice"),
        basket(good.ref, id="good-3"),
    ]
    answers, sizes = send_together(bodies)
    assert [answer.status_code for answer in answers] == [201, 422, 422, 404, 409, 200, 202, 201, 201, 200, 201]
    assert_problem(answers[1], 422, "validation_failed", "/occurred_at")
    assert_problem(answers[2], 422, "validation_failed", "/lines/0/packaging/0")
    assert_problem(answers[3], 404, "member_not_found", "/member/id")
    assert_problem(answers[4], 409, "activity_id_reused")
    assert answers[5].json == first.json
    assert answers[9].json == answers[8].json
    # each problem names the request that it answers, whoever led the round
    assert {answer.json["instance"] for answer in answers[1:5]} == {
        f"urn:greenpoints:request:{answer.headers['X-Request-Id']}" for answer in answers[1:5]
    }
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == len(answers)
    assert sizes[:3] == [1, 1, len(bodies)]
    assert_books(activities=6, waiting=1)


def test_one_that_breaks_the_evaluation_fails_alone(send_together, shop, assert_books, monkeypatch):
    good, bad = world.make_customers(shop, 2)
    evaluate = evaluating.evaluate

    def breaks(merchant, facts, *given):
        if facts["channel"] == "broken":
            raise RuntimeError("this should not have happened")
        return evaluate(merchant, facts, *given)

    monkeypatch.setattr(evaluating, "evaluate", breaks)
    bodies = [basket(good.ref, id="good-1"), basket(bad.ref, id="bad", channel="broken"),
              basket(good.ref, id="good-2"), basket(bad.ref, id="good-3")]  # fmt: skip
    answers, _ = send_together(bodies)
    assert [answer.status_code for answer in answers] == [201, 500, 201, 201]
    assert answers[1].json["code"] == "internal_error"
    assert_books(activities=4)


def test_a_database_that_goes_away_in_a_shared_round_is_told_to_all_of_it(send_together, send, shop, query, settings,
                                                                          assert_books):  # fmt: skip
    customers = world.make_customers(shop, 4)
    bodies = [basket(customer.ref, id=f"order-{place}") for place, customer in enumerate(customers)]
    waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(settings.database_owner_url) as connection:

        def meanwhile():
            until(lambda: query(f"SELECT count(*) {waiting}") == [(1,)])
            query(f"SELECT pg_terminate_backend(pid) {waiting}")

        # the shared round will wait for an id too
        connection.execute(
            "INSERT INTO activity_registry (merchant_id, live, external_id, activity_id, revision, digest)"
            " VALUES (%s, true, 'order-2', %s, 1, '')",
            (shop.merchant_id, new_id()),
        )
        answers, sizes = send_together(bodies, meanwhile)
        connection.rollback()
    assert [answer.status_code for answer in answers] == [503] * 4
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    assert sizes == [1, 4]
    again = at_once([lambda body=body: send(PATH, body) for body in bodies])
    assert [answer.status_code for answer in again] == [201] * 4
    assert_books(activities=5)


def test_members_with_debt_or_something_due_are_settled_beside_the_others(send_together, shop, assert_books, query):
    indebted, due, good = world.make_customers(shop, 3)
    told = {"actor": "test", "reason": "r", "fingerprint": b"", "moment": now()}
    ledger.adjust_points(indebted.member_id, 10, key="adjust:1", **told)
    ledger.spend_points(indebted.member_id, 10, key="spend:1", actor="test", fingerprint=b"", moment=now())
    ledger.reverse_points(indebted.member_id, "adjust:1", None, key="reverse:1", **told)
    expires_at = now() + timedelta(seconds=0.2)
    ledger.adjust_points(due.member_id, 7, key="adjust:1", expires_at=expires_at, **told)
    db.session.rollback()
    until(lambda: now() > expires_at)
    bodies = [basket(each.ref, id=f"order-{each.ref}-{n}") for n in range(2) for each in (indebted, due, good)]
    answers, sizes = send_together(bodies)
    assert [answer.status_code for answer in answers] == [201] * 6
    paid = {place: answers[place].json["points"]["paid_debt"] for place in range(6)}
    assert sorted((paid.pop(0), paid.pop(3))) == [0, 10]
    assert set(paid.values()) == {0}
    assert sizes == [1, 6]
    assert query("SELECT sum(debt), sum(expired), sum(issued) FROM account") == [(0, 7, 7 * BASKET_AWARDED + 17)]
    assert query("SELECT count(*) FROM activity") == [(7,)]
    assert [str(each) for each in ledger.verify(ledger.Verification())] == []


@contextmanager
def locked_accounts(settings, customers):
    """Lock accounts in a transaction of its own, as a long one of somebody else would."""
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute(
            "SELECT FROM account WHERE member_id = ANY(%s) FOR UPDATE", [[each.member_id for each in customers]]
        )
        yield
        connection.rollback()


LOCK_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_who_waits_for_an_account_keeps_nobody_else_waiting(app, send, shop, settings, query, assert_books):
    busy, free = world.make_customers(shop, 2)
    with ThreadPoolExecutor(8) as pool:
        with locked_accounts(settings, [busy]):
            waiting = [pool.submit(send, PATH, basket(busy.ref, id=f"busy-{number}")) for number in range(8)]
            until(lambda: query(LOCK_WAITS) == [(1,)])
            for number in range(5):
                assert send(PATH, basket(free.ref, id=f"free-{number}")).status_code == 201
            assert not any(answer.done() for answer in waiting)
            assert query(LOCK_WAITS) == [(1,)], "one waits for all of them"
        assert [answer.result(SECONDS).status_code for answer in waiting] == [201] * 8
    assert app.extensions["award_lanes"]._contended == {}, "nothing is remembered of what is over"
    assert_books(activities=13)


def test_a_reference_linked_anew_while_its_reports_wait_pays_whom_it_means_then(send, shop, settings, query,
                                                                                 assert_books):  # fmt: skip
    busy, other = world.make_customers(shop, 2)
    with ThreadPoolExecutor(4) as pool:
        with locked_accounts(settings, [busy]):
            waiting = [pool.submit(send, PATH, basket(busy.ref, id="order-0"))]
            until(lambda: query(LOCK_WAITS) == [(1,)])
            link_customer(shop.merchant_id, True, busy.ref, other.code, now())
            waiting += [pool.submit(send, PATH, basket(busy.ref, id=f"order-{number}")) for number in (1, 2, 3)]
            time.sleep(0.05)
            assert not any(answer.done() for answer in waiting), "they wait for the account that was named before"
        answers = [answer.result(SECONDS) for answer in waiting]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert {answer.json["member_id"] for answer in answers} == {str(other.member_id)}
    assert_books(activities=4)


def test_a_batch_that_meets_a_locked_account_stores_the_rest_first(send_batches, shop, settings, query, assert_books):
    busy, free = world.make_customers(shop, 2)
    batch = [basket(each.ref, id=f"{each.ref}-{number}") for number in range(3) for each in (busy, free)]
    with ThreadPoolExecutor(1) as pool:
        with locked_accounts(settings, [busy]):
            sent = pool.submit(send_batches, [batch])
            until(lambda: query("SELECT count(*) FROM activity") == [(3,)])
        [results] = sent.result(SECONDS)
    assert [result["status"] for result in results] == [201] * 6
    assert_books(activities=6)


def test_crossing_batches_over_contended_accounts_lock_them_in_one_order(send_batches, shop, settings, query,
                                                                         assert_books):  # fmt: skip
    customers = world.make_customers(shop, 6)
    batches = [
        [basket(each.ref, id=f"{thread}-{each.ref}") for each in customers[:: (-1) ** thread]] for thread in range(6)
    ]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = query(deadlocks)
    with ThreadPoolExecutor(1) as pool:
        with locked_accounts(settings, customers):
            sent = pool.submit(send_batches, batches)
            until(lambda: query(LOCK_WAITS) == [(6,)])
        everything = sent.result(SECONDS)
    assert Counter(result["status"] for results in everything for result in results) == {201: 36}
    assert query(deadlocks) == before
    assert_books(activities=36)


def test_rounds_of_every_size_and_mixture_share_few_statements(app, shop, assert_books):
    """A connection keeps a hundred prepared statements; a text for each combination of counts would push all out."""
    customers = world.make_customers(shop, 5)
    origin = source_of(shop)
    kinds = ([line()], [line(packaging=[]), line(id="2")], [line(certifications=[], packaging=[], total=100)])
    for engine in db.engines.values():
        engine.dispose()
    count = 0
    for size in range(1, 21):
        bodies = []
        for place in range(size):
            count += 1
            packaging = ["NO_BAG"] if (place + size) % 2 else []
            bodies.append(basket(customers[(place * size) % 5].ref, id=f"order-{count}", lines=kinds[count % 3],
                                 packaging=packaging))  # fmt: skip
        outcomes = rounds.play(origin, [read_report(place, body) for place, body in enumerate(bodies)])
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    with driver_connection() as connection:
        texts = connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    writes = [text for (text,) in texts if "INSERT INTO activity_registry" in text]
    assert len(writes) <= 4
    assert len(texts) <= 12
    assert [str(each) for each in ledger.verify(ledger.Verification())] == []


def test_inside_a_unit_of_work_a_report_goes_alone(shop, customer, query, monkeypatch):
    monkeypatch.setattr(sharing, "_lanes", lambda: pytest.fail("it met others"))
    with pytest.raises(KeyError), unit_of_work():
        result = sharing.report_one(source_of(shop), basket(customer.ref))
        assert isinstance(result, Accepted)
        raise KeyError
    assert query("SELECT count(*) FROM activity") == [(0,)]
