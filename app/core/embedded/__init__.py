"""Embedded services: a real PostgreSQL and a real Redis for each data folder, on a machine that has neither.

They start once per data folder however many processes ask at once, are reached over Unix sockets in a folder of mode
0700 and never over TCP, and stop when the last process that holds them leaves. A kernel lock (``flock``) is the hold,
so that a killed process holds nothing any more. What a crash of the application or of a server leaves is recovered at
the next start. Web, worker and commands that name the same data folder reach the same servers.
"""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.embedded import postgres, redis_server
from app.core.embedded.errors import EmbeddedError
from app.core.embedded.places import POSTGRES_FOLDERS, Place, binary, locate, prepare, remove
from app.core.embedded.postgres import PostgresServer
from app.core.embedded.processes import is_running, read_pid
from app.core.embedded.redis_server import RedisServer
from config import Settings

__all__ = [
    "EmbeddedError",
    "Services",
    "binary",
    "configured_services",
    "destroy",
    "embedded_services",
    "locate_services",
    "revive",
    "services_of",
    "start",
    "stop",
]

_LOCK = ".embedded-lock"
_HOLDERS = ".embedded-holders"


@dataclass(frozen=True, slots=True)
class Services:
    """Where database and Redis are reached: as the application's login, as the owner, and Redis."""

    database_url: str
    database_owner_url: str
    redis_url: str


def _urls(place: Place) -> Services:
    return Services(
        database_url=postgres.url(place, postgres.LOGIN),
        database_owner_url=postgres.url(place, postgres.OWNER),
        redis_url=redis_server.url(place),
    )


def locate_services(data_dir: Path) -> Services:
    """Return where the embedded services of ``data_dir`` are or would be; starts nothing."""
    return _urls(locate(data_dir))


def services_of(settings: Settings) -> Services:
    """Return where ``settings`` find database and Redis, embedded or not; starts nothing."""
    if settings.database_url and settings.redis_url:
        return Services(settings.database_url, settings.database_owner_url, settings.redis_url)
    embedded = locate_services(settings.data_dir)
    return Services(
        database_url=settings.database_url or embedded.database_url,
        database_owner_url=settings.database_owner_url or embedded.database_owner_url,
        redis_url=settings.redis_url or embedded.redis_url,
    )


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """Hold the place's lock: one process at a time starts or stops its servers.

    A data folder that was deleted under its servers is made again for the while; nobody else can reach them.
    """
    place.data_dir.mkdir(parents=True, exist_ok=True)
    with (place.data_dir / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ensure(
    place: Place, version: int = 18, *, fast_but_unsafe: bool, with_postgres: bool = True, with_redis: bool = True
) -> None:
    try:
        home = prepare(place)
        if with_postgres:
            PostgresServer(home, version, fast_but_unsafe).ensure()
        if with_redis:
            RedisServer(home).ensure()
    except OSError as error:
        raise EmbeddedError(f"the embedded services can't start: {error}") from error


def _stop(place: Place) -> None:
    home = prepare(place)
    for version in POSTGRES_FOLDERS:
        PostgresServer(home, version).stop()
    RedisServer(home).stop()
    shutil.rmtree(place.sockets)


def start(data_dir: Path, *, postgres_version: int = 18, fast_but_unsafe: bool = False) -> Services:
    """Start the servers of ``data_dir``, or attach to the running ones, and leave them running until ``stop``.

    ``fast_but_unsafe`` gives up durability; it is for tests alone.
    """
    place = locate(data_dir)
    with _locked(place):
        _ensure(place, postgres_version, fast_but_unsafe=fast_but_unsafe)
    return _urls(place)


def stop(data_dir: Path) -> None:
    """Stop the servers of ``data_dir``, whoever holds them; no error when none run."""
    place = locate(data_dir)
    with _locked(place):
        _stop(place)


def destroy(data_dir: Path) -> None:
    """Stop the servers of ``data_dir`` and delete their data, root's folders outside included."""
    place = locate(data_dir)
    with _locked(place):
        _stop(place)
        remove(place)


@contextmanager
def embedded_services(
    data_dir: Path,
    *,
    postgres_version: int = 18,
    fast_but_unsafe: bool = False,
    with_postgres: bool = True,
    with_redis: bool = True,
) -> Iterator[Services]:
    """Hold the servers of ``data_dir``, started if need be; the last holder of all processes stops them on leaving.

    A child made by ``fork`` shares its parent's hold and leaves it to the parent.
    """
    place = locate(data_dir)
    holder = os.getpid()
    with (place.data_dir / _HOLDERS).open("a") as file:
        try:
            with _locked(place):
                fcntl.flock(file, fcntl.LOCK_SH)
                _ensure(
                    place,
                    postgres_version,
                    fast_but_unsafe=fast_but_unsafe,
                    with_postgres=with_postgres,
                    with_redis=with_redis,
                )
            yield _urls(place)
        finally:
            if os.getpid() == holder:
                _leave(place, file.fileno())


def _leave(place: Place, holders: int) -> None:
    """Give up the hold on the open file ``holders``, and stop the servers if nobody else has one."""
    with _undisturbed(), _locked(place):
        try:
            fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(holders, fcntl.LOCK_UN)
            return
        _stop(place)
        fcntl.flock(holders, fcntl.LOCK_UN)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM, which would leave servers behind that nobody holds."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def revive(settings: Settings) -> bool:
    """Start again what has died of the embedded services that the caller holds; return whether anything had."""
    with_postgres, with_redis = not settings.database_url, not settings.redis_url
    place = locate(settings.data_dir)
    files = [*([place.postgres_pid_file] if with_postgres else []), *([place.redis_pid_file] if with_redis else [])]
    pids = [read_pid(file) for file in files]
    if all(pid is not None and is_running(pid) for pid in pids):
        return False
    with _locked(place):
        _ensure(place, fast_but_unsafe=False, with_postgres=with_postgres, with_redis=with_redis)
    return True


@contextmanager
def configured_services(settings: Settings) -> Iterator[Services]:
    """Hold what ``settings`` name no URL for as embedded services, and yield where everything is."""
    with_postgres, with_redis = not settings.database_url, not settings.redis_url
    if not with_postgres and not with_redis:
        yield services_of(settings)
        return
    with embedded_services(settings.data_dir, with_postgres=with_postgres, with_redis=with_redis):
        yield services_of(settings)
