"""A restatement moves what was booked to the factors of now, once, however often it is begun."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import FactKind, OutboxRow
from app.core.unit_of_work import unit_of_work
from app.impact import restatement_queries, service
from app.impact.models import ImpactEntry, Restatement
from app.impact.service import ImpactLine, ImpactSubject, restatements, restating
from app.ledger import service as ledger
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.impact.conftest import Edit
from tests.impact.test_booking import CHEAPER_BAG, NO_BAG, insert

PATH = "/v1/admin/impact/restatements"
PET, LESS_PET = "kg_recycled,1150,805,1495,warm", "kg_recycled,900,700,1200,warm"
CO2E = "g_co2e_avoided"
MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
Restate = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.usefixtures("programme")


@pytest.fixture(autouse=True)
def _small_and_at_once(app: Flask, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Windows and pieces of a few entries, no waiting for other processes; what was deferred is forgotten."""
    monkeypatch.setattr(restating, "OTHERS_LEARN", timedelta(0))
    monkeypatch.setattr(restating, "WINDOW_ENTRIES", 3)
    monkeypatch.setattr(restating, "PIECE", 2)
    yield
    db.session.remove()
    with psycopg.connect(settings.database_owner_url, options="-c lock_timeout=10s") as connection:
        connection.execute("TRUNCATE procrastinate.procrastinate_jobs CASCADE")


@pytest.fixture
def authority(app: Flask) -> world.Staff:
    return world.make_staff("authority")


def ask(client: FlaskClient, staff: world.Staff, factor: str, **more: Any) -> Any:
    body = {"factor": factor, "reason": "corrected by its source"} | more
    return client.post(PATH, json=body, headers=staff.headers)


@pytest.fixture
def restate(client: FlaskClient, authority: world.Staff) -> Restate:
    """A function that asks for a restatement, runs it and returns how it ended."""

    def run(factor: str = "all", **more: Any) -> dict[str, Any]:
        asked = ask(client, authority, factor, **more)
        assert asked.status_code == 202, asked.text
        assert restatements.run_restatements(threading.Event()) == 1
        found: dict[str, Any] = client.get(f"{PATH}/{asked.json['id']}", headers=authority.headers).json
        return found

    return run


def recycled(*grams: int) -> ImpactSubject:
    lines = [ImpactLine(str(place), material="PET", weight_g=weight) for place, weight in enumerate(grams)]
    return ImpactSubject("recycling", (), tuple(lines))


BAG = ImpactSubject("purchase", ("NO_BAG",))


def book(member_id: UUID, subject: ImpactSubject, occurred_at: datetime = MAY) -> UUID:
    activity_id = new_id()
    rows = service.entry_rows(member_id, activity_id, service.claim_impact(subject), occurred_at, occurred_at)
    insert(rows)
    return activity_id


def value(member_id: UUID, activity_id: UUID) -> int:
    return sum(item.value for item in service.booked(member_id, activity_id) if item.metric == CO2E)


def stored(restatement_id: str) -> Restatement:
    db.session.rollback()
    found = db.session.get(Restatement, UUID(restatement_id), populate_existing=True)
    assert found is not None
    return found


def facts(member_id: UUID) -> list[dict[str, Any]]:
    query = sa.select(OutboxRow.payload).where(OutboxRow.member_id == member_id, OutboxRow.kind == FactKind.CORRECTED)
    return list(db.session.scalars(query.order_by(OutboxRow.version)))


def test_past_activities_are_brought_to_what_the_new_factor_claims(
    client: FlaskClient, shop: world.Shop, edit: Edit, restate: Restate, shopper: Any
) -> None:
    subjects = (recycled(500, 3), BAG, recycled(77), ImpactSubject("trade_in", (), (ImpactLine("1", device="PHONE"),)))
    booked = [(who.member_id, book(who.member_id, subject), subject)
              for who in world.make_customers(shop, 4) for subject in subjects]  # fmt: skip
    service.load_reference(edit(PET, LESS_PET, NO_BAG, CHEAPER_BAG))
    done = restate()
    for member_id, activity_id, subject in booked:
        assert set(service.booked(member_id, activity_id)) == set(service.booked_of(service.claim_impact(subject), MAY))
    assert (done["state"], done["error"]) == ("done", None)
    assert done["progress"] == {"entries_read": 32, "entries_total": 32}
    # 500, 3 and 77 g by 900 instead of 1150 a kilogram, and 18 g instead of 21 a bag
    assert done["result"] == {
        "activities_changed": 12, "entries_booked": 32,
        "differences": [{"metric": CO2E, "value": 4 * (450 + 3 + 69 + 18 - 575 - 3 - 89 - 21),
                         "low": 4 * (350 + 2 + 54 + 0 - 402 - 2 - 62 - 0),
                         "high": 4 * (600 + 4 + 92 + 36 - 748 - 4 - 115 - 42)}],
    }  # fmt: skip
    seen = client.get("/v1/me/impact", headers=shopper(booked[0][0])).json
    assert {(t["method"], t["value"]) for t in seen["totals"] if t["metric"] == CO2E} == {
        ("warm", 450 + 3 + 69), ("retailer_claim", 18), ("ademe", 24600),
    }  # fmt: skip
    assert {factor["subject"]: factor["version"] for factor in seen["factors"]} == {"PET": 2, "NO_BAG": 2, "PHONE": 1}


