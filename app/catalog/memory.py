"""A bounded memory of answers, shared by threads. Pure."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

KEPT_MAX = 10_000
UNKNOWN: Final = object()
_K = TypeVar("_K")
_V = TypeVar("_V")


class Memory(Generic[_K, _V]):
    """At most ``KEPT_MAX`` answers by key, the oldest forgotten first: what was kept a moment ago may be gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[_K, _V] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: _K) -> Any:
        """Return the answer, ``UNKNOWN`` where there is none."""
        return self._kept.get(key, UNKNOWN)

    def keep(self, answers: Mapping[_K, _V]) -> None:
        """Remember ``answers``."""
        with self._lock:
            self._kept.update(answers)
            while len(self._kept) > KEPT_MAX:
                del self._kept[next(iter(self._kept))]

    def ask(self, key: _K, find: Callable[[], _V]) -> _V:
        """Return the answer, found out by ``find`` where it is not known."""
        answer: Any = self.get(key)
        if answer is UNKNOWN:
            answer = find()
            self.keep({key: answer})
        return answer  # type: ignore[no-any-return]
