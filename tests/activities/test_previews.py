"""A preview is the award that would follow: the same points for the same reasons, and nothing is written."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.campaigns.models import Campaign
from app.campaigns.service import read_budgets, save_campaign
from app.core.database import db
from tests import world
from tests.answers import assert_problem
from tests.world import BASKET_AWARDED, ago, basket, line

SHARED = ("member_id", "points", "awards", "missed", "impact")
LINE_PACKS = (None, "UNPACKED", "REFILL", "CONCENTRATE")
OUTER = (None, "REUSABLE_BOX", "REUSED_CARTON", "NO_SECONDARY")

certificates = st.lists(
    st.builds(
        lambda code, number: {"code": code, "number": number},
        st.sampled_from(["EU_ORGANIC", "CN_ORGANIC", "FSC"]), st.sampled_from([None, "DE-ÖKO-001", "7"]),
    ),
    max_size=3,
)  # fmt: skip
lines = st.lists(
    st.fixed_dictionaries(
        {"total": st.integers(0, 5000), "quantity": st.integers(1, 40), "certifications": certificates},
        optional={
            "packaging": st.sampled_from(LINE_PACKS).map(lambda code: [code] if code else []),
            "category": st.sampled_from(["produce", "bakery", None]),
            "weight_g": st.integers(0, 10_000),
        },
    ),
    min_size=1, max_size=8,
).map(lambda found: [entry | {"id": str(number)} for number, entry in enumerate(found)])  # fmt: skip
carts = st.builds(
    lambda entries, outer, bag, currency, completed: {
        "kind": "purchase", "currency": currency, "completed": completed, "lines": entries,
        "packaging": [code for code in (outer, bag) if code],
    },
    lines, st.sampled_from(OUTER), st.sampled_from([None, "NO_BAG"]), st.sampled_from(["EUR", "USD"]), st.booleans(),
)  # fmt: skip
_numbers = itertools.count()


@pytest.fixture
def preview(client, shop):
    return lambda cart, headers=None: client.post("/v1/previews", json=cart, headers=shop.live | (headers or {}))


def cart_of(body):
    return {name: value for name, value in body.items() if name != "id"}


def test_a_preview_writes_nothing_and_says_what_follows(preview, client, shop, customer, writes_nothing):
    with writes_nothing():
        answer = preview(cart_of(basket(customer.ref)))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert not {"id", "external_id"} & answer.json.keys()
    awarded = client.post("/v1/activities", json=basket(customer.ref), headers=shop.live).json
    assert {name: answer.json[name] for name in SHARED} == {name: awarded[name] for name in SHARED}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cart=carts)
def test_a_preview_equals_the_award_that_follows(cart, preview, client, shop, customer):
    cart = cart | {"occurred_at": ago(hours=1), "member": {"ref": customer.ref}}
    previewed = preview(cart)
    assert previewed.status_code == 200, previewed.text
    awarded = client.post("/v1/activities", json=cart | {"id": f"order-{next(_numbers)}"}, headers=shop.live)
    assert awarded.status_code == 201, awarded.text
    assert {name: previewed.json[name] for name in SHARED} == {name: awarded.json[name] for name in SHARED}
    assert awarded.json["points"]["awarded"] == sum(award["points"] for award in awarded.json["awards"])
    assert all(award["points"] >= 0 for award in awarded.json["awards"])


@pytest.fixture
def bounded(shop):
    """A campaign of which one customer soon has had all: limits of its rules, and a budget."""
    limits = [{"unit": "points", "by": "member", "per": "month", "amount": 400},
              {"unit": "count", "by": "household", "per": "year", "amount": 20}]  # fmt: skip
    rule = {"key": "euro", "kind": "purchase", "scope": "line", "labels": {"en": "Each euro"}, "limits": limits,
            "award": {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}}  # fmt: skip
    double = {"key": "double", "kind": "purchase", "scope": "activity", "labels": {"en": "Double"},
              "award": {"type": "multiplier", "factor": "2"}}  # fmt: skip
    document = {"key": "bounded", "labels": {"en": "Bounded"}, "starts_at": "2020-01-01T00:00:00Z",
                "budget": {"points": 700}, "rules": [rule, double]}  # fmt: skip
    save_campaign(document, active_from=world.LONG_AGO)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cart=carts)
def test_a_preview_equals_the_award_also_where_limits_and_budgets_cut(cart, preview, client, shop, customer, bounded):
    cart = cart | {"occurred_at": ago(hours=1), "member": {"ref": customer.ref}}
    previewed = preview(cart)
    assert previewed.status_code == 200, previewed.text
    awarded = client.post("/v1/activities", json=cart | {"id": f"bound-{next(_numbers)}"}, headers=shop.live)
    assert {name: previewed.json[name] for name in SHARED} == {name: awarded.json[name] for name in SHARED}
    [campaign_id] = db.session.scalars(select(Campaign.campaign_id).where(Campaign.key == "bounded"))
    assert 0 <= read_budgets([campaign_id])[campaign_id].left <= 700
    db.session.remove()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cart=carts)
def test_a_suggestion_that_is_followed_earns_what_it_says(cart, preview):
    cart = cart | {"occurred_at": ago(hours=1)}
    before = preview(cart).json
    for suggestion in before["suggestions"]:
        after = preview(cart | suggestion["change"]).json
        assert after["points"]["awarded"] - before["points"]["awarded"] == suggestion["extra_points"] > 0
        assert all(claim in after["impact"] for claim in suggestion["impact"])


def test_what_would_earn_more_is_suggested_in_the_readers_language(preview, customer):
    cart = cart_of(basket(customer.ref, packaging=["RECYCLED_CARTON"]))
    box, bag = preview(cart).json["suggestions"]
    assert (box["change"], box["extra_points"]) == ({"packaging": ["REUSABLE_BOX"]}, 15)
    assert (bag["change"], bag["extra_points"]) == ({"packaging": ["RECYCLED_CARTON", "NO_BAG"]}, 2)
    assert box["text"] == "Choose “Reusable circulating box” and earn 15 more points."
    assert [claim["metric"] for claim in box["impact"]] == ["g_packaging_avoided"]
    box, _ = preview(cart, {"Accept-Language": "zh-CN"}).json["suggestions"]
    assert "15" in box["text"]
    assert "可多得" in box["text"]


def test_a_cart_of_nobody_is_a_new_members(preview, customer):
    cart = cart_of(basket(customer.ref))
    for member in (None, {"ref": "nobody-yet"}):
        answer = preview(cart | {"member": member}).json
        assert answer["points"]["awarded"] == BASKET_AWARDED
        assert (answer["member_id"], answer["spendable"]) == (None, None)
    assert_problem(preview(cart | {"member": {"code": "00000000"}}), 404, "member_not_found", "/member/code")


def test_a_cart_without_a_time_is_one_of_now(preview):
    cart = {"kind": "purchase", "currency": "EUR", "lines": [line()]}
    assert preview(cart).json["points"]["awarded"] == BASKET_AWARDED - 2


def test_what_can_be_spent_is_what_is_available(preview, client, shop, customer):
    cart = cart_of(basket(customer.ref))
    assert preview(cart).json["spendable"] == {"points": 0, "worth": 0, "currency": "EUR"}
    client.post("/v1/activities", json=basket(customer.ref), headers=shop.live)
    assert preview(cart).json["spendable"] == {"points": 19, "worth": 19, "currency": "EUR"}


def test_a_preview_takes_no_id_and_keeps_a_stranger_out(preview, client, customer):
    assert_problem(preview(basket(customer.ref)), 422, "validation_failed", "/id")
    stranger = world.make_shop("other-shop")
    cart = cart_of(basket(member={"id": str(customer.member_id)}))
    answer = client.post("/v1/previews", json=cart, headers=stranger.live)
    assert_problem(answer, 404, "member_not_found", "/member/id")
