"""Households under real threads and real commits: none is ever overfull, empty or lost, whoever comes at once."""

import itertools
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Barrier

import psycopg
import pytest

from app.core.clock import now
from app.members import service

HOME = "/v1/me/household"
THREADS = 8
ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 3
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def at_once(calls):
    """Run ``calls``, each in a thread of its own, from the same moment; return their answers' status or code."""
    barrier = Barrier(len(calls))

    def run(call):
        barrier.wait(10)
        answer = call()
        return answer.status_code if answer.status_code < 400 else answer.json["code"]

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.fixture
def people(app, shopper):
    """A function that enrols so many members and returns a function for each that calls as that shopper.

    Each calls from a network of their own, so that none of the limits on requests is met.
    """

    def caller(member):
        headers, network = shopper(member.member_id), {"REMOTE_ADDR": str(ip_address(next(addresses)))}
        return lambda method, path="", body=None: app.test_client().open(
            HOME + path, method=method, json=body, headers=headers, environ_overrides=network
        )

    addresses = itertools.count(int(ip_address("10.0.0.1")))
    return lambda count: [caller(member) for member in service.enrol_many(count, moment=now())]


@pytest.fixture
def query(settings):
    """A function that returns the rows of a statement, as the owner."""

    def run(text):
        with psycopg.connect(settings.database_owner_url) as connection:
            return connection.execute(text).fetchall()

    return run


@pytest.fixture(autouse=True)
def sound(app, query):
    """Whatever happened: no household is empty or overfull, and no invite leads nowhere or is one too many."""
    yield
    sizes = (
        "SELECT count(member.member_id) FROM household LEFT JOIN member USING (household_id)"
        " GROUP BY household.household_id"
    )
    assert {size for (size,) in query(sizes)} <= set(range(1, 9))
    assert query("SELECT 1 FROM household_invite GROUP BY household_id HAVING count(*) > 5") == []


def household_of(*members):
    """Make a household of ``members``, the first of whom makes it and invites the others."""
    maker, *others = members
    assert maker("POST", body={}).status_code == 201
    for other in others:
        assert other("POST", "/join", {"code": invite(maker)}).status_code == 200
    return maker


def invite(member):
    return member("POST", "/invites").json["code"]


def join(member, code):
    return lambda: member("POST", "/join", {"code": code})


def leave(member):
    return lambda: member("DELETE", "/membership")


def size_seen_by(member):
    return len(member("GET").json["members"])


def test_one_of_five_gets_the_last_place(people, query):
    for _ in range(ROUNDS):
        members = people(12)
        maker = household_of(*members[:7])
        codes = [invite(maker) for _ in range(5)]
        answers = at_once([join(member, code) for member, code in zip(members[7:], codes, strict=True)])
        assert Counter(answers) == {200: 1, "household_full": 4}
        assert size_seen_by(maker) == 8
    assert query("SELECT count(*) FROM household_invite") == [(4 * ROUNDS,)]


def test_one_invite_lets_one_of_eight_in(people, query):
    for _ in range(ROUNDS):
        maker, *others = people(1 + THREADS)
        code = invite(household_of(maker))
        answers = at_once([join(member, code) for member in others])
        assert Counter(answers) == {200: 1, "invite_not_found": THREADS - 1}
        assert size_seen_by(maker) == 2
    assert query("SELECT count(*) FROM household_invite") == [(0,)]


def test_eight_invites_at_once_leave_five_open(people, query):
    pair = people(2)
    household_of(*pair)
    answers = at_once([lambda member=member: member("POST", "/invites") for member in pair * 4])
    assert Counter(answers) == {201: 5, "household_invite_limit": 3}
    assert query("SELECT count(*) FROM household_invite") == [(5,)]


