"""Facts reach each projection once and in order per member, whoever fails, crashes or rebuilds meanwhile."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from app.core import projector
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import Fact, OutboxRow, ParkedFact, partition_of
from app.core.projector import Projection, drain, project_once, rebuild, retry_parked
from app.core.unit_of_work import unit_of_work
from config import Settings
from tests.core.conftest import in_context

TABLE = "test_projection_log"


class Log:
    """A projection that writes down what it is given, in the order in which it comes, and fails where it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failing: set[tuple[UUID, int]] = set()
        self.error: Callable[[], None] = self.fail
        self.cleared: Callable[[], None] = lambda: None
        self.projection = Projection(name, self.apply, self.clear)

    def fail(self) -> None:
        raise ValueError("this fact is odd")

    def apply(self, session: Any, facts: Sequence[Fact]) -> None:
        for fact in facts:
            session.execute(
                text(f"INSERT INTO {TABLE} (projection, member_id, version) VALUES (:p, :m, :v)"),
                {"p": self.name, "m": fact.member_id, "v": fact.version},
            )
            if (fact.member_id, fact.version) in self.failing:
                self.error()

    def clear(self, session: Any) -> None:
        session.execute(text(f"DELETE FROM {TABLE} WHERE projection = :p"), {"p": self.name})
        self.cleared()

    def got(self) -> dict[UUID, list[int]]:
        """The versions that are written down, by member, in the order in which they were."""
        with db.engine.connect() as connection:
            rows = connection.execute(
                text(f"SELECT member_id, version FROM {TABLE} WHERE projection = :p ORDER BY place"), {"p": self.name}
            ).all()
        found: dict[UUID, list[int]] = {}
        for member_id, version in rows:
            found.setdefault(member_id, []).append(version)
        return found


@pytest.fixture
def logs(app: Flask, settings: Settings) -> Iterator[tuple[Log, Log]]:
    """Two projections in the place of the real ones."""
    with psycopg.connect(settings.database_owner_url, autocommit=True) as owner:
        owner.execute(
            f"CREATE TABLE {TABLE} (place bigint GENERATED ALWAYS AS IDENTITY, projection text, member_id uuid,"
            " version bigint)"
        )
        owner.execute(f"GRANT SELECT, INSERT, DELETE ON {TABLE} TO greenpoints_app")
        kept, pair = app.extensions["projections"], (Log("one"), Log("two"))
        app.extensions["projections"] = {log.name: log.projection for log in pair}
        yield pair
        app.extensions["projections"] = kept
        db.session.rollback()
        owner.execute(f"DROP TABLE {TABLE}")


@pytest.fixture
def one(logs: tuple[Log, Log]) -> Log:
    return logs[0]


@pytest.fixture
def two(logs: tuple[Log, Log]) -> Log:
    return logs[1]


def write(*facts: tuple[UUID, int]) -> None:
    with unit_of_work() as session:
        for member_id, version in facts:
            session.add(
                OutboxRow(member_id=member_id, version=version, partition=partition_of(member_id), kind="test",
                          payload={}, recorded_at=now())
            )  # fmt: skip


def parked(name: str) -> dict[tuple[UUID, int], tuple[str, int]]:
    db.session.rollback()
    rows = db.session.execute(
        select(ParkedFact.member_id, ParkedFact.version, ParkedFact.error, ParkedFact.attempts).where(
            ParkedFact.projection == name
        )
    )
    return {(row.member_id, row.version): (row.error, row.attempts) for row in rows}


def waiting() -> int:
    with db.engine.connect() as connection:
        return connection.scalar(select(func.count()).where(~OutboxRow.is_applied)) or 0


@pytest.mark.parametrize("claim", [1, 3, 1000])
def test_facts_are_applied_once_in_the_order_of_their_member(
    one: Log, two: Log, claim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "CLAIM_ROWS_MAX", claim)
    ids = [new_id() for _ in range(5)]
    write(*((member_id, version) for version in (3, 1, 2, 5, 4) for member_id in ids))
    assert drain() == 25
    assert one.got() == two.got() == {member_id: [1, 2, 3, 4, 5] for member_id in ids}
    assert (project_once(), waiting()) == (0, 0)


