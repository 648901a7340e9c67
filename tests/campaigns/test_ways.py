"""What shoppers are told of the ways to earn, over HTTP: which, in what language, when, and what is left of limits."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.campaigns.earning_words import earns_text, nearest_locale
from app.campaigns.models import Campaign, CampaignVersion, MemberLimitUsage, SharedLimitUsage
from app.campaigns.service import is_held_out, save_campaign
from app.core.cache import bump
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.members import service as members
from app.members.models import Member
from app.members.service import MemberFacts
from tests import world
from tests.campaigns.documents import campaign_document, rule_document

NOW = datetime(2026, 7, 6, 12, tzinfo=UTC)  # a Monday
Ask = Callable[..., TestResponse]


@pytest.fixture(autouse=True)
def clock(app: Any) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as moving:
        yield moving


@pytest.fixture
def member(app: Any) -> MemberFacts:
    return members.enrol_member(moment=NOW - timedelta(days=40))


@pytest.fixture
def ask(client: FlaskClient, shopper: Callable[[UUID], dict[str, str]], member: MemberFacts) -> Ask:
    """A function that asks for ways to earn; as ``member``, if nobody is named."""

    def get(query: str = "", who: UUID = member.member_id, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(f"/v1/campaigns{query}", headers=shopper(who) | named)

    return get


def save(*rules: dict[str, Any], key: str = "spring", active_from: datetime | None = None, **changes: Any) -> UUID:
    """Put a campaign in force and return its id."""
    version_id = save_campaign(campaign_document(*rules, key=key, **changes), active_from or NOW - timedelta(days=90))
    query = select(Campaign.campaign_id).join(CampaignVersion, CampaignVersion.campaign_id == Campaign.campaign_id)
    return db.session.scalars(query.where(CampaignVersion.campaign_version_id == version_id)).one()


def keys(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.json
    assert answer.json
    return [way["key"] for way in answer.json["data"]]


def only(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.json
    assert answer.json
    [way] = answer.json["data"]
    assert isinstance(way, dict)
    return way


def test_a_way_shows_all_that_it_takes(ask: Ask, programme: None) -> None:
    shop = world.make_shop("corner-shop")
    end_every_other_campaign("spring")
    rule = rule_document(
        key="organic", scope="line", labels={"en": "Organic", "zh-CN": "有机"},
        match={"certifications": ["EU_ORGANIC", "CN_ORGANIC"], "packaging": ["UNPACKED"], "merchants": [shop.key]},
        award={"type": "per_unit", "points": 10}, minimum=2, maximum=100, minimum_evidence="staff",
        pending={"days": 14}, expiry={"months": 12, "round_to": "month"},
        limits=[{"unit": "points", "by": "member", "per": "month", "amount": 200}],
    )  # fmt: skip
    campaign_id = save(
        rule, ends_at="2026-12-31T00:00:00Z", funder=shop.key, descriptions={"en": "What is organic pays."}
    )
    answer = ask()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {"data": [only(answer)], "next_cursor": None}
    assert only(answer) == {
        "id": str(campaign_id), "key": "spring", "name": "Spring", "description": "What is organic pays.",
        "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-12-31T00:00:00Z", "time_zone": "UTC",
        "open_now": True, "next_window": None, "funded_by": {"key": "corner-shop", "name": "corner-shop"},
        "rules": [{
            "key": "organic", "name": "Organic", "kind": "purchase",
            "earns": {"type": "per_unit", "points": 10},
            "earns_text": "10 points for each unit, at most 100 points", "minimum": 2, "maximum": 100,
            "needs": {
                "certifications": [{"code": "CN_ORGANIC", "name": "China Organic Product"},
                                   {"code": "EU_ORGANIC", "name": "EU organic farming"}],
                "packaging": [{"code": "UNPACKED", "name": "Sold loose"}],
                "merchants": [{"code": "corner-shop", "name": "corner-shop"}],
            },
            "limits": [{"by": "member", "per": "month", "unit": "points", "amount": 200, "left": 200,
                        "resets_at": "2026-08-01T00:00:00Z"}],
            "minimum_evidence": "staff", "pending": {"days": 14}, "expiry": {"months": 12, "round_to": "month"},
        }],
    }  # fmt: skip


def end_every_other_campaign(key: str) -> None:
    with unit_of_work() as session:
        session.execute(update(Campaign).where(Campaign.key != key).values(state="ended"))
        bump("campaigns")


def set_state(key: str, state: str) -> None:
    with unit_of_work() as session:
        session.execute(update(Campaign).where(Campaign.key == key).values(state=state))
        bump("campaigns")


def test_what_is_not_given_is_null_and_an_unknown_code_is_its_own_name(ask: Ask) -> None:
    save(rule_document(match={"categories": ["produce"], "materials": ["MOON_DUST"]}))
    way = only(ask())
    assert (way["description"], way["ends_at"], way["funded_by"]) == (None, None, None)
    [rule] = way["rules"]
    assert (rule["minimum"], rule["maximum"], rule["pending"], rule["expiry"], rule["limits"]) == (
        None, None, None, None, [],
    )  # fmt: skip
    assert rule["minimum_evidence"] == "self_declared"
    assert rule["needs"] == {
        "categories": [{"code": "produce", "name": "produce"}],
        "materials": [{"code": "MOON_DUST", "name": "MOON_DUST"}],
    }


NAMES = {"en": "Spring", "zh-CN": "春天", "de": "Frühling"}


@pytest.mark.parametrize(
    ("asked", "name", "text"),
    [
        ("en", "Spring", "10 points each time"),
        ("zh-CN", "春天", "每次得 10 分"),
        ("zh-TW", "春天", "每次得 10 分"),
        ("zh-Hans-CN", "春天", "每次得 10 分"),
        ("fr, zh;q=0.8", "春天", "每次得 10 分"),
        ("fr", "Spring", "10 points each time"),
        ("zh-CN;q=0, en;q=0.1", "Spring", "10 points each time"),
        ("de-AT", "Frühling", "10 points each time"),
        ("*", "Spring", "10 points each time"),
        ("", "Spring", "10 points each time"),
    ],
)
def test_it_is_told_in_the_language_that_is_asked_for(ask: Ask, asked: str, name: str, text: str) -> None:
    save(rule_document(labels=NAMES), labels=NAMES, descriptions=NAMES)
    way = only(ask(Accept_Language=asked))
    assert (way["name"], way["description"], way["rules"][0]["name"]) == (name, name, name)
    assert way["rules"][0]["earns_text"] == text


def test_or_else_in_the_members_own(ask: Ask) -> None:
    save(rule_document(labels=NAMES), labels=NAMES)
    reader = members.enrol_member(locale="zh-Hans-CN", moment=NOW).member_id
    assert only(ask(who=reader))["name"] == "春天"
    assert only(ask(who=reader, Accept_Language="en"))["name"] == "Spring"


@pytest.mark.parametrize(
    ("award", "maximum", "english", "chinese"),
    [
        ({"type": "fixed", "points": 1}, None, "1 point each time", "每次得 1 分"),
        ({"type": "per_unit", "points": 5}, 50, "5 points for each unit, at most 50 points", "每件得 5 分，最多 50 分"),
        ({"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}, None, "1 point for each 1 EUR",
         "每 1 EUR 得 1 分"),
        ({"type": "per_amount", "points": 2, "per": 1005, "currency": "EUR"}, None, "2 points for each 10.05 EUR",
         "每 10.05 EUR 得 2 分"),
        ({"type": "per_amount", "points": 2, "per": 100, "currency": "JPY"}, None, "2 points for each 100 JPY",
         "每 100 JPY 得 2 分"),
        ({"type": "per_amount", "points": 2, "per": 1500, "currency": "KWD"}, None, "2 points for each 1.500 KWD",
         "每 1.500 KWD 得 2 分"),
        ({"type": "per_weight", "points": 2, "per_g": 2000}, None, "2 points for each 2 kg", "每 2 公斤得 2 分"),
        ({"type": "per_weight", "points": 2, "per_g": 1500}, None, "2 points for each 1500 g", "每 1500 克得 2 分"),
        ({"type": "multiplier", "factor": "2"}, None, "2× points", "2 倍积分"),
        ({"type": "multiplier", "factor": "1.50"}, None, "1.5× points", "1.5 倍积分"),
        ({"type": "multiplier", "factor": "10"}, 1, "10× points, at most 1 point", "10 倍积分，最多 1 分"),
        ({"type": "expression", "expression": "1"}, None, "Points by how much you do", "按实际行为计分"),
    ],
)  # fmt: skip
def test_each_kind_of_award_has_its_sentence(
    award: dict[str, Any], maximum: int | None, english: str, chinese: str
) -> None:
    assert (earns_text(award, maximum, "en"), earns_text(award, maximum, "zh-CN")) == (english, chinese)


def test_a_formula_is_not_shown(ask: Ask) -> None:
    save(rule_document(award={"type": "expression", "expression": "activity.total / 7"}))
    assert only(ask())["rules"][0]["earns"] == {"type": "expression"}


def test_the_first_that_is_offered_is_the_nearest() -> None:
    offered = ["en", "zh-CN", "de", "zh-TW"]
    assert nearest_locale(["fr", "zh-tw", "en"], offered) == "zh-TW"
    assert nearest_locale(["zh-HK"], offered) == "zh-CN"
    assert nearest_locale([], offered) == "en"


AUDIENCES: list[tuple[dict[str, Any], bool]] = [
    ({"tiers": ["seed", "tree"]}, True),
    ({"tiers": ["tree"]}, False),
    ({"regions": ["DE"]}, True),
    ({"regions": ["FR"]}, False),
    ({"tags": ["student"]}, True),
    ({"tags": ["staff"]}, False),
    ({"age_days_min": 40, "age_days_max": 40}, True),
    ({"age_days_min": 41}, False),
    ({"expression": "member.region == 'DE-BE' && now > timestamp('2026-07-01T00:00:00Z')"}, True),
    ({"expression": "member.age_days > 100"}, False),
    ({"expression": "1 / (member.age_days - 40) > 0"}, False),
    ({"tiers": ["seed"], "tags": ["staff"]}, False),
]


@pytest.mark.parametrize(("audience", "is_shown"), AUDIENCES, ids=lambda value: str(value))
def test_only_whom_it_is_for_sees_it(ask: Ask, member: MemberFacts, audience: dict[str, Any], is_shown: bool) -> None:
    with unit_of_work() as session:
        session.execute(
            update(Member).where(Member.member_id == member.member_id).values(region="DE-BE", tags=["student"])
        )
    save(audience=audience)
    assert keys(ask()) == ["spring"] * is_shown


def test_who_is_held_out_does_not_see_it(ask: Ask) -> None:
    campaign_id = save(holdout_percent=50)
    everybody = [each.member_id for each in members.enrol_many(20, moment=NOW)]
    held_out = [each for each in everybody if is_held_out(campaign_id, each, 50)]
    assert 0 < len(held_out) < 20
    assert [who for who in everybody if keys(ask(who=who)) == []] == held_out


def test_what_does_not_run_is_not_shown(ask: Ask) -> None:
    save()
    assert keys(ask()) == ["spring"]
    for state in ("paused", "ended", "archived", "draft"):
        set_state("spring", state)
        assert keys(ask()) == []
    set_state("spring", "active")
    assert keys(ask()) == ["spring"]


def test_it_is_there_from_thirty_days_before_its_start_to_its_end(ask: Ask, clock: Any) -> None:
    start, end = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 8, tzinfo=UTC)
    save(starts_at="2026-09-01T00:00:00Z", ends_at="2026-09-08T00:00:00Z")
    for moment, shown in (
        (start - timedelta(days=30, microseconds=1), None),
        (start - timedelta(days=30), False),
        (start - timedelta(microseconds=1), False),
        (start, True),
        (end - timedelta(microseconds=1), True),
        (end, None),
    ):
        clock.move_to(moment)
        found = ask().json
        assert found
        assert [way["open_now"] for way in found["data"]] == ([] if shown is None else [shown]), moment


def test_a_first_version_that_comes_in_force_later_is_told_before_and_a_second_is_not(ask: Ask, clock: Any) -> None:
    soon = NOW + timedelta(days=3)
    save(rule_document(award={"type": "fixed", "points": 10}), active_from=soon)
    save(rule_document(award={"type": "fixed", "points": 20}), active_from=soon + timedelta(days=1))
    for moment, is_open, points in (
        (NOW, False, 10),
        (soon, True, 10),
        (soon + timedelta(days=1), True, 20),
    ):
        clock.move_to(moment)
        way = only(ask())
        assert (way["open_now"], way["rules"][0]["earns"]["points"]) == (is_open, points)


WEDNESDAYS = {"rrule": "FREQ=WEEKLY;BYDAY=WE;BYMONTH=7", "start_time": "18:00", "duration_minutes": 240}


def test_of_what_recurs_the_window_is_told_that_is_open_or_comes_next(ask: Ask, clock: Any) -> None:
    save(
        recurrence=WEDNESDAYS, time_zone="Asia/Shanghai",
        starts_at="2026-07-01T00:00:00Z", ends_at="2026-07-31T00:00:00Z",
    )  # fmt: skip
    third = {"starts_at": "2026-07-15T10:00:00Z", "ends_at": "2026-07-15T14:00:00Z"}
    for moment, is_open, window in (
        ("2026-07-08T09:59:59Z", False, {"starts_at": "2026-07-08T10:00:00Z", "ends_at": "2026-07-08T14:00:00Z"}),
        ("2026-07-08T10:00:00Z", True, {"starts_at": "2026-07-08T10:00:00Z", "ends_at": "2026-07-08T14:00:00Z"}),
        ("2026-07-08T14:00:00Z", False, third),
        ("2026-07-15T13:59:59Z", True, third),
        ("2026-07-29T13:59:59Z", True, {"starts_at": "2026-07-29T10:00:00Z", "ends_at": "2026-07-29T14:00:00Z"}),
    ):
        clock.move_to(datetime.fromisoformat(moment))
        way = only(ask())
        assert (way["open_now"], way["next_window"]) == (is_open, window), moment
    clock.move_to(datetime(2026, 7, 29, 14, tzinfo=UTC))  # its last window is over, though the campaign is not
    assert keys(ask()) == []


def test_a_window_keeps_the_clock_on_the_wall_when_summer_time_ends(ask: Ask, clock: Any) -> None:
    daily = {"rrule": "FREQ=DAILY", "start_time": "18:00", "duration_minutes": 60}
    save(recurrence=daily, time_zone="Europe/Berlin", ends_at="2026-12-01T00:00:00Z")
    for moment, opens_at in (
        ("2026-10-24T12:00:00Z", "2026-10-24T16:00:00Z"),
        ("2026-10-24T17:00:00Z", "2026-10-25T17:00:00Z"),
    ):
        clock.move_to(datetime.fromisoformat(moment))
        assert only(ask())["next_window"]["starts_at"] == opens_at


def test_a_window_more_than_thirty_days_away_is_not_soon(ask: Ask, clock: Any) -> None:
    save(recurrence={"rrule": "FREQ=YEARLY;BYMONTH=8;BYMONTHDAY=12;COUNT=5", "start_time": "00:00",
                     "duration_minutes": 10080})  # fmt: skip
    assert keys(ask()) == []
    clock.move_to(datetime(2026, 7, 13, tzinfo=UTC))
    assert only(ask())["next_window"] == {"starts_at": "2026-08-12T00:00:00Z", "ends_at": "2026-08-19T00:00:00Z"}


def test_open_ones_come_first_then_those_that_open_next(ask: Ask) -> None:
    save(key="d-soon", starts_at="2026-07-20T00:00:00Z")
    save(key="c-sooner", starts_at="2026-07-10T00:00:00Z")
    save(key="b-also-sooner", starts_at="2026-07-10T00:00:00Z")
    save(key="z-open")
    save(key="y-open-for-longer", starts_at="2025-01-01T00:00:00Z", active_from=datetime(2025, 1, 1, tzinfo=UTC))
    save(key="a-on-wednesday", recurrence=WEDNESDAYS, ends_at="2026-07-31T00:00:00Z")
    expected = ["y-open-for-longer", "z-open", "a-on-wednesday", "b-also-sooner", "c-sooner", "d-soon"]
    assert keys(ask()) == expected
    paged: list[str] = []
    cursor = ""
    while True:
        answer = ask(f"?limit=2{cursor}")
        paged += keys(answer)
        assert answer.json
        if answer.json["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.json['next_cursor']}"
    assert paged == expected


def test_a_page_that_is_just_full_is_the_last(ask: Ask) -> None:
    save(key="one")
    save(key="two")
    answer = ask("?limit=2")
    assert keys(answer) == ["one", "two"]
    assert answer.json
    assert answer.json["next_cursor"] is None


def test_a_list_that_was_begun_goes_on_as_it_was(ask: Ask, clock: Any) -> None:
    save(key="one")
    save(key="two", starts_at="2026-07-10T00:00:00Z")
    first = ask("?limit=1").json
    assert first
    clock.move_to(datetime(2026, 7, 10, tzinfo=UTC))
    assert keys(ask(f"?limit=1&cursor={first['next_cursor']}")) == ["two"]


def test_a_cursor_is_its_readers_and_its_languages_own(ask: Ask) -> None:
    save(key="one")
    save(key="two")
    first = ask("?limit=1").json
    assert first
    cursor = f"?limit=1&cursor={first['next_cursor']}"
    assert keys(ask(cursor)) == ["two"]
    other = members.enrol_member(moment=NOW).member_id
    for answer in (ask(cursor, who=other), ask(cursor, Accept_Language="zh-CN"), ask(f"{cursor}x")):
        assert (answer.status_code, answer.json and answer.json["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?limit=x", "?state=draft"])
def test_a_query_of_another_form_is_refused(ask: Ask, query: str) -> None:
    assert ask(query).status_code == 422


def test_only_shoppers_are_answered(client: FlaskClient, programme: None) -> None:
    shop = world.make_shop("corner-shop")
    staff = world.make_staff("admin")
    assert client.get("/v1/campaigns").status_code == 401
    assert [client.get("/v1/campaigns", headers=who).status_code for who in (shop.live, staff.headers)] == [403, 403]


PERIODS = [
    ("day", "2026-07-07T00:00:00Z", date(2026, 7, 6)),
    ("week", "2026-07-13T00:00:00Z", date(2026, 7, 6)),
    ("month", "2026-08-01T00:00:00Z", date(2026, 7, 1)),
    ("year", "2027-01-01T00:00:00Z", date(2026, 1, 1)),
    ("campaign", None, date(1970, 1, 1)),
]


@pytest.mark.parametrize(("per", "resets_at", "period"), PERIODS)
def test_a_limit_says_what_is_left_of_it_until_when(
    ask: Ask, member: MemberFacts, per: str, resets_at: str | None, period: date
) -> None:
    limits = [
        {"unit": "points", "by": "member", "per": per, "amount": 200},
        {"unit": "count", "by": "household", "per": per, "amount": 3},
        {"unit": "points", "by": "station", "per": per, "amount": 50},
    ]
    campaign_id = save(rule_document(limits=limits))
    [by_member, by_household, by_station] = only(ask())["rules"][0]["limits"]
    assert by_member == limits[0] | {"left": 200, "resets_at": resets_at}
    assert by_household == limits[1] | {"left": 3, "resets_at": resets_at}
    assert by_station == limits[2] | {"left": None, "resets_at": resets_at}

    with unit_of_work() as session:
        counter = {"campaign_id": campaign_id, "period": period}
        session.add_all([
            MemberLimitUsage(member_id=member.member_id, limit_key=f"rule/member:points:{per}", used=48, **counter),
            SharedLimitUsage(subject=f"household:{member.member_id}", limit_key=f"rule/household:count:{per}", used=4,
                             used_max=9, **counter),
        ])  # fmt: skip
    assert [limit["left"] for limit in only(ask())["rules"][0]["limits"]] == [152, 0, None]


def test_the_limit_of_what_opens_later_is_that_of_its_own_day(ask: Ask, member: MemberFacts) -> None:
    campaign_id = save(
        rule_document(limits=[{"unit": "points", "by": "member", "per": "day", "amount": 5}]),
        starts_at="2026-07-10T00:00:00Z",
    )
    with unit_of_work() as session:
        session.add(MemberLimitUsage(member_id=member.member_id, campaign_id=campaign_id, used=2,
                                     limit_key="rule/member:points:day", period=date(2026, 7, 10)))  # fmt: skip
    [limit] = only(ask())["rules"][0]["limits"]
    assert (limit["left"], limit["resets_at"]) == (3, "2026-07-11T00:00:00Z")


def test_rules_stand_in_the_order_in_which_they_pay(ask: Ask) -> None:
    save(rule_document(key="b"), rule_document(key="a"), rule_document(key="z", priority=1), rule_document(key="c"))
    assert [rule["key"] for rule in only(ask())["rules"]] == ["z", "a", "b", "c"]


def test_reading_writes_nothing(ask: Ask, writes_nothing: Callable[[], Any], shopper: Any, client: FlaskClient,
                                member: MemberFacts) -> None:  # fmt: skip
    save()
    headers = shopper(member.member_id)
    with writes_nothing():
        assert client.get("/v1/campaigns", headers=headers).status_code == 200
