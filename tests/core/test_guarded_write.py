"""One statement writes for the members that are granted, and nothing for the others, or nothing at all."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.guarded_write import SCALAR_ROWS_MAX, GuardedWrite, RowShape
from app.core.outbox import OutboxRow, ParkedFact

OUTBOX = RowShape("outbox", (
    ("member_id", "uuid"), ("version", "bigint"), ("partition", "smallint"), ("kind", "text"), ("payload", "jsonb"),
    ("recorded_at", "timestamptz"),
))  # fmt: skip
PARKED = RowShape("parked_fact", (
    ("member_id", "uuid"), ("version", "bigint"), ("projection", "text"), ("error", "text"), ("attempts", "smallint"),
    ("parked_at", "timestamptz"),
))  # fmt: skip
GUARD = "WITH granted AS (SELECT unnest($1::uuid[]) AS member_id)"
MEMBERS = [UUID(int=number) for number in range(1, 4)]

pytestmark = pytest.mark.usefixtures("app")


def fact(member_id: UUID, version: int) -> tuple[Any, ...]:
    return (member_id, version, 0, "test", f'{{"v": {version}, "text": "ä\\"\\\\\\n"}}', now())


def write(granted: list[UUID], *parts: tuple[RowShape, list[tuple[Any, ...]]]) -> set[UUID]:
    statement = GuardedWrite(GUARD, [granted])
    for shape, rows in parts:
        statement.add(shape, rows)
    with driver_connection() as connection:
        return statement.execute(connection)


def versions(member_id: UUID) -> list[int]:
    query = select(OutboxRow.version).where(OutboxRow.member_id == member_id).order_by(OutboxRow.version)
    return list(db.session.scalars(query))


@pytest.mark.parametrize("count", [1, SCALAR_ROWS_MAX, SCALAR_ROWS_MAX + 1, 500])
def test_rows_of_granted_members_are_written_few_or_many(count: int) -> None:
    rows = [fact(member_id, version) for version in range(count) for member_id in MEMBERS]
    assert write(MEMBERS[:2], (OUTBOX, rows)) == set(MEMBERS[:2])
    assert versions(MEMBERS[0]) == versions(MEMBERS[1]) == list(range(count))
    assert versions(MEMBERS[2]) == []
    stored = db.session.get(OutboxRow, (MEMBERS[0], count - 1))
    assert stored is not None
    assert stored.payload == {"v": count - 1, "text": 'ä"\\\n'}


@pytest.mark.parametrize("count", [1, 20])
def test_several_tables_are_written_by_one_statement(count: int) -> None:
    parked = [(member_id, 1, "p", "it's", 1, None) for member_id in MEMBERS[:1]]
    with pytest.raises(psycopg.errors.NotNullViolation):
        write(MEMBERS, (OUTBOX, [fact(MEMBERS[0], version) for version in range(count)]), (PARKED, parked))
    assert versions(MEMBERS[0]) == [], "a constraint undoes all of it"
    parked = [(*row[:-1], now()) for row in parked]
    write(MEMBERS, (OUTBOX, [fact(MEMBERS[0], version) for version in range(count)]), (PARKED, parked))
    assert versions(MEMBERS[0]) == list(range(count))
    assert db.session.scalar(select(ParkedFact.error)) == "it's"


def test_one_duplicate_leaves_nothing_of_the_statement() -> None:
    write(MEMBERS, (OUTBOX, [fact(MEMBERS[0], 1)]))
    with pytest.raises(psycopg.errors.UniqueViolation):
        write(MEMBERS, (OUTBOX, [fact(MEMBERS[1], 1), fact(MEMBERS[0], 1)]))
    assert versions(MEMBERS[1]) == []


def test_granting_nobody_writes_nothing() -> None:
    assert write([], (OUTBOX, [fact(MEMBERS[0], 1)])) == set()
    assert versions(MEMBERS[0]) == []


def test_no_rows_are_no_statement_of_their_own() -> None:
    assert write(MEMBERS, (OUTBOX, [])) == set(MEMBERS)


def test_the_text_of_a_statement_is_kept_by_its_shape() -> None:
    def text(count: int, tag: int) -> bytes:
        statement = GuardedWrite(GUARD, [MEMBERS])
        statement.add(OUTBOX, [fact(MEMBERS[0], tag + version) for version in range(count)])
        return statement.statement()[0]

    assert text(2, 0) is text(2, 50)
    assert text(7, 0) is text(300, 50)
    assert text(1, 0) != text(2, 0) != text(7, 0)


def test_as_arrays_the_text_depends_on_the_tables_alone() -> None:
    def statement(count: int, first: RowShape, second: RowShape) -> GuardedWrite:
        made = GuardedWrite(GUARD, [MEMBERS], as_arrays=True)
        rows = {
            OUTBOX: [fact(MEMBERS[0], version) for version in range(count)],
            PARKED: [(MEMBERS[0], version, "p", "e", 1, now()) for version in range(count)],
        }
        made.add(first, rows[first])
        made.add(second, rows[second])
        return made

    texts = {
        statement(count, *order).statement()[0]
        for count in (1, 3, 50)
        for order in ((OUTBOX, PARKED), (PARKED, OUTBOX))
    }
    assert len(texts) == 1
    with driver_connection() as connection:
        assert statement(1, OUTBOX, PARKED).execute(connection) == set(MEMBERS)
    assert versions(MEMBERS[0]) == [0]


def test_a_shape_is_led_by_its_member() -> None:
    with pytest.raises(AssertionError):
        RowShape("outbox", (("version", "bigint"),))
