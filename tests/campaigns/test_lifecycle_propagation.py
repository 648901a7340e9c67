"""What one process changes, it honours with its very next activity, and every other within a second: by real clocks."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.clock import format_time, now
from app.core.ids import new_id
from tests import world
from tests.campaigns.conftest import Desk
from tests.campaigns.documents import campaign_document, rule_document

Report = Callable[[FlaskClient], Any]


def paying(points: int) -> dict[str, Any]:
    return campaign_document(rule_document(award={"type": "fixed", "points": points}))


@pytest.fixture
def report(shop: world.Shop, customer: world.Customer) -> Report:
    """A function that reports what happened this very moment to the given process, and says what ``spring`` did:
    the points it paid, or the code of why it did not; None where it is not there at all.
    """

    def send(client: FlaskClient) -> Any:
        body = world.basket(customer.ref, id=str(new_id()), occurred_at=format_time(now()))
        answer = client.post("/v1/activities", json=body, headers=shop.live)
        assert answer.status_code == 201, answer.text
        for award in answer.json["awards"]:
            if award["campaign"] == "spring":
                return award["points"]
        return next((each["code"] for each in answer.json["missed"] if each["campaign"] == "spring"), None)

    return send


@pytest.fixture
def other(other_app: Flask) -> FlaskClient:
    """A client of the other process."""
    return other_app.test_client()


def follows(report: Report, client: FlaskClient, expected: Any, since: float) -> None:
    """Wait until the other process does what is expected: a second after the change was made, at the latest."""
    while report(client) != expected:
        assert time.monotonic() - since < 1
        time.sleep(0.02)


def test_every_step_is_honoured_here_at_once_and_elsewhere_within_a_second(
    desk: Desk, report: Report, other: FlaskClient
) -> None:
    desk.create(paying(5))
    assert (report(desk.client), report(other)) == (None, None)
    for steps, expected in (
        (("submit", "approve"), None),
        (("activate",), 5),
        (("pause",), "paused"),
        (("activate",), 5),
    ):
        desk.run(*steps)
        changed_at = time.monotonic()
        assert report(desk.client) == expected
        follows(report, other, expected, changed_at)
    desk.put(paying(7))
    assert (report(desk.client), report(other)) == (5, 5), "a change that waits pays nothing"
    desk.run("submit", "approve", "activate")
    changed_at = time.monotonic()
    assert report(desk.client) == 7
    follows(report, other, 7, changed_at)
    desk.run("end")
    changed_at = time.monotonic()
    assert report(desk.client) is None
    follows(report, other, None, changed_at)


def test_what_happened_before_a_version_came_in_force_is_paid_by_the_one_before(
    desk: Desk, shop: world.Shop, customer: world.Customer
) -> None:
    desk.create(paying(5))
    desk.run("submit", "approve", "activate")
    then = format_time(now())
    desk.put(paying(7))
    desk.run("submit", "approve", "activate")
    for occurred_at, points, version in ((then, 5, 1), (format_time(now()), 7, 2)):
        body = world.basket(customer.ref, id=str(new_id()), occurred_at=occurred_at)
        answer = desk.client.post("/v1/activities", json=body, headers=shop.live).json
        [award] = [each for each in answer["awards"] if each["campaign"] == "spring"]
        assert (award["points"], award["version"]) == (points, version)


def test_a_pause_and_an_end_count_from_when_something_is_received(
    desk: Desk, shop: world.Shop, customer: world.Customer
) -> None:
    desk.create(paying(5))
    desk.run("submit", "approve", "activate")
    then = format_time(now())
    for step, codes in (("pause", ["paused"]), ("end", [])):
        desk.run(step)
        body = world.basket(customer.ref, id=str(new_id()), occurred_at=then)
        answer = desk.client.post("/v1/activities", json=body, headers=shop.live).json
        assert [each["campaign"] for each in answer["awards"] if each["campaign"] == "spring"] == []
        assert [each["code"] for each in answer["missed"] if each["campaign"] == "spring"] == codes
