"""The quick way to redeem: it writes what the way under locks writes, and leaves to it whatever it can't do."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.redemption import quick, redemption_routes
from app.redemption.models import Redemption, Reward, RewardStock
from tests import world
from tests.answers import assert_problem
from tests.redemption.conftest import Spender
from tests.redemption.till import buckets, differences, give_points, put_pool, reward_of

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def under_locks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that went the way under locks."""
    seen: list[Any] = []
    real = redemption_routes._redeem_under_locks

    def spy(body: Any) -> Any:
        seen.append(body)
        return real(body)

    monkeypatch.setattr(redemption_routes, "_redeem_under_locks", spy)
    return seen


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"kind": "product"},
        {"kind": "checkout_discount"},
        {"stock": 5},
        {"document": {"limit": {"quantity": 3, "per": "week"}, "tier_points": {"seed": 70}}},
    ],
)
def test_what_is_issued_at_once_is_done_quickly(
    spender: Spender, under_locks: list[Any], columns: dict[str, Any]
) -> None:
    reward = reward_of(**columns)
    spender.redeemed(reward)
    spender.redeemed(reward, 2)
    assert under_locks == []


def test_the_first_of_a_day_opens_its_stock_under_locks(spender: Spender, under_locks: list[Any]) -> None:
    reward = reward_of(stock_kind="per_day", stock_total=5)
    spender.redeemed(reward)
    assert len(under_locks) == 1
    spender.redeemed(reward)
    assert len(under_locks) == 1


def test_what_needs_more_goes_under_locks(spender: Spender, shop: world.Shop, under_locks: list[Any]) -> None:
    pool = reward_of("voucher_pool", merchant_id=shop.merchant_id)
    put_pool(pool, ["one"])
    spender.redeemed(pool)
    spender.redeemed(reward_of(needs_confirmation=True))
    assert_problem(spender.redeem(reward_of(points=2000)), 409, "insufficient_points")
    assert_problem(spender.redeem(reward_of(state="draft")), 404, "reward_not_found")
    assert len(under_locks) == 4
    spender.redeem(reward_of(), key="k")
    again = spender.redeem(reward_of(), key="k")
    assert again.json["code"] == "idempotency_key_reused"
    assert len(under_locks) == 5


def test_points_of_many_lots_and_points_that_fall_due_go_under_locks(
    shop: world.Shop, shopper: Any, client: Any, under_locks: list[Any]
) -> None:
    [many, due] = (
        Spender(client, each.member_id, shopper(each.member_id)) for each in world.make_customers(shop, 2)
    )  # fmt: skip
    for _ in range(10):
        give_points(many.member_id, 10)
    many.redeemed(reward_of(points=80))
    assert under_locks == []
    for _ in range(10):
        give_points(many.member_id, 10)
    many.redeemed(reward_of(points=90))
    assert len(under_locks) == 1
    give_points(due.member_id, 500)
    give_points(due.member_id, 500, expires_at=now() + timedelta(milliseconds=1))
    due.redeemed(reward_of())
    assert len(under_locks) == 2
    assert buckets(due.member_id) == (400, 0, 100)
    due.redeemed(reward_of())
    assert len(under_locks) == 2
    assert differences() == []


def test_the_lots_that_expire_first_are_spent(shop: world.Shop, shopper: Any, client: Any) -> None:
    [customer] = world.make_customers(shop, 1)
    moment = now()
    for days in (None, 30, 10, 20):
        give_points(customer.member_id, 40, None if days is None else moment + timedelta(days=days))
    Spender(client, customer.member_id, shopper(customer.member_id)).redeemed(reward_of())
    rows = db.session.execute(
        text("SELECT spent, is_open FROM lot WHERE member_id = :id ORDER BY expires_at NULLS LAST"),
        {"id": customer.member_id},
    ).all()
    assert [tuple(row) for row in rows] == [(40, False), (40, False), (20, True), (0, True)]
    db.session.rollback()
    assert differences() == []


