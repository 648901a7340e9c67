"""What is encoded here is what PostgreSQL reads."""

import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.binary_arrays import encode_array
from app.core.database import driver_connection

INDIA = timezone(timedelta(hours=5, minutes=30))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from([UTC, INDIA]))  # noqa: DTZ001 - hypothesis adds the zone
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "bytea": st.binary(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "text": TEXTS,
    "date": st.dates(),
    "timestamptz": MOMENTS,
    "uuid": st.uuids(),
}

pytestmark = pytest.mark.usefixtures("app")


def read_back(sql_type: str, values: list[Any]) -> list[Any]:
    with driver_connection() as connection, psycopg.RawCursor(connection) as cursor:
        rows = cursor.execute(
            f"SELECT given FROM unnest($1::{sql_type}[]) AS u(given)", [encode_array(sql_type, values)], binary=True
        )
        return [row[0] for row in rows]


@pytest.mark.parametrize("sql_type", VALUES)
def test_every_value_and_null_comes_back_as_it_was(sql_type: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.none() | VALUES[sql_type], max_size=20))
    def check(values: list[Any]) -> None:
        assert read_back(sql_type, values) == values

    check()


def test_many_values_keep_their_order() -> None:
    values = [UUID(int=number) for number in range(5000)]
    assert read_back("uuid", values) == values


@pytest.mark.parametrize(("sql_type", "value"), [("bigint", 2**63), ("integer", -(2**31) - 1), ("smallint", 2**15)])
def test_a_number_out_of_range_is_refused(sql_type: str, value: int) -> None:
    with pytest.raises(struct.error):
        encode_array(sql_type, [value])


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        encode_array("timestamptz", [datetime(2026, 1, 1)])  # noqa: DTZ001 - that is what is refused
