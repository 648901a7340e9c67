"""The ledger's marks: its batch alone, reads of long histories, bytes on disk, expiry, and one hot member.

Each is a ratio of two measurements of the same round. Reads are timed at the service, in an application context as a
request has one, so that HTTP's own time can't hide a difference.
"""

import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from flask import Flask

from app.core.clock import now
from app.core.database import driver_connection
from app.core.ids import new_id
from app.ledger import service as ledger
from bench import filling
from bench.bare_sql import PAYLOAD

BATCH = 500
READS = 200
PAGE = 50
LONG_CYCLES = 200_000
EXPIRING_MEMBERS = 4000
LOTS_A_MEMBER = 10
MEANWHILE_FILLS = 2


class Sent(NamedTuple):
    """What a load has done: awards a second that the database gained, and how long a request took."""

    rate: float
    p50_ms: float
    p99_ms: float


@dataclass
class Bench:
    """Where the marks run: the application, its web server and loads, and members that only marks touch."""

    app: Flask
    url: str
    owner_url: str
    load: Callable[..., Sent]
    redeem: Callable[..., Sent]
    seconds: int
    awarded: list[UUID]
    long: UUID
    short: UUID
    expiring: list[UUID]
    p1: float = 0.0

    def prepare(self, only: set[str]) -> None:
        """Fill the long and the short history, where a mark asks for them."""
        if only & {"wallet", "history"}:
            filling.fill(self.owner_url, [self.long], cycles=LONG_CYCLES, open_cycles=50)
            filling.fill(self.owner_url, [self.short], cycles=2, open_cycles=2)


@dataclass(frozen=True)
class Mark:
    """One mark: its ratio is to be at least ``goal``, or at most where ``is_at_most``."""

    key: str
    label: str
    goal: float
    is_at_most: bool
    measure: Callable[[Bench], tuple[float, str]]

    def is_met(self, ratio: float) -> bool:
        """Return whether ``ratio`` reaches the goal."""
        return ratio <= self.goal if self.is_at_most else ratio >= self.goal


def award_batch(members: list[UUID]) -> int:
    """Read the accounts of ``members``, plan an award for each and write them by one statement; return how many."""
    moment = now()
    with driver_connection() as connection:
        cursor = connection.execute(
            "SELECT member_id, version, last_seq, pending, available, held, debt, next_due_at FROM account"
            " WHERE member_id = ANY(%s)",
            [members],
        )
        plans = [ledger.plan_for(ledger.AccountState(*row)) for row in cursor]
        award = ledger.Award(
            5, moment + timedelta(days=14), moment + timedelta(days=365), None, new_id(), "spend", None
        )  # fmt: skip
        for plan in plans:
            activity_id = new_id()
            activity = ledger.AwardedActivity(
                f"activity:{activity_id}:rev1", activity_id.bytes, activity_id, "merchant:bench", [award], "activity",
                PAYLOAD,
            )  # fmt: skip
            ledger.plan_activity(plan, activity, moment)
        return len(ledger.start_write(plans, moment).execute(connection))


def _batch(bench: Bench) -> tuple[float, str]:
    counts = [0, 0]
    ends_at = time.monotonic() + bench.seconds
    # each thread has members of its own, as batches of one merchant's customers would mostly have
    halves = bench.awarded[::2], bench.awarded[1::2]

    def run(number: int) -> None:
        with bench.app.app_context():
            while time.monotonic() < ends_at:
                counts[number] += award_batch(random.sample(halves[number], BATCH))

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(counts) / (time.monotonic() - started)
    return rate / bench.p1, f"{rate:,.0f} awards/s"


def _p50_ms(app: Flask, read: Callable[[], Any]) -> float:
    taken = []
    for _ in range(READS):
        with app.app_context():
            started = time.perf_counter()
            read()
            taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def _compare(app: Flask, much: Callable[[], Any], little: Callable[[], Any]) -> tuple[float, str]:
    _p50_ms(app, much)
    few, many = _p50_ms(app, little), _p50_ms(app, much)
    return many / few, f"{many:.2f} ms ÷ {few:.2f} ms (p50)"


def _wallet(bench: Bench) -> tuple[float, str]:
    return _compare(bench.app, lambda: ledger.read_wallet(bench.long), lambda: ledger.read_wallet(bench.short))


def _history(bench: Bench) -> tuple[float, str]:
    before = LONG_CYCLES * filling.ENTRIES_A_CYCLE - 9999 * PAGE + 1
    return _compare(
        bench.app,
        lambda: ledger.list_entries(bench.long, before, PAGE),
        lambda: ledger.list_entries(bench.long, None, PAGE),
    )


