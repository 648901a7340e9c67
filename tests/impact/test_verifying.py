"""The proof of the impact ledger finds what does not follow from its factors."""

from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.clock import now
from app.core.ids import new_id
from app.impact import service
from app.impact.service import ImpactLine, ImpactSubject, verifying
from config import Settings
from tests import world
from tests.impact.test_booking import insert


@pytest.fixture
def booked(customer: world.Customer, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Five activities of a member, one of them taken back in part; the id of the last."""
    monkeypatch.setattr(verifying, "WINDOW_ENTRIES", 4)
    for grams in (1, 3, 500, 1_000_003):
        activity_id = new_id()
        lines = tuple(ImpactLine(str(n), material="PET", weight_g=grams * n, pieces=n) for n in (1, 2))
        claimed = service.claim_impact(ImpactSubject("recycling", (), lines))
        insert(service.entry_rows(customer.member_id, activity_id, claimed, now(), now()))
    left = service.claim_impact(ImpactSubject("recycling", (), lines[:1]))
    standing = service.booked(customer.member_id, activity_id)
    insert(service.difference_rows(customer.member_id, activity_id, standing, left, standing[0].occurred_at, now()))
    return activity_id


def test_what_was_booked_is_proven(app: Flask, booked: UUID) -> None:
    done = app.test_cli_runner().invoke(args=["impact", "verify"])
    assert (done.exit_code, done.output) == (0, "4 activities, 21 claims: no differences\n")


def test_nothing_is_proven_of_an_empty_ledger(app: Flask) -> None:
    assert app.test_cli_runner().invoke(args=["impact", "verify"]).output == (
        "0 activities, 0 claims: no differences\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    ["SET value = value + 1, high = high + 1 WHERE metric = 'g_co2e_avoided'",
     "SET low = low - 1 WHERE factor_id IS NULL",
     "SET units_micros = units_micros + 1000000 WHERE factor_id IS NOT NULL",
     "SET factor_id = '00000000-0000-0000-0000-000000000000' WHERE factor_id IS NOT NULL",
     "SET value = -5, low = -5, high = -5 WHERE metric = 'items_recycled'"],
)  # fmt: skip
def test_whatever_was_changed_by_hand_is_found(app: Flask, booked: UUID, settings: Settings, change: str) -> None:
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute(f"UPDATE impact_entry {change} AND activity_id = '{booked}'")
    done = app.test_cli_runner().invoke(args=["impact", "verify"])
    assert done.exit_code == 1
    *lines, last = done.output.splitlines()
    assert last.endswith(f": {len(lines)} differences")
    assert lines
    assert all(str(booked) in line for line in lines)


def test_awards_and_returns_leave_it_proven(
    app: Flask, client: FlaskClient, shop: world.Shop, customer: world.Customer
) -> None:
    client.post("/v1/activities", json=world.basket(customer.ref), headers=shop.live)
    body = {"id": "ret-1", "activity": "order-1"}
    assert client.post("/v1/returns", json=body, headers=shop.live).status_code == 201
    assert app.test_cli_runner().invoke(args=["impact", "verify"]).output == (
        "1 activities, 0 claims: no differences\n"
    )  # fmt: skip
