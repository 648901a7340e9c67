"""Rewards, vouchers and holds that many reach for at once: real threads, each with its own connection, real commits."""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from app.core.clock import now
from app.core.database import db
from app.core.errors import ProblemError
from app.core.ids import new_id
from app.core.unit_of_work import retry_transient
from app.ledger import service as ledger
from app.ledger.models import Hold, Posting
from app.members.service import start_session
from app.redemption import changing
from app.redemption.models import (
    PoolCode,
    Redemption,
    RedemptionChange,
    Reward,
    RewardStock,
    RewardUse,
    Voucher,
    VoucherCode,
    VoucherUse,
)
from config import Settings
from tests import world
from tests.concurrency.racing import at_once
from tests.conftest import OutsideClient
from tests.redemption.till import buckets, cart, differences, give_points, post, put_pool, reward_of

ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 2
MANY = 64
Send = Callable[..., Any]


@pytest.fixture
def wide(app: Flask, settings: Settings) -> Iterator[Flask]:
    """An application with a connection for each of 64 threads."""
    made = create_app(replace(settings, database_pool_size=MANY + 2))
    made.test_client_class = OutsideClient
    yield made
    with made.app_context():
        for engine in db.engines.values():
            engine.dispose()
    made.extensions["redis"].close()


@pytest.fixture
def send(wide: Flask) -> Send:
    """A function that posts with a new key, and again by that key while it is told to try again."""

    def run(path: str, headers: dict[str, str], body: Any = None) -> Any:
        key = str(new_id())
        while True:
            answer = post(wide.test_client(), path, headers, body, key)
            if answer.status_code != 503:
                return answer

    return run


@pytest.fixture(autouse=True)
def proven(app: Flask) -> Any:
    """Whatever happened, ledger, stock, limits, codes and redemptions tell the same afterwards."""
    yield
    assert differences() == []
    assert_agreed()


def assert_agreed() -> None:
    """What redemptions say was taken is what stock, limits and the ledger say."""
    db.session.rollback()
    session = db.session
    kept = ~Redemption.state.in_(["cancelled", "expired"])
    of_stock = select(func.coalesce(func.sum(Redemption.quantity), 0)).where(kept, Redemption.stock_day.is_not(None))
    assert session.scalar(of_stock) == (session.scalar(select(func.sum(RewardStock.taken))) or 0)
    of_limits = select(func.coalesce(func.sum(Redemption.quantity), 0)).where(
        kept, Redemption.limit_period.is_not(None)
    )
    assert session.scalar(of_limits) == (session.scalar(select(func.sum(RewardUse.used))) or 0)
    open_ = set(session.scalars(select(Hold.hold_id).where(Hold.status == "open")))
    assert open_ == set(session.scalars(select(Redemption.redemption_id).where(Redemption.state == "held")))
    spends = Counter(
        key.removeprefix("redemption:").removeprefix("hold:").removesuffix(":captured")
        for key in session.scalars(select(Posting.idempotency_key).where(Posting.kind.in_(["spend", "capture"])))
    )
    issued = session.scalars(select(Redemption.redemption_id).where(Redemption.issued_at.is_not(None)))
    assert spends == Counter(str(each) for each in issued), "each was paid once, and nothing else was"
    vouchers = session.scalar(select(func.count()).select_from(Voucher))
    assert vouchers == session.scalar(select(func.count()).select_from(VoucherCode))
    changes = session.execute(
        select(RedemptionChange.redemption_id, RedemptionChange.state).order_by(RedemptionChange.number)
    )
    latest = {row[0]: row[1] for row in changes}
    stored = session.execute(select(Redemption.redemption_id, Redemption.state))
    assert latest == {row[0]: row[1] for row in stored}
    session.rollback()


def shoppers(shop: world.Shop, count: int, points: int) -> list[tuple[UUID, dict[str, str]]]:
    """Signed-in members with points."""
    made = []
    for customer in world.make_customers(shop, count):
        give_points(customer.member_id, points)
        made.append((customer.member_id, world.bearer(start_session(customer.member_id, now()).access_token)))
    db.session.rollback()
    return made


