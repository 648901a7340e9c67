"""Stock and pool codes: never more than there is, live and test apart; little left is told once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.core.unit_of_work import unit_of_work
from app.redemption import stock
from app.redemption.errors import SoldOut, StockBelowTaken
from app.redemption.models import ALL_DAYS, PoolCode, Reward, RewardStock, StockNotice
from config import Settings
from tests.redemption.rows import put_codes, put_reward

TODAY = date(2026, 11, 25)


def low_facts() -> list[dict[str, Any]]:
    return [
        row.payload
        for row in db.session.scalars(
            select(OutboxRow).where(OutboxRow.kind == "low_stock").order_by(OutboxRow.member_id, OutboxRow.version)
        )
    ]


def taken(reward: Reward, live: bool = True, day: date = ALL_DAYS) -> int:
    return db.session.scalar(
        select(RewardStock.taken).where(
            RewardStock.reward_id == reward.reward_id, RewardStock.live == live, RewardStock.day == day
        )
    )


def test_a_fixed_stock_is_taken_down_to_nothing_and_no_further(app: Flask) -> None:
    reward = put_reward(3)
    assert stock.take_stock(reward, True, TODAY, 2) == ALL_DAYS
    with pytest.raises(SoldOut) as sold_out:
        stock.take_stock(reward, True, TODAY, 2)
    assert sold_out.value.extra == {"left": 1}
    stock.take_stock(reward, True, TODAY, 1)
    assert taken(reward) == 3


def test_test_mode_takes_nothing_from_anybody(app: Flask) -> None:
    reward = put_reward(1)
    stock.take_stock(reward, False, TODAY, 1)
    with pytest.raises(SoldOut):
        stock.take_stock(reward, False, TODAY, 1)
    stock.take_stock(reward, True, TODAY, 1)
    assert (taken(reward, False), taken(reward, True)) == (1, 1)


def test_a_stock_by_the_day_is_whole_again_on_the_next(app: Flask) -> None:
    reward = put_reward(2, stock_kind="per_day")
    assert stock.take_stock(reward, True, TODAY, 2) == TODAY
    with pytest.raises(SoldOut):
        stock.take_stock(reward, True, TODAY, 1)
    tomorrow = TODAY + timedelta(days=1)
    assert stock.take_stock(reward, True, tomorrow, 1) == tomorrow
    with pytest.raises(SoldOut):
        stock.take_stock(reward, True, tomorrow + timedelta(days=1), 3)


def test_without_a_stock_nothing_is_counted(app: Flask, writes_nothing: Any) -> None:
    reward = put_reward()
    with writes_nothing():
        assert stock.take_stock(reward, True, TODAY, 1000) is None
        stock.give_back_stock(reward, True, None, 1000)


def test_what_is_given_back_is_there_again_for_the_day_it_was_of(app: Flask) -> None:
    reward = put_reward(2, stock_kind="per_day")
    day = stock.take_stock(reward, True, TODAY, 2)
    stock.give_back_stock(reward, True, day, 1)
    assert taken(reward, day=TODAY) == 1
    stock.take_stock(reward, True, TODAY, 1)
    with pytest.raises(SoldOut):
        stock.take_stock(reward, True, TODAY, 1)


def test_little_left_is_told_once_and_again_once_there_was_more(app: Flask) -> None:
    reward = put_reward(5, low_at=2)
    stock.take_stock(reward, True, TODAY, 2)
    assert low_facts() == []
    day = stock.take_stock(reward, True, TODAY, 1)
    told = {"reward": str(reward.reward_id), "left": 2, "low_stock_at": 2}
    assert low_facts() == [told]
    stock.take_stock(reward, True, TODAY, 1)
    assert stock.notice_stocks() == 0
    assert low_facts() == [told]
    stock.give_back_stock(reward, True, day, 2)
    stock.take_stock(reward, True, TODAY, 2)
    assert low_facts() == [told, told | {"left": 1}]


def test_nothing_is_told_of_test_mode_nor_of_what_is_not_published(app: Flask) -> None:
    stock.take_stock(put_reward(2, low_at=1), False, TODAY, 2)
    stock.take_stock(put_reward(2, low_at=1, state="archived"), True, TODAY, 2)
    assert stock.notice_stocks() == 0
    assert low_facts() == []


def test_a_refused_unit_of_work_takes_and_tells_nothing(app: Flask) -> None:
    reward = put_reward(2, low_at=2)
    with pytest.raises(ZeroDivisionError), unit_of_work():
        stock.take_stock(reward, True, TODAY, 1)
        raise ZeroDivisionError
    assert taken(reward) == 0
    assert low_facts() == []


def test_the_job_tells_what_was_missed_of_each_kind_and_forgets_old_days(app: Flask) -> None:
    today = now().date()
    fixed, daily = put_reward(5, low_at=2), put_reward(5, low_at=2, stock_kind="per_day")
    pool, full = put_reward(kind="voucher_pool", low_at=2), put_reward(kind="voucher_pool", low_at=2)
    put_codes(pool.reward_id, 2)
    put_codes(pool.reward_id, 5, live=False, first=3)
    put_codes(full.reward_id, 3)
    with unit_of_work() as session:
        session.get(RewardStock, (fixed.reward_id, True, ALL_DAYS)).taken = 4
        session.add(RewardStock(reward_id=daily.reward_id, live=True, day=today, total=5, taken=3))
        session.add(StockNotice(reward_id=daily.reward_id, day=today - timedelta(days=1), noticed_at=now()))
    assert stock.notice_stocks() == 3
    assert stock.notice_stocks() == 0
    assert {fact["reward"]: fact["left"] for fact in low_facts()} == {
        str(fixed.reward_id): 1, str(daily.reward_id): 2, str(pool.reward_id): 2,
    }  # fmt: skip
    assert [fact.get("day") for fact in low_facts() if fact["reward"] == str(daily.reward_id)] == [today.isoformat()]
    assert db.session.scalars(select(StockNotice.day).where(StockNotice.reward_id == daily.reward_id)).all() == [today]


def test_a_new_total_counts_from_today_on_and_never_falls_below_what_is_taken(app: Flask) -> None:
    reward = put_reward(5, stock_kind="per_day")
    yesterday = TODAY - timedelta(days=1)
    stock.take_stock(reward, True, yesterday, 5)
    stock.take_stock(reward, True, TODAY, 3)
    stock.take_stock(reward, False, TODAY, 5)
    with pytest.raises(StockBelowTaken) as refused:
        stock.set_stock(reward.reward_id, "per_day", 2, TODAY)
    assert refused.value.extra == {"taken": 3, "day": TODAY}
    stock.set_stock(reward.reward_id, "per_day", 3, TODAY)
    rows = db.session.execute(select(RewardStock.live, RewardStock.day, RewardStock.total)).all()
    assert set(rows) == {(True, yesterday, 5), (True, TODAY, 3), (False, TODAY, 5)}


def test_codes_are_drawn_in_their_order_and_end_sold_out(app: Flask) -> None:
    reward = put_reward(kind="voucher_pool")
    hashes = put_codes(reward.reward_id, 3)
    put_codes(reward.reward_id, 3, live=False, first=4)
    first, second, third = new_id(), new_id(), new_id()
    [code] = stock.take_codes(reward, True, [first])
    assert (code.voucher_id, code.code_hash, code.code_cipher) == (first, hashes[0], b"cipher")
    with pytest.raises(SoldOut) as sold_out:
        stock.take_codes(reward, True, [new_id() for _ in range(3)])
    assert sold_out.value.extra == {"left": 2}
    assert {code.voucher_id: code.code_hash for code in stock.take_codes(reward, True, [second, third])} == {
        second: hashes[1], third: hashes[2],
    }  # fmt: skip
    stock.give_back_codes(reward, True, [hashes[1]])
    assert stock.take_codes(reward, True, [first])[0].code_hash == hashes[1]
    drawn = db.session.scalars(select(PoolCode.voucher_id).where(PoolCode.live).order_by(PoolCode.place)).all()
    assert drawn == [first, first, third]


@contextmanager
def holding_code(settings: Settings, reward: Reward, place: int, voucher: bool) -> Iterator[psycopg.Connection[Any]]:
    """Hold a code in a transaction of its own; where ``voucher``, it takes it."""
    with psycopg.connect(settings.database_owner_url) as connection:
        at = [reward.reward_id, place]
        connection.execute("SELECT 1 FROM pool_code WHERE reward_id = %s AND place = %s FOR UPDATE", at)
        if voucher:
            connection.execute(
                "UPDATE pool_code SET voucher_id = %s WHERE reward_id = %s AND place = %s", [new_id(), *at]
            )
        yield connection


def wait_until_blocked(settings: Settings) -> None:
    with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:
        for _ in range(200):
            waiting = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchone()
            if waiting and waiting[0]:
                return
            threading.Event().wait(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("is_taken", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_who_wants_the_last_code_waits_for_whoever_holds_it(
    app: Flask, settings: Settings, is_taken: bool, count: int
) -> None:
    reward = put_reward(kind="voucher_pool")
    hashes = put_codes(reward.reward_id, count)

    def draw() -> list[bytes] | str:
        with app.app_context():
            try:
                return [code.code_hash for code in stock.take_codes(reward, True, [new_id() for _ in range(count)])]
            except SoldOut as sold_out:
                return sold_out.code

    with ThreadPoolExecutor(1) as pool:
        with holding_code(settings, reward, 1, is_taken) as holder:
            drawn = pool.submit(draw)
            wait_until_blocked(settings)
            holder.commit() if is_taken else holder.rollback()
        assert drawn.result(10) == ("sold_out" if is_taken else hashes)


def test_who_takes_one_of_many_waits_for_nobody(app: Flask, settings: Settings) -> None:
    reward = put_reward(kind="voucher_pool")
    hashes = put_codes(reward.reward_id, 2)
    with holding_code(settings, reward, 1, True):
        assert stock.take_codes(reward, True, [new_id()])[0].code_hash == hashes[1]
