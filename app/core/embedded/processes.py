"""Start, find and end server processes that outlive the process which started them.

As root the servers run as an ordinary user, the ``Account``; PostgreSQL refuses anything else.
"""

import pwd
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.core.embedded.errors import EmbeddedError

ACCOUNTS_TRIED = ("postgres", "pgserver")
POLL_SECONDS = 0.02
_DELETED = " (deleted)"
_DETACH = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}


@dataclass(frozen=True, slots=True)
class Account:
    """The ordinary user that the servers run as when we are root."""

    uid: int
    gid: int


def find_account() -> Account:
    """Return an ordinary user for the servers: an existing one, a new ``pgserver``, or else ``nobody``."""
    for name in ACCOUNTS_TRIED:
        if account := _lookup(name):
            return account
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", "pgserver"]
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=30)  # noqa: S603 - a fixed command
    except OSError:
        return _nobody()
    return _lookup("pgserver") or _nobody()


def _nobody() -> Account:
    if account := _lookup("nobody"):
        return account
    raise EmbeddedError("as root the embedded servers need an ordinary user; create one named pgserver")


def _lookup(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _identity(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def run_as(
    account: Account | None, command: Sequence[str | Path], *, cwd: Path | str = "/", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` to its end as ``account`` (None: as ourselves) with an environment of its own."""
    return subprocess.run(  # noqa: S603 - programs of the wheels and /bin/sh, arguments of our own
        command,
        cwd=cwd,
        env=_ENVIRONMENT,
        umask=0o077,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        start_new_session=True,
        check=False,
        **_identity(account),
    )


def can_run(account: Account | None, command: Sequence[str | Path]) -> bool:
    """Return whether ``account`` can reach and run ``command`` successfully."""
    try:
        return run_as(account, command).returncode == 0
    except OSError:
        return False


def spawn_detached(account: Account | None, command: Sequence[str | Path], *, cwd: Path, log: str) -> int:
    """Start ``command`` in a session of its own, its output appended to ``log`` in ``cwd``; return its pid.

    A shell in between exits at once, so that the server is nobody's child: no zombie is left when it dies, and Ctrl-C
    in our terminal does not reach it. Arguments are passed on as they are, never quoted.
    """
    done = run_as(account, ["/bin/sh", "-c", _DETACH, "sh", log, *command], cwd=cwd)
    if done.returncode != 0 or not done.stdout.strip().isdigit():
        raise EmbeddedError(f"could not start {Path(command[0]).name}: {done.stderr.strip()}")
    return int(done.stdout)


def is_running(pid: int, cwd: Path | None = None) -> bool:
    """Return whether ``pid`` lives and, where ``cwd`` is given, works in that folder: a reused pid does not."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return cwd is None or process.cwd().removesuffix(_DELETED) == str(cwd)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def pids_working_in(folder: Path) -> list[int]:
    """Return the pids of the processes whose working directory is ``folder``, of those that we may look at."""
    return [process.pid for process in psutil.process_iter() if is_running(process.pid, folder)]


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Wait up to ``seconds`` for ``pid`` to end; return whether it did."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def end(pid: int, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait as long as it says, until ``pid`` is gone; raise if it never goes."""
    for number, seconds in steps:
        try:
            psutil.Process(pid).send_signal(number)
        except psutil.NoSuchProcess:
            return
        if wait_until_gone(pid, seconds):
            return
    raise EmbeddedError(f"process {pid} does not end")


def read_pid(path: Path) -> int | None:
    """Return the pid on the first line of ``path``, None where there is none."""
    try:
        first = path.read_text(errors="replace").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def log_tail(path: Path, lines: int = 5) -> str:
    """Return the last lines of a server's log, for an error."""
    try:
        return " | ".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "no log"