WRITTEN = {
    "account": "available, held, spent, version, last_seq, next_due_at",
    "lot": "lot_id, remaining, held, spent, is_open",
    "posting": "kind, fingerprint, first_seq, entry_count, replace(actor, member_id::text, ''), reason, reverses",
    "entry": "seq, amount, pending, available, held, debt, source, target",
    "lot_allocation": "seq, lot_id, amount",
    "outbox": "version, kind, payload - 'redemption' - 'reward', is_applied",
    "redemption": "reward_version, merchant_id, live, quantity, points, money_amount, currency, state, stock_day,"
    " limit_period, held_until, expires_at, closed_at, details, issued_at = created_at",
    "redemption_change": "number, state, replace(actor, member_id::text, ''), reason",
    "voucher": "merchant_id, state, discount, value, remaining, currency, terms, expires_at, closed_at",
    "reward_use": "period, used",
}


def written(member_id: UUID) -> dict[str, list[Any]]:
    """What stands in the tables about a member, but for ids, moments and codes."""
    with db.engine.connect() as connection:
        return {
            table: [
                tuple(row)
                for row in connection.exec_driver_sql(
                    f"SELECT {columns} FROM {table} WHERE member_id = %s ORDER BY 1, 2", (member_id,)
                )
            ]
            for table, columns in WRITTEN.items()
        }


