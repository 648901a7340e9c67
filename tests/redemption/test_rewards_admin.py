"""Rewards made and changed by staff, over HTTP: what a document may say, ETag, audit, states and stock."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.core.cache import ConfigVersion
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.redemption import stock
from app.redemption.models import Cause, Reward, RewardStock
from app.redemption.service import offer_reward
from tests import world
from tests.answers import assert_problem
from tests.redemption.desk import PATH, VOUCHER, Desk, make_desk, product_document, reward_document
from tests.redemption.rows import put_cause, put_codes

AT = "2026-11-01T00:00:00Z"
LATER = "2026-12-01T00:00:00Z"
DOCUMENTS = {
    "pool": reward_document(kind="voucher_pool", low_stock_at=100, limit={"quantity": 1, "per": "ever"}),
    "percent": reward_document(
        voucher={"discount": "percent", "value": 100, "minimum_spend": 1000, "currency": "EUR", "scope": "line",
                 "certified_only": True, "valid_until": LATER, "refund_if_unused": "full"},
        tier_points={"gold": 1, "seed": 10**9}, money={"amount": 1, "currency": "JPY"},
    ),
    "free-product": reward_document(voucher={"discount": "product", "skus": ["A-1"], "valid_days": 1}),
    "checkout": reward_document(kind="checkout_discount", voucher=VOUCHER | {"is_partial": True}),
    "product": product_document(
        stock={"kind": "per_day", "total": 0}, names={"en": "Bottle", "zh-CN": "水壶", "zh-Hant-TW": "水壺"},
        audience={"tiers": ["gold"], "regions": ["DE", "DE-BE"], "tags": ["student"]},
        image_url="https://cdn.example.org:8443/a%20b.png?w=1#x",
    ),
    "confirmed": product_document(
        merchant="corner-shop", needs_confirmation=True, confirm_within_hours=1, stock={"kind": "fixed", "total": 5},
        low_stock_at=0, visible_from=AT, visible_until=LATER, available_from=AT, available_until=LATER,
    ),
    "donation": product_document(kind="donation", cause="trees"),
}  # fmt: skip


@pytest.fixture
def desk(app: Flask, client: FlaskClient) -> Desk:
    """An editor, a viewer and an admin."""
    return make_desk(client)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_made_is_read_as_it_was_written_and_writing_it_again_changes_nothing(desk: Desk, name: str) -> None:
    world.make_shop("corner-shop")
    put_cause()
    written = DOCUMENTS[name]
    made = desk.create(written)
    assert made.status_code == 201, made.text
    assert (made.json["state"], made.headers["ETag"]) == ("draft", '"1"')
    read = desk.get(written["key"]).json["document"]
    for field, value in written.items():
        assert read[field] == value if not isinstance(value, dict) else value.items() <= read[field].items()
    again = desk.put(read)
    assert (again.status_code, again.headers["ETag"]) == (200, '"1"')
    assert [entry["action"] for entry in desk.audit(written["key"])] == ["reward.created"]


BAD = {
    "no name": ({"names": {}}, "/names"),
    "no english name": ({"names": {"de": "5 EUR"}}, "/names"),
    "no english description": ({"descriptions": {"de": "5 EUR"}}, "/descriptions"),
    "locale": ({"names": {"en": "5 EUR", "english": "5 EUR"}}, "/names/english/key"),
    "blank name": ({"names": {"en": ""}}, "/names/en/value"),
    "no points": ({"points": 0}, "/points"),
    "too many points": ({"points": 10**9 + 1}, "/points"),
    "tier price": ({"tier_points": {"gold": 0}}, "/tier_points/gold/value"),
    "tier name": ({"tier_points": {"Gold!": 5}}, "/tier_points/Gold!/key"),
    "currency": ({"money": {"amount": 5, "currency": "DEM"}}, "/money/currency"),
    "money": ({"money": {"amount": 0, "currency": "EUR"}}, "/money/amount"),
    "kind": ({"kind": "lottery"}, "/kind"),
    "unknown field": ({"price": 5}, "/price"),
    "merchant": ({"merchant": "nobody"}, "/merchant"),
    "cause of a voucher": ({"cause": "trees"}, "/cause"),
    "cause that is not there": ({"kind": "donation", "voucher": None, "cause": "seas"}, "/cause"),
    "no cause": ({"kind": "donation", "voucher": None}, "/cause"),
    "merchant of a donation": (
        {"kind": "donation", "voucher": None, "cause": "trees", "merchant": "corner-shop"}, "/merchant"),
    "money for a donation": (
        {"kind": "donation", "voucher": None, "cause": "trees", "money": {"amount": 1, "currency": "EUR"}}, "/money"),
    "no voucher": ({"voucher": None}, "/voucher"),
    "voucher of a product": ({"kind": "product"}, "/voucher"),
    "product at checkout": (
        {"kind": "checkout_discount", "voucher": {"discount": "product", "skus": ["A"]}}, "/voucher/discount"),
    "stock of a pool": ({"kind": "voucher_pool", "stock": {"kind": "fixed", "total": 5}}, "/stock/kind"),
    "stock without a total": ({"stock": {"kind": "fixed"}}, "/stock/total"),
    "total without a stock": ({"stock": {"kind": "none", "total": 5}}, "/stock/total"),
    "stock below nothing": ({"stock": {"kind": "fixed", "total": -1}}, "/stock/total"),
    "low without a stock": ({"low_stock_at": 5}, "/low_stock_at"),
    "limit of nothing": ({"limit": {"quantity": 0, "per": "day"}}, "/limit/quantity"),
    "limit period": ({"limit": {"quantity": 1, "per": "hour"}}, "/limit/per"),
    "region": ({"audience": {"regions": ["Berlin"]}}, "/audience/regions/0"),
    "seen until before": ({"visible_from": LATER, "visible_until": LATER}, "/visible_until"),
    "available until before": ({"available_from": LATER, "available_until": AT}, "/available_until"),
    "available once unseen": ({"visible_until": AT, "available_from": AT}, "/available_from"),
    "available before seen": ({"visible_from": AT, "available_until": AT}, "/available_until"),
    "voucher over before it is available": (
        {"voucher": VOUCHER | {"valid_until": AT}, "available_from": AT}, "/voucher/valid_until"),
    "time without offset": ({"visible_from": "2026-11-01T00:00:00"}, "/visible_from"),
    "nobody to confirm": ({"needs_confirmation": True}, "/needs_confirmation"),
    "nothing to confirm": ({"confirm_within_hours": 5}, "/confirm_within_hours"),
    "http image": ({"image_url": "http://example.org/a.png"}, "/image_url"),
    "script image": ({"image_url": "javascript:alert(1)"}, "/image_url"),
    "image without a host": ({"image_url": "https:///a.png"}, "/image_url"),
    "image with a password": ({"image_url": "https://me:secret@example.org/a.png"}, "/image_url"),
    "image with a blank": ({"image_url": "https://example.org/a b.png"}, "/image_url"),
    "image with a bad port": ({"image_url": "https://example.org:99999/"}, "/image_url"),
    "image with a bad host": ({"image_url": "https://[::1/"}, "/image_url"),
    "amount without value": ({"voucher": {"discount": "amount", "currency": "EUR"}}, "/voucher/value"),
    "amount without currency": ({"voucher": {"discount": "amount", "value": 5}}, "/voucher/currency"),
    "percent above 100": ({"voucher": {"discount": "percent", "value": 101}}, "/voucher/value"),
    "percent with currency": ({"voucher": {"discount": "percent", "value": 5, "currency": "EUR"}}, "/voucher/currency"),
    "minimum without currency": (
        {"voucher": {"discount": "percent", "value": 5, "minimum_spend": 5}}, "/voucher/currency"),
    "product with value": ({"voucher": {"discount": "product", "value": 5, "skus": ["A"]}}, "/voucher/value"),
    "product without which": ({"voucher": {"discount": "product"}}, "/voucher/skus"),
    "percent in parts": ({"voucher": {"discount": "percent", "value": 5, "is_partial": True}}, "/voucher/is_partial"),
    "refund of what never expires": (
        {"voucher": VOUCHER | {"refund_if_unused": "full"}}, "/voucher/refund_if_unused"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_at_its_place(desk: Desk, writes_nothing: Any, name: str) -> None:
    world.make_shop("corner-shop")
    put_cause()
    changes, pointer = BAD[name]
    with writes_nothing():
        assert_problem(desk.create(reward_document(**changes)), 422, "validation_failed", pointer)


def test_a_key_is_taken_once(desk: Desk) -> None:
    made = desk.create()
    refused = desk.create()
    assert_problem(refused, 409, "reward_key_taken")
    assert refused.json["reward_id"] == made.json["id"]


def test_who_changes_a_reward_has_seen_it(desk: Desk) -> None:
    desk.create()
    headers = desk.editor.headers
    assert_problem(desk.client.put(f"{PATH}/refill", json={}, headers=headers), 428, "precondition_required")
    desk.put(reward_document(points=120))
    for verb in ("publish", "unpublish", "archive"):
        assert_problem(desk.act(verb, etag='"1"'), 412, "precondition_failed")
    assert_problem(desk.put(reward_document(points=130), etag='"1"'), 412, "precondition_failed")
    assert desk.get().json["points"] == 120


def test_only_editors_and_admins_change_rewards(desk: Desk) -> None:
    assert_problem(desk.create(by=desk.viewer), 403, "forbidden")
    desk.create()
    assert_problem(desk.put(reward_document(points=5), by=desk.viewer), 403, "forbidden")
    for verb in ("publish", "unpublish", "archive"):
        assert_problem(desk.act(verb, by=desk.viewer), 403, "forbidden")
    assert desk.act("publish", by=desk.admin).status_code == 200


def test_a_reward_is_published_taken_back_and_put_away_for_good(desk: Desk) -> None:
    made = desk.create().json
    assert_problem(desk.act("unpublish"), 409, "reward_state")
    assert desk.act("publish").json["state"] == "published"
    refused = desk.act("publish")
    assert_problem(refused, 409, "reward_state")
    assert refused.json["reward_state"] == "published"
    assert desk.act("unpublish", key=made["id"]).json["state"] == "draft"
    assert desk.act("archive").json["state"] == "archived"
    for verb in ("publish", "unpublish", "archive"):
        assert_problem(desk.act(verb), 409, "reward_state")
    assert_problem(desk.put(reward_document(points=5)), 409, "reward_state")
    told = [(entry["action"], entry["staff"]["id"]) for entry in desk.audit()]
    verbs = ("created", "published", "unpublished", "archived")
    assert told == [(f"reward.{verb}", str(desk.editor.staff_id)) for verb in verbs]


def test_a_change_is_counted_and_the_log_has_what_was_and_what_is(desk: Desk) -> None:
    desk.create()
    changed = desk.put(reward_document(points=120))
    assert (changed.headers["ETag"], changed.json["version"]) == ('"2"', 2)
    entry = desk.audit()[-1]
    assert entry["action"] == "reward.changed"
    assert (entry["before"], entry["after"]) == ({"points": 100, "version": 1}, {"points": 120, "version": 2})


def test_what_a_reward_is_stays(desk: Desk) -> None:
    world.make_shop("corner-shop")
    desk.create()
    for changes, pointer in (
        ({"key": "other"}, "/key"),
        ({"kind": "checkout_discount"}, "/kind"),
        ({"merchant": "corner-shop"}, "/merchant"),
    ):
        assert_problem(desk.put(reward_document(**changes), key="refill"), 422, "validation_failed", pointer)


def test_nothing_is_published_for_a_cause_that_nobody_verified(desk: Desk) -> None:
    put_cause(is_verified=False)
    desk.create(product_document(kind="donation", cause="trees"))
    assert_problem(desk.act("publish", "bottle"), 409, "cause_not_verified")
    with unit_of_work() as session:
        session.execute(update(Cause).values(verified_at=now(), verified_by=desk.admin.staff_id))
    assert desk.act("publish", "bottle").status_code == 200


def test_every_change_reaches_the_other_processes(desk: Desk) -> None:
    def version() -> int:
        found = db.session.get(ConfigVersion, "rewards", populate_existing=True)
        return found.version if found else 0

    desk.create()
    seen = version()
    for step in (lambda: desk.act("publish"), lambda: desk.put(reward_document(points=5)), lambda: desk.act("archive")):
        assert step().status_code == 200
        assert version() == seen + 1
        seen += 1


def test_stock_is_shown_for_live_and_test_and_by_day(desk: Desk) -> None:
    made = desk.create(product_document(stock={"kind": "per_day", "total": 5}, low_stock_at=2)).json
    assert made["stock"]["live"] == {"total": 5, "taken": 0, "left": 5}
    reward = db.session.get(Reward, made["id"])
    stock.take_stock(reward, True, now().date(), 2)
    stock.take_stock(reward, False, now().date(), 5)
    shown = desk.get("bottle").json["stock"]
    assert shown == {"live": {"total": 5, "taken": 2, "left": 3}, "test": {"total": 5, "taken": 5, "left": 0}}


def test_the_stock_falls_to_what_is_taken_and_no_further(desk: Desk) -> None:
    made = desk.create(product_document(stock={"kind": "fixed", "total": 5})).json
    stock.take_stock(db.session.get(Reward, made["id"]), True, now().date(), 3)
    refused = desk.put(product_document(stock={"kind": "fixed", "total": 2}))
    assert_problem(refused, 409, "stock_below_taken")
    assert refused.json["taken"] == 3
    assert desk.get("bottle").json["version"] == 1
    changed = desk.put(product_document(stock={"kind": "fixed", "total": 3}))
    assert changed.json["stock"]["live"] == {"total": 3, "taken": 3, "left": 0}
    assert desk.put(product_document()).json["stock"] is None
    assert_problem(desk.put(product_document(stock={"kind": "fixed", "total": 2})), 409, "stock_below_taken")
    assert db.session.query(RewardStock).count() == 2


def test_free_codes_are_counted(desk: Desk) -> None:
    made = desk.create(reward_document(kind="voucher_pool")).json
    assert made["stock"] is None
    put_codes(made["id"], 3)
    put_codes(made["id"], 2, live=False, first=4)
    stock.take_codes(db.session.get(Reward, made["id"]), True, [new_id()])
    assert desk.get().json["codes"] == {"live": {"imported": 3, "free": 2}, "test": {"imported": 2, "free": 2}}


def test_rewards_are_listed_newest_first_by_page_state_kind_and_merchant(desk: Desk) -> None:
    world.make_shop("corner-shop")
    desk.create(reward_document(key="a", merchant="corner-shop"))
    desk.create(product_document(key="b"))
    desk.publish(product_document(key="c"))

    def keys(query: str = "") -> list[str]:
        answer = desk.client.get(f"{PATH}?{query}", headers=desk.viewer.headers)
        return [reward["key"] for reward in answer.json["data"]]

    assert keys() == ["c", "b", "a"]
    assert keys("state=published") == ["c"]
    assert keys("kind=product&state=draft") == ["b"]
    assert keys("merchant=corner-shop") == ["a"]
    assert keys("merchant=nobody") == []
    first = desk.client.get(f"{PATH}?limit=2", headers=desk.viewer.headers).json
    assert keys(f"limit=2&cursor={first['next_cursor']}") == ["a"]
    foreign = f"{PATH}?limit=2&kind=product&cursor={first['next_cursor']}"
    assert_problem(desk.client.get(foreign, headers=desk.viewer.headers), 400, "invalid_cursor")


def test_a_reward_that_is_not_there_is_404(desk: Desk) -> None:
    for any_id in ("nothing", str(new_id()), "%00", "Nothing!"):
        assert_problem(desk.get(any_id), 404, "reward_not_found")


def test_a_command_offers_a_reward_once(desk: Desk) -> None:
    made = offer_reward(product_document())
    assert offer_reward(product_document(points=5)) == made
    shown = desk.get("bottle").json
    assert (shown["state"], shown["points"], shown["version"]) == ("published", 100, 2)
    assert [entry["staff"] for entry in desk.audit("bottle")] == [None, None]
