"""A snapshot is never behind its own process, and soon not behind the others."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.core.cache import CHECK_SECONDS, ConfigVersion, Snapshot, bump
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from tests.core.conftest import MakeApp, in_context

NAME = "colour"


class Loader:
    """Loads the name of a row that stands for configuration; counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return db.session.scalar(select(ConfigVersion.version).where(ConfigVersion.name == "value")) or 0


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def snapshot(app: Flask, loader: Loader) -> Snapshot[int]:
    return Snapshot(NAME, loader)


def change() -> None:
    """Change the value and say so, in one transaction."""
    with unit_of_work():
        bump("value")
        bump(NAME)


def change_and_fail(meanwhile: Callable[[], object]) -> None:
    change()
    meanwhile()
    raise ZeroDivisionError


def test_a_value_is_loaded_once_until_it_changes(snapshot: Snapshot[int], loader: Loader) -> None:
    assert [snapshot.get() for _ in range(5)] == [0] * 5
    assert loader.count == 1
    for value in (1, 2, 3):
        change()
        assert [snapshot.get() for _ in range(5)] == [value] * 5
    assert loader.count == 4


def test_another_name_is_left_alone(snapshot: Snapshot[int], loader: Loader) -> None:
    snapshot.get()
    with unit_of_work():
        bump("another")
    snapshot.get()
    assert loader.count == 1


def test_a_change_that_is_rolled_back_is_never_seen(snapshot: Snapshot[int], loader: Loader) -> None:
    snapshot.get()
    with pytest.raises(ZeroDivisionError), unit_of_work():
        change_and_fail(list)
    assert (snapshot.get(), loader.count) == (0, 1)


def test_what_is_not_committed_is_never_kept(snapshot: Snapshot[int]) -> None:
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError), unit_of_work():
        change_and_fail(lambda: seen.append(snapshot.get()))
    assert seen == [0], "nobody, that unit of work included, sees what may still be undone"
    assert snapshot.get() == 0
    change()
    assert snapshot.get() == 1


def test_other_applications_follow_soon(snapshot: Snapshot[int], make_app: MakeApp) -> None:
    other = make_app()
    with other.app_context():
        assert snapshot.get() == 0
    change()
    assert snapshot.get() == 1
    deadline = time.monotonic() + CHECK_SECONDS + 0.3
    with other.app_context():
        while snapshot.get() != 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_change_that_meets_a_load_under_way_is_not_lost(app: Flask) -> None:
    """The load reads the old value, the change commits, and only then is what was loaded put away."""
    loading, go_on = threading.Event(), threading.Event()

    def load() -> int:
        value = Loader()()
        loading.set()
        go_on.wait(5)
        return value

    slow = Snapshot(NAME, load)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(in_context(slow.get))
        assert loading.wait(5)
        changing = pool.submit(in_context(change))
        time.sleep(0.1)
        go_on.set()
        assert first.result(5) == 0
        changing.result(5)
        assert slow.get() == 1


def test_one_thread_loads_for_all(app: Flask) -> None:
    loads = []

    def load() -> int:
        loads.append(1)
        time.sleep(0.1)
        return 7

    slow = Snapshot(NAME, load)
    with ThreadPoolExecutor(8) as pool:
        assert [done.result() for done in [pool.submit(in_context(slow.get)) for _ in range(8)]] == [7] * 8
    assert len(loads) == 1


@pytest.fixture
def small_app(make_app: MakeApp) -> Iterator[Flask]:
    """An application with two connections for two threads."""
    small = make_app(database_pool_size=2)
    with small.app_context():
        yield small


def test_a_load_finds_a_connection_while_every_thread_holds_its_own(app: Flask, small_app: Flask) -> None:
    def load() -> int:
        with db.engine.connect() as connection:
            return connection.scalar(text("SELECT 7")) or 0

    snapshot = Snapshot(NAME, load)
    barrier = threading.Barrier(2)

    def work(_: int) -> int:
        with small_app.app_context(), unit_of_work() as session:
            session.execute(text("SELECT 1"))
            barrier.wait(5)
            return snapshot.get()

    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [7, 7]
    assert time.monotonic() - started < 5, "the pool's patience is ten seconds"


def test_what_is_known_does_not_wait_for_what_is_being_loaded(app: Flask, snapshot: Snapshot[int]) -> None:
    assert snapshot.get() == 0
    begun, may_end = threading.Event(), threading.Event()

    def load_slowly() -> int:
        begun.set()
        assert may_end.wait(10)
        return 1

    slow = Snapshot("slow", load_slowly)
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(in_context(slow.get))
        assert begun.wait(10)
        time.sleep(CHECK_SECONDS)  # so that the versions are asked for again
        assert pool.submit(in_context(snapshot.get)).result(5) == 0
        may_end.set()
        assert loading.result(10) == 1
