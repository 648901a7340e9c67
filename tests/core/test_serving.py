"""`serve` as a person or an init system runs it: real processes, real signals."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from app.core import embedded, serving
from app.core.embedded import places, processes

ROOT = Path(__file__).resolve().parents[2]
FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")


@dataclass
class Served:
    """A running `serve` and what belongs to it."""

    process: subprocess.Popen[str]
    port: int
    data_dir: Path

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def child(self, command: str) -> psutil.Process:
        """Return the live child that runs ``command``; wait for it where it has just been killed."""
        found: list[psutil.Process] = []

        def find() -> bool:
            children = psutil.Process(self.process.pid).children()
            found.extend(child for child in children if processes.is_running(child.pid) and command in child.cmdline())
            return bool(found)

        assert until(find)
        return found[0]

    def server_pids(self) -> list[int | None]:
        place = places.locate(self.data_dir)
        return [processes.read_pid(file) for file in (place.postgres_pid_file, place.redis_pid_file)]


def environment(data_dir: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"DATA_DIR": str(data_dir), "WEB_WORKERS": "2"}


def until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def served() -> Iterator[Served]:
    data_dir = Path(tempfile.mkdtemp(prefix="greenpoints served "))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*FLASK, "serve", "--port", str(port)],
        cwd=ROOT, env=environment(data_dir), stdout=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == f"serving on http://127.0.0.1:{port}\n"
    yield Served(process, port, data_dir)
    process.kill()
    process.communicate()
    embedded.destroy(data_dir)
    shutil.rmtree(data_dir)


def test_serves_until_sigterm_and_leaves_nothing_running(served: Served) -> None:
    assert served.get("/readyz") == (200, {"status": "ok", "checks": {"database": "ok", "redis": "ok"}})
    running = [*psutil.Process(served.process.pid).children(recursive=True)]
    servers = served.server_pids()
    done = subprocess.run(
        [*FLASK, "db", "upgrade"], cwd=ROOT, env=environment(served.data_dir), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert served.server_pids() == servers, "a command attaches and leaves the servers to the others"

    place = places.locate(served.data_dir)
    answers: list[int] = []
    with psycopg.connect(embedded.locate_services(served.data_dir).database_owner_url) as connection:
        connection.execute("LOCK TABLE alembic_version")  # holds /readyz up
        request = threading.Thread(target=lambda: answers.append(served.get("/readyz")[0]))
        request.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert until(lambda: connection.execute(waiting).fetchone() == (1,))
        served.process.send_signal(signal.SIGTERM)
        assert until(lambda: (served.data_dir / "draining").exists())
        assert served.process.poll() is None, "a request under way is waited for"
    request.join()
    assert answers == [503], "it is answered, and says that the server is draining"
    assert served.process.wait(30) == 0
    assert not any(processes.is_running(process.pid) for process in running)
    assert not any(pid and processes.is_running(pid) for pid in servers)
    assert not place.sockets.exists()
    assert not (served.data_dir / "draining").exists()


def test_what_is_killed_comes_back(served: Served) -> None:
    web, worker = served.child("web"), served.child("worker")
    web.children()[0].kill()
    assert until(lambda: len(web.children()) == 2 and served.is_ready()), "a web process"
    orphans = web.children()
    web.kill()
    assert until(lambda: served.is_ready() and served.child("web") != web), "all web processes"
    assert until(lambda: not any(processes.is_running(process.pid) for process in orphans))
    worker.kill()
    assert until(lambda: served.child("worker") != worker), "the worker"

    services = embedded.locate_services(served.data_dir)
    for pid in served.server_pids():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert processes.wait_until_gone(pid, 10)

    def has_recovered() -> bool:
        try:
            psycopg.connect(services.database_url).close()
            with redis.Redis.from_url(services.redis_url) as client:
                client.ping()
            state = served.get("/readyz")[1]["status"]
        except (psycopg.OperationalError, redis.RedisError, OSError):
            return False
        return state == "ok"

    assert until(has_recovered), "the servers"


def test_killed_supervisor_takes_everything_with_it(served: Served) -> None:
    running = psutil.Process(served.process.pid).children(recursive=True)
    servers = served.server_pids()
    served.process.kill()
    assert until(lambda: not any(processes.is_running(process.pid) for process in running))
    assert until(lambda: not any(pid and processes.is_running(pid) for pid in servers))


def test_taken_port_is_one_clear_line() -> None:
    data_dir = Path(tempfile.mkdtemp(prefix="greenpoints-port-"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*FLASK, "serve", "--port", str(port)], cwd=ROOT, env=environment(data_dir), capture_output=True, text=True
        )
    assert (done.returncode, done.stderr) == (1, f"Error: port {port} of 127.0.0.1 is taken\n")
    assert not (data_dir / "postgres").exists(), "nothing was started for it"
    shutil.rmtree(data_dir)


def test_two_that_ask_for_a_port_at_once_get_two() -> None:
    ports = range(18000, 18100)
    with serving.reserved_port("127.0.0.1", ports) as first, serving.reserved_port("127.0.0.1", ports) as second:
        assert first != second
        with pytest.raises(serving.ServingError, match=f"port {first} of 127.0.0.1 is taken"):
            serving.reserved_port("127.0.0.1", [first]).__enter__()
