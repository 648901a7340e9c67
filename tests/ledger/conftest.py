"""Members with points, made by the ledger's own award path."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from flask import Flask

from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import service
from app.ledger.models import Account
from app.members import service as members
from config import Settings

NewMember = Callable[[], UUID]
GiveAward = Callable[..., None]


def point_award(
    points: int,
    available_at: datetime | None = datetime(2020, 1, 1, tzinfo=UTC),
    expires_at: datetime | None = None,
    void_at: datetime | None = None,
) -> service.Award:
    return service.Award(points, available_at, expires_at, void_at, None, "a-rule", None)


def settle(member_id: UUID, moment: datetime) -> service.AccountState:
    """Book what time has done up to ``moment``; the account as it is then."""
    with unit_of_work(), service.open_book(member_id, moment):
        pass
    account = account_of(member_id)
    return service.AccountState(
        member_id, account.version, account.last_seq, account.pending, account.available, account.held, account.debt,
        account.next_due_at,
    )  # fmt: skip


@pytest.fixture
def new_member(app: Flask) -> NewMember:
    """A function that enrols a shopper and returns the id."""
    return lambda: members.enrol_member(moment=now()).member_id


@pytest.fixture
def give(app: Flask) -> GiveAward:
    """A function that books one activity with these awards for a member, settling first what is due."""

    def book(member_id: UUID, *awards: service.Award) -> None:
        moment = now()
        with unit_of_work():
            plan = service.plan_for(settle(member_id, moment))
            activity_id = new_id()
            service.plan_activity(
                plan,
                service.AwardedActivity(
                    f"activity:{activity_id}:rev1", b"", activity_id, "merchant:test", awards, "activity",
                    '{"occurred_at": "2026-05-04T12:00:00Z", "points": 0, "impact": {}}',
                ),
                moment,
            )  # fmt: skip
            with driver_connection() as connection:
                assert service.start_write([plan], moment).execute(connection) == {member_id}

    return book


@pytest.fixture
def owner(app: Flask, settings: Settings) -> Iterator[psycopg.Connection]:
    """A connection of the database's owner, who can do what the application can't."""
    with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:
        yield connection


def account_of(member_id: UUID) -> Account:
    """The account as it is booked; its equation is checked by the way."""
    account = db.session.get(Account, member_id, populate_existing=True)
    assert account is not None
    assert account.issued + account.debt + account.written_off == (
        account.pending + account.available + account.held + account.spent + account.expired + account.reversed
    )
    return account


def differences() -> list[str]:
    """What the ledger's verification finds."""
    return [f"{each.check}" for each in service.verify(service.Verification())]
