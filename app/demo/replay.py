"""Replay baskets over the HTTP batch endpoint, as a merchant's plugin would.

A few connections are kept alive. Each household's baskets go through one of them, so that they are evaluated in the
order of time and two batches never wait for one member's account. What is busy is asked again when it says; nothing
is given up before it has been refused in so many words.
"""

import http.client
import queue
import socket
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from app.core.clock import now
from app.demo.errors import ReplayFailed
from app.demo.outcomes import Outcomes

BATCH_SIZE = 200
CONNECTIONS = 3
ATTEMPTS_MAX = 8
RETRY_SECONDS_MAX = 30.0
_BUSY = (429, 503)
_PATH = "/v1/activities/batch"

Body = dict[str, Any]
Progress = Callable[[int], None]


@dataclass(slots=True)
class BatchClient:
    """One kept-alive connection to the batch endpoint."""

    base_url: str
    key: str
    timeout: float = 60.0
    stop: threading.Event = field(default_factory=threading.Event)
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def send(self, activities: list[Body]) -> list[dict[str, Any]]:
        """Return one result an activity, in their order; ask again, at most eight times, what was busy.

        Raises ReplayFailed where the server refuses the batch as a whole, or stays busy or gone, or where ``stop`` is
        set meanwhile.
        """
        results: dict[int, dict[str, Any]] = {}
        waiting = list(range(len(activities)))
        for attempt in range(ATTEMPTS_MAX):
            status, retry_after, answer = self._post([activities[place] for place in waiting])
            if status == 200:
                for place, result in zip(waiting, answer["results"], strict=True):
                    results[place] = result
                waiting = [place for place in waiting if results[place]["status"] in _BUSY]
                if not waiting:
                    break
            elif status not in (0, *_BUSY):
                raise ReplayFailed(f"the server refused a batch: {status} {answer}")
            pause = min(retry_after or 0.2 * 2**attempt, RETRY_SECONDS_MAX)
            if attempt < ATTEMPTS_MAX - 1 and self.stop.wait(pause):
                raise ReplayFailed("the replay was stopped")
        if waiting:
            raise ReplayFailed(
                f"the server stayed busy or gone for {ATTEMPTS_MAX} attempts; run the demo again to go on"
            )
        return [results[place] for place in range(len(activities))]

    def _post(self, activities: list[Body]) -> tuple[int, float, Any]:
        """Return status, seconds of Retry-After and the answer; status 0 where the connection broke."""
        if self._connection is None:
            self._connection = _connect(self.base_url, self.timeout)
        try:
            self._connection.request(
                "POST", _PATH, orjson.dumps({"activities": activities}),
                {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
            )  # fmt: skip
            response = self._connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return 0, 0.0, str(error)
        if response.will_close:
            self.close()
        wait = response.headers.get("Retry-After", "")
        is_json = "json" in response.headers.get("Content-Type", "")
        answer = orjson.loads(raw) if is_json else raw[:200].decode("utf-8", "replace")
        return response.status, float(wait) if wait.isdigit() else 0.0, answer

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect(base_url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(base_url)
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise ReplayFailed(f"{base_url!r} is no http or https address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()  # the request connects again, and its failure is retried
    return connection


@dataclass(slots=True)
class _Lane:
    """One connection, the batches waiting for it, and what its answers add up to."""

    client: BatchClient
    batches: "queue.Queue[list[Body] | None]" = field(default_factory=lambda: queue.Queue(maxsize=4))
    filling: list[Body] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=Outcomes)
    failure: BaseException | None = None

    def run(self, progress: Progress) -> None:
        while (batch := self.batches.get()) is not None:
            if self.failure is not None or self.client.stop.is_set():
                continue  # the feeder hears of it at its next batch; until then nothing may block it
            try:
                moment = now()
                for body, result in zip(batch, self.client.send(batch), strict=True):
                    code = (result.get("problem") or {}).get("code", "unknown")
                    self.outcomes.add(body, result["status"], result.get("activity"), code, moment)
                progress(len(batch))
            except BaseException as error:
                self.failure = error
        self.client.close()

    def flush(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.filling:
            self.batches.put(self.filling)
            self.filling = []


def replay(
    baskets: Iterable[Body],
    base_url: str,
    key: str,
    progress: Progress,
    *,
    batch_size: int = BATCH_SIZE,
    connections: int = CONNECTIONS,
) -> Outcomes:
    """Send ``baskets`` in batches and return what became of them; ``progress`` hears of each batch, from any thread.

    Raises ReplayFailed. What was sent by then stays; the same call again pays nothing twice and goes on.
    """
    stop = threading.Event()
    lanes = [_Lane(BatchClient(base_url, key, stop=stop)) for _ in range(connections)]
    threads = [threading.Thread(target=lane.run, args=(progress,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    try:
        for body in baskets:
            lane = lanes[zlib.crc32(body["member"]["ref"].encode()) % connections]
            lane.filling.append(body)
            if len(lane.filling) >= batch_size:
                lane.flush()
        for lane in lanes:
            lane.flush()
    except BaseException:
        stop.set()
        raise
    finally:
        for lane in lanes:
            lane.batches.put(None)
        for thread in threads:
            thread.join()
    outcomes = Outcomes()
    for lane in lanes:
        if lane.failure is not None:
            raise lane.failure
        outcomes.merge(lane.outcomes)
    return outcomes
