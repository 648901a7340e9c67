"""Serve: web processes and a worker under one supervisor, until it is told to stop.

The supervisor starts ``flask web`` (granian) and ``flask worker``, starts again what dies, within bounds, and stops
them in order: /readyz says that it is draining, running requests finish, then the worker finishes its transaction. A
child notices by its standard input that the supervisor is gone and stops by itself.
"""

import errno
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

from app.core import embedded
from app.core.routes import DRAINING_FILE
from config import Settings

RESTARTS_MAX = 5
RESTARTS_SECONDS = 60.0
READY_SECONDS = 120.0
STOP_SECONDS = 30.0
TICK_SECONDS = 0.1
REVIVE_SECONDS = 2.0
CONNECTIONS_MAX = 512
BACKLOG = 1024

log = structlog.get_logger()


class ServingError(Exception):
    """The server can't start or go on; the text says why in one line."""


@contextmanager
def reserved_port(host: str, ports: Iterable[int]) -> Iterator[int]:
    """Yield the first of ``ports`` that is free on ``host`` and keep it from anyone else but our own web processes.

    Raises ServingError where none is free. The reservation is a bound socket that does not listen: bound in spite of
    connections that linger there, then shared with sockets of the same user that say SO_REUSEPORT, as granian's do.
    """
    tried = []
    for port in ports:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as reservation:
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                reservation.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise ServingError(f"can't listen on port {port} of {host}: {error.strerror}") from error
                tried.append(port)
                continue
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            yield port
            return
    which = f"port {tried[0]}" if len(tried) == 1 else f"every port from {tried[0]} to {tried[-1]}"
    raise ServingError(f"{which} of {host} is taken")


def base_url(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server bound to ``host``."""
    return f"http://{_reachable_host(host, bracketed=True)}:{port}"


def _reachable_host(host: str, *, bracketed: bool = False) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{host}]" if bracketed and ":" in host else host


def stop_when_orphaned(stop: Callable[[], None]) -> None:
    """Call ``stop`` once standard input, which the supervisor holds open, comes to its end."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            continue
        stop()

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


def serve_web(settings: Settings, host: str, port: int, target: str = "wsgi:app") -> None:
    """Run granian's web processes until SIGTERM; requests under way are finished."""
    Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.web_workers,
        blocking_threads=settings.web_threads,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
        respawn_failed_workers=True,
        workers_kill_timeout=int(STOP_SECONDS) - 5,
        log_dictconfig=_granian_logging(),
    ).serve()


def _granian_logging() -> dict[str, Any]:
    """Return granian's logging as JSON lines like ours, errors alone: its greetings and advice are of no interest."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        "foreign_pre_chain": [
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
    }
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "generic", "level": "ERROR"}
    return {
        "formatters": {"generic": formatter},
        "handlers": {"console": handler},
        "loggers": {"_granian": {"handlers": ["console"], "propagate": False}},
    }


@dataclass(slots=True)
class _Child:
    """A supervised process and the times of its restarts."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    restarts: list[float] = field(default_factory=list)

    def start(self, environment: dict[str, str], output: IO[bytes] | None) -> None:
        """Start the process in a group of its own, which Ctrl-C in the terminal does not reach."""
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment, process_group=0
        )

    def exit_code(self) -> int | None:
        """Return how the process ended, None while it runs; what is left of its group is ended with it."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        _kill_group(self.process.pid)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to stop and wait for it; after ``STOP_SECONDS`` it is killed."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.error("child_killed", child=self.name)
            self.process.kill()
            self.process.wait()
        _kill_group(self.process.pid)
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody is left, as it should be


def flask_command(*arguments: str) -> list[str]:
    """Return the command line of one of our own commands."""
    return [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]


class Supervisor:
    """Web and worker of one address, whose port is reserved.

    ``when_ready`` is a command that runs once beside them as soon as requests are answered; if it fails, all stops.
    ``announce`` is told the address at that moment. ``output`` takes what the children write, by default our own.
    """

    def __init__(
        self,
        settings: Settings,
        host: str,
        port: int,
        *,
        announce: Callable[[str], None],
        when_ready: Sequence[str] = (),
        output: IO[bytes] | None = None,
    ) -> None:
        self.settings = settings
        self.host = host
        self.port = port
        self._announce = announce
        self._output = output
        web = flask_command("web", "--host", host, "--port", str(port))
        self._children = [_Child("web", web), _Child("worker", flask_command("worker", "--supervised"))]
        self._guest = _Child("guest", when_ready) if when_ready else None
        self._stop = threading.Event()
        self._draining = settings.data_dir / DRAINING_FILE
        self._metrics = settings.data_dir / "run" / f"metrics-{port}"

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP, then stop everything in order; raises ServingError."""
        handlers = {
            number: signal.signal(number, lambda *_: self._stop.set())
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        self._draining.unlink(missing_ok=True)
        shutil.rmtree(self._metrics, ignore_errors=True)
        self._metrics.mkdir(parents=True)
        try:
            for child in self._children:
                child.start(self._environment(), self._output)
            if self._wait_ready():
                self._announce(base_url(self.host, self.port))
                self._supervise()
        finally:
            self._shut_down()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(self._metrics)}

    def _wait_ready(self) -> bool:
        """Wait until requests are answered; return False when told to stop meanwhile."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._stop.wait(TICK_SECONDS):
            for child in self._children:
                if (code := child.exit_code()) is not None:
                    raise ServingError(f"the {child.name} process could not start (exit code {code}); see its log")
            if (status := self._readiness()) == 200:
                return True
            if time.monotonic() > deadline:
                raise ServingError(f"not ready after {READY_SECONDS:.0f} s: /readyz answers {status or 'nothing'}")
        return False

    def _readiness(self) -> int | None:
        connection = http.client.HTTPConnection(_reachable_host(self.host), self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def _supervise(self) -> None:
        if self._guest:
            self._guest.start(dict(os.environ), None)
        looked_at = time.monotonic()
        while not self._stop.wait(TICK_SECONDS):
            for child in self._children:
                if (code := child.exit_code()) is not None:
                    self._restart(child, code)
            if self._guest and (code := self._guest.exit_code()) is not None:
                self._guest.process = None
                if code != 0:
                    raise ServingError(f"`{' '.join(self._guest.command[4:])}` failed (exit code {code})")
            if time.monotonic() - looked_at > REVIVE_SECONDS:
                self._revive()
                looked_at = time.monotonic()

    def _restart(self, child: _Child, code: int) -> None:
        moment = time.monotonic()
        child.restarts = [at for at in child.restarts if moment - at < RESTARTS_SECONDS] + [moment]
        if len(child.restarts) > RESTARTS_MAX:
            raise ServingError(f"the {child.name} process ended {RESTARTS_MAX + 1} times in {RESTARTS_SECONDS:.0f} s")
        log.error("child_restarted", child=child.name, exit_code=code, attempt=len(child.restarts))
        child.start(self._environment(), self._output)

    def _revive(self) -> None:
        try:
            if embedded.revive(self.settings):
                log.error("embedded_services_restarted")
        except embedded.EmbeddedError as error:
            log.error("embedded_services_down", error=str(error))

    def _shut_down(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the orderly stop short
        self._draining.touch()
        if self._guest:
            self._guest.stop(signal.SIGINT)
        for child in self._children:
            child.stop()
        self._draining.unlink(missing_ok=True)
        shutil.rmtree(self._metrics, ignore_errors=True)
