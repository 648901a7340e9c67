"""What was booked before entries kept what they multiplied can be restated too."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from app.core import embedded, migrate
from app.core.clock import now
from app.core.ids import new_id

FACTORS = (
    ("material", "PET", "g_co2e_avoided", "kg_recycled", 1150, "US EPA WARM v16 (transcribed)"),
    ("packaging", "REFILL", "g_plastic_avoided", "use", 9, "a weighing"),
    ("packaging", "NO_BAG", "g_co2e_avoided", "use", 0, "somebody else"),
)


@pytest.fixture
def old_url(services: embedded.Services) -> Iterator[str]:
    """The owner's address of a database from before the impact ledger."""
    name = "greenpoints_before_impact"
    url = services.database_owner_url.replace("/greenpoints?", f"/{name}?")
    with psycopg.connect(services.database_owner_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        migrate.upgrade(url, revision="0005")
        yield url
        connection.execute(f"DROP DATABASE {name}")


def _member(connection: psycopg.Connection) -> UUID:
    member_id, moment = new_id(), now()
    connection.execute(
        "INSERT INTO member (member_id, live, code, locale, enrolled_at, updated_at)"
        " VALUES (%s, true, 'C', 'en', %s, %s)",
        (member_id, moment, moment),
    )
    connection.execute("INSERT INTO account (member_id) VALUES (%s)", (member_id,))
    return member_id


def _booked_before(connection: psycopg.Connection) -> None:
    member_id, activity_id, moment, factor_ids = _member(connection), new_id(), now(), [new_id() for _ in FACTORS]
    for factor_id, (kind, code, metric, unit, value, source) in zip(factor_ids, FACTORS, strict=True):
        connection.execute(
            "INSERT INTO impact_factor (id, subject_kind, subject_code, metric, unit_of_activity, value, low, high,"
            " source, year, region, baseline, is_default, note, version)"
            " VALUES (%s, %s, %s, %s, %s, %s, 0, 9999, %s, 2023, 'US', 'a baseline', true, '', 1)",
            (factor_id, kind, code, metric, unit, value, source),
        )
    pet, refill, no_bag = factor_ids
    for factor_id, value, metric, code, line in (
        (None, 28, "items_recycled", "PET", "1"), (None, 500, "g_recycled", "PET", "1"),
        (pet, 575, "g_co2e_avoided", "PET", "1"), (refill, 27, "g_plastic_avoided", "REFILL", "2"),
        (no_bag, 0, "g_co2e_avoided", "NO_BAG", None),
    ):  # fmt: skip
        connection.execute(
            "INSERT INTO impact_entry (member_id, impact_id, activity_id, factor_id, value, low, high, occurred_at,"
            " recorded_at, metric, subject_code, line) VALUES (%s, %s, %s, %s, %s, 0, 9999, %s, %s, %s, %s, %s)",
            (member_id, new_id(), activity_id, factor_id, value, moment, moment, metric, code, line),
        )


def test_entries_learn_what_they_multiplied_and_factors_their_method(old_url: str) -> None:
    with psycopg.connect(old_url) as connection:
        _booked_before(connection)
    migrate.upgrade(old_url, revision="0008")
    with psycopg.connect(old_url) as connection:
        units = connection.execute("SELECT metric, subject_code, units_micros FROM impact_entry ORDER BY impact_id")
        assert units.fetchall() == [
            ("items_recycled", "PET", 0), ("g_recycled", "PET", 0), ("g_co2e_avoided", "PET", 500_000),
            ("g_plastic_avoided", "REFILL", 3_000_000), ("g_co2e_avoided", "NO_BAG", 1_000_000),
        ]  # fmt: skip
        methods = connection.execute("SELECT subject_code, method FROM impact_factor ORDER BY id").fetchall()
        assert methods == [("PET", "warm"), ("REFILL", "packaging_weight"), ("NO_BAG", "unknown")]
