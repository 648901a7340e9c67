"""Let calls that come while another is served share the next turn. Threads alone: no request, no database.

1. A call that finds nobody at work under its key is served at once, by itself and in its own thread.
2. One that finds somebody waits. When a turn ends, its leader hands on to the first that waits; that one leads the
   next turn, with itself and all who wait by then, at most ``size_max``, in the order in which they came.
3. So a thread serves one turn, the one its own call is in, and never works for others beyond that; nobody waits for a
   timer, and a key that nobody asks for takes no room.
4. An exception of a turn reaches everybody in it. What ends a thread and not a call (SystemExit, KeyboardInterrupt)
   stays in its thread: the others of the turn get ServiceUnavailable, because nobody knows how far it came.
5. Calls of different keys share nothing and never wait for each other.
6. A forked child starts with nobody at work: the threads that were are not there.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar, cast

from app.core.errors import ServiceUnavailable

_Key = TypeVar("_Key", bound=Hashable)
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Call(Generic[_Item, _Result]):
    """One call: what is asked, and a latch that opens once it is answered or is to lead."""

    __slots__ = ("error", "item", "latch", "leads", "result")

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.leads = False
        self.result: _Result | None = None
        self.error: Exception | None = None
        self.latch = threading.Lock()  # the cheapest thing that a thread can wait for
        self.latch.acquire()

    def answer(self) -> _Result:
        if self.error is not None:
            raise self.error
        return cast(_Result, self.result)


class Coalescer(Generic[_Key, _Item, _Result]):
    """Serve calls by ``serve``, which takes a key and its items and returns a result for each, in their order."""

    def __init__(self, serve: Callable[[_Key, list[_Item]], Sequence[_Result]], size_max: int) -> None:
        self._serve = serve
        self._size_max = size_max
        self.forget()
        _coalescers.add(self)

    def forget(self) -> None:
        """Start anew with nobody at work and nobody waiting."""
        self._lock = threading.Lock()
        self._waiting: dict[_Key, deque[_Call[_Item, _Result]]] = {}  # by each key that somebody is at work for

    def is_busy(self, key: _Key) -> bool:
        """Return whether somebody is at work for ``key``: a call would wait now."""
        return key in self._waiting

    def submit(self, key: _Key, item: _Item) -> _Result:
        """Return the result of ``item``, or raise what its turn raised; others of ``key`` may be served with it."""
        call: _Call[_Item, _Result] = _Call(item)
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None:
                self._waiting[key] = deque()
            else:
                waiting.append(call)
        if waiting is not None:
            self._wait(key, call)
            if not call.leads:
                return call.answer()
        return self._lead(key, call)

    def _wait(self, key: _Key, call: _Call[_Item, _Result]) -> None:
        try:
            call.latch.acquire()
        except BaseException:  # the thread is to end: nobody may count on it any more
            with self._lock:
                waiting = self._waiting.get(key, deque())
                if call in waiting:
                    waiting.remove(call)
            if call.leads:
                self._hand_on(key)
            raise

    def _lead(self, key: _Key, call: _Call[_Item, _Result]) -> _Result:
        turn = [call]
        try:
            with self._lock:
                waiting = self._waiting[key]
                while waiting and len(turn) < self._size_max:
                    turn.append(waiting.popleft())
            results = self._serve(key, [each.item for each in turn])
            for each, result in zip(turn, results, strict=True):
                each.result = result
        except BaseException as error:
            self._end(key, turn[1:], error if isinstance(error, Exception) else ServiceUnavailable())
            raise
        self._end(key, turn[1:], None)
        return call.answer()

    def _end(self, key: _Key, others: list[_Call[_Item, _Result]], error: Exception | None) -> None:
        """Hand on, then let the others of the turn go with their results, or all of them with ``error``."""
        self._hand_on(key)
        for other in others:
            other.error = error
            other.latch.release()

    def _hand_on(self, key: _Key) -> None:
        with self._lock:
            waiting = self._waiting[key]
            if not waiting:
                del self._waiting[key]
                return
            successor = waiting.popleft()
            successor.leads = True
        successor.latch.release()


_coalescers: "weakref.WeakSet[Coalescer[Any, Any, Any]]" = weakref.WeakSet()


def _forget_all() -> None:
    for coalescer in _coalescers:
        coalescer.forget()


os.register_at_fork(after_in_child=_forget_all)
