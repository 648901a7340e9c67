"""``make bench``: awards per second over HTTP as ratios to pgbench running the award's bare SQL in the same run.

Everything runs on this machine against servers of the bench's own, with durability on. The measurements take turns,
round by round, so that a drift of the machine's speed meets all of them; medians are what is printed.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from app import create_app
from app.core import embedded, migrate, serving
from bench import bare_sql, world
from config import load_settings

HOST = "127.0.0.1"
CONNECTIONS = 16
BATCH_CONNECTIONS = 4
LOAD = Path(__file__).with_name("load.lua")
# name, activities a request (0: the single route), lines an activity, goal as a ratio to P1
MEASUREMENTS = (
    ("single, 1 line", 0, 1, 0.25),
    ("single, 9 lines", 0, 9, None),
    ("batch of 100, 1 line", 100, 1, 0.6),
    ("batch of 100, 9 lines", 100, 9, None),
)


def _awards(owner_url: str) -> int:
    with psycopg.connect(owner_url) as connection:
        row = connection.execute("SELECT count(*) FROM posting WHERE kind = 'award'").fetchone()
        assert row is not None
        return int(row[0])


def _over_http(wrk: str, url: str, key: str, owner_url: str, activities: int, lines: int, seconds: int) -> float:
    """Return the awards per second that the database gained while wrk sent its load; raise for any refusal."""
    environment = os.environ | {
        "ACTIVITIES": str(activities), "LINES": str(lines), "MEMBERS": str(world.MEMBERS),
        "RUN": f"{time.time_ns()}", "KEY": f"Bearer {key}",
    }  # fmt: skip
    connections = str(BATCH_CONNECTIONS if activities else CONNECTIONS)
    before, started = _awards(owner_url), time.monotonic()
    done = subprocess.run(
        [wrk, "-t", "1", "-c", connections, "-d", f"{seconds}s", "--timeout", "60s", "-s", str(LOAD), url],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    elapsed = time.monotonic() - started
    if "Non-2xx" in done.stdout or re.search(r"Socket errors: .*[1-9]", done.stdout):
        raise RuntimeError(done.stdout)
    return (_awards(owner_url) - before) / elapsed


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz") as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError("the server does not get ready")


def _measure(data_dir: Path, wrk: str, rounds: int, seconds: int) -> dict[str, list[float]]:
    with embedded.embedded_services(data_dir) as services:
        migrate.upgrade(
            services.database_owner_url, migrate.login_role(services.database_url, services.database_owner_url)
        )
        environment = os.environ | {"DATA_DIR": str(data_dir), "LOG_LEVEL": "WARNING", "GREENPOINTS_ENV": "development"}
        app = create_app(load_settings(environment))
        made = world.build(app)
        script = data_dir / "p1.sql"
        script.write_text(bare_sql.script())
        found: dict[str, list[float]] = {}
        with psycopg.connect(services.database_owner_url, autocommit=True) as connection:
            connection.execute("ANALYZE")
            row = connection.execute("SELECT merchant_id::text FROM merchant").fetchone()
            assert row is not None
        with serving.reserved_port(HOST, range(8100, 8200)) as port:
            url = serving.base_url(HOST, port)
            command = serving.flask_command("web", "--host", HOST, "--port", str(port))
            web = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
            try:
                _wait_until_ready(url)
                for _ in range(rounds):
                    rate = bare_sql.awards_per_second(
                        str(embedded.binary("pgbench")), services.database_owner_url, script, row[0], made.members,
                        seconds,
                    )  # fmt: skip
                    found.setdefault("P1", []).append(rate)
                    for name, activities, lines, _ in MEASUREMENTS:
                        rate = _over_http(wrk, url, made.key, services.database_owner_url, activities, lines, seconds)
                        found.setdefault(name, []).append(rate)
            finally:
                web.terminate()
                web.wait(30)
        return found


def _show(found: dict[str, list[float]]) -> None:
    console = Console()
    table = Table(title="Awards per second, median of the rounds")
    for column in ("what", "awards/s", "lines/s", "÷ P1", "goal", "min - max"):
        table.add_column(column, justify="left" if column == "what" else "right")
    p1 = statistics.median(found["P1"])
    for name, lines, goal in [("P1", 1, None), *((name, lines, goal) for name, _, lines, goal in MEASUREMENTS)]:
        rates = found[name]
        middle = statistics.median(rates)
        label = "P1: pgbench, the award's bare SQL, 8 clients" if name == "P1" else f"HTTP {name}"
        ratio = statistics.median(rate / base for rate, base in zip(rates, found["P1"], strict=True))
        met = "" if goal is None else f"≥ {goal:.2f} {'met' if ratio >= goal else 'MISSED'}"
        table.add_row(label, f"{middle:,.0f}", f"{middle * lines:,.0f}", f"{ratio:.2f}", met,
                      f"{min(rates):,.0f} - {max(rates):,.0f}")  # fmt: skip
    console.print(table)
    console.print(f"P1 {p1:,.0f}/s. The ratio is the median of the ratios round by round.")


def main() -> int:
    """Measure and print; exit 2 where wrk is missing."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("make bench needs wrk as its load generator; on Debian: apt install wrk", file=sys.stderr)
        return 2
    data_dir = Path(tempfile.mkdtemp(prefix="greenpoints-bench-"))
    try:
        _show(_measure(data_dir, wrk, arguments.rounds, arguments.seconds))
    finally:
        embedded.destroy(data_dir)
        shutil.rmtree(data_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
