"""``make bench``: awards over HTTP, marks of ledger, campaigns and redemptions, as ratios to pgbench running bare SQL.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table

from app import create_app
from app.core import embedded, migrate, serving
from bench import bare_sql, campaigns, ledger, redemptions, rewards, world
from config import load_settings

HOST = "127.0.0.1"
CONNECTIONS = 16
BATCH_CONNECTIONS = 4
MARKS = (*ledger.MARKS, *campaigns.MARKS, *redemptions.MARKS, *rewards.MARKS)
LOAD = Path(__file__).with_name("load.lua")
REDEEM = Path(__file__).with_name("redeem.lua")
# name, activities a request (0: the single route), lines an activity, goal as a ratio to P1
MEASUREMENTS = (
    ("single, 1 line", 0, 1, 0.3),
    ("single, 9 lines", 0, 9, None),
    ("batch of 100, 1 line", 100, 1, 0.6),
    ("batch of 100, 9 lines", 100, 9, None),
)


def _postings(owner_url: str, kind: str) -> int:
    with psycopg.connect(owner_url) as connection:
        row = connection.execute("SELECT count(*) FROM posting WHERE kind = %s", [kind]).fetchone()
        assert row is not None
        return int(row[0])


@dataclass(frozen=True)
class Load:
    """wrk against the web server of the bench."""

    wrk: str
    url: str
    key: str
    owner_url: str

    def send(self, activities: int, lines: int, seconds: int, members: int = world.MEMBERS) -> ledger.Sent:
        """Send for so long and return what came of it; raises for any refusal."""
        given = {"ACTIVITIES": f"{activities}", "LINES": f"{lines}", "MEMBERS": f"{members}"}
        connections = BATCH_CONNECTIONS if activities else CONNECTIONS
        return self._run(LOAD, "award", given | {"KEY": f"Bearer {self.key}"}, connections, seconds)

    def redeem(self, tokens: Path, rewards: Sequence[UUID], seconds: int) -> ledger.Sent:
        """Let the shoppers of ``tokens`` redeem for so long; as ``send``."""
        given = {"TOKENS": f"{tokens}", "REWARDS": " ".join(str(reward) for reward in rewards)}
        return self._run(REDEEM, "spend", given, CONNECTIONS, seconds)

    def _run(self, script: Path, kind: str, given: dict[str, str], connections: int, seconds: int) -> ledger.Sent:
        environment = os.environ | given | {"RUN": f"{time.time_ns()}"}
        before, started = _postings(self.owner_url, kind), time.monotonic()
        done = subprocess.run(
            [self.wrk, "-t", "1", "-c", f"{connections}", "-d", f"{seconds}s", "--timeout", "60s", "--latency", "-s",
             str(script), self.url],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        elapsed = time.monotonic() - started
        if "Non-2xx" in done.stdout or re.search(r"Socket errors: .*[1-9]", done.stdout):
            raise RuntimeError(done.stdout)
        p50_ms, p99_ms = (_taken_ms(done.stdout, percent) for percent in (50, 99))
        return ledger.Sent((_postings(self.owner_url, kind) - before) / elapsed, p50_ms, p99_ms)


def _taken_ms(told: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([0-9.]+)(us|ms|s)", told)
    assert found is not None
    return float(found.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[found.group(2)]


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


Found = dict[str, list[tuple[float, str]]]


def _measure(
    data_dir: Path, wrk: str, rounds: int, seconds: int, only: set[str]
) -> tuple[dict[str, list[float]], Found]:
    with embedded.embedded_services(data_dir) as services:
        owner_url = services.database_owner_url
        migrate.upgrade(owner_url, migrate.login_role(services.database_url, owner_url))
        environment = os.environ | {"DATA_DIR": str(data_dir), "LOG_LEVEL": "WARNING", "GREENPOINTS_ENV": "development"}
        app = create_app(load_settings(environment))
        made = world.build(app, ledger.EXPIRING_MEMBERS + 2)
        script = data_dir / "p1.sql"
        script.write_text(bare_sql.script())
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute("ANALYZE")
            row = connection.execute("SELECT merchant_id::text FROM merchant").fetchone()
            assert row is not None
        with serving.reserved_port(HOST, range(8100, 8200)) as port:
            url = serving.base_url(HOST, port)
            command = serving.flask_command("web", "--host", HOST, "--port", str(port))
            web = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
            load = Load(wrk, url, made.key, owner_url)
            long, short, *expiring = made.others
            bench = ledger.Bench(
                app, url, owner_url, load.send, load.redeem, seconds, made.awarded, long, short, expiring
            )
            pgbench = str(embedded.binary("pgbench"))
            try:
                _wait_until_ready(url)
                bench.prepare(only)
                return _rounds(
                    bench, lambda: bare_sql.awards_per_second(
                        pgbench, owner_url, script, row[0], made.members, seconds
                    ), rounds, only,
                )  # fmt: skip
            finally:
                web.terminate()
                web.wait(30)


def _rounds(
    bench: ledger.Bench, p1: Callable[[], float], rounds: int, only: set[str]
) -> tuple[dict[str, list[float]], Found]:
    rates: dict[str, list[float]] = {}
    marks: Found = {}
    for _ in range(rounds):
        bench.p1 = p1()
        rates.setdefault("P1", []).append(bench.p1)
        for name, activities, lines, _ in MEASUREMENTS if "http" in only else ():
            rates.setdefault(name, []).append(bench.load(activities, lines, bench.seconds).rate)
        for mark in MARKS:
            # the same rows are weighed only once
            if mark.key in only and (mark.key != "disk" or not marks.get("disk")):
                marks.setdefault(mark.key, []).append(mark.measure(bench))
    return rates, marks


def _show(found: dict[str, list[float]]) -> None:
    console = Console()
    table = Table(title="Awards per second, median of the rounds")
    for column in ("what", "awards/s", "lines/s", "÷ P1", "goal", "min - max"):
        table.add_column(column, justify="left" if column == "what" else "right")
    p1 = statistics.median(found["P1"])
    for name, lines, goal in [("P1", 1, None), *((name, lines, goal) for name, _, lines, goal in MEASUREMENTS)]:
        rates = found.get(name)
        if rates is None:
            continue
        middle = statistics.median(rates)
        label = "P1: pgbench, the award's bare SQL, 8 clients" if name == "P1" else f"HTTP {name}"
        ratio = statistics.median(rate / base for rate, base in zip(rates, found["P1"], strict=True))
        met = "" if goal is None else f"≥ {goal:.2f} {'met' if ratio >= goal else 'MISSED'}"
        table.add_row(label, f"{middle:,.0f}", f"{middle * lines:,.0f}", f"{ratio:.2f}", met,
                      f"{min(rates):,.0f} - {max(rates):,.0f}")  # fmt: skip
    console.print(table)
    console.print(f"P1 {p1:,.0f}/s. The ratio is the median of the ratios round by round.")


def _show_marks(found: Found) -> None:
    table = Table(title="Marks of the ledger, of campaigns and of redemptions, median of the rounds")
    for column in ("what", "ratio", "goal", "min - max", "the round in the middle"):
        table.add_column(column, justify="left" if column in ("what", "the round in the middle") else "right")
    for mark in MARKS:
        if rounds := sorted(found.get(mark.key, ())):
            ratio, told = rounds[len(rounds) // 2]
            goal = f"{'≤' if mark.is_at_most else '≥'} {mark.goal:g} {'met' if mark.is_met(ratio) else 'MISSED'}"
            table.add_row(mark.label, f"{ratio:,.2f}", goal, f"{rounds[0][0]:,.2f} - {rounds[-1][0]:,.2f}", told)
    Console().print(table)


def main() -> int:
    """Measure and print; exit 2 where wrk is missing."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    known = ("http", *(mark.key for mark in MARKS))
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="what to measure; all of it otherwise")
    arguments = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("make bench needs wrk as its load generator; on Debian: apt install wrk", file=sys.stderr)
        return 2
    data_dir = Path(tempfile.mkdtemp(prefix="greenpoints-bench-"))
    try:
        rates, marks = _measure(data_dir, wrk, arguments.rounds, arguments.seconds, set(arguments.only))
        _show(rates)
        if marks:
            _show_marks(marks)
    finally:
        embedded.destroy(data_dir)
        shutil.rmtree(data_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