def test_one_member_makes_one_household_and_is_in_one(people, query):
    for _ in range(ROUNDS):
        member, *makers = people(4)
        codes = [invite(household_of(maker)) for maker in makers]
        calls = [join(member, code) for code in codes] + [lambda member=member: member("POST", body={})] * 3
        answers = Counter(at_once(calls))
        assert answers["already_in_household"] == 5
        assert answers[200] + answers[201] == 1
    assert query("SELECT count(*) FROM member WHERE household_id IS NOT NULL") == [(4 * ROUNDS,)]


def test_nothing_stays_when_all_leave_at_once(people, query):
    for _ in range(ROUNDS):
        members = people(THREADS)
        maker = household_of(*members[:-1])
        code = invite(maker)
        members[-1]("POST", "/join", {"code": code})
        answers = at_once([leave(member) for member in members])
        assert answers == [204] * THREADS
    assert query("SELECT (SELECT count(*) FROM household), (SELECT count(*) FROM household_invite)") == [(0, 0)]


def test_two_leave_by_the_same_member_are_one(people, query):
    pair = people(2)
    household_of(*pair)
    answers = at_once([leave(pair[0])] * 4)
    assert Counter(answers) == {204: 1, "household_not_found": 3}
    assert query("SELECT count(*) FROM household") == [(1,)]


@contextmanager
def held_household(settings):
    """Hold the one household's row in a transaction of its own, which ends without a change."""
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute("SELECT 1 FROM household FOR UPDATE")
        yield
        connection.rollback()


def one_behind_the_other(settings, query, *calls):
    """Let ``calls`` wait for the household's lock in this order, then let it go; return their answers."""
    with ThreadPoolExecutor(len(calls)) as pool:
        with held_household(settings):
            sent = []
            for number, call in enumerate(calls, 1):
                sent.append(pool.submit(call))
                until = time.monotonic() + 10
                while query(WAITING) != [(number,)]:
                    assert time.monotonic() < until, "the call never waited for the household"
                    time.sleep(0.02)
        return [future.result() for future in sent]


def test_who_joins_before_the_last_one_leaves_keeps_the_household(people, settings, query):
    maker, other = people(2)
    code = invite(household_of(maker))
    joined, left = one_behind_the_other(settings, query, join(other, code), leave(maker))
    assert (joined.status_code, left.status_code) == (200, 204)
    assert size_seen_by(other) == 1
    assert maker("GET").status_code == 404


def test_who_joins_after_the_last_one_left_finds_no_invite(people, settings, query):
    maker, other = people(2)
    code = invite(household_of(maker))
    left, joined = one_behind_the_other(settings, query, leave(maker), join(other, code))
    assert (left.status_code, joined.status_code, joined.json["code"]) == (204, 404, "invite_not_found")
    assert query("SELECT (SELECT count(*) FROM household), (SELECT count(*) FROM household_invite)") == [(0, 0)]
    assert other("POST", body={}).status_code == 201  # who never was in one has none to wait for


def test_who_joins_after_the_giver_of_the_invite_left_finds_no_invite(people, settings, query):
    maker, giver, other = people(3)
    household_of(maker, giver)
    code = invite(giver)
    left, joined = one_behind_the_other(settings, query, leave(giver), join(other, code))
    assert (left.status_code, joined.status_code) == (204, 404)
    assert size_seen_by(maker) == 1


def test_a_join_and_the_last_ones_leaving_at_once_end_in_one_of_two_ways(people, query):
    for _ in range(ROUNDS):
        maker, other = people(2)
        code = invite(household_of(maker))
        joined, left = at_once([join(other, code), leave(maker)])
        assert left == 204
        assert joined in (200, "invite_not_found")
        assert other("GET").status_code == (200 if joined == 200 else 404)


def test_a_name_given_while_the_last_ones_leave_is_no_fault(people):
    for _ in range(ROUNDS):
        pair = people(2)
        household_of(*pair)
        calls = [leave(member) for member in pair]
        calls += [lambda member=member: member("PATCH", body={"name": "Home"}) for member in pair]
        calls += [lambda member=member: member("GET") for member in pair]
        answers = at_once(calls)
        assert answers[:2] == [204, 204]
        assert set(answers[2:]) <= {200, "household_not_found"}