def test_a_second_time_finds_nothing_left_to_do(customer: world.Customer, edit: Edit, restate: Restate) -> None:
    book(customer.member_id, recycled(500))
    service.load_reference(edit(PET, LESS_PET))
    assert restate()["result"]["entries_booked"] == 2
    count = sa.select(sa.func.count()).select_from(ImpactEntry)
    before, told = db.session.scalar(count), facts(customer.member_id)
    assert restate()["result"] == {"activities_changed": 0, "entries_booked": 0, "differences": []}
    assert (db.session.scalar(count), facts(customer.member_id)) == (before, told)


def test_nothing_is_to_be_done_while_no_factor_has_a_new_version(customer: world.Customer, restate: Restate) -> None:
    book(customer.member_id, recycled(500))
    done = restate()
    assert (done["state"], done["result"]["entries_booked"]) == ("done", 0)


def test_projections_hear_of_each_activity_whose_sums_change(
    customer: world.Customer, edit: Edit, restate: Restate
) -> None:
    later = MAY + timedelta(days=31)
    first = book(customer.member_id, recycled(500))
    second = book(customer.member_id, BAG, later)
    book(customer.member_id, recycled(2))  # 2.3 g or 1.8: two grams either way
    service.load_reference(edit(PET, LESS_PET, NO_BAG, CHEAPER_BAG))
    restate()
    change = {"activities": 0, "points": 0}
    assert facts(customer.member_id) == [
        {"activity": str(first), "changes": [
            change | {"occurred_at": "2026-05-01T12:00:00Z", "kind": "recycling", "impact": {CO2E: -125}}]},
        {"activity": str(second), "changes": [
            change | {"occurred_at": "2026-06-01T12:00:00Z", "kind": "purchase", "impact": {CO2E: -3}}]},
    ]  # fmt: skip


def test_facts_add_up_to_what_is_booked_and_the_ledger_stays_proven(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, edit: Edit, restate: Restate
) -> None:
    for number in range(5):
        body = world.basket(customer.ref, id=f"order-{number}")
        assert client.post("/v1/activities", json=body, headers=shop.live).status_code == 201
    service.load_reference(edit(NO_BAG, CHEAPER_BAG))
    restate()
    heard: Counter[str] = Counter()
    for kind, payload in db.session.execute(sa.select(OutboxRow.kind, OutboxRow.payload)):
        if kind == FactKind.ACTIVITY:
            heard.update(payload["impact"])
        if kind == FactKind.CORRECTED:
            for change in payload["changes"]:
                heard.update(change["impact"])
    sums = sa.select(ImpactEntry.metric, sa.func.sum(ImpactEntry.value)).group_by(ImpactEntry.metric)
    assert heard == {metric: int(value) for metric, value in db.session.execute(sums)} == {CO2E: 5 * 18}
    found = ledger.Verification()
    assert list(ledger.verify(found)) == []
    assert found.members == 1


def test_what_occurred_before_the_day_stays_as_it_was_booked(
    customer: world.Customer, edit: Edit, restate: Restate
) -> None:
    programme.change({**programme.DEFAULTS, "time_zone": "America/New_York"})
    moments = [datetime(2026, 5, 1, 3, 59, 59, tzinfo=UTC), datetime(2026, 5, 1, 4, tzinfo=UTC)]
    early, late = (book(customer.member_id, BAG, moment) for moment in moments)
    service.load_reference(edit(NO_BAG, CHEAPER_BAG))
    assert restate(**{"from": "2026-05-01"})["result"]["activities_changed"] == 1
    assert (value(customer.member_id, early), value(customer.member_id, late)) == (21, 18)
    assert restate()["result"]["activities_changed"] == 1
    assert value(customer.member_id, early) == 18


