"""What happens at once to the same accounts: real threads, each with its own connection, and real commits."""

import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask

from app.core.clock import now
from app.core.database import db
from app.core.errors import ProblemError
from app.core.ids import new_id
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import service
from app.ledger.models import Account
from app.members import service as members
from config import Settings
from tests import world

ROUNDS = 40 if os.environ.get("TEST_PROFILE") == "long" else 2
THREADS = 8
AtOnce = Callable[[Sequence[Callable[[], Any]]], list[Any]]


@pytest.fixture
def at_once(app: Flask) -> AtOnce:
    """A function that runs operations at the same moment in threads of their own; it returns what each returned or,
    where it was refused, the name of the error. What is no refusal is raised.
    """

    def run(operations: Sequence[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(min(len(operations), THREADS))

        def one(place: int, operation: Callable[[], Any]) -> Any:
            with app.app_context():
                if place < start.parties:
                    start.wait(30)
                try:
                    return retry_transient(operation)
                except ProblemError as refused:
                    return type(refused).__name__

        db.session.rollback()
        with ThreadPoolExecutor(start.parties) as threads:
            return list(threads.map(one, range(len(operations)), operations))

    return run


@pytest.fixture(autouse=True)
def proven(app: Flask) -> Any:
    """Whatever happened, the ledger is sound afterwards."""
    yield
    db.session.rollback()
    assert [str(each) for each in service.verify(service.Verification())] == []


def member_with(points: int, lots: int = 1, expires_at: datetime | None = None) -> UUID:
    member_id = members.enrol_member(moment=now()).member_id
    for number in range(lots):
        service.adjust_points(
            member_id, points // lots, key=f"adjust:{number}", actor="test", reason="r", expires_at=expires_at,
            fingerprint=b"", moment=now(),
        )  # fmt: skip
    return member_id


def spend(member_id: UUID, points: int, key: str) -> Callable[[], service.Posted]:
    return lambda: service.spend_points(member_id, points, key=key, actor="test", fingerprint=b"", moment=now())


def hold(member_id: UUID, points: int, expires_at: datetime, moment: datetime | None = None) -> UUID:
    hold_id = new_id()
    service.hold_points(
        member_id, hold_id, points, expires_at=expires_at, live=True, actor="test", fingerprint=b"",
        moment=moment or now(),
    )  # fmt: skip
    return hold_id


def buckets(member_id: UUID) -> tuple[int, int, int, int, int]:
    db.session.rollback()
    account = db.session.get(Account, member_id, populate_existing=True)
    assert account is not None
    found = (account.available, account.held, account.spent, account.expired, account.debt)
    db.session.rollback()
    return found


def names(answers: Sequence[Any]) -> Counter[str]:
    return Counter(answer if isinstance(answer, str) else "done" for answer in answers)


@pytest.mark.parametrize("lots", [1, 20])
def test_of_64_that_spend_the_last_100_points_one_succeeds(at_once: AtOnce, lots: int) -> None:
    for _ in range(ROUNDS):
        member_id = member_with(100, lots)
        answers = at_once([spend(member_id, 100, f"spend:{number}") for number in range(64)])
        assert names(answers) == {"done": 1, "InsufficientPoints": 63}
        assert buckets(member_id) == (0, 0, 100, 0, 0)


def test_of_64_that_send_one_key_one_books_and_all_get_its_answer(at_once: AtOnce) -> None:
    member_id = member_with(100)
    answers = at_once([spend(member_id, 10, "spend:same")] * 64)
    assert Counter(answer.is_replay for answer in answers) == {True: 63, False: 1}
    assert {answer.available for answer in answers} == {90}
    assert buckets(member_id) == (90, 0, 10, 0, 0)


def test_many_spends_take_every_point_once(at_once: AtOnce) -> None:
    for _ in range(ROUNDS):
        member_id = member_with(100, 20)
        answers = at_once([spend(member_id, 7, f"spend:{number}") for number in range(20)])
        assert names(answers) == {"done": 14, "InsufficientPoints": 6}
        assert buckets(member_id) == (2, 0, 98, 0, 0)


def test_a_hold_against_an_expiry_has_the_points_or_not_at_all(at_once: AtOnce) -> None:
    for number in range(ROUNDS * 4):
        expires_at = now() + timedelta(hours=1)
        member_id = member_with(100, 4, expires_at)
        asked_at = expires_at - timedelta(seconds=number % 2)  # one of them a second before, one at the moment
        operations: list[Callable[[], Any]] = [
            lambda member_id=member_id, at=asked_at: hold(member_id, 100, at + timedelta(days=1), at),
            lambda member_id=member_id, at=expires_at: service.settle_due(member_id, at),
        ]
        order = random.sample([0, 1], 2)
        held = at_once([operations[place] for place in order])[order.index(0)]
        assert buckets(member_id) == ((0, 0, 0, 100, 0) if held == "InsufficientPoints" else (0, 100, 0, 0, 0))
        assert number % 2 or held == "InsufficientPoints", "at that moment they have expired, whoever comes first"


def test_of_a_capture_and_the_end_of_the_hold_one_happens(at_once: AtOnce) -> None:
    for _ in range(ROUNDS * 4):
        member_id = member_with(100, 4)
        ends_at = now() + timedelta(minutes=5)
        hold_id = hold(member_id, 100, ends_at)
        operations: list[Callable[[], Any]] = [
            lambda member_id=member_id, hold_id=hold_id: service.capture_hold(
                member_id, hold_id, 60, actor="test", fingerprint=b"", moment=now()
            ),
            lambda at=ends_at: service.settle_due_accounts(at),
        ]
        order = random.sample([0, 1], 2)
        captured = at_once([operations[place] for place in order])[order.index(0)]
        assert buckets(member_id) == ((100, 0, 0, 0, 0) if captured == "HoldExpired" else (40, 0, 60, 0, 0))


def test_of_a_capture_and_a_release_one_happens(at_once: AtOnce) -> None:
    for _ in range(ROUNDS * 4):
        member_id = member_with(100, 4)
        hold_id = hold(member_id, 100, now() + timedelta(minutes=5))
        operations: list[Callable[[], Any]] = [
            lambda member_id=member_id, hold_id=hold_id: service.capture_hold(
                member_id, hold_id, 60, actor="test", fingerprint=b"", moment=now()
            ),
            lambda member_id=member_id, hold_id=hold_id: service.release_hold(
                member_id, hold_id, actor="test", fingerprint=b"", moment=now()
            ),
        ]
        order = random.sample([0, 1], 2)
        answers = at_once([operations[place] for place in order])
        captured, released = (answers[order.index(place)] for place in (0, 1))
        if released == "HoldCaptured":
            assert captured.points("held", "spent") == 60
            assert buckets(member_id) == (40, 0, 60, 0, 0)
        else:
            assert captured == "HoldReleased"
            assert buckets(member_id) == (100, 0, 0, 0, 0)


def test_a_return_and_a_spend_come_to_the_same_in_any_order(at_once: AtOnce) -> None:
    for _ in range(ROUNDS * 4):
        member_id = member_with(100, 2)
        operations: list[Callable[[], Any]] = [
            lambda member_id=member_id: service.reverse_points(
                member_id, "adjust:0", None, key="reverse:1", actor="test", fingerprint=b"", moment=now()
            ),
            spend(member_id, 60, "spend:1"),
        ]
        returned, spent = at_once(operations)
        assert not isinstance(returned, str)
        if isinstance(spent, str):
            assert spent == "InsufficientPoints"
            assert buckets(member_id) == (50, 0, 0, 0, 0)
        else:
            assert buckets(member_id) == (0, 0, 60, 0, 10), "the points that are gone are owed"


def test_gifts_in_both_directions_at_once_lose_nothing(at_once: AtOnce) -> None:
    for _ in range(ROUNDS):
        pair = member_with(100, 5), member_with(100, 5)

        def gift(number: int, pair: tuple[UUID, UUID] = pair) -> Callable[[], Any]:
            sender, receiver = pair if number % 2 else pair[::-1]
            return lambda: service.give_points(
                sender, receiver, 10, key=f"gift:{number}", actor="test", reason=None, fingerprint=b"", moment=now()
            )

        assert names(at_once([gift(number) for number in range(16)])) == {"done": 16}
        assert [buckets(member_id)[0] for member_id in pair] == [100, 100]


def test_crossing_batches_of_awards_reach_no_caller_as_a_deadlock(app: Flask, at_once: AtOnce) -> None:
    world.load_programme()
    shop = world.make_shop()
    customers = world.make_customers(shop, 12)
    # some owe points or have something due, so that their awards go the way under the lock
    for customer in customers[:3]:
        service.adjust_points(
            customer.member_id, 10, key="adjust:due", actor="test", reason="r",
            expires_at=now() - timedelta(seconds=1), fingerprint=b"", moment=now() - timedelta(hours=1),
        )  # fmt: skip
    batches = []
    for number in range(4 * ROUNDS):
        order = customers if number % 2 else customers[::-1]
        batches.append(
            [world.basket(customer.ref, id=f"order-{number}-{place}") for place, customer in enumerate(order)]
        )

    def send(batch: list[dict[str, Any]]) -> Callable[[], Any]:
        return lambda: app.test_client().post("/v1/activities/batch", json={"activities": batch}, headers=shop.live)

    answers = at_once([send(batch) for batch in batches])
    assert {answer.status_code for answer in answers} == {200}
    assert {each["status"] for answer in answers for each in answer.json["results"]} == {201}
    for customer in customers:
        with app.app_context():
            wallet = service.read_wallet(customer.member_id)
        assert wallet.available + wallet.pending == len(batches) * world.BASKET_AWARDED


def test_two_jobs_that_settle_at_once_book_everything_once(app: Flask, at_once: AtOnce) -> None:
    moment = now()
    ids = [member.member_id for member in members.enrol_many(25, moment=moment)]
    for member_id, number in itertools.product(ids, range(2)):
        service.adjust_points(
            member_id, 10 + number, key=f"adjust:{number}", actor="test", reason="r",
            expires_at=moment + timedelta(hours=1 + number), fingerprint=b"", moment=moment,
        )  # fmt: skip
    held = hold(ids[0], 15, moment + timedelta(hours=2), moment)
    later = moment + timedelta(hours=3)

    def job() -> int:
        settled = 0
        while found := service.settle_due_accounts(later):
            settled += found
        return settled

    assert sum(at_once([job] * 4)) == 25
    assert job() == 0, "again is once too often, and does nothing"
    assert all(buckets(member_id) == (0, 0, 0, 21, 0) for member_id in ids)
    assert service.get_hold(ids[0], held).status == "expired"


def test_a_job_passes_over_an_account_that_is_in_use(app: Flask) -> None:
    moment = now()
    first, second = (member_with(10, 1, moment + timedelta(hours=1)) for _ in range(2))
    db.session.rollback()
    with ThreadPoolExecutor(1) as threads, unit_of_work():
        service.lock_account(first)

        def job() -> int:
            with app.app_context():
                return service.settle_due_accounts(moment + timedelta(hours=1))

        assert threads.submit(job).result(30) == 1
    assert (buckets(first)[3], buckets(second)[3]) == (0, 10)
    assert service.settle_due_accounts(moment + timedelta(hours=1)) == 1
    assert buckets(first)[3] == 10


ONE_STATEMENT = """
WITH locked AS MATERIALIZED (SELECT member_id FROM account WHERE member_id = %(member)s FOR NO KEY UPDATE)
SELECT lot.lot_id, lot.remaining FROM locked JOIN lot USING (member_id) WHERE lot.is_open ORDER BY lot.lot_id
"""
LOCK = "SELECT member_id FROM account WHERE member_id = %(member)s FOR NO KEY UPDATE"
LOTS = "SELECT lot_id, remaining FROM lot WHERE member_id = %(member)s AND is_open ORDER BY lot_id"


@pytest.mark.parametrize(
    ("statements", "seen"), [((ONE_STATEMENT,), [(1, 100)]), ((LOCK, LOTS), [(1, 40)])], ids=["one", "lock first"]
)
def test_why_the_lock_has_a_statement_of_its_own(
    app: Flask, settings: Settings, statements: Sequence[str], seen: list[tuple[int, int]]
) -> None:
    """Under READ COMMITTED a statement that waits for the account reads lots as they were before it waited.

    The row it locks is read anew after the wait; lots come from the statement's snapshot, which is older: it would
    spend again what another has just spent. A second statement has a snapshot of its own, taken after the wait.
    """
    member_id = member_with(100)
    with (
        psycopg.connect(settings.database_url) as waiting,
        psycopg.connect(settings.database_url, autocommit=True) as watching,
        ThreadPoolExecutor(1) as threads,
    ):

        def read() -> list[tuple[Any, ...]]:
            for statement in statements:
                cursor = waiting.execute(statement.encode(), {"member": member_id})
            return cursor.fetchall()

        def is_waiting() -> bool:
            query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
            row = watching.execute(query, [waiting.info.backend_pid]).fetchone()
            return row is not None and bool(row[0])

        with unit_of_work():
            service.lock_account(member_id)
            found = threads.submit(read)
            while not is_waiting():
                assert not found.done()
            spend(member_id, 60, "spend:1")()
        assert found.result(30) == seen