def asking(send: Send, headers: dict[str, str], reward: Reward) -> Callable[[], Any]:
    body = {"reward_id": str(reward.reward_id), "quantity": 1}
    return lambda: send("/v1/redemptions", headers, body)


def told(answers: Sequence[Any]) -> Counter[str]:
    return Counter(answer.json.get("code") or str(answer.status_code) for answer in answers)


def last_of(kind: str, shop: world.Shop) -> Reward:
    """A reward of which one is left."""
    if kind == "voucher_pool":
        reward = reward_of(kind, merchant_id=shop.merchant_id)
        put_pool(reward, [f"code-{new_id()}"])
        return reward
    return (
        reward_of("voucher_generated", stock=1) if kind == "fixed" else reward_of(stock_kind="per_day", stock_total=1)
    )


@pytest.mark.parametrize("kind", ["fixed", "per_day", "voucher_pool"])
def test_of_64_shoppers_for_the_last_voucher_one_wins_and_no_points_of_the_others_move(
    send: Send, shop: world.Shop, kind: str
) -> None:
    people = shoppers(shop, MANY, 100 * ROUNDS)
    won: Counter[UUID] = Counter()
    for _ in range(ROUNDS):
        reward = last_of(kind, shop)
        db.session.rollback()
        answers = at_once([asking(send, headers, reward) for _, headers in people])
        assert told(answers) == {"201": 1, "sold_out": MANY - 1}
        [winner] = [place for place, answer in enumerate(answers) if answer.status_code == 201]
        won[people[winner][0]] += 1
    for member_id, _ in people:
        spent = 100 * won[member_id]
        assert buckets(member_id) == (100 * ROUNDS - spent, 0, spent)


@pytest.mark.parametrize("needs_confirmation", [False, True])
def test_of_64_requests_of_one_shopper_with_points_for_one_one_wins(
    send: Send, shop: world.Shop, needs_confirmation: bool
) -> None:
    reward = reward_of(stock=1000, needs_confirmation=needs_confirmation)
    for _ in range(ROUNDS):
        [(member_id, headers)] = shoppers(shop, 1, 100)
        answers = at_once([asking(send, headers, reward)] * MANY)
        assert told(answers) == {"201": 1, "insufficient_points": MANY - 1}
        assert buckets(member_id) == ((0, 100, 0) if needs_confirmation else (0, 0, 100))


def test_of_64_requests_of_one_shopper_the_limit_lets_two_through(send: Send, shop: world.Shop) -> None:
    reward = reward_of(document={"limit": {"quantity": 2, "per": "day"}})
    for _ in range(ROUNDS):
        [(member_id, headers)] = shoppers(shop, 1, 10_000)
        answers = at_once([asking(send, headers, reward)] * MANY)
        assert told(answers) == {"201": 2, "limit_reached": MANY - 2}
        assert buckets(member_id) == (9800, 0, 200)


def test_64_requests_by_one_key_redeem_once(wide: Flask, shop: world.Shop) -> None:
    reward = reward_of()
    body = {"reward_id": str(reward.reward_id)}
    for number in range(ROUNDS):
        [(member_id, headers)] = shoppers(shop, 1, 1000)
        answers = at_once(
            [lambda: post(wide.test_client(), "/v1/redemptions", headers, body, f"key-{number}")] * MANY  # noqa: B023
        )
        assert told(answers).keys() <= {"201", "idempotency_in_progress", "service_unavailable"}
        assert len({answer.json["id"] for answer in answers if answer.status_code == 201}) == 1
        assert buckets(member_id) == (900, 0, 100)