@pytest.mark.parametrize("which", ["subject", "old version", "new version", "OLD VERSION"])
def test_one_factor_alone_is_restated_where_it_is_named(
    customer: world.Customer, edit: Edit, restate: Restate, which: str
) -> None:
    pet, bag = book(customer.member_id, recycled(500)), book(customer.member_id, BAG)
    (old,) = service.factor_ids_of(service.booked(customer.member_id, pet))
    service.load_reference(edit(PET, LESS_PET, NO_BAG, CHEAPER_BAG))
    (new,) = service.default_factors().of("material", "PET", frozenset({"kg_recycled"}))
    named = {"subject": "PET", "old version": str(old), "new version": str(new.id), "OLD VERSION": str(old).upper()}
    restate(named[which])
    assert (value(customer.member_id, pet), value(customer.member_id, bag)) == (450, 21)


def test_every_older_version_moves_to_the_newest(customer: world.Customer, edit: Edit, restate: Restate) -> None:
    activities = [book(customer.member_id, recycled(500))]
    for band in ("1100,805,1495", "1000,805,1495", "900,700,1200"):
        service.load_reference(edit(PET, f"kg_recycled,{band},warm"))
        activities.append(book(customer.member_id, recycled(500)))
    assert [value(customer.member_id, activity_id) for activity_id in activities] == [575, 550, 500, 450]
    assert restate()["result"]["activities_changed"] == 3
    assert [value(customer.member_id, activity_id) for activity_id in activities] == [450] * 4


def test_what_another_source_is_the_default_for_moves_there_and_methods_are_not_mixed(
    client: FlaskClient, customer: world.Customer, edit: Edit, restate: Restate, shopper: Any
) -> None:
    book(customer.member_id, recycled(1000))
    uk = ("1650,1155,2145,desnz,UK DESNZ conversion factors 2025 (primary minus closed loop),2025,GB,"
          "primary production,{}")  # fmt: skip
    warm = "1150,805,1495,warm,US EPA WARM v16 (transcribed),2023,US,primary production,{}"
    service.load_reference(
        edit(
            uk.format("false"),
            uk.format("true").replace("1650,1155", "1000,900"),
            warm.format("true"),
            warm.format("false"),
        )
    )
    restate("PET")
    totals = client.get("/v1/me/impact", headers=shopper(customer.member_id)).json["totals"]
    assert [(t["method"], t["value"]) for t in totals if t["metric"] == CO2E] == [("desnz", 1000)]


def test_what_no_factor_claims_any_more_stays_as_it_was_booked(
    customer: world.Customer, edit: Edit, restate: Restate
) -> None:
    activity_id = book(customer.member_id, ImpactSubject("purchase", ("REUSED_CARTON",)))
    service.load_reference(edit("true,weak\npackaging,NO_SECONDARY", "false,weak\npackaging,NO_SECONDARY"))
    assert restate()["result"]["entries_booked"] == 0
    assert value(customer.member_id, activity_id) == 37


def test_a_return_after_it_takes_back_what_is_booked_now(
    customer: world.Customer, edit: Edit, restate: Restate
) -> None:
    member_id, activity_id = customer.member_id, book(customer.member_id, recycled(500, 300))
    service.load_reference(edit(PET, LESS_PET))
    restate()
    service.load_reference()  # and the figure of before is the newest again
    standing = service.booked(member_id, activity_id)
    left = service.claim_impact_by(recycled(500), service.factor_ids_of(standing))
    rows = service.difference_rows(member_id, activity_id, standing, left, MAY, MAY)
    insert(rows)
    assert value(member_id, activity_id) == 450
    standing = service.booked(member_id, activity_id)
    insert(service.difference_rows(member_id, activity_id, standing, service.Impact(), MAY, MAY))
    assert service.booked(member_id, activity_id) == []
    restate()
    assert service.booked(member_id, activity_id) == []


# -- broken off, taken up again, overtaken ----------------------------------------------------------------------------


@pytest.fixture
def activities(shop: world.Shop, edit: Edit) -> list[tuple[UUID, UUID]]:
    """Nine activities of three members, booked by a factor that has a new version."""
    booked = [(who.member_id, book(who.member_id, recycled(100 * number)))
              for who in world.make_customers(shop, 3) for number in (1, 2, 3)]  # fmt: skip
    service.load_reference(edit(PET, LESS_PET))
    return booked


def values(activities: list[tuple[UUID, UUID]]) -> list[int]:
    db.session.rollback()
    return [value(*place) for place in activities]


BEFORE, AFTER = [115, 230, 345] * 3, [90, 180, 270] * 3


class Killed(BaseException):
    """What no code of ours catches."""


