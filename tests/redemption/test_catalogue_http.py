"""Rewards as a shopper sees them, over HTTP: prices, what is missing, why not now, favourites, what expires."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.core.clock import format_time, now
from app.core.ids import new_id
from app.core.preconditions import Seen
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.members import service as members
from app.members.models import Member
from app.redemption import causes
from app.redemption.catalogue import Wanted
from app.redemption.models import Reward, RewardFavourite
from app.redemption.service import catalogue, offer_reward
from tests import world
from tests.answers import assert_problem
from tests.redemption.desk import PATH, VOUCHER, make_desk, product_document, reward_document
from tests.redemption.rows import put_cause, put_codes
from tests.redemption.till import give_points, post

DAY = timedelta(days=1)


def at(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))


@dataclass(frozen=True)
class Shopper:
    """A signed-in shopper and what they see."""

    client: FlaskClient
    member_id: UUID
    headers: dict[str, str]

    def ask(self, path: str = "", locale: str | None = None) -> TestResponse:
        """Ask for rewards."""
        headers = self.headers | ({"Accept-Language": locale} if locale else {})
        return self.client.get(f"/v1/rewards{path}", headers=headers)

    def page(self, query: str = "", locale: str | None = None) -> list[dict[str, Any]]:
        """Return one page of rewards."""
        answer = self.ask(f"?{query}", locale)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
        found: list[dict[str, Any]] = answer.json["data"]
        return found

    def keys(self, query: str = "") -> list[str]:
        """Return the keys of one page."""
        return [reward["key"] for reward in self.page(query)]

    def mark(self, reward_id: UUID, method: str = "PUT") -> TestResponse:
        """Mark or unmark a favourite."""
        return self.client.open(f"/v1/rewards/{reward_id}/favourite", method=method, headers=self.headers)

    def change(self, **columns: Any) -> None:
        """Change what the member is."""
        with unit_of_work() as session:
            session.execute(update(Member).where(Member.member_id == self.member_id).values(columns))


@pytest.fixture
def enrol(app: Flask, client: FlaskClient, shopper: Callable[[UUID], dict[str, str]]) -> Callable[..., Shopper]:
    """A function that enrols a shopper."""

    def run(points: int = 0, live: bool = True, **facts: Any) -> Shopper:
        member = members.enrol_member(live=live, moment=now(), **facts)
        if points:
            give_points(member.member_id, points)
        return Shopper(client, member.member_id, shopper(member.member_id))

    return run


@pytest.fixture
def ada(enrol: Callable[..., Shopper]) -> Shopper:
    """A shopper with 100 points."""
    return enrol(100)


def test_a_reward_is_shown_with_its_price_and_what_is_missing(ada: Shopper) -> None:
    world.make_shop("corner-shop")
    document = reward_document(
        merchant="corner-shop", points=135, names={"en": "5 EUR off", "zh-CN": "立减 5 欧元"},
        descriptions={"en": "For refills"}, image_url="https://example.org/a.png", tier_points={"gold": 101},
        limit={"quantity": 2, "per": "ever"}, stock={"kind": "fixed", "total": 7},
        money={"amount": 5, "currency": "EUR"},
    )  # fmt: skip
    reward_id = offer_reward(document)
    [shown] = ada.page()
    assert shown == {
        "id": str(reward_id), "key": "refill", "kind": "voucher_generated", "name": "5 EUR off",
        "description": "For refills", "image_url": "https://example.org/a.png",
        "merchant": {"key": "corner-shop", "name": "corner-shop"}, "cause": None, "points": 135, "regular_points": 135,
        "money": {"amount": 5, "currency": "EUR"}, "state": "available", "state_text": None, "missing_points": 35,
        "missing_text": "You need 35 more points", "left": 7,
        "limit": {"quantity": 2, "per": "ever", "left": 2, "resets_at": None}, "available_from": None, "ends_at": None,
        "needs_confirmation": False, "is_favourite": False,
        "voucher": VOUCHER | {
            "minimum_spend": None, "certified_only": False, "scope": "whole", "categories": None, "skus": None,
            "is_partial": False, "valid_days": None, "valid_until": None, "refund_if_unused": "none",
        },
    }  # fmt: skip
    assert ada.ask(f"/{reward_id}").json == shown
    ada.change(tier="gold")
    [shown] = ada.page()
    assert (shown["points"], shown["regular_points"], shown["missing_text"]) == (101, 135, "You need 1 more point")


def test_what_is_missing_ends_at_nothing(enrol: Callable[..., Shopper], ada: Shopper) -> None:
    offer_reward(product_document(points=100))
    assert [(each["missing_points"], each["missing_text"]) for each in ada.page()] == [(0, None)]
    assert enrol().page()[0]["missing_points"] == 100


def test_what_is_owed_is_missing_too(ada: Shopper) -> None:
    posting = "adjust:more"
    offer_reward(product_document(points=120))
    given = {"actor": "test", "fingerprint": b"", "moment": now()}
    ledger.adjust_points(ada.member_id, 60, key=posting, reason="r", expires_at=None, **given)
    ledger.spend_points(ada.member_id, 160, key="redemption:1", **given)
    ledger.reverse_points(ada.member_id, posting, None, key="reversal", **given)
    assert [each["missing_points"] for each in ada.page()] == [180]


def test_points_that_have_expired_buy_nothing_whether_or_not_a_job_has_booked_it(
    enrol: Callable[..., Shopper],
) -> None:
    shopper, moment = enrol(), now()
    give_points(shopper.member_id, 100, moment + DAY)
    offer_reward(product_document(points=100))

    def missing() -> list[int]:
        shown = catalogue.list_rewards(shopper.member_id, True, Wanted(), [], None, 20)
        return [each["missing_points"] for each in shown.data]

    assert missing() == [0]
    with time_machine.travel(moment + 2 * DAY):
        assert missing() == [100]


@pytest.mark.parametrize(
    ("locale", "name", "text"),
    [
        (None, "Flasche", "还差 35 分"),
        ("zh-Hans-CN", "水壶", "还差 35 分"),
        ("fr, en;q=0.5", "Bottle", "You need 35 more points"),
        ("de-AT;q=0.9, zh;q=0", "Flasche", "You need 35 more points"),
        ("xx", "Bottle", "You need 35 more points"),
    ],
)
def test_texts_are_in_the_language_asked_for_or_the_shoppers_own(
    ada: Shopper, locale: str | None, name: str, text: str
) -> None:
    names = {"en": "Bottle", "de": "Flasche", "zh-CN": "水壶"}
    offer_reward(product_document(points=135, names=names))
    ada.change(locale="de" if locale else "zh-CN")
    [shown] = ada.page(locale=locale)
    assert (shown["name"], shown["missing_text"]) == ("水壶" if locale is None else name, text)


def test_why_a_reward_can_not_be_had_now(ada: Shopper) -> None:
    moment = now()
    documents = {
        "not_yet_available": {"available_from": at(moment + DAY)},
        "no_longer_available": {"available_until": at(moment - DAY)},
        "not_for_tier": {"audience": {"tiers": ["gold"]}},
        "sold_out": {"stock": {"kind": "per_day", "total": 0}},
    }
    for state, changes in documents.items():
        offer_reward(product_document(key=state.replace("_", "-"), **changes))
    offer_reward(product_document(key="available", stock={"kind": "per_day", "total": 1}))
    shown = {each["key"].replace("-", "_"): each for each in ada.page()}
    assert {key: each["state"] for key, each in shown.items()} == {
        state: state for state in (*documents, "available")
    }  # fmt: skip
    assert shown["sold_out"]["left"] == 0
    told = {each["key"]: each["state_text"] for each in ada.page(locale="zh-CN")}
    assert (told["sold-out"], told["available"]) == ("已兑完", None)


def test_what_a_shopper_took_counts_against_their_limit_until_it_begins_anew(ada: Shopper) -> None:
    reward_id = offer_reward(product_document(points=10, limit={"quantity": 1, "per": "day"}))
    body = {"reward_id": str(reward_id), "quantity": 1}
    assert post(ada.client, "/v1/redemptions", ada.headers, body).status_code == 201
    [shown] = ada.page()
    tomorrow = (now() + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    assert (shown["state"], shown["limit"]) == (
        "limit_reached", {"quantity": 1, "per": "day", "left": 0, "resets_at": format_time(tomorrow)},
    )  # fmt: skip
    assert_problem(post(ada.client, "/v1/redemptions", ada.headers, body), 409, shown["state"])


def test_a_pool_is_sold_out_without_a_free_code_in_live_and_in_test_apart(
    enrol: Callable[..., Shopper], ada: Shopper
) -> None:
    reward_id = offer_reward(reward_document(kind="voucher_pool"))
    put_codes(reward_id, 1, live=False)
    tester = enrol(100, live=False)
    assert [(each["state"], each["left"]) for each in ada.page()] == [("sold_out", None)]
    assert [(each["state"], each["left"]) for each in tester.page()] == [("available", None)]


def test_what_is_not_visible_is_not_there(ada: Shopper) -> None:
    moment = now()
    hidden = [
        offer_reward(product_document(key="later", visible_from=at(moment + DAY))),
        offer_reward(product_document(key="over", visible_until=at(moment - DAY))),
        new_id(),
    ]
    assert ada.page() == []
    for reward_id in hidden:
        assert_problem(ada.ask(f"/{reward_id}"), 404, "reward_not_found")
        assert_problem(ada.mark(reward_id), 404, "reward_not_found")


def test_publishing_and_taking_back_is_seen_at_once(app: Flask, client: FlaskClient, ada: Shopper) -> None:
    desk = make_desk(client)
    made = desk.publish(product_document())
    assert ada.keys() == ["bottle"]
    desk.act("unpublish", "bottle")
    assert ada.keys() == []
    assert_problem(ada.ask(f"/{made['id']}"), 404, "reward_not_found")


def test_what_is_for_others_is_left_out_but_told_by_its_id(ada: Shopper) -> None:
    reward_id = offer_reward(product_document(audience={"regions": ["FR"]}))
    assert (ada.keys(), ada.keys("region=FR-75")) == ([], ["bottle"])
    assert ada.ask(f"/{reward_id}").json["state"] == "not_for_member"
    ada.change(region="FR-75")
    assert ada.keys() == ["bottle"]


def test_filters_and_orders(ada: Shopper) -> None:
    world.make_shop("corner-shop")
    moment = now()
    offer_reward(reward_document(key="a", points=300, merchant="corner-shop"))
    offer_reward(product_document(key="b", points=100, visible_until=at(moment + 2 * DAY)))
    last = offer_reward(product_document(key="c", points=200, available_until=at(moment + DAY)))
    assert ada.keys() == ada.keys("sort=points") == ["b", "c", "a"]
    assert ada.keys("sort=newest") == ["c", "b", "a"]
    assert ada.keys("sort=expiring") == ["c", "b", "a"]
    assert ada.keys("affordable=true") == ["b"]
    assert ada.keys("affordable=false") == ["b", "c", "a"]
    assert ada.keys("kind=voucher_generated") == ["a"]
    assert ada.keys("merchant=corner-shop") == ["a"]
    assert ada.keys("merchant=nobody") == []
    ada.mark(last)
    assert ada.keys("sort=favourites") == ["c", "b", "a"]
    assert ada.keys("favourite=true") == ["c"]
    for query, pointer in (
        ("sort=price", "/sort"), ("affordable=1", "/affordable"), ("kind=x", "/kind"), ("region=Berlin", "/region"),
        ("limit=101", "/limit"), ("tier=gold", "/tier"),
    ):  # fmt: skip
        assert_problem(ada.ask(f"?{query}"), 422, "validation_failed", pointer)


@pytest.mark.parametrize("sort", ["points", "newest", "expiring", "favourites"])
def test_pages_follow_each_other(ada: Shopper, sort: str) -> None:
    ids = [offer_reward(product_document(key=f"r{number}", points=1 + number % 3)) for number in range(7)]
    for reward_id in ids[2:5]:
        ada.mark(reward_id)
    whole = ada.keys(f"sort={sort}")
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = ada.ask(f"?sort={sort}&limit=2{cursor and f'&cursor={cursor}'}").json
        seen += [each["key"] for each in answer["data"]]
        cursor = answer["next_cursor"]
    assert seen == whole
    assert len(set(seen)) == 7


def test_a_cursor_is_good_for_its_list_and_its_shopper(enrol: Callable[..., Shopper], ada: Shopper) -> None:
    for key in ("a", "b"):
        offer_reward(product_document(key=key))
    cursor = ada.ask("?limit=1").json["next_cursor"]
    assert ada.keys(f"limit=1&cursor={cursor}") == ["b"]
    assert_problem(ada.ask(f"?limit=1&sort=newest&cursor={cursor}"), 400, "invalid_cursor")
    assert_problem(enrol().ask(f"?limit=1&cursor={cursor}"), 400, "invalid_cursor")
    assert_problem(ada.ask(f"?limit=1&cursor={cursor[:-1]}"), 400, "invalid_cursor")


def test_favourites_are_marked_and_unmarked_as_often_as_one_likes(
    enrol: Callable[..., Shopper], ada: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = offer_reward(product_document()), offer_reward(product_document(key="other"))
    monkeypatch.setattr(catalogue, "FAVOURITES_MAX", 1)
    for _ in range(2):
        assert ada.mark(first).status_code == 204
    assert ada.ask(f"/{first}").json["is_favourite"] is True
    assert enrol().ask(f"/{first}").json["is_favourite"] is False
    assert_problem(ada.mark(second), 409, "too_many_favourites")
    for _ in range(2):
        assert ada.mark(first, "DELETE").status_code == 204
    assert ada.mark(second).status_code == 204
    assert ada.mark(new_id(), "DELETE").status_code == 204
    with unit_of_work() as session:
        assert [mark.reward_id for mark in session.query(RewardFavourite)] == [second]


def test_a_donation_names_its_cause_while_that_is_shown(ada: Shopper) -> None:
    cause_id = put_cause()
    reward_id = offer_reward(product_document(kind="donation", cause="trees"))
    assert [each["cause"] for each in ada.page(locale="zh")] == [{"id": str(cause_id), "name": "树"}]
    causes.unverify_cause("trees", Seen(frozenset({"1"})), "the register has struck it off")
    assert ada.page() == []
    assert_problem(ada.ask(f"/{reward_id}"), 404, "reward_not_found")


def test_staff_see_a_reward_as_a_member_does(app: Flask, client: FlaskClient, ada: Shopper) -> None:
    desk = make_desk(client)
    ada.change(tier="gold", region="DE-BE")
    document = product_document(
        points=200, tier_points={"gold": 150, "bronze": 180}, names={"en": "Bottle", "zh-CN": "水壶"}
    )
    desk.create(document)

    def preview(query: str = f"member={ada.member_id}", locale: str | None = None) -> TestResponse:
        headers = desk.viewer.headers | ({"Accept-Language": locale} if locale else {})
        return client.get(f"{PATH}/bottle/preview?{query}", headers=headers)

    draft = preview().json
    assert draft["member"] == {"id": str(ada.member_id), "tier": "gold", "region": "DE-BE", "live": True}
    assert draft["is_visible"] is False
    assert draft["prices"] == [
        {"tier": None, "points": 200}, {"tier": "bronze", "points": 180}, {"tier": "gold", "points": 150},
    ]  # fmt: skip
    desk.act("publish", "bottle")
    shown = preview().json
    assert (shown["is_visible"], shown["reward"]) == (True, ada.ask(f"/{shown['reward']['id']}").json)
    assert preview(locale="zh").json["reward"]["name"] == "水壶"
    desk.put(document | {"audience": {"regions": ["FR"]}})
    hidden = preview().json
    assert (hidden["is_visible"], hidden["reward"]["state"]) == (False, "not_for_member")
    assert_problem(preview(f"member={new_id()}"), 404, "member_not_found")
    assert_problem(preview(""), 422, "validation_failed", "/member")
    assert_problem(preview("member=7"), 422, "validation_failed", "/member")


def test_what_expires_soon_stands_against_what_it_could_buy(ada: Shopper) -> None:
    moment = now()
    give_points(ada.member_id, 50, moment + 10 * DAY)
    give_points(ada.member_id, 30, moment + 20 * DAY)
    give_points(ada.member_id, 20, moment + 90 * DAY)
    prices = {"tiny": 10, "small": 40, "medium": 60, "fits": 80, "large": 190, "beyond": 500}
    for key, points in prices.items():
        offer_reward(product_document(key=key, points=points))
    offer_reward(product_document(key="gone", points=50, stock={"kind": "fixed", "total": 0}))
    offer_reward(product_document(key="later", points=50, available_from=at(moment + DAY)))
    offer_reward(product_document(key="not-mine", points=50, audience={"tiers": ["gold"]}))

    def ask(query: str = "") -> Any:
        answer = ada.client.get(f"/v1/me/expiring-points{query}", headers=ada.headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    told = ask()
    assert told["available"] == 200
    assert [
        (each["points"], each["points_by_then"], [reward["key"] for reward in each["could_buy"]],
         each["with_others"]["key"])
        for each in told["expiring"]
    ] == [(50, 50, ["small", "tiny"], "medium"), (30, 80, ["fits", "medium", "small"], "large")]  # fmt: skip
    assert told["expiring"][0]["expires_at"] == format_time(moment + 10 * DAY)
    assert len(ask("?days=366")["expiring"]) == 3
    assert ask("?days=5")["expiring"] == []
    for query in ("?days=0", "?days=367", "?days=x"):
        answer = ada.client.get(f"/v1/me/expiring-points{query}", headers=ada.headers)
        assert_problem(answer, 422, "validation_failed", "/days")


def test_where_all_points_do_not_buy_anything_dearer_nothing_is_named(ada: Shopper) -> None:
    give_points(ada.member_id, 50, now() + 10 * DAY)
    offer_reward(product_document(points=151))
    answer = ada.client.get("/v1/me/expiring-points", headers=ada.headers).json
    assert [(each["could_buy"], each["with_others"]) for each in answer["expiring"]] == [([], None)]


def test_another_process_sees_what_was_published(app: Flask, other_app: Flask, ada: Shopper) -> None:
    elsewhere = Shopper(other_app.test_client(), ada.member_id, ada.headers)
    assert elsewhere.keys() == []
    offer_reward(product_document())
    other_app.extensions["config_cache"].checked_at = 0.0  # half a second later
    assert elsewhere.keys() == ["bottle"]


def test_a_page_costs_the_same_few_statements_however_many_there_are(app: Flask, ada: Shopper) -> None:
    from sqlalchemy import event

    from app.core.database import db

    counts: list[int] = []
    for total in (2, 12):
        for number in range(total):
            offer_reward(product_document(key=f"r{total}-{number}", limit={"quantity": 1, "per": "week"}))
        ada.page()
        statements: list[str] = []

        def note(*arguments: Any, kept: list[str] = statements) -> None:
            kept.append(arguments[2])

        for engine in db.engines.values():
            event.listen(engine, "before_cursor_execute", note)
        ada.page()
        for engine in db.engines.values():
            event.remove(engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 10


def test_old_rows_without_newer_fields_are_shown(ada: Shopper) -> None:
    reward_id = new_id()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with unit_of_work() as session:
        session.add(
            Reward(
                reward_id=reward_id, key="old", kind="product", state="published", points=5, stock_kind="none",
                needs_confirmation=False, document={"names": {"en": "Old"}}, version=1, created_at=moment,
                updated_at=moment,
            )
        )  # fmt: skip
    assert ada.ask(f"/{reward_id}").json["name"] == "Old"
