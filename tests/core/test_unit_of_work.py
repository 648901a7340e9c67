"""One transaction at the edge: joined, rolled back, retried, and what follows its commit."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.core.cache import ConfigVersion
from app.core.database import db
from app.core.errors import Conflict, ServiceUnavailable
from app.core.unit_of_work import (
    ATTEMPTS_MAX,
    after_commit,
    in_unit_of_work,
    retry_transient,
    savepoint,
    transactional,
    unit_of_work,
)
from tests.core.conftest import in_context

pytestmark = pytest.mark.usefixtures("app")


def add(name: str, version: int = 1) -> None:
    db.session.add(ConfigVersion(name=name, version=version))
    db.session.flush()


def write(name: str) -> None:
    with unit_of_work():
        add(name)


def work_and_fail(work: Callable[[], object], error: type[BaseException] = RuntimeError) -> None:
    work()
    raise error


def stored() -> dict[str, int]:
    """What other connections see."""
    with db.engine.connect() as connection:
        return {row.name: row.version for row in connection.execute(select(ConfigVersion.name, ConfigVersion.version))}


def test_it_commits_when_the_outermost_leaves() -> None:
    with unit_of_work():
        with unit_of_work():
            add("inner")
        assert in_unit_of_work()
        assert stored() == {}
        add("outer")
    assert not in_unit_of_work()
    assert stored() == {"inner": 1, "outer": 1}


@pytest.mark.parametrize("error", [RuntimeError, Conflict, KeyboardInterrupt, SystemExit])
def test_any_exception_rolls_all_of_it_back(error: type[BaseException]) -> None:
    with pytest.raises(error), unit_of_work():
        work_and_fail(lambda: write("inner"), error)
    assert stored() == {}
    assert not in_unit_of_work()
    with unit_of_work():
        add("after")
    assert stored() == {"after": 1}


def test_it_sees_what_was_committed_before_it_began() -> None:
    db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    assert db.session.scalar(select(ConfigVersion.version)) is None
    with ThreadPoolExecutor(1) as pool:
        pool.submit(in_context(lambda: write("news"))).result()
    with unit_of_work() as session:
        assert session.scalar(select(ConfigVersion.name)) == "news"


def test_what_follows_the_commit_runs_after_it_in_order() -> None:
    seen: list[object] = []
    with unit_of_work():
        after_commit(lambda: seen.append(("first", stored())))
        with unit_of_work():
            add("x")
            after_commit(lambda: seen.append("second"))
        assert seen == []
    assert seen == [("first", {"x": 1}), "second"]


def test_what_follows_the_commit_may_open_a_unit_of_its_own() -> None:
    with unit_of_work():
        after_commit(lambda: write("later"))
    assert stored() == {"later": 1}


def test_a_hook_that_fails_keeps_neither_the_work_nor_the_next_hook_from_being_done() -> None:
    seen: list[str] = []

    def fail() -> None:
        raise RuntimeError

    with unit_of_work():
        add("kept")
        after_commit(fail)
        after_commit(lambda: seen.append("followed"))
    assert seen == ["followed"]
    assert "kept" in stored()


def test_what_should_follow_is_dropped_on_rollback() -> None:
    seen: list[str] = []
    with pytest.raises(RuntimeError), unit_of_work():
        work_and_fail(lambda: after_commit(lambda: seen.append("never")))
    with unit_of_work():
        add("x")
    assert seen == []


def test_what_should_follow_is_dropped_when_the_commit_fails() -> None:
    seen: list[str] = []

    @transactional
    def work() -> None:
        db.session.execute(text("CREATE TEMP TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"))
        db.session.execute(text("INSERT INTO once VALUES (1), (1)"))
        after_commit(lambda: seen.append("never"))

    with pytest.raises(IntegrityError):
        work()
    assert seen == []
    assert not in_unit_of_work()


def test_a_savepoint_undoes_its_own_part_alone() -> None:
    seen: list[str] = []
    with unit_of_work():
        add("before")
        after_commit(lambda: seen.append("before"))
        with pytest.raises(RuntimeError), savepoint():
            work_and_fail(lambda: (add("inside"), after_commit(lambda: seen.append("inside"))))
        with savepoint():
            after_commit(lambda: seen.append("kept"))
        add("after")
    assert stored() == {"before": 1, "after": 1}
    assert seen == ["before", "kept"]


def test_a_savepoint_survives_an_error_of_the_database() -> None:
    with unit_of_work() as session:
        add("before")
        with pytest.raises(Exception, match="division by zero"), savepoint():
            session.execute(text("SELECT 1/0"))
        add("after")
    assert stored() == {"before": 1, "after": 1}


def test_a_deadlock_of_two_threads_is_retried_until_both_are_done() -> None:
    with unit_of_work():
        add("a", 0)
        add("b", 0)
    meeting = threading.Barrier(2)
    attempts: list[str] = []

    def increment(first: str, second: str) -> Callable[[], None]:
        is_first_try = True

        @transactional
        def run() -> None:
            nonlocal is_first_try
            attempts.append(first)
            for name in (first, second):
                db.session.execute(text("UPDATE config_version SET version = version + 1 WHERE name = :n"), {"n": name})
                if is_first_try:
                    is_first_try = False
                    meeting.wait(5)

        return run

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(in_context(increment("a", "b"))), pool.submit(in_context(increment("b", "a")))]
        for done in both:
            done.result(20)
    assert stored() == {"a": 2, "b": 2}
    assert len(attempts) == 3, "the victim of the deadlock tried again, the other did not"


def test_a_serialisation_failure_is_retried() -> None:
    with unit_of_work():
        add("a", 0)
    attempts: list[int] = []

    @transactional
    def add_one() -> None:
        attempts.append(1)
        session = db.session
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        row = session.get(ConfigVersion, "a")
        if len(attempts) == 1:  # somebody else changes it after we have read it
            with ThreadPoolExecutor(1) as pool:
                pool.submit(in_context(lambda: set_version(10))).result()
        row.version += 1

    add_one()
    assert stored() == {"a": 11}
    assert len(attempts) == 2


def set_version(version: int) -> None:
    with unit_of_work() as session:
        session.execute(text("UPDATE config_version SET version = :v"), {"v": version})


@pytest.mark.parametrize("kind", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
def test_after_the_last_attempt_the_caller_is_told_to_come_back(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    attempts: list[int] = []

    @transactional
    def never() -> None:
        attempts.append(1)
        add(f"try-{len(attempts)}")
        raise kind

    with pytest.raises(ServiceUnavailable) as refused:
        never()
    assert refused.value.headers["Retry-After"]
    assert len(attempts) == ATTEMPTS_MAX
    assert stored() == {}


def test_other_errors_are_not_retried() -> None:
    attempts: list[int] = []

    def fail() -> None:
        attempts.append(1)
        raise psycopg.errors.UniqueViolation

    with pytest.raises(psycopg.errors.UniqueViolation):
        retry_transient(fail)
    assert len(attempts) == 1


def test_only_the_outermost_edge_retries() -> None:
    attempts: list[int] = []

    @transactional
    def inner() -> None:
        attempts.append(1)
        raise psycopg.errors.DeadlockDetected

    with pytest.raises(psycopg.errors.DeadlockDetected), unit_of_work():
        inner()
    assert len(attempts) == 1