def test_a_fact_that_fails_is_parked_and_holds_up_its_member_in_that_projection_alone(one: Log, two: Log) -> None:
    ada, ben = new_id(), new_id()
    one.failing = {(ada, 2)}
    write(*((member_id, version) for member_id in (ada, ben) for version in (1, 2, 3)))
    drain()
    assert one.got() == {ada: [1], ben: [1, 2, 3]}
    assert two.got() == {ada: [1, 2, 3], ben: [1, 2, 3]}
    assert parked("two") == {}
    assert parked("one") == {
        (ada, 2): ("ValueError: this fact is odd", 1),
        (ada, 3): ("waits behind version 2", 1),
    }
    # what comes later waits too, although it would not fail
    write((ada, 4), (ben, 4))
    drain()
    assert (one.got()[ada], one.got()[ben], two.got()[ada]) == ([1], [1, 2, 3, 4], [1, 2, 3, 4])
    assert parked("one")[ada, 4] == ("waits behind an earlier parked fact", 0)
    assert waiting() == 0


def test_a_fact_that_breaks_the_transaction_is_parked_as_well(one: Log, two: Log) -> None:
    ada = new_id()
    one.failing = {(ada, 1)}
    one.error = lambda: db.session.execute(text("SELECT 1/0"))
    write((ada, 1), (ada, 2))
    drain()
    assert (one.got(), two.got()) == ({}, {ada: [1, 2]})
    assert "DivisionByZero" in parked("one")[ada, 1][0]


def test_what_was_parked_is_applied_in_order_once_it_can_be(one: Log) -> None:
    ada, ben = new_id(), new_id()
    one.failing = {(ada, 1), (ben, 2)}
    write((ada, 1), (ada, 2), (ben, 1), (ben, 2))
    drain()
    write((ada, 3))
    drain()
    one.failing = {(ben, 2)}
    assert retry_parked("one") == 3
    assert one.got() == {ada: [1, 2, 3], ben: [1]}
    assert parked("one") == {(ben, 2): ("ValueError: this fact is odd", 2)}
    write((ada, 4), (ben, 3))
    drain()
    one.failing = set()
    assert retry_parked("one") == 2
    assert one.got() == {ada: [1, 2, 3, 4], ben: [1, 2, 3]}
    assert parked("one") == {}
    assert retry_parked("one") == 0


