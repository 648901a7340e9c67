"""One statement that writes the rows of many tables, or none of them, for each member.

The ledger gives the guard: common table expressions that end in one named ``granted``, the members whose account
was found as it had been read. Every room adds its rows; those of a member who was not granted are left out. A few
rows go as scalars, many as ``unnest`` arrays in binary: on one row the arrays cost twice the statement itself. The
text depends on the tables and on how many rows each gets, never on the values, and is kept for the next time. Whoever
writes now few and now many says ``as_arrays``: then it depends on the tables alone, and a connection, which keeps a
hundred prepared statements, is not flooded with one for each combination of counts.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from app.core.binary_arrays import encode_array

SCALAR_ROWS_MAX = 4
ARRAYS = SCALAR_ROWS_MAX + 1  # stands for any number of rows
Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)  # a constant of a module: known by its identity, which costs no hashing
class RowShape:
    """A table and the columns written, each with its SQL type; the first is ``member_id``.

    Where it takes more than an INSERT, ``text`` has the common table expressions that do it, with ``{given}`` for the
    SELECT of the granted rows, and ``answers`` what the statement is to answer beside the members.
    """

    table: str
    columns: Columns
    text: str = ""
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.columns[0] == ("member_id", "uuid")


@functools.cache
def source_text(columns: Columns, row_count: int, first: int) -> str:
    """Return a SELECT of ``row_count`` rows under the names of ``columns``; parameters count from ``first``."""
    if row_count <= SCALAR_ROWS_MAX:
        width = len(columns)
        return " UNION ALL ".join(
            "SELECT "
            + ", ".join(
                f"${first + row * width + place}::{sql_type} AS {name}"
                for place, (name, sql_type) in enumerate(columns)
            )
            for row in range(row_count)
        )
    arrays = ", ".join(f"${first + place}::{_array_type(sql_type)}[]" for place, (_, sql_type) in enumerate(columns))
    names = ", ".join(name for name, _ in columns)
    return f"SELECT * FROM unnest({arrays}) AS given({names})"  # noqa: S608 - names come from RowShape alone


def form_of(row_count: int, as_arrays: bool = False) -> int:
    """Return the count under which ``source_text`` makes one text for all rounds of that form."""
    return ARRAYS if as_arrays else min(row_count, ARRAYS)


def source_values(columns: Columns, rows: Sequence[Sequence[Any]], as_arrays: bool = False) -> list[Any]:
    """Return the parameters that ``source_text`` asks for."""
    if form_of(len(rows), as_arrays) < ARRAYS:
        return [value for row in rows for value in row]
    return [
        encode_array(_array_type(sql_type), values)
        for (_, sql_type), values in zip(columns, zip(*rows, strict=True), strict=True)
    ]


def _array_type(sql_type: str) -> str:
    return "text" if sql_type == "jsonb" else sql_type


@functools.lru_cache(maxsize=1024)
def _statement(guard: str, first: int, parts: tuple[tuple[RowShape, int], ...]) -> bytes:
    texts = [guard]
    for shape, row_count in parts:
        source = source_text(shape.columns, row_count, first)
        granted = f"({source}) AS given JOIN granted ON granted.member_id = given.member_id"
        if shape.text:
            texts.append(shape.text.format(given=f"SELECT given.* FROM {granted}"))  # noqa: S608 - constants
        else:
            texts.append(_insert_text(shape, granted))
        first += len(shape.columns) * (row_count if row_count < ARRAYS else 1)
    answers = "".join(f", {answer}" for shape, _ in parts for answer in shape.answers)
    return (",\n".join(texts) + f"\nSELECT member_id{answers} FROM granted").encode()


def _insert_text(shape: RowShape, granted: str) -> str:
    names = ", ".join(name for name, _ in shape.columns)
    values = ", ".join(
        f"given.{name}::jsonb" if sql_type == "jsonb" else f"given.{name}" for name, sql_type in shape.columns
    )
    return f"into_{shape.table} AS (INSERT INTO {shape.table} ({names}) SELECT {values} FROM {granted})"  # noqa: S608


@dataclass(slots=True)
class GuardedWrite:
    """The statement as it is put together: the guard with its parameters first, then the rows by table."""

    guard: str
    parameters: list[Any]
    as_arrays: bool = False
    rows: dict[RowShape, list[tuple[Any, ...]]] = field(default_factory=dict)
    answers: tuple[Any, ...] = ()

    def add(self, shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write ``rows`` too, each if its member is granted."""
        if rows:
            self.rows.setdefault(shape, []).extend(rows)

    def statement(self) -> tuple[bytes, list[Any]]:
        """Return the statement and its parameters."""
        tables = sorted(self.rows.items(), key=lambda item: item[0].table)  # whichever member came with which first
        parts = tuple((shape, form_of(len(rows), self.as_arrays)) for shape, rows in tables)
        statement = _statement(self.guard, len(self.parameters) + 1, parts)
        parameters = list(self.parameters)
        for shape, rows in tables:
            parameters += source_values(shape.columns, rows, self.as_arrays)
        return statement, parameters

    def execute(self, connection: psycopg.Connection[Any]) -> set[UUID]:
        """Run the statement; return the members that were granted, and so written.

        Any constraint error undoes it all. ``answers`` is what the rows' shapes asked for, empty where none is granted.
        """
        statement, parameters = self.statement()
        with psycopg.RawCursor(connection) as cursor:
            rows = cursor.execute(statement, parameters).fetchall()
        self.answers = tuple(rows[0][1:]) if rows else ()
        return {row[0] for row in rows}
