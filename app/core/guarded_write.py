"""One statement that writes the rows of many tables, or none of them, for each member.

The ledger gives the guard: common table expressions that end in one named ``granted``, the members whose account
was found as it had been read. Every room adds its rows; those of a member who was not granted are left out. A few
rows go as scalars, many as ``unnest`` arrays in binary: on one row the arrays cost twice the statement itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

SCALAR_ROWS_MAX = 4


@dataclass(frozen=True, slots=True)
class RowShape:
    """A table and the columns written, each with its SQL type; the first is ``member_id``."""

    table: str
    columns: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        assert self.columns[0] == ("member_id", "uuid")


@dataclass(slots=True)
class Parameters:
    """The statement's parameters; an id or a moment that stands in many places is sent once."""

    values: list[Any] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)

    def add(self, value: Any, sql_type: str) -> str:
        """Return the placeholder of ``value``, cast to ``sql_type``."""
        if value is None:
            return f"NULL::{sql_type}"
        is_shared = isinstance(value, UUID | datetime)
        place = self.places.get(id(value)) if is_shared else None
        if place is None:
            self.values.append(value)
            place = len(self.values)
            if is_shared:
                self.places[id(value)] = place
        return f"${place}::{sql_type}"


def source(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], parameters: Parameters) -> str:
    """Return a SELECT that yields ``rows`` under the names of ``columns``."""
    if len(rows) <= SCALAR_ROWS_MAX:
        return " UNION ALL ".join(
            "SELECT "
            + ", ".join(
                f"{parameters.add(value, sql_type)} AS {name}"
                for value, (name, sql_type) in zip(row, columns, strict=True)
            )
            for row in rows
        )
    arrays = ", ".join(
        parameters.add(list(values), ("text" if sql_type == "jsonb" else sql_type) + "[]")
        for values, (_, sql_type) in zip(zip(*rows, strict=True), columns, strict=True)
    )
    names = ", ".join(name for name, _ in columns)
    return f"SELECT * FROM unnest({arrays}) AS given({names})"  # noqa: S608 - names come from RowShape alone


@dataclass(slots=True)
class GuardedWrite:
    """The statement as it is put together: the guard first, then the rows by table."""

    guard: str
    parameters: Parameters
    rows: dict[RowShape, list[tuple[Any, ...]]] = field(default_factory=dict)

    def add(self, shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write ``rows`` too, each if its member is granted."""
        if rows:
            self.rows.setdefault(shape, []).extend(rows)

    def execute(self, connection: psycopg.Connection[Any]) -> set[UUID]:
        """Run the statement; return the members that were granted, and so written.

        Any constraint error undoes it all.
        """
        parts = [self.guard]
        for shape, rows in self.rows.items():
            names = ", ".join(name for name, _ in shape.columns)
            values = ", ".join(
                f"given.{name}::jsonb" if sql_type == "jsonb" else f"given.{name}" for name, sql_type in shape.columns
            )
            parts.append(
                f"into_{shape.table} AS (INSERT INTO {shape.table} ({names}) SELECT {values}"  # noqa: S608
                f" FROM ({source(shape.columns, rows, self.parameters)}) AS given"
                " JOIN granted ON granted.member_id = given.member_id)"
            )
        statement = ",\n".join(parts) + "\nSELECT member_id FROM granted"
        with psycopg.RawCursor(connection) as cursor:
            return {row[0] for row in cursor.execute(statement.encode(), self.parameters.values)}