@pytest.mark.parametrize("kind", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
@pytest.mark.parametrize("count", [1, 3])
def test_a_deadlock_parks_nothing_but_is_tried_again(one: Log, two: Log, kind: type[Exception], count: int) -> None:
    ada = new_id()
    one.failing = {(ada, 1)}
    times = itertools.count()

    def once() -> None:
        if next(times) == 0:
            raise kind

    one.error = once
    write(*((ada, version) for version in range(1, count + 1)))
    assert drain() == count
    assert one.got() == two.got() == {ada: list(range(1, count + 1))}
    assert parked("one") == {}


def check_complete(log: Log, ids: Sequence[UUID], count: int) -> None:
    assert log.got() == {member_id: list(range(1, count + 1)) for member_id in ids}


def test_several_projectors_at_once_apply_each_fact_once(one: Log, two: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "CLAIM_ROWS_MAX", 7)
    ids = [new_id() for _ in range(30)]
    written = threading.Event()

    def project() -> None:
        while not written.is_set() or waiting():
            project_once()

    with ThreadPoolExecutor(4) as pool:
        projecting = [pool.submit(in_context(project)) for _ in range(4)]
        try:
            for version in range(1, 21):
                write(*((member_id, version) for member_id in ids))
        finally:
            written.set()
        for each in projecting:
            each.result(30)
    for log in (one, two):
        check_complete(log, ids, 20)
    assert parked("one") == parked("two") == {}


def test_a_rebuild_comes_to_what_is_there(one: Log, two: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "REBUILD_ROWS", 4)
    ids = [new_id() for _ in range(5)]
    write(*((member_id, version) for member_id in ids for version in (1, 2, 3)))
    drain()
    write((ids[0], 4))  # waits: it is for the projector, not for the rebuild
    assert rebuild("one") == 15
    check_complete(one, ids, 3)
    check_complete(two, ids, 3)
    drain()
    assert one.got() == two.got()


def test_a_rebuild_tries_what_was_parked_again(one: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "REBUILD_ROWS", 2)
    ada, ben = new_id(), new_id()
    one.failing = {(ada, 1), (ben, 4)}
    write(*((member_id, version) for member_id in (ada, ben) for version in range(1, 7)))
    drain()
    one.failing = {(ben, 4)}
    rebuild("one")
    assert one.got() == {ada: [1, 2, 3, 4, 5, 6], ben: [1, 2, 3]}
    assert sorted(version for _, version in parked("one")) == [4, 5, 6], "across the chunks of the rebuild"


def test_a_rebuild_that_fails_changes_nothing(one: Log) -> None:
    ada = new_id()
    write((ada, 1))
    drain()

    def fail() -> None:
        raise RuntimeError

    one.cleared = fail
    with pytest.raises(RuntimeError):
        rebuild("one")
    assert one.got() == {ada: [1]}


def test_nothing_is_lost_or_doubled_while_a_projection_is_rebuilt(
    one: Log, two: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts go on coming and a projector goes on working, while one projection is rebuilt again and again."""
    monkeypatch.setattr(projector, "CLAIM_ROWS_MAX", 5)
    monkeypatch.setattr(projector, "REBUILD_ROWS", 7)
    ids = [new_id() for _ in range(10)]
    written = threading.Event()

    def project() -> None:
        while not written.is_set() or waiting():
            project_once()

    def produce() -> None:
        for version in range(1, 31):
            for member_id in ids:
                write((member_id, version))
        written.set()

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(in_context(work)) for work in (project, project, produce)]
        for _ in range(6):
            rebuild("one")
        for each in working:
            each.result(30)
    check_complete(one, ids, 30)
    check_complete(two, ids, 30)
    rebuild("one")
    check_complete(one, ids, 30)


def test_a_fact_that_comes_between_clearing_and_reading_waits_for_the_projector(one: Log) -> None:
    ada = new_id()
    write((ada, 1))
    drain()
    others = []

    def meanwhile() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(in_context(lambda: write((ada, 2)))).result()
            others.append(pool.submit(in_context(project_once)).result())

    one.cleared = meanwhile
    assert rebuild("one") == 1
    assert others == [0], "projectors pass over the partitions that the rebuild holds"
    assert drain() == 1
    assert one.got() == {ada: [1, 2]}


def test_a_claim_takes_as_many_statements_for_many_facts_as_for_few(logs: tuple[Log, Log], app: Flask) -> None:
    app.extensions["projections"] = {"silent": Projection("silent", lambda *_: None, lambda _: None)}
    statements: list[str] = []

    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    counts = []
    event.listen(db.engine, "before_cursor_execute", count)
    try:
        for size in (1, 500):
            ada = new_id()
            write(*((ada, version) for version in range(size)))
            statements.clear()
            assert project_once() == size
            counts.append(len(statements))
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    assert counts[0] == counts[1] <= 8


def test_the_worker_goes_on_after_an_error_and_stops_when_told(
    one: Log, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = new_id()
    write((ada, 1))
    stop = threading.Event()
    calls = itertools.count()
    real = projector.project_once

    def unsteady() -> int:
        if next(calls) == 0:
            raise RuntimeError("the database is gone for a moment")
        done = real()
        if done == 0:
            stop.set()
        return done

    monkeypatch.setattr(projector, "project_once", unsteady)
    monkeypatch.setattr(stop, "wait", lambda _: None)
    projector.run_forever(stop)
    assert one.got() == {ada: [1]}


def test_the_commands_rebuild_list_and_retry(one: Log, app: Flask) -> None:
    ada = new_id()
    one.failing = {(ada, 2)}
    write((ada, 1), (ada, 2))
    drain()

    def run(*words: str) -> tuple[int, str]:
        done = app.test_cli_runner().invoke(args=["projections", *words])
        return done.exit_code, done.output

    assert run("parked") == (0, f"one {ada} 2 after 1 attempts: ValueError: this fact is odd\n")
    one.failing = set()
    assert run("retry", "one") == (0, "1 applied\n")
    assert run("parked") == (0, "")
    assert run("rebuild", "two") == (0, "2 facts applied\n")
    code, output = run("rebuild", "three")
    assert code == 2
    assert "there are one, two" in output
