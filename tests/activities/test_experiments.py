"""Experiments: the two arms are those of the hash, and what is told of them is what their members did."""

import statistics
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.activities.comparison import Sample, compare, student_quantile
from app.activities.experiment_queries import BUCKET
from app.campaigns import service as campaigns
from app.core.clock import format_time, now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from tests import world
from tests.activities.test_backtests import rule
from tests.answers import assert_problem

START = (now() - timedelta(days=10)).replace(microsecond=0)


@pytest.fixture
def viewer(app: Flask) -> dict[str, str]:
    return world.make_staff("viewer").headers


def start(percent: int = 50, **changes: Any) -> UUID:
    """Put a campaign in force that holds members out; return its id."""
    document = {"key": "tried", "labels": {"en": "Tried"}, "starts_at": format_time(START), "rules": [rule()],
                "holdout_percent": percent} | changes  # fmt: skip
    campaigns.save_campaign(document, active_from=START)
    return campaigns.resolve_campaign(str(document["key"]))


def report_of(client: FlaskClient, headers: dict[str, str], key: str = "tried") -> dict[str, Any]:
    answer = client.get(f"/v1/admin/campaigns/{key}/report", headers=headers)
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_the_database_draws_the_same_lots_as_python(app: Flask) -> None:
    campaign_id = new_id()
    members = [new_id() for _ in range(1000)]
    query = f"SELECT id, ({BUCKET.format(campaign=':campaign', member='id')}) % 10000 FROM unnest(:ids) AS given(id)"
    rows = db.session.execute(text(query), {"campaign": campaign_id, "ids": members}).all()
    found = {row[0]: row[1] for row in rows}
    assert len(found) == 1000
    for percent in (0, 1, 10, 50):
        held_out = {member for member, bucket in found.items() if bucket < percent * 100}
        assert held_out == {member for member in members if campaigns.is_held_out(campaign_id, member, percent)}
    assert 0 <= min(found.values()) <= 200
    assert 9800 <= max(found.values()) < 10_000


def test_the_arms_are_what_their_members_did(client: FlaskClient, shop: world.Shop, viewer: dict[str, str]) -> None:
    campaign_id = start()
    customers = world.make_customers(shop, 16)
    world.make_customers(shop, 3, live=False)
    plain = {"id": "2", "unit_price": 50, "quantity": 3}
    done: dict[bool, list[tuple[int, int, int, float | None]]] = {False: [], True: []}
    for number, customer in enumerate(customers):
        count, points, spend, green = number % 3, 0, 0, []
        for place in range(count):
            lines = [world.line(total=100 * (number + 1)), *([plain] if place else [])]
            body = world.basket(customer.ref, id=f"{number}-{place}", lines=lines)
            points += client.post("/v1/activities", json=body, headers=shop.live).json["points"]["awarded"]
            spend += 100 * (number + 1) + (150 if place else 0)
            green += [1.0, 0.0] if place else [1.0]
        is_out = campaigns.is_held_out(campaign_id, customer.member_id, 50)
        done[is_out].append((count, spend, points, statistics.mean(green) if green else None))
    found = report_of(client, viewer)
    assert (found["holdout_percent"], found["version"], found["since"]) == (50, 1, format_time(START))
    for is_out, name in ((False, "paid"), (True, "held_out")):
        arm, members = found["arms"][name], done[is_out]
        assert arm["members"] == len(members) > 1
        assert arm["active_members"] == sum(count > 0 for count, *_ in members)
        assert arm["points"] == sum(points for _, _, points, _ in members)
        for measure, place in (("activities_per_member", 0), ("spend_per_member", 1), ("points_per_member", 2)):
            assert arm[measure] == pytest.approx(statistics.mean(member[place] for member in members), abs=1e-4)
        greens = [green for *_, green in members if green is not None]
        assert arm["green_line_share"] == pytest.approx(statistics.mean(greens), abs=1e-4)
    for measure, place in (("activities_per_member", 0), ("spend_per_member", 1), ("points_per_member", 2)):
        samples = [
            Sample(len(done[is_out]), statistics.mean(each), statistics.variance(each))
            for is_out in (False, True)
            for each in [[float(member[place]) for member in done[is_out]]]
        ]
        expected = compare(samples[0], samples[1])
        told = found["differences"][measure]
        assert (told["difference"], told["low"], told["high"]) == pytest.approx(expected, abs=1e-3)