@pytest.mark.parametrize("kind", ["voucher_generated", "voucher_pool"])
def test_1000_codes_drawn_by_16_threads_are_1000_different_codes(send: Send, shop: world.Shop, kind: str) -> None:
    """Once is 1,000 codes; the rounds of the long profile draw as many each."""
    for _ in range(ROUNDS if ROUNDS > 2 else 1):
        reward = reward_of(kind, merchant_id=shop.merchant_id)
        if kind == "voucher_pool":
            put_pool(reward, [f"{new_id()}" for _ in range(1000)])
        people = shoppers(shop, 16, 100_000)

        def draw(place: int) -> list[str]:
            body = {"reward_id": str(reward.reward_id), "quantity": 5}  # noqa: B023
            codes: list[str] = []
            mine = 1000 // 16 + (place < 1000 % 16)
            while len(codes) < mine:
                size = min(5, mine - len(codes))
                answer = send("/v1/redemptions", people[place][1], body | {"quantity": size})  # noqa: B023
                assert answer.status_code == 201, answer.text
                codes += [voucher["code"] for voucher in answer.json["vouchers"]]
            return codes

        drawn = [code for each in at_once([lambda place=place: draw(place) for place in range(16)]) for code in each]
        assert len(drawn) == len(set(drawn)) == 1000
        if kind == "voucher_pool":
            assert db.session.scalar(select(func.count()).where(PoolCode.voucher_id.is_(None))) == 0
            db.session.rollback()
        for member_id, _ in people:
            assert sum(buckets(member_id)) == 100_000


def test_redeem_and_rollback_of_one_voucher_at_once_leave_it_used_or_not(send: Send, shop: world.Shop) -> None:
    """Four tills redeem it for one order and four roll that back: it is used once at a time, and all of it is there."""
    reward = reward_of(voucher={"is_partial": False})
    for _ in range(ROUNDS * 4):
        [(member_id, headers)] = shoppers(shop, 1, 100)
        code = asking(send, headers, reward)().json["vouchers"][0]["code"]
        use = {"code": code, "order": "o-1", "cart": cart()}
        undo = {"code": code, "order": "o-1"}
        calls = [lambda: send("/v1/vouchers/redeem", shop.live, use)] * 4  # noqa: B023
        calls += [lambda: send("/v1/vouchers/rollback", shop.live, undo)] * 4  # noqa: B023
        random.shuffle(calls)
        answers = at_once(calls)
        made = sum("lines" in answer.json for answer in answers if answer.status_code == 200)
        undone = sum("rolled_back_at" in answer.json for answer in answers if answer.status_code == 200)
        assert 0 <= made - undone <= 1
        assert made >= 1
        assert told(answers).keys() <= {
            "200", "voucher_redeemed", "voucher_used_for_order", "already_rolled_back", "voucher_use_not_found",
        }  # fmt: skip
        db.session.rollback()
        voucher = db.session.scalars(select(Voucher).where(Voucher.member_id == member_id)).one()
        uses = db.session.scalars(select(VoucherUse).where(VoucherUse.member_id == member_id)).all()
        standing = [each for each in uses if each.rolled_back_at is None]
        assert (len(uses), len(standing)) == (made, made - undone)
        assert (voucher.state, voucher.remaining) == (("used", 0) if standing else ("issued", 500))
        state = db.session.scalar(select(Redemption.state).where(Redemption.member_id == member_id))
        assert state == voucher.state
        db.session.rollback()


def test_a_value_is_used_no_further_than_it_goes(send: Send, shop: world.Shop) -> None:
    reward = reward_of()
    for _ in range(ROUNDS):
        [(member_id, headers)] = shoppers(shop, 1, 100)
        code = asking(send, headers, reward)().json["vouchers"][0]["code"]
        bodies = [{"code": code, "order": f"o-{number}", "cart": cart(70)} for number in range(16)]
        answers = at_once([lambda body=body: send("/v1/vouchers/redeem", shop.live, body) for body in bodies])
        assert sum(answer.json["amount"] for answer in answers if answer.status_code == 200) == 500
        assert told(answers) == {"200": 8, "voucher_redeemed": 8}
        db.session.rollback()
        assert db.session.scalar(select(Voucher.remaining).where(Voucher.member_id == member_id)) == 0
        db.session.rollback()


