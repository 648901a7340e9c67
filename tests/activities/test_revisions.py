"""An order that is changed before it is delivered: recomputed, and the difference booked."""

import pytest

from app.campaigns import service as campaigns
from app.core.clock import now
from app.core.database import db
from app.core.projector import drain
from app.engagement.models import MemberDay
from app.ledger import service as ledger
from tests import world
from tests.answers import assert_problem
from tests.corrections import faults
from tests.world import BASKET_AWARDED, ago, basket, line


@pytest.fixture
def report(client, shop):
    return lambda body, headers=None: client.post("/v1/activities", json=body, headers=headers or shop.live)


@pytest.fixture
def wallet(client, shopper):
    return lambda customer: client.get("/v1/me/wallet", headers=shopper(customer.member_id)).json


@pytest.fixture(autouse=True)
def balanced(app):
    yield
    assert faults() == []


def standing(wallet):
    return wallet["pending"], wallet["available"], wallet["lifetime"]["issued"] - wallet["lifetime"]["reversed"]


CHANGES = {
    "more": {"lines": [line(quantity=5, total=3000)]},
    "less": {"lines": [line(quantity=1, total=599)]},
    "another line": {"lines": [line(), line(id="2", sku="B", total=900)]},
    "other packaging": {"packaging": ["REUSABLE_BOX"]},
    "complete": {"completed": True, "packaging": ["NO_BAG", "REUSABLE_BOX"]},
    "earlier": {"occurred_at": ago(days=3)},
    "nothing green": {"lines": [line(certifications=[], packaging=[], total=100)], "packaging": []},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_revised_order_stands_as_if_it_had_come_so_at_first(change, report, shop, wallet, programme):
    revised, plain = world.make_customers(shop, 2)
    report(basket(revised.ref, packaging=["NO_BAG", "REUSABLE_BOX"]))
    answer = report(basket(revised.ref, packaging=["NO_BAG", "REUSABLE_BOX"]) | {"revision": 2} | change)
    assert answer.status_code == 201, answer.text
    first = report(basket(plain.ref, id="plain", packaging=["NO_BAG", "REUSABLE_BOX"]) | change)
    assert standing(wallet(revised)) == standing(wallet(plain))
    assert wallet(revised)["expiring"] == wallet(plain)["expiring"]
    assert answer.json["points"] == first.json["points"]
    assert answer.json["impact"] == first.json["impact"]
    drain()
    days = db.select(MemberDay).order_by(MemberDay.day)
    totals = {
        member: [
            (row.day, row.activities, row.points, row.g_co2e_avoided, row.g_packaging_avoided)
            for row in db.session.scalars(days.where(MemberDay.member_id == member))
            if row.activities or row.points
        ]
        for member in (revised.member_id, plain.member_id)
    }
    assert totals[revised.member_id] == totals[plain.member_id]


def test_the_revision_again_gets_its_answer_and_the_one_before_is_stale(report, customer, writes_nothing, client, shop):
    report(basket(customer.ref))
    second = basket(customer.ref, revision=2, lines=[line(quantity=1, total=599)])
    made = report(second)
    with writes_nothing():
        again = report(second)
        assert (again.status_code, again.json) == (200, made.json)
        assert_problem(report(basket(customer.ref)), 409, "revision_stale")
        assert_problem(report(second | {"packaging": []}), 409, "activity_id_reused")
        assert client.get("/v1/activities/order-1", headers=shop.live).json == made.json
    assert report(second | {"revision": 7}).status_code == 201


def test_completion_and_returns_close_it(report, customer, client, shop, writes_nothing):
    for number, body in enumerate(({"completed": True}, {}, {})):
        report(basket(customer.ref, id=f"order-{number}", **body))
    client.post("/v1/activities/order-1/complete", json={}, headers=shop.live)
    part = {"id": "ret-1", "activity": "order-2", "lines": [{"id": "1", "quantity": 1}]}
    client.post("/v1/returns", json=part, headers=shop.live)
    with writes_nothing():
        for number in range(3):
            revised = basket(customer.ref, id=f"order-{number}", revision=2, packaging=[])
            assert_problem(report(revised), 409, "activity_closed")


def test_a_revision_cant_give_it_to_somebody_else(report, shop, writes_nothing, programme):
    one, other = world.make_customers(shop, 2)
    report(basket(one.ref))
    with writes_nothing():
        assert_problem(report(basket(other.ref, revision=2)), 409, "activity_member_changed")


def test_what_was_spent_of_it_becomes_debt(report, customer, wallet):
    report(basket(customer.ref))
    ledger.spend_points(customer.member_id, 19, key="spend:1", actor="test", fingerprint=b"1", moment=now())
    report(basket(customer.ref, revision=2, lines=[line(certifications=[], packaging=[], total=100)], packaging=[]))
    assert (wallet(customer)["debt"], wallet(customer)["pending"]) == (19, 0)


def test_limits_and_budgets_count_the_new_revision_alone(report, customer, wallet):
    rule = {"key": "unit", "labels": {"en": "Unit"}, "kind": "purchase", "scope": "line",
            "award": {"type": "per_unit", "points": 10},
            "limits": [{"unit": "points", "by": "member", "per": "day", "amount": 100}]}  # fmt: skip
    document = {"key": "capped", "labels": {"en": "Capped"}, "starts_at": "2020-01-01T00:00:00Z", "rules": [rule],
                "budget": {"points": 120}}  # fmt: skip
    campaigns.save_campaign(document, active_from=world.LONG_AGO)

    def of_rule(answer):
        return sum(each["points"] for each in answer.json["awards"] if each["rule"] == "unit")

    assert of_rule(report(basket(customer.ref, lines=[line(quantity=6, total=100)]))) == 60
    assert of_rule(report(basket(customer.ref, revision=2, lines=[line(quantity=9, total=100)]))) == 90
    assert of_rule(report(basket(customer.ref, id="order-2", lines=[line(quantity=5, total=100)]))) == 10
    assert of_rule(report(basket(customer.ref, revision=3, lines=[line(quantity=2, total=100)]))) == 20
    assert of_rule(report(basket(customer.ref, id="order-3", lines=[line(quantity=50, total=100)]))) == 70
    [budget] = campaigns.read_budgets([_campaign_id("capped")]).values()
    assert (budget.points, budget.paid) == (120, 100)


def _campaign_id(key):
    return db.session.scalar(db.text("SELECT campaign_id FROM campaign WHERE key = :key"), {"key": key})


def test_basket_awarded_is_what_the_first_revision_pays(report, customer):
    assert report(basket(customer.ref)).json["points"]["awarded"] == BASKET_AWARDED