def test_only_the_time_since_the_start_and_the_currency_of_the_programme_count(
    client: FlaskClient, shop: world.Shop, viewer: dict[str, str]
) -> None:
    start()
    [customer] = world.make_customers(shop, 1)
    bodies = (
        world.basket(customer.ref, id="1"),
        world.basket(customer.ref, id="2", currency="USD", lines=[{"id": "1", "total": 700}]),
        world.basket(customer.ref, id="3", occurred_at=format_time(START - timedelta(seconds=1))),
        {"id": "4", "kind": "recycling", "occurred_at": world.AN_HOUR_AGO, "member": {"ref": customer.ref}},
    )
    for body in bodies:
        assert client.post("/v1/activities", json=body, headers=shop.live).status_code == 201
    arms = report_of(client, viewer)["arms"]
    [arm] = [each for each in arms.values() if each["members"]]
    assert (arm["activities_per_member"], arm["spend_per_member"], arm["green_line_share"]) == (3, 1198, 0.5)
    assert report_of(client, viewer)["differences"] == dict.fromkeys(report_of(client, viewer)["differences"])


def test_the_arms_are_of_the_audience(client: FlaskClient, shop: world.Shop, viewer: dict[str, str]) -> None:
    start(audience={"tags": ["student"], "regions": ["DE"]})
    customers = world.make_customers(shop, 4)
    for customer, tags, region in zip(
        customers, (["student"], ["student"], ["student"], []), ("DE", "DE-BE", "FR", "DE"), strict=True
    ):
        with unit_of_work() as session:
            session.execute(
                text("UPDATE member SET tags = :tags, region = :region WHERE member_id = :member_id"),
                {"tags": tags, "region": region, "member_id": customer.member_id},
            )
    arms = report_of(client, viewer)["arms"]
    assert arms["paid"]["members"] + arms["held_out"]["members"] == 2


def test_without_a_holdout_there_is_nothing_to_compare(
    client: FlaskClient, shop: world.Shop, viewer: dict[str, str]
) -> None:
    found = report_of(client, viewer, "greens")
    assert (found["holdout_percent"], found["arms"], found["differences"]) == (0, None, None)
    assert_problem(
        client.get("/v1/admin/campaigns/nowhere/report", headers=viewer), 404, "campaign_not_found"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("degrees", "quantile"),  # from the tables of Student's distribution
    [(3, 3.1824), (5, 2.5706), (10, 2.2281), (30, 2.0423), (120, 1.9799), (10**9, 1.9600)],
)
def test_the_quantile_is_that_of_the_tables(degrees: float, quantile: float) -> None:
    assert student_quantile(degrees) == pytest.approx(quantile, rel=2e-3)


def test_welch_on_a_worked_example() -> None:
    """Two samples of 15; means, variances and degrees of freedom worked out with R's t.test."""
    first = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
    second = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.0, 23.9]
    samples = [Sample(len(each), statistics.mean(each), statistics.variance(each)) for each in (first, second)]
    found = compare(*samples)
    assert found is not None
    difference, low, high = found
    v1, v2 = (sample.variance / 15 for sample in samples if sample.variance is not None)
    degrees = (v1 + v2) ** 2 / (v1**2 / 14 + v2**2 / 14)
    assert difference == pytest.approx(samples[0].mean - samples[1].mean)  # type: ignore[operator]
    assert (high - low) / 2 == pytest.approx(student_quantile(degrees) * (v1 + v2) ** 0.5)
    assert high < 0, "the second is higher: t = -2.8, p = 0.009"


GROUPS = st.builds(
    Sample, st.integers(0, 1000), st.floats(0, 1e6), st.floats(0, 1e9)
)  # fmt: skip


@given(first=GROUPS, second=GROUPS)
def test_an_interval_holds_its_difference_and_turns_with_its_groups(first: Sample, second: Sample) -> None:
    found, turned = compare(first, second), compare(second, first)
    if first.size < 2 or second.size < 2:
        assert found is turned is None
        return
    assert found is not None
    assert turned is not None
    difference, low, high = found
    assert low <= difference <= high
    assert turned == pytest.approx((-difference, -high, -low))