def test_a_cancel_against_a_use_of_the_voucher_one_happens(send: Send, shop: world.Shop) -> None:
    reward = reward_of(voucher={"is_partial": False})
    for _ in range(ROUNDS * 4):
        [(member_id, headers)] = shoppers(shop, 1, 100)
        made = asking(send, headers, reward)().json
        use = {"code": made["vouchers"][0]["code"], "order": "o-1", "cart": cart()}
        calls = [
            lambda: send(f"/v1/redemptions/{made['id']}/cancel", headers),  # noqa: B023
            lambda: send("/v1/vouchers/redeem", shop.live, use),  # noqa: B023
        ]
        order = random.sample([0, 1], 2)
        answers = at_once([calls[place] for place in order])
        cancelled, used = (told([answers[order.index(place)]]) for place in (0, 1))
        assert (cancelled, used) in [
            ({"200": 1}, {"voucher_cancelled": 1}), ({"invalid_transition": 1}, {"200": 1}),
        ]  # fmt: skip
        assert buckets(member_id) == ((100, 0, 0) if cancelled == {"200": 1} else (0, 0, 100))


def run_at_once(app: Flask, operations: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the operations at the same moment; what each returned or, where it was refused, the name of the error."""

    def run(operation: Callable[[], Any]) -> Any:
        with app.app_context():
            try:
                return retry_transient(operation)
            except ProblemError as refused:
                return type(refused).__name__

    return at_once([lambda operation=operation: run(operation) for operation in operations])


@pytest.mark.parametrize("kind", ["product", "voucher_pool"])
def test_of_a_confirmation_and_the_end_of_the_hold_one_happens(
    wide: Flask, send: Send, shop: world.Shop, kind: str
) -> None:
    """The hold's time runs out, by the ledger's job or by ours, while the partner's word is on its way."""
    for _ in range(ROUNDS * 4):
        reward = reward_of(kind, needs_confirmation=True, merchant_id=shop.merchant_id, **_one_left(kind))
        if kind == "voucher_pool":
            put_pool(reward, [f"{new_id()}"])
        [(member_id, headers)] = shoppers(shop, 1, 100)
        made = asking(send, headers, reward)().json
        redemption_id, ends_at = UUID(made["id"]), datetime.fromisoformat(made["held_until"])
        in_time = ends_at - timedelta(seconds=1)
        operations: list[Callable[[], Any]] = [
            lambda: changing.confirm(member_id, redemption_id, None, actor="merchant:x", reason=None, moment=in_time),  # noqa: B023
            lambda: changing.lapse(member_id, redemption_id, ends_at),  # noqa: B023
            lambda: ledger.settle_due_accounts(ends_at),  # noqa: B023
        ]
        order = random.sample([0, 1, 2], 3)
        answers = run_at_once(wide, [operations[place] for place in order])
        confirmed, lapsed = (answers[order.index(place)] for place in (0, 1))
        if isinstance(confirmed, str):
            assert confirmed in ("InvalidTransition", "HoldExpired")
            if lapsed is not True:  # the ledger's job came first: ours closes what it left
                assert run_at_once(wide, [operations[1]]) == [True]
            assert buckets(member_id) == (100, 0, 0)
        else:
            assert lapsed is False
            assert buckets(member_id) == (0, 0, 100)


def _one_left(kind: str) -> dict[str, Any]:
    return {} if kind == "voucher_pool" else {"stock": 1}


def test_two_jobs_close_each_redemption_once(wide: Flask, send: Send, shop: world.Shop) -> None:
    reward = reward_of(voucher={"refund_if_unused": "full"}, stock=1000)
    people = shoppers(shop, 10, 100)
    made = [asking(send, headers, reward)().json for _, headers in people]
    later = datetime.fromisoformat(made[0]["expires_at"]) + timedelta(days=1)
    pairs = [(member_id, UUID(each["id"])) for (member_id, _), each in zip(people, made, strict=True)]

    def job() -> int:
        return sum(changing.lapse(member_id, redemption_id, later) for member_id, redemption_id in pairs)

    assert sum(run_at_once(wide, [job] * 4)) == 10
    for member_id, _ in people:
        assert buckets(member_id) == (100, 0, 0)
