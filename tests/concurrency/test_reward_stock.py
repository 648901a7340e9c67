"""Stock and codes under real threads and real commits: never more than there is, whoever opens or changes it."""

import os
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.preconditions import Seen
from app.core.unit_of_work import retry_transient
from app.programme import service as programme
from app.redemption import stock
from app.redemption.errors import SoldOut, StockBelowTaken
from app.redemption.models import Reward, RewardStock
from app.redemption.service.reward_reading import get_reward
from app.redemption.service.reward_saving import change_reward, create_reward
from tests.concurrency.racing import at_once
from tests.redemption.desk import product_document
from tests.redemption.rows import put_codes, put_reward

THREADS = 16
ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 3
TODAY = date(2026, 11, 25)


def within(app: Flask, call: Callable[[], object]) -> Callable[[], str]:
    """Return ``call`` for a thread of its own: what came of it as a word."""

    def run() -> str:
        with app.app_context():
            try:
                retry_transient(call)
            except (SoldOut, StockBelowTaken) as refused:
                return refused.code
            return "done"

    return run


@pytest.mark.parametrize("live", [True, False])
def test_the_first_of_the_day_open_one_stock_together(app: Flask, live: bool) -> None:
    reward = put_reward(5, stock_kind="per_day")
    for number in range(ROUNDS):
        day = TODAY + timedelta(days=number)
        took = at_once([within(app, lambda: stock.take_stock(reward, live, day, 1)) for _ in range(THREADS)])  # noqa: B023 - run at once
        assert (took.count("done"), took.count("sold_out")) == (5, THREADS - 5)
    rows = db.session.execute(select(RewardStock.live, RewardStock.taken)).all()
    assert rows == [(live, 5)] * ROUNDS


@pytest.mark.parametrize("kind", ["fixed", "per_day"])
def test_staff_who_change_the_stock_beside_takers_never_go_below_what_is_taken(app: Flask, kind: str) -> None:
    for number in range(ROUNDS):
        made = create_reward(product_document(key=f"r{number}", stock={"kind": kind, "total": THREADS}))
        reward = db.session.get(Reward, made["id"])
        db.session.expunge(reward)
        less = product_document(key=f"r{number}", stock={"kind": kind, "total": 8})

        def change(reward_id: UUID = made["id"], document: dict[str, Any] = less) -> None:
            change_reward(reward_id, document, Seen(frozenset({"1"})))

        today = now().astimezone(programme.current().zone).date()
        takers = [within(app, lambda: stock.take_stock(reward, True, today, 1)) for _ in range(THREADS)]  # noqa: B023
        *took, changed = at_once([*takers, within(app, change)])
        shown = get_reward(made["id"])
        counted = shown["stock"]["live"]
        assert counted["taken"] == took.count("done") <= counted["total"]
        assert counted["total"] == (8 if changed == "done" else THREADS)
        assert counted["taken"] == counted["total"] or changed != "done"
        assert changed in ("done", "stock_below_taken")


def test_a_thousand_codes_are_a_thousand_vouchers(app: Flask) -> None:
    reward = put_reward(kind="voucher_pool")
    hashes = put_codes(reward.reward_id, 1000)
    drawn: list[bytes] = []

    def draw(count: int) -> None:
        for _ in range(1000 // THREADS // count + 1):
            try:
                codes = stock.take_codes(reward, True, [new_id() for _ in range(count)])
            except SoldOut:
                continue
            drawn.extend(code.code_hash for code in codes)

    at_once([within(app, lambda count=1 + number % 3: draw(count)) for number in range(THREADS)])
    while True:
        try:
            drawn += [code.code_hash for code in stock.take_codes(reward, True, [new_id()])]
        except SoldOut:
            break
    assert sorted(drawn) == sorted(hashes)
