"""The web processes are killed in the middle of a stream of awards: what was acknowledged is there, once.

The shops do what an honest checkout does: send each basket until it is acknowledged, by the same id.
"""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.core import serving
from app.core.database import db
from app.core.embedded import processes
from app.ledger import service
from config import Settings
from tests import world

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20 if os.environ.get("TEST_PROFILE") == "long" else 2
SHOPS = 4
BATCH = 5
ACKNOWLEDGED_BETWEEN = 30  # baskets, before the next kill
PATIENCE_SECONDS = 90


@dataclass
class Web:
    """``flask web`` on a port of its own, killed and started again."""

    settings: Settings
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]

    def start(self) -> None:
        settings = self.settings
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {
            "GREENPOINTS_ENV": "test", "DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url,
            "DATABASE_OWNER_URL": settings.database_owner_url, "REDIS_URL": settings.redis_url,
            "WEB_WORKERS": "2", "RATE_LIMITS": "0",
        }  # fmt: skip
        self.process = subprocess.Popen(
            serving.flask_command("web", "--port", str(self.port)),
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, process_group=0,
        )  # fmt: skip

    def kill(self) -> None:
        """End the processes without a word, as the kernel does when memory is out."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        assert processes.wait_until_gone(self.process.pid, 10)

    def post(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """Return status and body; raise OSError or HTTPException where the server went away meanwhile."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body), headers | {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@dataclass
class Stream:
    """Shops that send baskets until told to stop; what they were told."""

    web: Web
    shop: world.Shop
    customers: list[world.Customer]
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)  # by basket: the member's reference, points
    interrupted: int = 0
    replayed: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    faults: list[str] = field(default_factory=list)

    def send(self, till: int) -> None:
        """Send one basket after the other, every third time five at once, each until it is acknowledged."""
        number = 0
        chance = random.Random(till)  # noqa: S311 - a draw, no secret
        while not self.stop.is_set() and not self.faults:
            baskets = []
            for _ in range(BATCH if number % 3 == 0 else 1):
                number += 1
                baskets.append(world.basket(chance.choice(self.customers).ref, id=f"till-{till}-{number}"))
            try:
                self.insist(baskets)
            except AssertionError as fault:
                self.faults.append(str(fault))

    def insist(self, baskets: list[dict[str, Any]]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                status, answer = self.ask(baskets)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self.interrupted += 1
                time.sleep(0.05)
                continue
            if status == 503:
                time.sleep(0.05)
                continue
            results = answer["results"] if len(baskets) > 1 else [{"status": status, "activity": answer}]
            for basket, result in zip(baskets, results, strict=True):
                assert result["status"] in (200, 201), result
                self.replayed += result["status"] == 200
                points = result["activity"]["points"]["awarded"]
                self.acknowledged[basket["id"]] = (basket["member"]["ref"], points)
            return
        raise AssertionError("nobody answers")

    def ask(self, baskets: list[dict[str, Any]]) -> tuple[int, Any]:
        if len(baskets) == 1:
            return self.web.post("/v1/activities", baskets[0], self.shop.live)
        return self.web.post("/v1/activities/batch", {"activities": baskets}, self.shop.live)

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` more baskets are acknowledged."""
        wanted, deadline = len(self.acknowledged) + count, time.monotonic() + PATIENCE_SECONDS
        while len(self.acknowledged) < wanted:
            assert not self.faults, self.faults
            assert time.monotonic() < deadline, "the stream stands still"
            time.sleep(0.005)


@contextmanager
def streaming(stream: Stream) -> Iterator[None]:
    threads = [threading.Thread(target=stream.send, args=(till,)) for till in range(SHOPS)]
    stream.web.start()
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        stream.stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        stream.web.kill()


@pytest.fixture
def stream(shop: world.Shop, settings: Settings) -> Stream:
    made = Stream(Web(settings), shop, world.make_customers(shop, 12))
    db.session.rollback()
    return made


def test_every_acknowledged_award_is_there_once_whenever_the_web_is_killed(
    app: Flask, stream: Stream, settings: Settings
) -> None:
    with streaming(stream):
        for _ in range(KILLS):
            stream.wait_for(ACKNOWLEDGED_BETWEEN)
            time.sleep(random.uniform(0, 0.05))  # noqa: S311 - as above
            before = stream.interrupted
            stream.web.kill()
            stream.web.start()
            stream.wait_for(1)
            assert stream.interrupted > before, "the kill met requests under way"
        stream.wait_for(ACKNOWLEDGED_BETWEEN)
    assert stream.faults == []
    assert {points for _, points in stream.acknowledged.values()} == {world.BASKET_AWARDED}

    with psycopg.connect(settings.database_owner_url) as connection:
        stored = connection.execute(
            "SELECT r.external_id, count(DISTINCT p.idempotency_key), sum(e.amount) FROM activity_registry AS r"
            " JOIN activity AS a USING (member_id, activity_id)"
            " LEFT JOIN posting AS p ON p.member_id = a.member_id AND p.activity_id = a.activity_id"
            " LEFT JOIN entry AS e ON e.member_id = p.member_id AND e.posting_key = p.idempotency_key"
            " AND e.source = 'issued' GROUP BY r.external_id"
        ).fetchall()
        issued = dict(
            connection.execute("SELECT member_id, issued FROM account WHERE issued > 0").fetchall()
        )  # fmt: skip
    # each is there with one posting, and nothing is there that was not acknowledged in the end
    assert {row[0]: row[1:] for row in stored} == dict.fromkeys(stream.acknowledged, (1, world.BASKET_AWARDED))
    assert len(stored) == len(stream.acknowledged)
    owners = {customer.ref: customer.member_id for customer in stream.customers}
    expected: dict[Any, int] = {}
    for ref, points in stream.acknowledged.values():
        expected[owners[ref]] = expected.get(owners[ref], 0) + points
    assert issued == expected
    found = service.Verification()
    assert [str(each) for each in service.verify(found)] == []
    assert found.points_issued == sum(expected.values())
