"""Several members of staff at one review, and the clock beside them: it is decided once, and the books agree."""

import os
from collections import Counter
from datetime import datetime, timedelta
from threading import Event

import pytest

from app.activities.reviews import close_overdue
from app.ledger.service import Verification, verify
from tests import world
from tests.activities.declaring import CUP, DECLARE, Desk, Shopper, bottles, declared, load_habits
from tests.concurrency.racing import at_once
from tests.world import AN_HOUR_AGO

ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 4


@pytest.fixture
def me(app, shop, shopper):
    load_habits()
    member = world.make_customers(shop, 1)[0]
    return Shopper(app.test_client(), member.member_id, shopper(member.member_id))


@pytest.fixture
def desks(app):
    return [Desk(app.test_client(), world.make_staff("support")) for _ in range(4)]


def test_two_reviewers_decide_once(me, desks, query):
    """Whichever comes first; the points are where that decision puts them."""
    approved = 0
    for number in range(ROUNDS):
        answer = me.declare(declared(f"cup-{number}"))
        query_day = "UPDATE review SET opened_at = opened_at - interval '2 days' RETURNING 1"
        assert query(query_day)
        review = desks[0].review_of(answer)
        first, second, third, fourth = desks
        answers = at_once(
            [
                lambda desk=first, review=review: desk.approve(review),
                lambda desk=second, review=review: desk.reject(review),
                lambda desk=third, review=review: desk.approve(review),
                lambda desk=fourth, review=review: desk.reject(review),
            ]
        )
        assert Counter(each.status_code for each in answers) == {200: 1, 409: 3}
        [decided] = [each.json for each in answers if each.status_code == 200]
        assert desks[0].review_of(answer)["state"] == decided["state"]
        approved += decided["state"] == "approved"
        assert (me.wallet["available"], me.wallet["pending"]) == (approved * CUP, 0)
    assert query("SELECT count(*) FROM audit_entry WHERE object_kind = 'review'") == [(ROUNDS,)]
    assert list(verify(Verification())) == []


def test_reviews_of_one_member_are_decided_side_by_side(me, desks, query):
    answers = [me.declare(declared(f"cup-{number}")) for number in range(4)]
    reviews = [desks[0].review_of(answer) for answer in answers]
    decisions = at_once(
        [lambda desk=desk, review=review: desk.approve(review) for desk, review in zip(desks, reviews, strict=True)]
    )
    assert [decision.status_code for decision in decisions] == [200] * 4
    assert me.wallet["available"] == 4 * CUP
    assert list(verify(Verification())) == []


def test_shoppers_declare_while_staff_decide(app, me, desks):
    first = me.declare(declared("first"))
    review = desks[0].review_of(first)
    bodies = [declared(f"cup-{number}") for number in range(3)]
    calls = [
        lambda body=body: app.test_client().post(DECLARE, json=body, headers=me.headers).status_code for body in bodies
    ]
    statuses = at_once([*calls, lambda: desks[0].approve(review).status_code])
    assert statuses == [201, 201, 201, 200]
    assert (me.wallet["available"], me.wallet["pending"]) == (CUP, 3 * CUP)
    assert list(verify(Verification())) == []


def test_jobs_at_once_end_a_review_once(app, me, query, time_machine):
    for number in range(3):
        me.declare(bottles(f"bottles-{number}"))
    assert query("SELECT sum(value) > 0 FROM impact_entry") == [(True,)]
    time_machine.move_to(datetime.fromisoformat(AN_HOUR_AGO) + timedelta(days=90), tick=False)

    def run():
        with app.app_context():
            return close_overdue(Event())

    assert sum(at_once([run] * 3)) == 3
    assert query("SELECT DISTINCT state FROM review") == [("expired",)]
    assert query("SELECT count(*) FROM activity_return") == [(3,)]
    assert query("SELECT sum(value)::int FROM impact_entry") == [(0,)]
    assert list(verify(Verification())) == []
