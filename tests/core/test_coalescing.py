"""Calls that come while another is served share the next turn, and no thread hangs whatever a turn meets."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from app.core.coalescing import Coalescer
from app.core.errors import Conflict, ServiceUnavailable

SECONDS = 10


class Service:
    """Serves by naming key and item; notes each turn and its thread.

    A turn with "hold" in it waits until it is let go, one with an item of ``refusals`` raises what stands there.
    """

    def __init__(self, size_max: int = 8) -> None:
        self.turns: list[list[Any]] = []
        self.threads: list[str] = []
        self.let_go = threading.Event()
        self.refusals: dict[Any, BaseException] = {}
        self.coalescer: Coalescer[str, Any, Any] = Coalescer(self.serve, size_max)

    def serve(self, key: str, items: list[Any]) -> list[Any]:
        self.turns.append(items)
        self.threads.append(threading.current_thread().name)
        if "hold" in items:
            assert self.let_go.wait(SECONDS)
        for item in items:
            if item in self.refusals:
                raise self.refusals[item]
        return [f"{key}:{item}" for item in items]

    def call(self, item: Any, key: str = "k") -> Callable[[], Any]:
        return lambda: self.coalescer.submit(key, item)

    def wait_for(self, count: int, key: str = "k") -> None:
        """Wait until ``count`` calls wait under ``key``."""
        until = time.monotonic() + SECONDS
        while len(self.coalescer._waiting.get(key, ())) != count:
            assert time.monotonic() < until
            time.sleep(0.001)


@pytest.fixture
def service() -> Service:
    return Service()


@contextmanager
def queued(service: Service, items: list[Any]) -> Iterator[list[Future[Any]]]:
    """Let calls of ``items`` wait behind one that is being served; on leaving it ends, and all have been answered."""
    with ThreadPoolExecutor(len(items) + 1, "caller") as pool:
        holding = pool.submit(service.call("hold"))
        until = time.monotonic() + SECONDS
        while not service.turns:
            assert time.monotonic() < until
            time.sleep(0.001)
        futures = []
        for place, item in enumerate(items, 1):
            futures.append(pool.submit(service.call(item)))
            service.wait_for(place)
        try:
            yield futures
        finally:
            service.let_go.set()
            assert holding.result(SECONDS) == "k:hold"
            for future in futures:
                future.exception(SECONDS)
    assert not service.coalescer.is_busy("k"), "nothing is left behind"


def test_a_call_alone_is_served_at_once_by_its_own_thread(service: Service) -> None:
    assert [service.call(item)() for item in (1, 2)] == ["k:1", "k:2"]
    assert service.turns == [[1], [2]]
    assert set(service.threads) == {threading.current_thread().name}
    assert not service.coalescer.is_busy("k")


def test_calls_that_come_meanwhile_share_the_next_turn_in_their_order(service: Service) -> None:
    with queued(service, [1, 2, 3]) as futures:
        assert service.coalescer.is_busy("k")
    assert [future.result() for future in futures] == ["k:1", "k:2", "k:3"]
    assert service.turns == [["hold"], [1, 2, 3]]


def test_a_turn_has_a_greatest_size_and_each_is_led_by_a_call_of_its_own() -> None:
    service = Service(size_max=3)
    with queued(service, list(range(7))) as futures:
        pass
    assert [future.result() for future in futures] == [f"k:{item}" for item in range(7)]
    assert service.turns == [["hold"], [0, 1, 2], [3, 4, 5], [6]]
    assert len(set(service.threads)) == 4, "no thread leads twice for one call"


def test_calls_of_another_key_wait_for_nobody(service: Service) -> None:
    with queued(service, [1]):
        assert service.call(2, "other")() == "other:2"
    assert service.turns == [["hold"], [2], [1]]


def test_an_error_reaches_everybody_of_its_turn_and_nobody_else() -> None:
    service = Service(size_max=3)
    service.refusals[2] = Conflict("not now")
    with queued(service, [1, 2, 3, 4]) as futures:
        pass
    assert [future.exception() for future in futures] == [service.refusals[2]] * 3 + [None]
    assert futures[3].result() == "k:4"


def test_a_leader_told_to_end_leaves_the_others_an_answer_and_the_next_turn_a_leader() -> None:
    service = Service(size_max=2)
    service.refusals[1] = SystemExit(3)
    with queued(service, [1, 2, 3, 4]) as futures:
        pass
    assert isinstance(futures[0].exception(), SystemExit)
    assert isinstance(futures[1].exception(), ServiceUnavailable)
    assert [future.result() for future in futures[2:]] == ["k:3", "k:4"]


def test_a_service_that_answers_too_few_is_an_error_for_all_of_the_turn() -> None:
    coalescer: Coalescer[str, int, int] = Coalescer(lambda _, items: items[1:], 8)
    with pytest.raises(ValueError, match="zip"):
        coalescer.submit("k", 1)
    assert not coalescer.is_busy("k")


def test_a_thread_interrupted_while_it_waits_is_not_counted_on(service: Service) -> None:
    main = threading.main_thread()
    assert threading.current_thread() is main
    with queued(service, []), ThreadPoolExecutor(2) as pool:

        def interrupt() -> None:
            service.wait_for(1)
            assert main.ident is not None
            signal.pthread_kill(main.ident, signal.SIGINT)

        interrupting = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            service.call(1)()
        interrupting.result(SECONDS)
        service.wait_for(0)
        waiting = pool.submit(service.call(2))
        service.wait_for(1)
        service.let_go.set()
        assert waiting.result(SECONDS) == "k:2"
    assert service.turns == [["hold"], [2]]


def test_a_forked_child_starts_with_nobody_at_work(service: Service) -> None:
    with queued(service, [1]):
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)  # whoever waited for a thread that is not there would be ended by it
            os._exit(0 if service.call(2)() == "k:2" else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("size_max", [2, 32])
def test_every_one_of_many_calls_gets_its_own_answer(size_max: int) -> None:
    served: list[int] = []

    def serve(key: int, items: list[int]) -> list[int]:
        served.append(len(items))
        time.sleep(0.0002)
        return [key * 1000 + item for item in items]

    coalescer: Coalescer[int, int, int] = Coalescer(serve, size_max)

    def run(thread: int) -> list[int]:
        return [coalescer.submit(item % 3, thread * 50 + item) - item % 3 * 1000 for item in range(50)]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(run, range(16)))
    assert answers == [[thread * 50 + item for item in range(50)] for thread in range(16)]
    assert sum(served) == 800
    assert 1 < max(served) <= size_max
    assert not any(coalescer.is_busy(key) for key in range(3))