def test_both_ways_write_the_same(shop: world.Shop, shopper: Any, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for ids: the rows of a member who redeemed quickly, and of one who redeemed under locks."""
    document = {
        "limit": {"quantity": 10, "per": "month"}, "tier_points": {"seed": 30},
        "money": {"amount": 100, "currency": "EUR"},
    }  # fmt: skip
    kinds: list[dict[str, Any]] = [
        {"stock": 100, "document": document},
        {"kind": "product", "document": document},
        {"kind": "checkout_discount", "merchant_id": shop.merchant_id},
        {"voucher": {"discount": "percent", "value": 10, "currency": None}},
    ]
    rewards = [reward_of(**columns) for columns in kinds]
    ends_at = now() + timedelta(days=5)
    found = []
    for is_quick in (True, False):
        [customer] = world.make_customers(shop, 1)
        for points in (50, 50, 1900):
            give_points(customer.member_id, points, ends_at)
        spender = Spender(client, customer.member_id, shopper(customer.member_id))
        if not is_quick:
            monkeypatch.setattr(quick, "redeem_quickly", lambda *_, **__: None)
        for reward in rewards:
            spender.redeemed(reward)
            spender.redeemed(reward, 3)
        found.append(written(customer.member_id))
    assert found[0] == found[1]
    assert len(found[0]["voucher"]) == 12
    stock = db.session.scalar(select(RewardStock.taken).where(RewardStock.reward_id == rewards[0].reward_id,
                                                              RewardStock.live))  # fmt: skip
    assert stock == 8
    db.session.rollback()
    assert differences() == []


def between(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let something happen once between the read and the write."""
    real, done = quick._read, []

    def read(*args: Any) -> Any:
        found = real(*args)
        if not done:
            done.append(True)
            happens()
        return found

    monkeypatch.setattr(quick, "_read", read)


def test_an_account_that_changes_meanwhile_goes_under_locks(
    spender: Spender, under_locks: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    between(
        monkeypatch,
        lambda: ledger.spend_points(
            spender.member_id, 950, key="spend:1", actor="test", fingerprint=b"", moment=now()
        ),
    )  # fmt: skip
    assert_problem(spender.redeem(reward_of()), 409, "insufficient_points")
    assert len(under_locks) == 1
    assert buckets(spender.member_id) == (50, 0, 950)


def test_an_account_that_somebody_holds_is_not_waited_for_by_the_quick_way(
    app: Flask, spender: Spender, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(settings.database_owner_url, options="-c lock_timeout=10s") as other:
        other.execute("SELECT 1 FROM account WHERE member_id = %s FOR UPDATE", (spender.member_id,))
        outcomes = quick._serve("", plans(monkeypatch, spender, [reward_of()]))
        other.rollback()
    assert outcomes == [None]


def test_stock_that_goes_meanwhile_is_found_sold_out_and_nothing_moves(
    spender: Spender, under_locks: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reward = reward_of(stock=1)

    def sell_out() -> None:
        with unit_of_work() as session:
            session.execute(update(RewardStock).where(RewardStock.reward_id == reward.reward_id).values(taken=1))

    between(monkeypatch, sell_out)
    assert_problem(spender.redeem(reward), 409, "sold_out")
    assert len(under_locks) == 1
    assert buckets(spender.member_id) == (1000, 0, 0)


def test_a_key_that_is_used_meanwhile_redeems_once(
    app: Flask, spender: Spender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request twice, the second between the first one's read and its write."""
    reward = reward_of()
    answers: list[Any] = []
    between(monkeypatch, lambda: answers.append(spender.redeem(reward, key="same")))
    answers.append(spender.redeem(reward, key="same"))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert buckets(spender.member_id) == (900, 0, 100)


def plans(monkeypatch: pytest.MonkeyPatch, spender: Spender, rewards: list[Reward]) -> list[Any]:
    """What the quick way would write for these requests, without writing it."""
    caught: list[Any] = []

    class Desk:
        def submit(self, _: str, planned: Any) -> None:
            caught.append(planned)

    with monkeypatch.context() as patched:
        patched.setattr(quick, "_desk", Desk)
        patched.setattr(redemption_routes, "_redeem_under_locks", lambda body: redemption_routes.private_json({}))
        for reward in rewards:
            spender.redeem(reward)
    assert len(caught) == len(rewards)
    return caught


@pytest.fixture
def others(shop: world.Shop, shopper: Any, client: Any) -> Iterator[list[Spender]]:
    made = []
    for customer in world.make_customers(shop, 5):
        give_points(customer.member_id, 100)
        made.append(Spender(client, customer.member_id, shopper(customer.member_id)))
    yield made
    assert differences() == []


def test_many_share_a_statement(others: list[Spender], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = reward_of(stock=10), reward_of(document={"limit": {"quantity": 1, "per": "ever"}})
    rewards = [one, two, one, two, one]
    planned = [plan for who, reward in zip(others, rewards, strict=True) for plan in plans(monkeypatch, who, [reward])]
    assert quick._serve("", planned) == [{str(one.reward_id): 7}] * 5
    assert [buckets(who.member_id) for who in others] == [(0, 0, 100)] * 5
    assert len(db.session.scalars(select(Redemption.redemption_id)).all()) == 5
    db.session.rollback()


def test_one_that_breaks_the_statement_does_not_keep_the_others(
    others: list[Spender], monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty, last = reward_of(stock=10), reward_of(stock=1)
    rewards = [plenty, last, last, plenty, last]
    planned = [plan for who, reward in zip(others, rewards, strict=True) for plan in plans(monkeypatch, who, [reward])]
    outcomes = quick._serve("", planned)
    assert [outcome is not None for outcome in outcomes] == [True, True, False, True, False]
    assert [buckets(who.member_id)[2] for who in others] == [100, 100, 0, 100, 0]


def test_a_member_has_one_redemption_in_a_statement(others: list[Spender], monkeypatch: pytest.MonkeyPatch) -> None:
    reward = reward_of(points=10)
    planned = plans(monkeypatch, others[0], [reward, reward]) + plans(monkeypatch, others[1], [reward])
    outcomes = quick._serve("", planned)
    assert [outcome is not None for outcome in outcomes] == [True, False, True]
    assert [buckets(who.member_id)[2] for who in others[:2]] == [10, 10]


def test_a_stock_that_was_never_opened_breaks_the_statement(
    others: list[Spender], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    reward = reward_of(stock=10)
    planned = plans(monkeypatch, others[0], [reward])
    with psycopg.connect(settings.database_owner_url, autocommit=True, options="-c lock_timeout=10s") as owner:
        owner.execute("DELETE FROM reward_stock WHERE reward_id = %s", (reward.reward_id,))
    assert quick._serve("", planned) == [None]
    assert buckets(others[0].member_id) == (100, 0, 0)


def test_the_outbox_is_told_that_little_is_left(spender: Spender) -> None:
    reward = reward_of(stock=4, document={"low_stock_at": 2})
    for _ in range(4):
        spender.redeemed(reward)
    told = db.session.execute(
        text("SELECT payload ->> 'left' FROM outbox WHERE kind = 'low_stock' AND member_id = :id"),
        {"id": reward.reward_id},
    ).scalars().all()  # fmt: skip
    db.session.rollback()
    assert told == ["2"]


def test_an_unknown_reward_is_not_found(spender: Spender) -> None:
    answer = spender.redeem(Reward(reward_id=new_id()))
    assert_problem(answer, 404, "reward_not_found")
