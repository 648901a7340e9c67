"""Limits and budgets under writers at once: never a point more than allowed, and none withheld that is left."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.campaigns import service as campaigns
from app.core.database import db
from app.core.outbox import FactKind, OutboxRow
from app.ledger import service as ledger
from app.ledger.models import Lot
from tests import world

THREADS = 64 if os.environ.get("TEST_PROFILE") == "long" else 16


def campaign(key: str = "one", **changes: Any) -> dict[str, Any]:
    """A campaign that pays 7 points for each purchase."""
    rule = {"key": "each", "kind": "purchase", "scope": "activity", "award": {"type": "fixed", "points": 7},
            "labels": {"en": "Each"}} | changes.pop("rule", {})  # fmt: skip
    return {"key": key, "labels": {"en": key}, "starts_at": "2020-01-01T00:00:00Z", "rules": [rule]} | changes


def order(number: int, customer: world.Customer, **changes: Any) -> dict[str, Any]:
    line = {"id": "1", "quantity": 1, "total": 100}
    return world.basket(customer.ref, id=f"o-{number}", lines=[line], packaging=[], **changes)


def at_once(app: Flask, tasks: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """Run each task with a client of its own, all starting together; return the answers in their order."""
    barrier, answers = threading.Barrier(len(tasks)), [None] * len(tasks)

    def run(place: int) -> None:
        client = app.test_client()
        barrier.wait()
        answers[place] = tasks[place](client)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def post(shop: world.Shop, body: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    def send(client: Any) -> dict[str, Any]:
        answer = client.post("/v1/activities", json=body, headers=shop.live)
        assert answer.status_code == 201, answer.json
        found: dict[str, Any] = answer.json
        return found

    return send


def paid() -> int:
    total = db.session.scalar(select(func.coalesce(func.sum(Lot.amount), 0)))
    db.session.rollback()
    return int(total)


def codes(answer: dict[str, Any]) -> set[str]:
    reasons = {reason["code"] for award in answer["awards"] for reason in award["reasons"]}
    return (reasons | {missed["code"] for missed in answer["missed"]}) - {"matched"}


@pytest.fixture
def bare_shop(app: Flask) -> world.Shop:
    """A shop in a programme without other campaigns."""
    return world.make_shop()


@pytest.mark.parametrize("budget", [100, 7 * THREADS - 3, 5])
def test_a_budget_is_paid_to_the_last_point_and_not_beyond(app: Flask, bare_shop: world.Shop, budget: int) -> None:
    campaigns.save_campaign(campaign(budget={"points": budget}), active_from=world.LONG_AGO)
    customers = world.make_customers(bare_shop, THREADS)
    tasks = [post(bare_shop, order(place, customer)) for place, customer in enumerate(customers)]
    answers = at_once(app, tasks)
    assert sum(answer["points"]["awarded"] for answer in answers) == paid() == min(budget, 7 * THREADS)
    cut = [answer for answer in answers if answer["points"]["awarded"] < 7]
    assert all(codes(answer) == {"budget_exhausted"} for answer in cut)
    [left] = [each.left for each in campaigns.read_budgets([campaign_id()]).values()]
    assert left == budget - paid()


def campaign_id() -> Any:
    return db.session.scalar(text("SELECT campaign_id FROM campaign"))


def test_80_and_100_percent_are_told_once(app: Flask, bare_shop: world.Shop) -> None:
    campaigns.save_campaign(campaign(budget={"points": 70}), active_from=world.LONG_AGO)
    customers = world.make_customers(bare_shop, 12)
    for place, customer in enumerate(customers):
        post(bare_shop, order(place, customer))(app.test_client())
    campaigns.notice_budgets()
    campaigns.notice_budgets()
    rows = db.session.scalars(select(OutboxRow).where(OutboxRow.kind == FactKind.BUDGET).order_by(OutboxRow.version))
    assert [row.payload["percent"] for row in rows] == [80, 100]


@pytest.mark.parametrize(
    ("by", "extra"),
    [("member", {}), ("household", {}), ("device", {"device": "till-3"}), ("merchant", {}),
     ("station", {"station": "s-1"}), ("campaign", {})],
)  # fmt: skip
def test_a_limit_holds_whoever_shares_it(app: Flask, bare_shop: world.Shop, by: str, extra: dict[str, Any]) -> None:
    rule = {"limits": [{"unit": "points", "by": by, "per": "year", "amount": 30}]}
    campaigns.save_campaign(campaign(rule=rule), active_from=world.LONG_AGO)
    shared = by in ("member", "household")
    customers = world.make_customers(bare_shop, 1) * THREADS if shared else world.make_customers(bare_shop, THREADS)
    tasks = [post(bare_shop, order(place, customer, **extra)) for place, customer in enumerate(customers)]
    answers = at_once(app, tasks)
    assert sum(answer["points"]["awarded"] for answer in answers) == paid() == 30
    expected = "budget_exhausted" if by == "campaign" else f"limit_reached_{by}"
    assert {code for answer in answers for code in codes(answer)} == {expected}
    assert list(ledger.verify(ledger.Verification())) == []


def test_a_batch_meets_its_own_limits(app: Flask, bare_shop: world.Shop) -> None:
    rule = {"limits": [{"unit": "count", "by": "merchant", "per": "day", "amount": 3}]}
    campaigns.save_campaign(campaign(rule=rule, budget={"points": 17}), active_from=world.LONG_AGO)
    customers = world.make_customers(bare_shop, 10)
    batch = {"activities": [order(place, customer) for place, customer in enumerate(customers)]}
    answer = app.test_client().post("/v1/activities/batch", json=batch, headers=bare_shop.live).json
    points = [result["activity"]["points"]["awarded"] for result in answer["results"]]
    assert points == [7, 7, 3, 0, 0, 0, 0, 0, 0, 0]


def test_test_mode_uses_nothing_of_the_live_world(app: Flask, bare_shop: world.Shop) -> None:
    rule = {"limits": [{"unit": "points", "by": "merchant", "per": "year", "amount": 7}]}
    campaigns.save_campaign(campaign(rule=rule, budget={"points": 7}), active_from=world.LONG_AGO)
    [tried] = world.make_customers(bare_shop, 1, live=False)
    answer = app.test_client().post("/v1/activities", json=order(1, tried), headers=bare_shop.test)
    assert answer.json["points"]["awarded"] == 7
    [customer] = world.make_customers(bare_shop, 1)
    assert post(bare_shop, order(1, customer))(app.test_client())["points"]["awarded"] == 7


def test_a_limit_cuts_and_says_what_was_desired(app: Flask, bare_shop: world.Shop) -> None:
    rule = {"limits": [{"unit": "points", "by": "member", "per": "year", "amount": 10}]}
    campaigns.save_campaign(campaign(rule=rule), active_from=world.LONG_AGO)
    [customer] = world.make_customers(bare_shop, 1)
    preview = {key: value for key, value in order(0, customer).items() if key != "id"}
    seen = []
    for number in range(3):
        shown = app.test_client().post("/v1/previews", json=preview, headers=bare_shop.live).json
        answer = post(bare_shop, order(number, customer))(app.test_client())
        assert shown["points"] == answer["points"]
        assert shown["awards"] == answer["awards"]
        seen.append([(award["points"], award["desired_points"]) for award in answer["awards"]])
    assert seen == [[(7, 7)], [(3, 7)], []]
