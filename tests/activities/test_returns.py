"""What comes back takes back what it was paid: exactly, once, wherever the points are by then, and never more."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.activities.voiding import void_activity
from app.campaigns import service as campaigns
from app.core.cache import bump
from app.core.clock import format_time, now
from app.core.database import db
from app.core.projector import drain
from app.core.unit_of_work import unit_of_work
from app.engagement.models import MemberDay
from app.ledger import service as ledger
from tests import world
from tests.answers import assert_problem
from tests.corrections import faults
from tests.world import BASKET_AWARDED, ago, basket, line

TWO_LINES = [line(), line(id="2", sku="B-2", total=500, quantity=5, packaging=[], certifications=[])]


@pytest.fixture
def report(client, shop):
    return lambda body, headers=None: client.post("/v1/activities", json=body, headers=headers or shop.live)


@pytest.fixture
def give_back(client, shop):
    """A function that returns goods: of order-1 unless another is named, all that is left unless lines are."""

    def send(headers=None, **body: Any):
        given = {"id": "ret-1", "activity": "order-1"} | body
        return client.post("/v1/returns", json=given, headers=headers or shop.live)

    return send


@pytest.fixture
def wallet(client, shopper):
    return lambda customer: client.get("/v1/me/wallet", headers=shopper(customer.member_id)).json


@pytest.fixture(autouse=True)
def balanced(app):
    yield
    assert faults() == []


def some(quantity: int, line_id: str = "1") -> list[dict[str, Any]]:
    return [{"id": line_id, "quantity": quantity}]


def test_half_of_a_line_takes_back_half_of_what_it_earned(report, give_back, customer, wallet):
    report(basket(customer.ref))
    answer = give_back(lines=some(1))
    assert answer.status_code == 201
    # organic 10 pending, loose 3 and produce-euro 11 - 5 = 6 available; no-bag stays
    assert answer.json["reversed"] == {"points": 19, "from_pending": 10, "from_available": 9, "to_debt": 0}
    assert answer.json["lines"] == [{"id": "1", "quantity": 1}]
    assert answer.json["is_whole"] is False
    after = wallet(customer)
    assert (after["pending"], after["available"]) == (10, 10)
    assert after["lifetime"] == {"issued": BASKET_AWARDED, "spent": 0, "expired": 0, "reversed": 19}


def test_a_return_again_gets_the_first_answer_and_other_content_is_refused(
    report, give_back, customer, writes_nothing, client, shop
):
    report(basket(customer.ref))
    first = give_back(lines=some(1))
    with writes_nothing():
        again = give_back(lines=some(1))
        assert (again.status_code, again.json) == (200, first.json)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert_problem(give_back(lines=some(2)), 409, "return_id_reused")
        for any_id in ("ret-1", first.json["id"]):
            assert client.get(f"/v1/returns/{any_id}", headers=shop.live).json == first.json


def test_all_of_it_leaves_nothing_but_what_has_expired_or_was_never_paid(report, give_back, customer, wallet):
    report(basket(customer.ref, packaging=["NO_BAG", "REUSABLE_BOX"]))
    answer = give_back()
    assert answer.json["reversed"]["points"] == BASKET_AWARDED + 15
    assert answer.json["is_whole"] is True
    assert {(claim["metric"], claim["value"]) for claim in answer.json["impact"]} == {
        ("g_co2e_avoided", -21), ("g_packaging_avoided", -329),
    }  # fmt: skip
    after = wallet(customer)
    assert [after[bucket] for bucket in ("pending", "available", "held", "debt")] == [0, 0, 0, 0]


def test_parts_in_any_order_take_back_what_the_whole_does(report, give_back, customer, wallet):
    report(basket(customer.ref, lines=TWO_LINES))
    before = wallet(customer)["lifetime"]["issued"]
    for number, (line_id, quantity) in enumerate((("2", 2), ("1", 1), ("2", 3), ("1", 1))):
        assert give_back(id=f"ret-{number}", lines=some(quantity, line_id)).status_code == 201
    after = wallet(customer)
    assert after["lifetime"]["reversed"] == before
    assert after["pending"] == after["available"] == 0
    assert_problem(give_back(id="ret-9"), 409, "return_exceeds_purchase")


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [(some(3), "/lines/0"), (some(1, "7"), "/lines/0"), ([*some(1), *some(9, "2")], "/lines/1")],
    ids=["more than bought", "no such line", "one of two"],
)
def test_more_than_was_bought_is_refused(lines, pointer, report, give_back, customer, writes_nothing):
    report(basket(customer.ref, lines=TWO_LINES))
    with writes_nothing():
        assert_problem(give_back(lines=lines), 409, "return_exceeds_purchase", pointer)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"lines": some(0)}, "/lines/0/quantity"),
        ({"lines": [{"id": "1", "quantity": 1.5}]}, "/lines/0/quantity"),
        ({"lines": [{"id": "1", "quantity": True}]}, "/lines/0/quantity"),
        ({"lines": [*some(1), *some(1)]}, "/lines/1/id"),
        ({"id": "a/b"}, "/id"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "/occurred_at"),
        ({"reason": "broken"}, "/reason"),
    ],
    ids=["no line", "none", "half", "a truth", "twice", "id", "ahead", "unknown"],
)
def test_bad_input_is_named_and_changes_nothing(change, pointer, report, give_back, customer, writes_nothing):
    report(basket(customer.ref))
    with writes_nothing():
        assert_problem(give_back(**change), 422, "validation_failed", pointer)


def test_what_is_nobodys_or_anothers_is_not_found_and_a_return_of_a_return_is_refused(
    report, give_back, customer, shop, writes_nothing, client
):
    report(basket(customer.ref))
    give_back(lines=some(1))
    other = world.make_shop("other-shop")
    with writes_nothing():
        assert_problem(give_back(id="ret-2", activity="order-9"), 404, "activity_not_found")
        assert_problem(give_back(other.live, id="ret-2"), 404, "activity_not_found")
        assert_problem(give_back(shop.test, id="ret-2"), 404, "activity_not_found")
        assert_problem(give_back(id="ret-2", activity="ret-1"), 409, "return_of_return")
        assert_problem(client.get("/v1/returns/ret-1", headers=other.live), 404, "return_not_found")
        assert_problem(client.get("/v1/returns/ret-1", headers=shop.test), 404, "return_not_found")
        assert_problem(give_back(id="ret-2", occurred_at=ago(hours=2)), 409, "return_before_purchase")


def test_what_was_spent_becomes_debt_that_later_points_repay(report, give_back, customer, wallet, client, shop):
    report(basket(customer.ref))
    ledger.spend_points(customer.member_id, 19, key="spend:1", actor="test", fingerprint=b"1", moment=now())
    answer = give_back()
    assert answer.json["reversed"] == {"points": 39, "from_pending": 20, "from_available": 0, "to_debt": 19}
    assert wallet(customer)["debt"] == 19
    report(basket(customer.ref, id="order-2"))
    after = wallet(customer)
    assert (after["debt"], after["available"], after["pending"]) == (0, 0, 20)


def test_a_return_takes_the_members_other_points_before_it_makes_debt(report, give_back, customer, wallet):
    report(basket(customer.ref))
    report(basket(customer.ref, id="order-2"))
    ledger.spend_points(customer.member_id, 19, key="spend:1", actor="test", fingerprint=b"1", moment=now())
    answer = give_back()
    assert answer.json["reversed"] == {"points": 39, "from_pending": 20, "from_available": 19, "to_debt": 0}
    after = wallet(customer)
    assert (after["debt"], after["available"], after["pending"]) == (0, 0, 20)


def test_what_has_expired_is_neither_taken_nor_owed(report, give_back, customer, wallet, time_machine):
    report(basket(customer.ref))
    time_machine.move_to(now() + timedelta(days=400))  # organic and loose have expired
    assert wallet(customer)["lifetime"]["expired"] == 26
    answer = give_back()
    assert answer.json["reversed"] == {"points": 13, "from_pending": 0, "from_available": 13, "to_debt": 0}
    assert wallet(customer)["debt"] == 0


def test_the_rules_of_then_decide_though_they_have_changed_ended_or_are_paused(report, give_back, customer, wallet):
    report(basket(customer.ref))
    for campaign in world.CAMPAIGNS:
        rules = [rule | {"maximum": 1} for rule in campaign["rules"]]
        campaigns.save_campaign(campaign | {"rules": rules}, active_from=world.LONG_AGO)
    with unit_of_work() as session:
        session.execute(db.text("UPDATE campaign SET state = 'paused' WHERE key = 'greens'"))
        session.execute(db.text("UPDATE campaign SET state = 'ended' WHERE key = 'less-packaging'"))
        bump("campaigns")
    assert give_back(lines=some(1)).json["reversed"]["points"] == 19


def test_the_member_as_it_was_then_decides(report, give_back, customer, wallet):
    rule = {"key": "gold", "labels": {"en": "Gold"}, "kind": "purchase", "scope": "line",
            "when": "member.tier == 'gold'", "award": {"type": "per_unit", "points": 100}}  # fmt: skip
    campaigns.save_campaign(
        {"key": "gold", "labels": {"en": "Gold"}, "starts_at": "2020-01-01T00:00:00Z", "rules": [rule]},
        active_from=world.LONG_AGO,
    )
    db.session.execute(db.text("UPDATE member SET tier = 'gold'"))
    db.session.commit()
    report(basket(customer.ref))
    db.session.execute(db.text("UPDATE member SET tier = 'seed'"))
    db.session.commit()
    assert give_back(lines=some(1)).json["reversed"]["points"] == 19 + 100


@pytest.fixture
def as_before(settings):
    """A function that makes what is stored of activities look as before returns were kept in mind."""

    def change():
        with psycopg.connect(settings.database_owner_url) as connection:
            connection.execute("UPDATE activity SET outcome = outcome - 'facts'")
            connection.execute("UPDATE impact_entry SET units_micros = 0")

    return change


GOLD = {
    "key": "gold", "labels": {"en": "Gold"}, "kind": "purchase", "scope": "line",
    "when": "member.tier == 'gold' && member.age_days >= 2", "award": {"type": "per_unit", "points": 100},
}  # fmt: skip


def test_what_was_stored_before_facts_were_kept_is_judged_by_the_member_of_now(
    report, give_back, customer, wallet, as_before, time_machine
):
    campaigns.save_campaign(
        {"key": "gold", "labels": {"en": "Gold"}, "starts_at": "2020-01-01T00:00:00Z", "rules": [GOLD]},
        active_from=world.LONG_AGO,
    )
    db.session.execute(db.text("UPDATE member SET tier = 'gold'"))
    db.session.commit()
    time_machine.move_to(now() + timedelta(days=4))
    body = basket(customer.ref, packaging=["REUSABLE_BOX"], lines=TWO_LINES, occurred_at=ago(days=1))
    awarded = report(body).json["points"]["awarded"]
    as_before()
    first = give_back(id="ret-1", lines=some(1)).json
    assert (first["reversed"]["points"], first["impact"]) == (19 + 100, [])
    assert give_back(id="ret-2", lines=some(2, "2")).json["impact"] == []
    whole = give_back(id="ret-3").json["impact"]
    assert [(claim["metric"], claim["value"]) for claim in whole] == [("g_packaging_avoided", -329)]
    assert wallet(customer)["lifetime"] == {"issued": awarded, "spent": 0, "expired": 0, "reversed": awarded}


def test_a_revision_and_a_completion_of_what_was_stored_before_facts_were_kept(
    report, customer, wallet, as_before, client, shop
):
    report(basket(customer.ref, packaging=["REUSABLE_BOX"]))
    as_before()
    second = report(basket(customer.ref, packaging=["REUSABLE_BOX", "NO_BAG"], revision=2)).json
    assert second["points"]["awarded"] == BASKET_AWARDED + 15
    client.post("/v1/activities/order-1/complete", json={}, headers=shop.live)
    assert (wallet(customer)["pending"], wallet(customer)["available"]) == (20, 19 + 15)


def test_days_follow_to_what_they_were_without_it(report, give_back, customer):
    report(basket(customer.ref, id="order-0"))
    drain()
    before = _days()
    report(basket(customer.ref))
    give_back(id="ret-1", lines=some(1))
    drain()
    assert _days() != before
    give_back(id="ret-2")
    drain()
    assert _days() == before


def _days() -> list[tuple[Any, ...]]:
    db.session.rollback()
    columns = list(MemberDay.__table__.columns)
    return [tuple(row) for row in db.session.execute(db.select(*columns).order_by(MemberDay.member_id, MemberDay.day))]


def test_a_batch_stands_item_by_item(report, customer, client, shop):
    report(basket(customer.ref))
    items = [
        {"id": "ret-1", "activity": "order-1", "lines": some(1)},
        {"id": "ret-2", "activity": "order-1", "lines": some(2)},
        {"id": "ret-1", "activity": "order-1", "lines": some(1)},
        "no return",
        {"id": "ret-3", "activity": "order-1"},
    ]
    answer = client.post("/v1/returns/batch", json={"returns": items}, headers=shop.live)
    results = answer.json["results"]
    assert [each["status"] for each in results] == [201, 409, 200, 422, 201]
    assert results[1]["problem"]["code"] == "return_exceeds_purchase"
    assert results[2]["replayed"] is True
    assert results[0]["return"] == results[2]["return"]


def test_the_shopper_and_the_merchant_see_what_came_back(report, give_back, customer, client, shop, shopper):
    made = report(basket(customer.ref)).json
    give_back(lines=some(1))
    seen = client.get("/v1/activities/order-1", headers=shop.live).json
    assert seen["returned"] == {"points": 19, "is_whole": False, "lines": [{"id": "1", "quantity": 1}]}
    assert seen["points"] == made["points"]
    headers = shopper(customer.member_id)
    assert client.get(f"/v1/me/activities/{made['id']}", headers=headers).json == seen
    assert client.get("/v1/me/activities", headers=headers).json["data"] == [seen]


def test_a_key_without_the_scope_may_not_return(client, customer, shop):
    poor = world.make_shop("poor-shop", scopes=["activities"])
    answer = client.post("/v1/returns", json={"id": "r", "activity": "a"}, headers=poor.live)
    assert_problem(answer, 403, "forbidden")


def test_a_return_may_be_as_late_as_it_wants(report, give_back, customer, time_machine):
    report(basket(customer.ref))
    time_machine.move_to(now() + timedelta(days=80))
    answer = give_back(occurred_at=format_time(now() - timedelta(days=1)))
    assert answer.status_code == 201


def test_what_is_voided_is_worth_nothing_and_cant_be_returned_after_that(report, give_back, customer, wallet):
    made = report(basket(customer.ref)).json
    give_back(lines=some(1))
    activity_id = UUID(made["id"])
    for _ in range(2):
        void_activity(customer.member_id, activity_id, live=True, actor="staff:ada", reason="rejected", moment=now())
        after = wallet(customer)
        assert (after["pending"], after["available"], after["debt"]) == (0, 0, 0)
        assert after["lifetime"]["reversed"] == BASKET_AWARDED
    assert_problem(give_back(id="ret-2", lines=some(1)), 409, "return_exceeds_purchase")


def test_the_history_says_that_something_was_returned(report, give_back, customer, client, shopper):
    made = report(basket(customer.ref)).json
    give_back()
    lines = client.get("/v1/me/wallet/entries?limit=2", headers=shopper(customer.member_id)).json["data"]
    assert {line["why"] for line in lines} == {"Something was returned: the points for it were taken back."}
    assert {line["activity_id"] for line in lines} == {made["id"]}
