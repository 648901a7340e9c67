"""Made-up shoppers for a plugin's author: what they are, that time can pass for them, and how many there may be."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.ledger import service
from app.ledger.models import Posting
from app.ledger.service.changes import adjust_points
from app.members import service as members
from app.members.models import Member
from app.merchants.models import CustomerLink
from app.merchants.service import test_members as merchants_test_members
from tests import world
from tests.answers import assert_problem
from tests.core.conftest import in_context
from tests.ledger.conftest import GiveAward, account_of, differences, point_award

PATH = "/v1/test/members"
Watch = Callable[[], AbstractContextManager[None]]


def make(client: FlaskClient, shop: world.Shop, **wanted: Any) -> dict[str, Any]:
    answer = client.post(PATH, json=wanted, headers=shop.test)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def as_shopper(client: FlaskClient, made: dict[str, Any], path: str = "/v1/me/wallet") -> Any:
    return client.get(path, headers=world.bearer(made["access_token"]))


def mature(client: FlaskClient, headers: dict[str, str], member_id: Any) -> Any:
    return client.post(f"{PATH}/{member_id}/mature", headers=headers)


def test_one_asked_for_without_a_body_is_a_new_shopper_with_tokens(client: FlaskClient, shop: world.Shop) -> None:
    answer = client.post(PATH, headers=shop.test)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    made = answer.json
    assert (made["ref"], made["points"], made["expires_in"]) == (None, 0, 900)
    me = as_shopper(client, made, "/v1/me").json
    assert (me["id"], me["code"], me["tier"], me["locale"], me["region"]) == (
        made["member_id"], made["member_code"], "seed", "en", None,
    )  # fmt: skip
    assert as_shopper(client, made).json["available"] == 0
    renewed = client.post("/v1/auth/refresh", json={"refresh_token": made["refresh_token"]})
    assert as_shopper(client, renewed.json, "/v1/me").json["id"] == made["member_id"]


def test_one_is_as_it_was_asked_for_and_can_pay_at_once(client: FlaskClient, shop: world.Shop) -> None:
    made = make(
        client, shop, ref="c-1", points=200, locale="zh-CN", region="DE-BE", tier="oak", tags=["b", "a", "b"]
    )  # fmt: skip
    me = as_shopper(client, made, "/v1/me").json
    assert (me["locale"], me["region"], me["tier"]) == ("zh-CN", "DE-BE", "oak")
    assert members.get_member(UUID(made["member_id"]), live=False).tags == ("a", "b")
    assert client.get("/v1/customers/c-1", headers=shop.test).json["member_id"] == made["member_id"]
    [entry] = as_shopper(client, made, "/v1/me/wallet/entries").json["data"]
    assert (entry["points"], entry["to"], entry["reason"]) == (200, "available", "Starting points of a test member")
    hold = {"member": {"ref": "c-1"}, "points": 150}
    answer = client.post("/v1/holds", json=hold, headers=shop.test | {"Idempotency-Key": "hold-1"})
    assert answer.status_code == 201, answer.text
    wallet = as_shopper(client, made).json
    assert (wallet["available"], wallet["held"], wallet["expiring"]) == (50, 150, [])
    assert differences() == []


def test_a_live_key_makes_nothing_up(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, writes_nothing: Watch
) -> None:
    with writes_nothing():
        assert_problem(client.post(PATH, json={"points": "x"}, headers=shop.live), 403, "test_key_required")
        assert_problem(client.post(PATH, headers=shop.live), 403, "test_key_required")
        assert_problem(mature(client, shop.live, customer.member_id), 403, "test_key_required")
        assert_problem(mature(client, shop.test, customer.member_id), 404, "member_not_found")


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"points": -1}, "/points"),
        ({"points": 10**6 + 1}, "/points"),
        ({"points": 1.0}, "/points"),
        ({"points": True}, "/points"),
        ({"points": None}, "/points"),
        ({"ref": "a b"}, "/ref"),
        ({"ref": "a" * 65}, "/ref"),
        ({"locale": "english"}, "/locale"),
        ({"region": "Berlin"}, "/region"),
        ({"tier": ""}, "/tier"),
        ({"tags": "student"}, "/tags"),
        ({"tags": ["a"] * 101}, "/tags"),
        ({"live": True}, "/live"),
        ([], ""),
    ],
)
def test_a_body_that_does_not_fit_makes_nobody(
    client: FlaskClient, shop: world.Shop, writes_nothing: Watch, wanted: Any, pointer: str
) -> None:
    with writes_nothing():
        assert_problem(client.post(PATH, json=wanted, headers=shop.test), 422, "validation_failed", pointer)


def test_the_same_reference_names_the_newest(client: FlaskClient, shop: world.Shop) -> None:
    first, second = (make(client, shop, ref="c-1", points=points) for points in (10, 20))
    assert client.get("/v1/customers/c-1", headers=shop.test).json["member_id"] == second["member_id"]
    assert as_shopper(client, first).json["available"] == 10


def test_what_waits_for_a_day_matures_at_once_and_what_waits_for_completion_does_not(
    client: FlaskClient, shop: world.Shop
) -> None:
    made = make(client, shop, ref="c-1")
    order = world.basket("c-1", packaging=["REUSABLE_BOX"])  # 20 for 14 days, 15 until completed, 17 at once
    assert client.post("/v1/activities", json=order, headers=shop.test).json["points"]["pending"] == 35
    answer = mature(client, shop.test, made["member_id"])
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    wallet = answer.json
    assert (wallet["available"], wallet["pending"], wallet["maturing"]) == (37, 15, [])
    assert as_shopper(client, made).json["available"] == 37
    entry = as_shopper(client, made, "/v1/me/wallet/entries").json["data"][0]
    assert (entry["kind"], entry["points"], entry["from"], entry["to"]) == ("mature", 20, "pending", "available")
    assert entry["reason"] == "Matured ahead of time, in test mode"
    again = mature(client, shop.test, made["member_id"]).json
    assert {**again, "as_of": None} == {**wallet, "as_of": None}
    assert differences() == []


def test_what_matures_repays_what_is_owed(client: FlaskClient, shop: world.Shop) -> None:
    made = make(client, shop, ref="c-1", points=30)
    member_id, posting = UUID(made["member_id"]), f"test-member:{made['member_id']}"
    hold = {"member": {"ref": "c-1"}, "points": 30}
    held = client.post("/v1/holds", json=hold, headers=shop.test | {"Idempotency-Key": "h"}).json
    client.post(f"/v1/holds/{held['id']}/capture", json={}, headers=shop.test | {"Idempotency-Key": "c"})
    service.reverse_points(member_id, posting, None, key="reversal", actor="test", fingerprint=b"", moment=now())
    assert account_of(member_id).debt == 30
    assert client.post("/v1/activities", json=world.basket("c-1"), headers=shop.test).status_code == 201
    assert account_of(member_id).debt == 11, "19 of its points are available at once"
    wallet = mature(client, shop.test, member_id).json
    assert (wallet["available"], wallet["pending"], wallet["debt"]) == (9, 0, 0)
    assert differences() == []


def test_a_merchant_hurries_nobody_but_its_own_test_members(client: FlaskClient, shop: world.Shop) -> None:
    other = world.make_shop("other-shop")
    made = make(client, other, ref="c-1")
    linked = {"member_code": made["member_code"]}
    assert client.put("/v1/customers/c-9", json=linked, headers=shop.test).status_code == 201
    enrolled = world.make_customers(shop, 1, live=False)[0]
    for member_id in (made["member_id"], enrolled.member_id, new_id()):
        assert_problem(mature(client, shop.test, member_id), 404, "member_not_found")
    assert mature(client, other.test, made["member_id"]).status_code == 200


def test_one_more_than_there_may_be_closes_the_oldest(
    client: FlaskClient, shop: world.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merchants_test_members, "TEST_MEMBERS_MAX", 2)
    other = world.make_shop("other-shop")
    of_other = make(client, other, ref="c-1")
    oldest = make(client, shop, ref="c-1", points=10)
    headers = world.bearer(oldest["access_token"])
    assert client.patch("/v1/me", json={"alias": "Green Ada"}, headers=headers).status_code == 200
    assert client.post("/v1/me/household", json={}, headers=headers).status_code == 201
    second, third = make(client, shop, ref="c-2"), make(client, shop, ref="c-3")
    assert_problem(as_shopper(client, oldest), 401, "unauthorized")
    refreshed = client.post("/v1/auth/refresh", json={"refresh_token": oldest["refresh_token"]})
    assert_problem(refreshed, 401, "invalid_refresh_token")
    assert_problem(client.get("/v1/customers/c-1", headers=shop.test), 404, "customer_not_found")
    by_code = world.basket(member={"code": oldest["member_code"]})
    assert_problem(client.post("/v1/activities", json=by_code, headers=shop.test), 404, "member_not_found")
    assert_problem(mature(client, shop.test, oldest["member_id"]), 404, "member_not_found")
    for made in (of_other, second, third):
        assert as_shopper(client, made).status_code == 200
    named = client.patch("/v1/me", json={"alias": "green ada"}, headers=world.bearer(second["access_token"]))
    assert named.status_code == 200, "the alias is free"
    assert client.get("/v1/customers/c-1", headers=other.test).status_code == 200
    assert differences() == []


def test_asked_for_at_once_there_are_no_more_than_there_may_be(
    client: FlaskClient, shop: world.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merchants_test_members, "TEST_MEMBERS_MAX", 3)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make(client, shop, points=5), range(16)))
    active = [each for each in made if as_shopper(client, each).status_code == 200]
    assert len(active) == 3
    db.session.rollback()
    closed = select(func.count()).select_from(Member).where(Member.status == "closed")
    assert db.session.scalar(closed) == 13


def test_one_reference_asked_for_at_once_names_one_of_them(client: FlaskClient, shop: world.Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make(client, shop, ref="c-1"), range(8)))
    db.session.rollback()
    [link] = db.session.scalars(select(CustomerLink)).all()
    assert str(link.member_id) in {each["member_id"] for each in made}


def test_matured_twice_at_once_they_become_available_once(
    client: FlaskClient, shop: world.Shop, give: GiveAward
) -> None:
    made = make(client, shop)
    member_id = UUID(made["member_id"])
    give(member_id, point_award(50, available_at=now() + timedelta(days=14)))
    hurry = in_context(lambda: mature(client, shop.test, member_id).json["available"])
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: hurry(), range(4))) == [50] * 4
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Posting).where(Posting.kind == "mature")) == 1
    assert differences() == []


def test_sixty_a_minute_are_counted_for_the_merchant_whichever_its_key(client: FlaskClient, shop: world.Shop) -> None:
    other = world.make_shop("other-shop")
    answers = [client.post(PATH, headers=shop.live).status_code for _ in range(60)]
    assert answers == [403] * 60
    assert_problem(client.post(PATH, headers=shop.test), 429, "too_many_requests")
    assert client.post(PATH, headers=other.test).status_code == 201
    assert client.post(PATH, headers=world.bearer("gp_test_x")).status_code == 401


def test_starting_points_are_a_posting_that_can_be_told_apart(client: FlaskClient, shop: world.Shop) -> None:
    made = make(client, shop, points=7)
    member_id = UUID(made["member_id"])
    posting = db.session.get(Posting, (member_id, f"test-member:{member_id}"))
    assert (posting.kind, posting.actor) == ("adjust", f"merchant:{shop.key}")
    adjust_points(member_id, -7, key="back", actor="test", reason="back", fingerprint=b"", moment=now())
    assert account_of(member_id).available == 0
