"""A budget through the life of its campaign: lowered, raised, given late, taken away, and given back to."""

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.campaigns import service as campaigns
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from tests import world
from tests.answers import assert_problem
from tests.campaigns.conftest import Desk
from tests.campaigns.documents import campaign_document, rule_document

SEVEN = {"type": "fixed", "points": 7}


def document(budget: int | None, **rule: Any) -> dict[str, Any]:
    paid = rule_document(award=SEVEN, match={}, **rule)
    return campaign_document(paid, budget=None if budget is None else {"points": budget})


def buy(client: FlaskClient, number: int) -> dict[str, Any]:
    """Report a purchase of a new customer, dated after whatever was activated before."""
    shop = world.make_shop(f"shop-{number}")
    [customer] = world.make_customers(shop, 1)
    body = world.basket(customer.ref, id=f"o-{number}", lines=[{"id": "1", "total": 100}], packaging=[],
                        occurred_at=world.ago(minutes=-1))  # fmt: skip
    answer = client.post("/v1/activities", json=body, headers=shop.live)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture
def running(desk: Desk) -> Desk:
    """A campaign with a budget of 10 points, that runs."""
    desk.create(document(10))
    desk.run("activate")
    return desk


def budget_of(desk: Desk) -> tuple[int, int, int]:
    shown = desk.get().json["budget"]
    return shown["points"], shown["paid"], shown["left"]


def test_what_is_left_is_told_and_the_last_points_are_paid_in_part(running: Desk) -> None:
    answers = [buy(running.client, number) for number in range(3)]
    assert [answer["points"]["awarded"] for answer in answers] == [7, 3, 0]
    [award] = answers[1]["awards"]
    assert (award["points"], award["desired_points"]) == (3, 7)
    assert [reason["code"] for reason in award["reasons"]] == ["matched", "budget_exhausted"]
    assert [missed["code"] for missed in answers[2]["missed"]] == ["budget_exhausted"]
    assert budget_of(running) == (10, 10, 0)


def test_a_budget_below_what_is_paid_is_refused(running: Desk, writes_nothing: Any) -> None:
    buy(running.client, 1)
    with writes_nothing():
        refused = running.put(document(6))
    assert_problem(refused, 409, "budget_below_paid")
    assert refused.json["points_paid"] == 7
    assert running.put(document(7)).status_code == 200
    assert budget_of(running) == (7, 7, 0)


def test_a_raised_budget_pays_again_at_once(running: Desk) -> None:
    assert [buy(running.client, number)["points"]["awarded"] for number in range(3)] == [7, 3, 0]
    running.put(document(20))
    assert [buy(running.client, number)["points"]["awarded"] for number in range(3, 6)] == [7, 3, 0]
    assert budget_of(running) == (20, 20, 0)


def test_a_budget_given_late_counts_what_was_paid_before(desk: Desk) -> None:
    desk.create(document(None))
    desk.run("submit", "approve", "activate")
    buy(desk.client, 1)
    assert desk.get().json["budget"] is None
    assert_problem(desk.put(document(6)), 409, "budget_below_paid")
    desk.put(document(10))
    assert budget_of(desk) == (10, 7, 3)
    assert buy(desk.client, 2)["points"]["awarded"] == 3


def test_without_its_budget_a_campaign_pays_without_bound(running: Desk) -> None:
    buy(running.client, 1)
    running.put(document(None))
    running.run("submit", "approve", "activate")
    assert [buy(running.client, number)["points"]["awarded"] for number in range(2, 5)] == [7, 7, 7]


def test_what_comes_back_is_left_again(desk: Desk) -> None:
    limits = [{"unit": "points", "by": "member", "per": "year", "amount": 7},
              {"unit": "count", "by": "merchant", "per": "week", "amount": 1}]  # fmt: skip
    desk.create(document(7, limits=limits))
    desk.run("activate")
    activity = buy(desk.client, 1)
    row = db.session.execute(text("SELECT member_id, outcome FROM activity")).one()
    taken = campaigns.taken_from_codes(row.outcome["taken"])
    spent = {UUID(key): points for key, points in row.outcome["spent"].items()}
    assert (activity["points"]["awarded"], list(spent.values()), len(taken)) == (7, [7], 2)
    db.session.rollback()
    with unit_of_work():
        campaigns.give_back(row.member_id, taken, spent, live=True)
    assert budget_of(desk) == (7, 0, 7)
    used = "SELECT used FROM member_limit_usage UNION ALL SELECT used FROM shared_limit_usage"
    assert list(db.session.scalars(text(used))) == [0, 0]
    assert buy(desk.client, 2)["points"]["awarded"] == 7