def test_a_killed_worker_leaves_whole_pieces_and_another_goes_on(
    client: FlaskClient, authority: world.Staff, activities: list[tuple[UUID, UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(client, authority, "PET").json
    insert_entries, calls = restatement_queries.insert_entries, iter(range(100))

    def killed_at_third(*args: Any) -> None:
        insert_entries(*args)
        if next(calls) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(restatement_queries, "insert_entries", killed_at_third)
        with pytest.raises(Killed):
            restatements.run_restatements(threading.Event())
    halfway = values(activities)
    assert 0 < sum(now == after for now, after in zip(halfway, AFTER, strict=True)) < 9
    assert set(zip(halfway, BEFORE, AFTER, strict=True)) <= {(b, b, a) for b, a in zip(BEFORE, AFTER, strict=True)} | {
        (a, b, a) for b, a in zip(BEFORE, AFTER, strict=True)
    }
    assert restatements.run_restatements(threading.Event()) == 0, "its worker may still live"
    with unit_of_work() as session:
        session.execute(sa.update(Restatement).values(heartbeat_at=now() - restatements.STALE - timedelta(seconds=1)))
    assert restatements.run_restatements(threading.Event()) == 1
    assert values(activities) == AFTER
    done = stored(asked["id"])
    assert (done.state, done.attempt, done.activities_changed, done.entries_booked) == ("done", 2, 9, 18)
    assert done.differences[CO2E]["value"] == sum(AFTER) - sum(BEFORE)
    assert sum(len(facts(member_id)) for member_id in {place[0] for place in activities}) == 9


def test_a_worker_that_is_told_to_stop_puts_it_back_and_another_goes_on_from_there(
    client: FlaskClient, authority: world.Staff, activities: list[tuple[UUID, UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(client, authority, "PET").json
    stop, insert_entries = threading.Event(), restatement_queries.insert_entries

    def then_stop(*args: Any) -> None:
        insert_entries(*args)
        stop.set()

    with monkeypatch.context() as patch:
        patch.setattr(restatement_queries, "insert_entries", then_stop)
        assert restatements.run_restatements(stop) == 0
    put_back = stored(asked["id"])
    assert (put_back.state, put_back.activities_changed) == ("queued", 2)
    assert (put_back.entries_read, put_back.entries_total) == (4, 18)
    assert put_back.after_member_id == min(place[0] for place in activities)
    assert restatements.run_restatements(threading.Event()) == 1
    assert values(activities) == AFTER
    assert (stored(asked["id"]).state, stored(asked["id"]).activities_changed) == ("done", 9)


def test_who_was_overtaken_lets_go_and_books_nothing_more(
    client: FlaskClient, authority: world.Staff, activities: list[tuple[UUID, UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(client, authority, "PET").json
    window_end = restatement_queries.window_end

    def overtaken(*args: Any) -> Any:
        with unit_of_work() as session:
            session.execute(sa.update(Restatement).values(attempt=Restatement.attempt + 1))
        return window_end(*args)

    monkeypatch.setattr(restatement_queries, "window_end", overtaken)
    assert restatements.run_restatements(threading.Event()) == 0
    assert (stored(asked["id"]).state, stored(asked["id"]).attempt) == ("running", 2)
    assert values(activities) == BEFORE


def test_one_that_kills_its_workers_is_given_up(client: FlaskClient, authority: world.Staff) -> None:
    asked = ask(client, authority, "PET").json
    long_ago = now() - restatements.STALE - timedelta(seconds=1)
    with unit_of_work() as session:
        session.execute(
            sa.update(Restatement).values(state="running", attempt=restatements.ATTEMPTS_MAX, heartbeat_at=long_ago)
        )
    assert restatements.run_restatements(threading.Event()) == 0
    failed = client.get(f"{PATH}/{asked['id']}", headers=authority.headers).json
    assert (failed["state"], failed["error"]) == ("failed", "It was interrupted 10 times.")


def test_one_that_fails_says_why_and_the_next_is_run(
    client: FlaskClient, authority: world.Staff, activities: list[tuple[UUID, UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (ask(client, authority, "PET").json for _ in range(2))
    count, failures = restatement_queries.count_entries, iter([RuntimeError("no such luck")])

    def fail_once(*args: Any) -> int:
        for error in failures:
            raise error
        return count(*args)

    monkeypatch.setattr(restatement_queries, "count_entries", fail_once)
    assert restatements.run_restatements(threading.Event()) == 2
    assert (stored(first["id"]).state, stored(first["id"]).error) == ("failed", "RuntimeError: no such luck")
    assert stored(second["id"]).state == "done"
    assert values(activities) == AFTER


def test_it_begins_once_every_process_claims_by_the_new_version(
    client: FlaskClient, authority: world.Staff, activities: list[tuple[UUID, UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restating, "OTHERS_LEARN", timedelta(seconds=30))
    stop, waited = threading.Event(), []
    monkeypatch.setattr(stop, "wait", waited.append)
    ask(client, authority, "PET")
    assert restatements.run_restatements(stop) == 1
    assert [0 < seconds <= 30 for seconds in waited] == [True]


# -- asked for --------------------------------------------------------------------------------------------------------


def test_it_is_deferred_audited_and_listed(client: FlaskClient, authority: world.Staff) -> None:
    asked = [ask(client, authority, "PET", **{"from": "2026-02-28"}).json, ask(client, authority, "all").json]
    assert (asked[0]["state"], asked[0]["from"], asked[1]["from"]) == ("queued", "2026-02-28", None)
    db.session.rollback()
    waiting = sa.text("SELECT task_name, status::text FROM procrastinate.procrastinate_jobs")
    assert [tuple(row) for row in db.session.execute(waiting)] == [("run_restatements", "todo")]
    audit = client.get("/v1/admin/audit?object_kind=restatement", headers=authority.headers).json["data"]
    assert [(entry["action"], entry["object"]["id"], entry["staff"]["id"] if isinstance(entry["staff"], dict)
             else entry["staff"]) for entry in audit] == [
        ("restatement.requested", one["id"], str(authority.staff_id)) for one in reversed(asked)
    ]  # fmt: skip
    assert audit[1]["after"] == {"factor": "PET", "from": "2026-02-28", "reason": "corrected by its source"}
    viewer = world.make_staff("viewer").headers
    first = client.get(f"{PATH}?limit=1", headers=viewer).json
    second = client.get(f"{PATH}?limit=1&cursor={first['next_cursor']}", headers=viewer).json
    assert first["data"] + second["data"] == asked[::-1]
    assert second["next_cursor"] is None
    assert_problem(client.get(f"{PATH}/{new_id()}", headers=viewer), 404, "restatement_not_found")


@pytest.mark.parametrize("role", ["viewer", "support", "editor", "approver", "finance"])
def test_only_authority_and_admin_may_ask(client: FlaskClient, role: str) -> None:
    assert_problem(ask(client, world.make_staff(role), "PET"), 403, "forbidden")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"factor": "GOLD"}, "/factor"), ({"factor": str(new_id())}, "/factor"), ({"factor": ""}, "/factor"),
        ({"factor": None}, "/factor"), ({"factor": "P" * 65}, "/factor"), ({"reason": ""}, "/reason"),
        ({"reason": None}, "/reason"), ({"from": "2026-02-29"}, "/from"), ({"from": "2026-02"}, "/from"),
        ({"from": 20260201}, "/from"), ({"from": "2026-02-01T00:00:00Z"}, "/from"), ({"from": "0001-01-01"}, "/from"),
        ({"to": "2026-02-01"}, "/to"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(
    client: FlaskClient, authority: world.Staff, changes: dict[str, Any], pointer: str
) -> None:
    answer = client.post(PATH, json={"factor": "PET", "reason": "why"} | changes, headers=authority.headers)
    assert_problem(answer, 422, "validation_failed", pointer)


def test_as_many_wait_as_may(client: FlaskClient, authority: world.Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restatements, "OPEN_MAX", 1)
    assert ask(client, authority, "PET").status_code == 202
    assert_problem(ask(client, authority, "PET"), 409, "too_many_restatements")


def test_the_command_restates_at_once(app: Flask, activities: list[tuple[UUID, UUID]]) -> None:
    run = app.test_cli_runner().invoke
    done = run(args=["impact", "restate", "--factor", "PET", "--reason", "a correction"])
    assert done.exit_code == 0, done.output
    assert "9 activities restated by 18 entries\ng_co2e_avoided: -450 (-189 to -531)\n" in done.output
    assert values(activities) == AFTER
    again = run(args=["impact", "restate", "--all", "--from", "2026-01-01"])
    assert (again.exit_code, "0 activities restated by 0 entries\n" in again.output) == (0, True)
    assert [row.reason for row in db.session.scalars(sa.select(Restatement).order_by(Restatement.requested_at))] == [
        "a correction", "by command",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "Give either --factor or --all."), (["--factor", "PET", "--all"], "Give either --factor or --all."),
        (["--factor", "GOLD"], "This is no factor's id"), (["--all", "--from", "2026-02-29"], "--from"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong(app: Flask, args: list[str], said: str) -> None:
    done = app.test_cli_runner().invoke(args=["impact", "restate", *args])
    assert done.exit_code != 0
    assert said in done.output