def _disk(bench: Bench) -> tuple[float, str]:
    """Copy this run's awards, in the order in which they came, into tables of the same indexes, and weigh those."""
    tables = ("posting", "entry", "lot")
    with psycopg.connect(bench.owner_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS weighed CASCADE")
        connection.execute("CREATE SCHEMA weighed")
        for table in tables:
            connection.execute(f"CREATE TABLE weighed.{table} (LIKE {table} INCLUDING ALL)".encode())
            column = {"posting": "first_seq", "entry": "seq", "lot": "lot_id"}[table]
            source = (
                f"SELECT t.* FROM {table} AS t JOIN posting AS p ON p.member_id = t.member_id"
                f" AND p.first_seq = t.{column} AND p.entry_count = 1 AND p.kind = 'award' AND p.actor <> 'fill'"
            )
            connection.execute(f"INSERT INTO weighed.{table} {source} ORDER BY p.recorded_at".encode())
            connection.execute(f"VACUUM weighed.{table}".encode())
        sizes = [_one(connection, f"SELECT pg_total_relation_size('weighed.{table}')") for table in tables]
        count = _one(connection, "SELECT count(*) FROM weighed.posting")
        connection.execute("DROP SCHEMA weighed CASCADE")
    each = ", ".join(f"{table} {size / count:.0f}" for table, size in zip(tables, sizes, strict=True))
    return sum(sizes) / count, f"bytes an award: {each}; {count:,} awards"


def _one(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def settle_all(bench: Bench) -> int:
    """Settle accounts until none is due; return how many were."""
    from app.ledger.service.settling import settle_due_accounts

    total = 0
    with bench.app.app_context():
        while settled := settle_due_accounts():
            total += settled
    return total


def _expiry(bench: Bench) -> tuple[float, str]:
    filling.fill_due(bench.owner_url, bench.expiring, LOTS_A_MEMBER)
    started = time.monotonic()
    lots = settle_all(bench) * LOTS_A_MEMBER
    rate = lots / (time.monotonic() - started)
    return rate / bench.p1, f"{rate:,.0f} lots/s"


def _meanwhile(bench: Bench) -> tuple[float, str]:
    """Compare the award's p99 while lots expire without pause with that of a web server left in peace.

    The lots are there before: what makes them is not part of the product.
    """
    bench.load(0, 1, 1)  # connections, plans and snapshots are made
    idle = bench.load(0, 1, bench.seconds).p99_ms
    for _ in range(MEANWHILE_FILLS):
        filling.fill_due(bench.owner_url, bench.expiring, LOTS_A_MEMBER)
    stop, settled = threading.Event(), [0]

    def expire() -> None:
        from app.ledger.service.settling import settle_due_accounts

        with bench.app.app_context():
            while not stop.is_set() and (count := settle_due_accounts()):
                settled[0] += count

    thread = threading.Thread(target=expire)
    thread.start()
    try:
        busy = bench.load(0, 1, bench.seconds).p99_ms
        ran_out = not thread.is_alive()
    finally:
        stop.set()
        thread.join()
    settle_all(bench)
    lots = settled[0] * LOTS_A_MEMBER * MEANWHILE_FILLS / bench.seconds
    told = ", which ran out" if ran_out else ""
    return busy / idle, f"{busy:.1f} ms ÷ {idle:.1f} ms (p99); {lots:,.0f} lots/s{told}"


def _hot(bench: Bench) -> tuple[float, str]:
    uniform = bench.load(0, 1, bench.seconds).rate
    hot = bench.load(0, 1, bench.seconds, members=1).rate
    return hot / uniform, f"{hot:,.0f} ÷ {uniform:,.0f} awards/s"


MARKS = (
    Mark("batch", "the ledger's batch alone, 500 awards a statement ÷ P1", 2.5, False, _batch),
    Mark("hot", "one hot member ÷ uniform, 16 connections", 0.3, False, _hot),
    Mark("expiry", "lots expired, ten a member ÷ P1", 3.0, False, _expiry),
    Mark("meanwhile", "award p99 while lots expire ÷ idle", 1.5, True, _meanwhile),
    Mark("wallet", "wallet with 1,000,000 entries ÷ 10 entries", 1.2, True, _wallet),
    Mark("history", "history page 10,000 ÷ page 1", 1.3, True, _history),
    Mark("disk", "bytes of posting, entry and lot an award", 850, True, _disk),
)
