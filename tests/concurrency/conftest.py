"""A shop that posts from any thread, and the proof of the books."""

import psycopg
import pytest

from app.ledger.service import Verification, verify
from tests.concurrency.racing import at_once
from tests.world import BASKET_AWARDED


@pytest.fixture
def send(app, shop):
    """A function that posts as the shop, from any thread."""
    return lambda path, body: app.test_client().post(path, json=body, headers=shop.live)


@pytest.fixture
def send_batches(send):
    """A function that sends batches all at once and returns the results of each."""

    def run(batches):
        calls = [lambda items=items: send("/v1/activities/batch", {"activities": items}) for items in batches]
        answers = at_once(calls)
        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
        return [answer.json["results"] for answer in answers]

    return run


@pytest.fixture
def query(settings):
    """A function that returns the rows of a statement, as the owner."""

    def run(text):
        with psycopg.connect(settings.database_owner_url) as connection:
            return connection.execute(text).fetchall()

    return run


@pytest.fixture
def assert_books(app, query):
    """A function that checks how much was awarded, that it is in each table once, and that the ledger is proven."""

    def check(activities, awards=4, points=BASKET_AWARDED, waiting=0):
        counts = {
            "SELECT count(*) FROM activity": activities,
            "SELECT count(*) FROM activity_registry": activities + waiting,
            "SELECT count(*) FROM claim": waiting,
            "SELECT count(*) FROM posting WHERE kind = 'award'": activities,
            "SELECT count(*) FROM entry WHERE source = 'issued'": activities * awards,
            "SELECT count(*) FROM lot": activities * awards,
            "SELECT count(*) FROM outbox WHERE kind = 'activity'": activities,
            "SELECT sum(issued) FROM account": activities * points,
            "SELECT sum(amount) FROM lot": activities * points,
            "SELECT sum(amount) FROM entry WHERE source = 'issued'": activities * points,
            "SELECT sum(issued + debt + written_off - pending - available - held - spent - expired - reversed)"
            " FROM account": 0,
            "SELECT count(*) FROM (SELECT 1 FROM entry GROUP BY member_id HAVING max(seq) <> count(*)) AS gap": 0,
            "SELECT count(*) FROM impact_entry": activities,
        }
        assert {text: int(query(text)[0][0]) for text in counts} == counts
        assert [str(difference) for difference in verify(Verification())] == []

    return check
