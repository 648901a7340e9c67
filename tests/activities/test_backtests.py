"""Backtests: the rules in force come to exactly what was paid, in the order of time, however often it begins anew."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.activities import backtest_queries, backtests
from app.activities.models import Backtest
from app.activities.reading import facts_of, facts_of_stored
from app.activities.schemas import ActivitySchema
from app.activities.tallies import distribution
from app.campaigns import service as campaigns
from app.campaigns.models import CampaignVersion
from app.core.clock import format_time, now
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from tests import world
from tests.answers import assert_problem

DAY = timedelta(days=1)
FROM = (now() - 20 * DAY).replace(microsecond=0)
TO = FROM + 19 * DAY


@pytest.fixture
def editor(app: Flask) -> dict[str, str]:
    return world.make_staff("editor").headers


@pytest.fixture(autouse=True)
def _forget_jobs(app: Flask, settings: Any) -> Iterator[None]:
    """What was deferred is forgotten."""
    yield
    db.session.remove()
    with psycopg.connect(settings.database_owner_url, options="-c lock_timeout=10s") as connection:
        connection.execute("TRUNCATE procrastinate.procrastinate_jobs CASCADE")


def report(client: FlaskClient, shop: world.Shop, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    """Report activities one after the other; return the answers."""
    answers = [client.post("/v1/activities", json=body, headers=shop.live) for body in bodies]
    assert {answer.status_code for answer in answers} <= {200, 201}, [answer.json for answer in answers]
    return [answer.json for answer in answers]


def basket(customer: world.Customer, number: int, day: float = 1.0, **changes: Any) -> dict[str, Any]:
    moment = format_time(FROM + timedelta(days=day))
    return world.basket(customer.ref, id=f"order-{number}", occurred_at=moment, **changes)


def ask(client: FlaskClient, headers: dict[str, str], key: str, expected: int = 202, **changes: Any) -> dict[str, Any]:
    body = {"from": format_time(FROM), "to": format_time(TO)} | changes
    answer = client.post(f"/v1/admin/campaigns/{key}/backtest", json=body, headers=headers)
    assert answer.status_code == expected, answer.json
    return answer.json


def run(client: FlaskClient, headers: dict[str, str], key: str, **changes: Any) -> dict[str, Any]:
    """Ask for a backtest, run it, and return its result."""
    asked = ask(client, headers, key, **changes)
    assert backtests.run_backtests(threading.Event()) == 1
    done = client.get(f"/v1/admin/campaigns/{key}/backtests/{asked['id']}", headers=headers).json
    assert (done["state"], done["error"]) == ("done", None)
    assert done["progress"] == {"activities_read": done["result"]["activities"],
                                "activities_total": done["result"]["activities"]}  # fmt: skip
    return done["result"]


def rule(key: str = "each", award: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "purchase", "scope": "activity", "award": award or {"type": "fixed", "points": 10},
            "labels": {"en": key}} | more  # fmt: skip


def draft(client: FlaskClient, headers: dict[str, str], *rules: dict[str, Any], **changes: Any) -> str:
    """Make a campaign that is not in force; return its key."""
    document = {"key": "draft", "labels": {"en": "Draft"}, "starts_at": "2020-01-01T00:00:00Z",
                "rules": list(rules)} | changes  # fmt: skip
    answer = client.post("/v1/admin/campaigns", json=document, headers=headers)
    assert answer.status_code == 201, answer.json
    return str(answer.json["key"])


def paid_by(answers: list[dict[str, Any]], key: str) -> int:
    return sum(award["points"] for answer in answers for award in answer["awards"] if award["campaign"] == key)


def test_the_rules_in_force_come_to_exactly_what_was_paid(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    customers = world.make_customers(shop, 3)
    answers = report(
        client, shop,
        *(basket(customer, number * 10 + place, day=place + 1, lines=[world.line(quantity=number + 1)])
          for number, customer in enumerate(customers) for place in range(4)),
    )  # fmt: skip
    for campaign in world.CAMPAIGNS:
        result = run(client, editor, campaign["key"], schedule="as_written")
        paid = paid_by(answers, campaign["key"])
        assert result["really_paid"] == {
            "by_campaign": paid, "by_all": sum(answer["points"]["awarded"] for answer in answers)
        }  # fmt: skip
        assert result["points"] == result["desired_points"] == paid
        assert (result["winners"], result["losers"]) == ([], [])
        for groups in ("by_tier", "by_region"):
            assert sum(group["points"] for group in result[groups]) == paid
            assert sum(group["really_paid"] for group in result[groups]) == paid
            assert sum(group["members"] for group in result[groups]) == result["members"] == 3
            assert sum(group["members_paid"] for group in result[groups]) == result["members_paid"]
        assert sum(each["points"] for each in result["by_rule"]) == paid


LINES = st.builds(
    lambda **changes: world.line(**changes),
    quantity=st.integers(1, 5),
    total=st.integers(0, 3000),
    category=st.sampled_from(["produce", "bread", None]),
    packaging=st.sampled_from([[], ["UNPACKED"]]),
    certifications=st.sampled_from(
        [[], [{"code": "EU_ORGANIC"}], [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}, {"code": "FSC"}]]
    ),
)
BASKETS = st.lists(
    st.tuples(
        st.integers(0, 1), st.floats(0.5, 18), st.lists(LINES, min_size=1, max_size=3),
        st.sampled_from([[], ["NO_BAG"], ["REUSABLE_BOX", "NO_BAG"]]), st.booleans(),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(baskets=BASKETS)
def test_whatever_was_bought_a_multiplier_in_force_comes_to_what_it_paid(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str], baskets: list[Any]
) -> None:
    """Of a multiplier and a group, what they pay depends on other campaigns, which are replayed beside them."""
    double = rule("double", {"type": "multiplier", "factor": "1.5"}, scope="line", match={"categories": ["produce"]})
    group = rule("best", {"type": "fixed", "points": 3}, stacking={"group": "g", "mode": "best"})
    campaigns.save_campaign(
        {"key": "more", "labels": {"en": "More"}, "starts_at": "2020-01-01T00:00:00Z", "rules": [double, group]},
        active_from=world.LONG_AGO,
    )
    customers = world.make_customers(shop, 2)
    answers = report(client, shop, *(
        basket(customers[who], 0, day, packaging=packaging, completed=completed,
               lines=[line | {"id": str(number)} for number, line in enumerate(lines)])
        | {"id": f"o-{customers[0].code}-{place}"}
        for place, (who, day, lines, packaging, completed) in enumerate(baskets)
    ))  # fmt: skip
    result = run(client, editor, "more")
    assert result["points"] == result["really_paid"]["by_campaign"] >= paid_by(answers, "more") > 0
    assert (result["winners"], result["losers"]) == ([], [])


@settings(max_examples=50, deadline=None)
@given(lines=st.lists(LINES, max_size=3), more=st.fixed_dictionaries({}, optional={
    "currency": st.just("EUR"), "region": st.sampled_from(["DE", None]), "channel": st.just("web"),
    "completed": st.booleans(), "evidence": st.sampled_from(["staff", None]), "device": st.just("till"),
    "packaging": st.sampled_from([[], ["NO_BAG"]]), "metadata": st.just({"a": 1}), "revision": st.just(2),
}))  # fmt: skip
def test_a_stored_body_is_completed_to_the_facts_that_the_schema_reads(
    lines: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    body = {"id": "x", "kind": "recycling", "occurred_at": "2026-05-04T12:00:00Z", "currency": "EUR", **more}
    body["lines"] = [{"id": str(number), **({} if number else {"unit_price": 5}),
                      **{key: value for key, value in line.items() if key != "id" and value is not None}}
                     for number, line in enumerate(lines)]  # fmt: skip
    if not lines:
        del body["lines"]
    read = ActivitySchema().load(body)
    moment = datetime(2026, 5, 4, 12, tzinfo=UTC)
    expected, found = facts_of(read, moment, "photo"), facts_of_stored(body, moment, "photo")
    assert found == expected


def test_limits_are_taken_in_the_order_in_which_activities_occurred(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    """Reported the other way round: the earliest on the day are paid, in part where a part is left."""
    [customer, other] = world.make_customers(shop, 2)
    report(client, shop, *(basket(customer, number, 1 + number / 100) for number in (3, 1, 2)), basket(other, 9, 1.0))
    report(client, shop, basket(customer, 4, 3.0))
    daily = [{"unit": "points", "by": "member", "per": "day", "amount": 14}]
    first = rule("first", limits=daily)
    only = rule("only", limits=[{"unit": "count", "by": "campaign", "per": "campaign", "amount": 2}])
    result = run(client, editor, draft(client, editor, first, only))
    # by the member: 10, then 4 of 10, then nothing; the other member 10; two days later 10. The other rule pays twice.
    assert {each["rule"]: each["points"] for each in result["by_rule"]} == {"first": 34, "only": 20}
    assert {each["rule"]: each["desired_points"] for each in result["by_rule"]} == {"first": 40, "only": 20}
    assert {each["code"]: each["count"] for each in result["reasons"]} == {
        "limit_reached_member": 2, "budget_exhausted": 3
    }  # fmt: skip
    assert result["points"] == 54
    assert result["really_paid"]["by_campaign"] == 0
    assert [winner["member_id"] for winner in result["winners"]] == [str(customer.member_id), str(other.member_id)]


@pytest.mark.parametrize(("by", "points"), [("merchant", 20), ("device", 40), ("station", 60), ("household", 30)])
def test_limits_count_by_their_subjects(
    by: str, points: int, client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    """Three members, three tills of two shops: what names no device or station is not bound by it."""
    elsewhere = world.make_shop("elsewhere")
    [one, two] = world.make_customers(shop, 2)
    [three] = world.make_customers(elsewhere, 1)
    report(client, shop, basket(one, 1, 1.0, device="a"), basket(one, 2, 1.1, device="a"),
           basket(two, 3, 1.2, device="b"), basket(two, 4, 1.3))  # fmt: skip
    report(client, elsewhere, basket(three, 5, 1.4, device="a"), basket(three, 6, 1.5, device="a"))
    limited = rule(limits=[{"unit": "points", "by": by, "per": "month", "amount": 10}])
    result = run(client, editor, draft(client, editor, limited))
    assert result["points"] == points


def test_a_budget_is_spent_by_the_earliest_to_the_last_point(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    customers = world.make_customers(shop, 4)
    report(client, shop, *(basket(customer, number, 5 - number) for number, customer in enumerate(customers)))
    result = run(client, editor, draft(client, editor, rule(), budget={"points": 25}))
    assert result["points"] == 25
    assert [winner["would_pay"] for winner in result["winners"]] == [10, 10, 5]
    assert result["winners"][-1]["member_id"] == str(customers[1].member_id)
    assert result["distribution"] | {"histogram": None} == {
        "minimum": 5, "p10": 5, "p25": 5, "p50": 10, "p75": 10, "p90": 10, "p99": 10, "maximum": 10, "mean": 8.33,
        "histogram": None,
    }  # fmt: skip
    assert result["distribution"]["histogram"] == [
        {"from": 5, "to": 9, "members": 1}, {"from": 10, "to": 19, "members": 2}
    ]  # fmt: skip
    assert result["cost"] == {"amount": 25, "currency": "EUR", "point_value_micros": 10_000}
    assert result["exposure"] is None
    stored = db.session.scalar(text("SELECT exposure_points FROM campaign_version WHERE exposure_points IS NOT NULL"))
    assert stored is None


def test_a_version_that_pays_less_has_losers_and_one_without_a_budget_an_exposure(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    [customer] = world.make_customers(shop, 1)
    report(client, shop, basket(customer, 1))
    document = {**world.CAMPAIGNS[0], "ends_at": "2030-01-01T00:00:00Z", "holdout_percent": 0}
    document["rules"] = [{**document["rules"][0], "award": {"type": "per_unit", "points": 4}}]
    seen = client.get(f"/v1/admin/campaigns/{document['key']}", headers=editor)
    changed = client.put(f"/v1/admin/campaigns/{document['key']}", json=document,
                         headers=editor | {"If-Match": seen.headers["ETag"]})  # fmt: skip
    assert changed.status_code == 200, changed.json
    result = run(client, editor, document["key"])
    assert (result["points"], result["really_paid"]["by_campaign"]) == (8, 20)
    assert result["winners"] == []
    assert result["losers"] == [
        {"member_id": str(customer.member_id), "paid": 20, "would_pay": 8, "difference": -12}
    ]  # fmt: skip
    # ten years and a day or two at 8 points in 19 days
    days = (datetime(2030, 1, 1, tzinfo=UTC) - world.LONG_AGO).days
    assert result["exposure"] == {"points": -(-8 * days // 19), "days": days, "replayed_days": 19.0}
    stored = db.session.scalars(
        text("SELECT exposure_points FROM campaign_version WHERE exposure_points IS NOT NULL")
    ).all()
    assert stored == [result["exposure"]["points"]]
    older = run(client, editor, document["key"], version=1)
    assert older["points"] == 20


def test_a_campaign_to_come_is_replayed_over_the_whole_period(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    [customer] = world.make_customers(shop, 1)
    report(client, shop, basket(customer, 1), basket(customer, 2, 2.0))
    key = draft(client, editor, rule(), starts_at="2040-01-01T00:00:00Z", ends_at="2040-01-31T00:00:00Z")
    asked = ask(client, editor, key)
    assert asked["schedule"] == "whole_period"
    assert backtests.run_backtests(threading.Event()) == 1
    result = run(client, editor, key)
    assert result["points"] == 20
    assert result["exposure"] == {"points": -(-20 * 30 // 19), "days": 30.0, "replayed_days": 19.0}
    assert run(client, editor, key, schedule="as_written")["points"] == 0


def test_only_live_activities_in_their_newest_revision_count(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str]
) -> None:
    [customer] = world.make_customers(shop, 1)
    [tester] = world.make_customers(shop, 1, live=False)
    report(client, shop, basket(customer, 1), basket(customer, 2, 19.0), basket(customer, 3, -0.1))
    test_mode = client.post("/v1/activities", json=basket(tester, 4), headers=shop.test)
    assert test_mode.status_code == 201
    with psycopg.connect(db.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")) as connection:
        connection.execute("UPDATE activity_registry SET revision = 2 WHERE external_id = 'order-1'")
        connection.execute(
            "INSERT INTO activity SELECT member_id, activity_id, 2, merchant_id, occurred_at, recorded_at,"
            " body || '{\"packaging\": []}', outcome FROM activity WHERE body ->> 'id' = 'order-1'"
        )
    bagless = rule(match={"packaging": ["NO_BAG"]})
    result = run(client, editor, draft(client, editor, bagless, rule("any")))
    assert (result["activities"], result["points"]) == (1, 10)


def stored(backtest_id: str) -> Backtest:
    db.session.rollback()
    found = db.session.get(Backtest, UUID(backtest_id), populate_existing=True)
    assert found is not None
    return found


def test_a_killed_worker_is_followed_by_another_with_the_same_result(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = world.make_customers(shop, 3)
    report(client, shop, *(basket(customer, number, number + 1) for number, customer in enumerate(customers)))
    key = draft(client, editor, rule(), budget={"points": 25})
    expected = run(client, editor, key)

    class Killed(BaseException):
        """What no code of ours catches."""

    stream = backtest_queries.stream_recorded

    def break_off(*args: Any) -> Iterator[Any]:
        yield next(stream(*args))
        raise Killed

    asked = ask(client, editor, key)
    with monkeypatch.context() as patch:
        patch.setattr(backtest_queries, "stream_recorded", break_off)
        with pytest.raises(Killed):
            backtests.run_backtests(threading.Event())
    assert (stored(asked["id"]).state, stored(asked["id"]).attempt) == ("running", 1)
    assert backtests.run_backtests(threading.Event()) == 0, "its worker may still live"
    with unit_of_work() as session:
        session.execute(text("UPDATE backtest SET heartbeat_at = :moment WHERE state = 'running'"),
                        {"moment": now() - backtests.STALE - timedelta(seconds=1)})  # fmt: skip
    assert backtests.run_backtests(threading.Event()) == 1
    done = stored(asked["id"])
    assert (done.state, done.attempt, done.result) == ("done", 2, expected)


def test_one_that_kills_its_workers_is_given_up(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    asked = ask(client, editor, draft(client, editor, rule()))
    with unit_of_work() as session:
        session.execute(text("UPDATE backtest SET state = 'running', attempt = 3, heartbeat_at = :moment"),
                        {"moment": now() - backtests.STALE - timedelta(seconds=1)})  # fmt: skip
    assert backtests.run_backtests(threading.Event()) == 0
    failed = client.get(f"/v1/admin/campaigns/draft/backtests/{asked['id']}", headers=editor).json
    assert (failed["state"], failed["error"]) == ("failed", "It was interrupted 3 times.")


def test_one_that_fails_says_why_and_the_next_is_run(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = draft(client, editor, rule())
    first, second = ask(client, editor, key), ask(client, editor, key)
    count = backtest_queries.count_recorded
    failures = iter([RuntimeError("no such luck")])

    def fail_once(*args: Any) -> int:
        for error in failures:
            raise error
        return count(*args)

    monkeypatch.setattr(backtest_queries, "count_recorded", fail_once)
    assert backtests.run_backtests(threading.Event()) == 2
    assert (stored(first["id"]).state, stored(first["id"]).error) == ("failed", "RuntimeError: no such luck")
    assert stored(second["id"]).state == "done"


def test_a_worker_that_is_told_to_stop_puts_it_back(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [customer] = world.make_customers(shop, 1)
    report(client, shop, *(basket(customer, number, number + 1) for number in range(3)))
    asked = ask(client, editor, draft(client, editor, rule()))
    stop = threading.Event()
    stream = backtest_queries.stream_recorded

    def stop_at_second(*args: Any) -> Iterator[Any]:
        for number, recorded in enumerate(stream(*args)):
            if number == 1:
                stop.set()
            yield recorded

    with monkeypatch.context() as patch:
        patch.setattr(backtests, "LOOK_EVERY", 1)
        patch.setattr(backtest_queries, "stream_recorded", stop_at_second)
        assert backtests.run_backtests(stop) == 0
    assert (stored(asked["id"]).state, stored(asked["id"]).activities_read) == ("queued", 0)
    assert backtests.run_backtests(threading.Event()) == 1
    assert stored(asked["id"]).state == "done"


def test_who_was_overtaken_lets_go(
    client: FlaskClient, shop: world.Shop, editor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(client, editor, draft(client, editor, rule()))
    count = backtest_queries.count_recorded

    def overtaken(*args: Any) -> int:
        with unit_of_work() as session:
            session.execute(text("UPDATE backtest SET attempt = attempt + 1"))
        return count(*args)

    monkeypatch.setattr(backtest_queries, "count_recorded", overtaken)
    assert backtests.run_backtests(threading.Event()) == 0
    assert (stored(asked["id"]).state, stored(asked["id"]).attempt) == ("running", 2)


def test_progress_is_told_while_it_runs_and_one_runs_at_a_time(
    app: Flask, client: FlaskClient, shop: world.Shop, editor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [customer] = world.make_customers(shop, 1)
    report(client, shop, *(basket(customer, number, number + 1) for number in range(4)))
    key = draft(client, editor, rule())
    asked = ask(client, editor, key)
    monkeypatch.setattr(backtests, "LOOK_EVERY", 1)
    monkeypatch.setattr(backtests, "PROGRESS_SECONDS", 0.0)
    stream = backtest_queries.stream_recorded
    seen: list[tuple[str, int, int]] = []

    beside: list[int] = []

    def second() -> None:
        with app.app_context():
            beside.append(backtests.run_backtests(threading.Event()))

    def watched(*args: Any) -> Iterator[Any]:
        for recorded in stream(*args):
            shown = client.get(f"/v1/admin/campaigns/{key}/backtests/{asked['id']}", headers=editor).json
            seen.append((shown["state"], shown["progress"]["activities_read"], shown["progress"]["activities_total"]))
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()
            yield recorded

    monkeypatch.setattr(backtest_queries, "stream_recorded", watched)
    assert backtests.run_backtests(threading.Event()) == 1
    assert beside == [0, 0, 0, 0]
    assert seen == [("running", max(0, number), 4) for number in range(-1, 3)]


def test_what_cannot_be_asked(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    key = draft(client, editor, rule())
    for changes, pointer in (
        ({"to": format_time(FROM)}, "/to"),
        ({"to": format_time(FROM + 800 * DAY)}, "/to"),
        ({"from": "yesterday"}, "/from"),
        ({"version": 0}, "/version"),
        ({"schedule": "never"}, "/schedule"),
        ({"colour": "green"}, "/colour"),
    ):
        body = {"from": format_time(FROM), "to": format_time(TO)} | changes
        answer = client.post(f"/v1/admin/campaigns/{key}/backtest", json=body, headers=editor)
        assert_problem(answer, 422, "validation_failed", pointer)
    assert ask(client, editor, key, 404, version=7)["code"] == "campaign_version_not_found"
    assert ask(client, editor, "nowhere", 404)["code"] == "campaign_not_found"
    viewer = world.make_staff("viewer").headers
    assert ask(client, viewer, key, 403)["code"] == "forbidden"
    other = draft(client, editor, rule(), key="other")
    asked = ask(client, editor, other)
    assert_problem(client.get(f"/v1/admin/campaigns/{key}/backtests/{asked['id']}", headers=editor), 404,
                   "backtest_not_found")  # fmt: skip
    for _ in range(backtests.OPEN_MAX - 1):
        ask(client, editor, key)
    assert ask(client, editor, key, 409)["code"] == "too_many_backtests"


def test_a_backtest_is_deferred_at_once(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    key = draft(client, editor, rule())
    waiting = text("SELECT task_name, status::text FROM procrastinate.procrastinate_jobs")
    for _ in range(2):  # what waits already is not deferred again
        ask(client, editor, key)
        db.session.rollback()
        assert [tuple(row) for row in db.session.execute(waiting)] == [("run_backtests", "todo")]


@given(paid=st.lists(st.integers(1, 10**7), min_size=1).map(sorted))
def test_a_distribution_counts_every_member_once(paid: list[int]) -> None:
    found = distribution(paid)
    assert found is not None
    assert sum(bar["members"] for bar in found["histogram"]) == len(paid)
    for bar in found["histogram"]:
        assert bar["members"] == sum(bar["from"] <= points <= bar["to"] for points in paid)
    ranks = [found[f"p{percent}"] for percent in (10, 25, 50, 75, 90, 99)]
    assert [found["minimum"], *ranks, found["maximum"]] == sorted([paid[0], *ranks, paid[-1]])
    assert sum(points <= found["p50"] for points in paid) * 2 >= len(paid)
    assert distribution([]) is None


def test_the_version_that_is_tried_stays_as_it_is(client: FlaskClient, programme: None, editor: dict[str, str]) -> None:
    key = draft(client, editor, rule())
    run(client, editor, key)
    version = db.session.query(CampaignVersion).order_by(CampaignVersion.created_at.desc()).first()
    assert (version.document["key"], version.state, version.active_from) == (key, "draft", None)
