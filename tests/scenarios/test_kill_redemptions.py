"""The web is killed in the middle of redemptions: each is issued once or given back, and a job closes the rest.

Shoppers and the partner do what honest clients do: they send each request by one key until it is answered. What
waits for the partner is confirmed, declined or, a third of it, left alone until its time is over.
"""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.ledger.models import Hold
from app.members.service import start_session
from app.redemption import lapsing
from app.redemption.models import Redemption, Reward
from config import Settings
from tests import world
from tests.concurrency.test_redemptions import assert_agreed
from tests.redemption.till import buckets, differences, give_points, put_pool, reward_of
from tests.scenarios.test_kill_nine import Web

KILLS = 20 if os.environ.get("TEST_PROFILE") == "long" else 2
SHOPPERS = 6
DONE_BETWEEN = 20  # redemptions, before the next kill
PATIENCE_SECONDS = 90
POINTS = 10_000_000


@dataclass
class Stream:
    """Shoppers that redeem until told to stop; what they were told, by the key that they sent."""

    web: Web
    shop: world.Shop
    rewards: list[Reward]
    people: list[tuple[UUID, dict[str, str]]]
    made: dict[str, Any] = field(default_factory=dict)
    decided: dict[str, str] = field(default_factory=dict)  # by redemption: what the partner was told
    interrupted: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    faults: list[str] = field(default_factory=list)

    def run(self, place: int) -> None:
        """Redeem one reward after the other, and let the partner have its word on those that wait."""
        chance = random.Random(place)  # noqa: S311 - a draw, no secret
        while not self.stop.is_set() and not self.faults:
            reward = chance.choice(self.rewards)
            key = str(new_id())
            try:
                body = {"reward_id": str(reward.reward_id), "quantity": chance.choice([1, 1, 2])}
                _, answer = self.insist("/v1/redemptions", body, self.people[place][1], key, (201,))
                self.made[key] = answer
                if answer["state"] == "held":
                    self.decide(answer["id"], chance.choice(["confirm", "decline", "nothing"]))
            except AssertionError as fault:
                self.faults.append(str(fault))

    def decide(self, redemption_id: str, verb: str) -> None:
        """Say the partner's word; one that was cut off may have been heard already."""
        if verb == "nothing":
            return
        body = {"reason": "no"} if verb == "decline" else {}
        path = f"/v1/redemptions/{redemption_id}/{verb}"
        status, answer = self.insist(path, body, self.shop.live, str(new_id()), (200, 409))
        wanted = {"confirm": "issued", "decline": "cancelled"}[verb]
        assert answer["state"] == wanted, answer
        self.decided[redemption_id] = f"{wanted} {status}"

    def insist(
        self, path: str, body: Any, headers: dict[str, str], key: str, wanted: tuple[int, ...]
    ) -> tuple[int, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                status, answer = self.web.post(path, body, headers | {"Idempotency-Key": key})
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self.interrupted += 1
                time.sleep(0.05)
                continue
            if status == 503 or answer.get("code") == "idempotency_in_progress":
                time.sleep(0.05)
                continue
            assert status in wanted, answer
            return status, answer
        raise AssertionError("nobody answers")

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` more redemptions are acknowledged."""
        wanted, deadline = len(self.made) + count, time.monotonic() + PATIENCE_SECONDS
        while len(self.made) < wanted:
            assert not self.faults, self.faults
            assert time.monotonic() < deadline, "the stream stands still"
            time.sleep(0.005)


@contextmanager
def streaming(stream: Stream) -> Iterator[None]:
    threads = [threading.Thread(target=stream.run, args=(place,)) for place in range(SHOPPERS)]
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
def stream(app: Flask, shop: world.Shop, settings: Settings) -> Stream:
    pool = reward_of("voucher_pool", merchant_id=shop.merchant_id)
    waiting_pool = reward_of("voucher_pool", merchant_id=shop.merchant_id, needs_confirmation=True)
    for reward in (pool, waiting_pool):
        put_pool(reward, [f"{new_id()}" for _ in range(3000)])
    rewards = [
        pool,
        waiting_pool,
        reward_of(stock=10**6),
        reward_of("product", merchant_id=shop.merchant_id, needs_confirmation=True, stock=10**6,
                  document={"limit": {"quantity": 10**6, "per": "ever"}}),
    ]  # fmt: skip
    people = []
    for customer in world.make_customers(shop, SHOPPERS):
        give_points(customer.member_id, POINTS)
        people.append((customer.member_id, world.bearer(start_session(customer.member_id, now()).access_token)))
    db.session.rollback()
    return Stream(Web(settings), shop, rewards, people)


def test_each_redemption_is_issued_once_or_given_back_whenever_the_web_is_killed(app: Flask, stream: Stream) -> None:
    with streaming(stream):
        for _ in range(KILLS):
            stream.wait_for(DONE_BETWEEN)
            time.sleep(random.uniform(0, 0.05))  # noqa: S311 - as above
            before = stream.interrupted
            stream.web.kill()
            stream.web.start()
            stream.wait_for(1)
            assert stream.interrupted > before, "the kill met requests under way"
        stream.wait_for(DONE_BETWEEN)
    assert stream.faults == []

    stored = {str(each.redemption_id): each for each in db.session.scalars(select(Redemption))}
    ids = [answer["id"] for answer in stream.made.values()]
    assert len(ids) == len(set(ids))
    assert stored.keys() == set(ids), "each key redeemed once, and nothing is there that was not acknowledged"
    for redemption_id, word in stream.decided.items():
        assert stored[redemption_id].state == word.split()[0]
    waiting = {name for name, each in stored.items() if each.state == "held"}
    assert waiting == {answer["id"] for answer in stream.made.values() if answer["state"] == "held"} - set(
        stream.decided
    )
    db.session.rollback()
    assert differences() == []
    assert_agreed()

    with time_machine.travel(now() + timedelta(hours=73)):
        assert lapsing.close_lapsed(threading.Event()) == len(waiting)
        assert lapsing.close_lapsed(threading.Event()) == 0
    db.session.rollback()
    assert db.session.scalars(select(Hold.hold_id).where(Hold.status == "open")).all() == []
    assert differences() == []
    assert_agreed()
    spent = {member_id: 0 for member_id, _ in stream.people}
    for each in db.session.scalars(select(Redemption).where(Redemption.state == "issued")):
        spent[each.member_id] += each.points
    for member_id, points in spent.items():
        assert buckets(member_id) == (POINTS - points, 0, points)
