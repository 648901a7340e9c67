"""What happens at once to one hold at a checkout: real threads, each with its own connection, and real commits."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.core.clock import now
from app.core.database import db
from app.core.errors import ProblemError
from app.core.ids import new_id
from app.core.unit_of_work import retry_transient
from app.ledger import service
from app.ledger.models import Account
from app.ledger.service import confirming
from app.members import service as members
from tests import world
from tests.concurrency.racing import at_once

ROUNDS = 20
POINTS = 100
SECOND = timedelta(seconds=1)
Race = Callable[[Sequence[Callable[[], Any]]], list[str]]


@pytest.fixture
def race(app: Flask) -> Race:
    """A function that runs operations from the same moment in threads of their own, in any order; it returns of each
    the name of the error by which it was refused, or "done".
    """

    def run(operations: Sequence[Callable[[], Any]]) -> list[str]:
        def one(operation: Callable[[], Any]) -> str:
            with app.app_context():
                try:
                    retry_transient(operation)
                except ProblemError as refused:
                    return type(refused).__name__
                return "done"

        db.session.rollback()
        order = random.sample(range(len(operations)), len(operations))
        answers = at_once([lambda place=place: one(operations[place]) for place in order])  # type: ignore[misc]
        return [answers[order.index(place)] for place in range(len(operations))]

    return run


@pytest.fixture(autouse=True)
def proven(app: Flask) -> Any:
    """Whatever happened, the ledger is sound afterwards."""
    yield
    db.session.rollback()
    assert [str(each) for each in service.verify(service.Verification())] == []


@pytest.fixture
def merchant_id(app: Flask) -> UUID:
    return world.make_shop().merchant_id


def balances(member_id: UUID) -> tuple[int, int, int]:
    db.session.rollback()
    account = db.session.get(Account, member_id, populate_existing=True)
    assert account is not None
    return account.available, account.held, account.spent


def placed(merchant_id: UUID, expires_at: datetime, confirm_by: datetime | None = None) -> tuple[UUID, UUID]:
    """Return a new member with so many points, and the hold of all of them."""
    member_id, hold_id = members.enrol_member(moment=now()).member_id, new_id()
    service.adjust_points(
        member_id, POINTS, key="adjust:1", actor="test", reason="r", fingerprint=b"", moment=now()
    )  # fmt: skip
    service.hold_points(
        member_id, hold_id, POINTS, expires_at=expires_at, confirm_by=confirm_by, live=True, merchant_id=merchant_id,
        actor="test", fingerprint=b"", moment=now(),
    )  # fmt: skip
    return member_id, hold_id


def capture(member_id: UUID, hold_id: UUID, moment: datetime, points: int = POINTS) -> Callable[[], Any]:
    return lambda: service.capture_hold(member_id, hold_id, points, actor="test", fingerprint=b"c", moment=moment)


@pytest.mark.parametrize("by_job", [False, True])
def test_a_capture_against_the_end_of_the_hold_has_the_points_or_not_at_all(
    race: Race, merchant_id: UUID, by_job: bool
) -> None:
    for number in range(ROUNDS):
        ends_at = now() + timedelta(hours=1)
        member_id, hold_id = placed(merchant_id, ends_at)
        asked_at = ends_at - number % 2 * SECOND  # at the moment itself the hold is over, whoever comes first
        settle = (
            (lambda at=ends_at: service.settle_due_accounts(at)) if by_job
            else (lambda member_id=member_id, at=ends_at: service.settle_due(member_id, at))
        )  # fmt: skip
        captured, settled = race([capture(member_id, hold_id, asked_at, 60), settle])
        assert settled == "done"
        service.settle_due(member_id, ends_at)  # the job passes over an account that is locked
        if captured == "done":
            assert number % 2, "the hold was over"
            assert balances(member_id) == (40, 0, 60)
        else:
            assert (captured, balances(member_id)) == ("HoldExpired", (100, 0, 0))


def test_a_confirmation_against_its_time_lets_it_be_captured_or_gives_it_back(race: Race, merchant_id: UUID) -> None:
    for _ in range(ROUNDS):
        until = now() + timedelta(hours=1)
        member_id, hold_id = placed(merchant_id, until + timedelta(hours=1), until)
        confirmed, _ = race([
            lambda member_id=member_id, hold_id=hold_id, at=until - SECOND: confirming.confirm_hold(
                member_id, hold_id, at
            ),
            lambda member_id=member_id, at=until: service.settle_due(member_id, at),
        ])  # fmt: skip
        outcome = race([capture(member_id, hold_id, until + SECOND)])
        assert (confirmed, outcome) in (("done", ["done"]), ("HoldExpired", ["HoldExpired"]))
        assert balances(member_id) == ((0, 0, 100) if confirmed == "done" else (100, 0, 0))


def test_of_confirm_decline_release_and_capture_at_once_one_end_comes_out(race: Race, merchant_id: UUID) -> None:
    for _ in range(ROUNDS):
        later = now() + timedelta(hours=1)
        member_id, hold_id = placed(merchant_id, later, later)
        confirmed, declined, released, captured = race([
            lambda member_id=member_id, hold_id=hold_id: confirming.confirm_hold(member_id, hold_id, now()),
            lambda member_id=member_id, hold_id=hold_id: confirming.decline_hold(member_id, hold_id, now()),
            lambda member_id=member_id, hold_id=hold_id: service.release_hold(
                member_id, hold_id, actor="test", fingerprint=b"r", moment=now()
            ),
            capture(member_id, hold_id, now()),
        ])  # fmt: skip
        closed = [declined, released, captured].count("done")
        assert closed == 1, (confirmed, declined, released, captured)
        if captured == "done":
            assert confirmed == "done"
        assert balances(member_id) == ((0, 0, 100) if captured == "done" else (100, 0, 0))
