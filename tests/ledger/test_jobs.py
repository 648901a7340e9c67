"""The ledger's jobs: each does what is left to do, once, however often and with whomever it runs."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.outbox import OutboxRow
from app.core.unit_of_work import unit_of_work
from app.ledger import jobs, queries, service
from app.ledger.models import Entry, ExpiryWarning
from tests.ledger.conftest import GiveAward, NewMember, account_of, differences, point_award

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def at(days: float) -> time_machine.travel:
    return time_machine.travel(START + timedelta(days=days), tick=False)


def go(run: Any) -> Any:
    return run(threading.Event())


def warnings(member_id: UUID) -> list[tuple[int, int, str]]:
    rows = db.session.scalars(
        select(OutboxRow.payload)
        .where(OutboxRow.member_id == member_id, OutboxRow.kind == "expiry_warning")
        .order_by(OutboxRow.version)
    )
    return [(row["days"], row["points"], row["expires_at"]) for row in rows]


def test_all_that_is_due_is_settled_and_then_nothing(new_member: NewMember, give: GiveAward) -> None:
    with at(0):
        members = [new_member() for _ in range(5)]
        for member_id in members[:4]:
            give(member_id, point_award(10, START + DAY, START + 3 * DAY))
    with at(2):
        assert go(jobs.settle_all) == 4
        assert go(jobs.settle_all) == 0
        assert [account_of(member_id).available for member_id in members] == [10, 10, 10, 10, 0]
    with at(3):
        assert go(jobs.settle_all) == 4
        assert [account_of(member_id).expired for member_id in members] == [10, 10, 10, 10, 0]
        assert differences() == []


def test_a_job_that_is_told_to_stop_does_no_more(new_member: NewMember, give: GiveAward) -> None:
    stop = threading.Event()
    stop.set()
    with at(0):
        member_id = new_member()
        give(member_id, point_award(10, START + DAY, START + 20 * DAY))
    with at(2):
        assert [job.run(stop) for job in jobs.JOBS] == [0, 0, 0, 0]
        assert account_of(member_id).available == 0


def test_two_settle_jobs_at_once_book_everything_once(app: Flask, new_member: NewMember, give: GiveAward) -> None:
    with at(0):
        members = [new_member() for _ in range(12)]
        for member_id in members:
            give(member_id, point_award(10, START + DAY))
    errors: list[Exception] = []

    def settle() -> None:
        with app.app_context():
            try:
                go(jobs.settle_all)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=settle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [account_of(member_id).available for member_id in members] == [10] * 12
    assert len(db.session.scalars(select(Entry.seq)).all()) == 24
    assert differences() == []


def test_an_account_that_somebody_has_locked_is_passed_over(app: Flask, new_member: NewMember, give: GiveAward) -> None:
    with at(0):
        locked, free = new_member(), new_member()
        for member_id in (locked, free):
            give(member_id, point_award(10, START + DAY, START + 9 * DAY))
    counts = []

    def run() -> None:
        with app.app_context():
            counts.extend([go(jobs.settle_all), go(jobs.warn_of_expiry)])

    with at(3):
        with unit_of_work() as session:
            queries.lock_account(session, locked)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        assert counts == [1, 1]
        assert [go(jobs.settle_all), go(jobs.warn_of_expiry)] == [1, 1]


def test_warnings_are_given_30_and_7_days_before_and_once_each(new_member: NewMember, give: GiveAward) -> None:
    with at(0):
        member_id = new_member()
        give(
            member_id,
            point_award(10, START, START + 100 * DAY),
            point_award(5, START, START + 100 * DAY),
            point_award(3, START, START + 101 * DAY),
            point_award(90),
        )
    expected = {69.9: 0, 70: 1, 70.1: 1, 71: 2, 92.9: 2, 93: 3, 94: 4, 99.9: 4, 102: 4}
    for day, count in expected.items():
        with at(day):
            go(jobs.warn_of_expiry)
            assert len(warnings(member_id)) == count, day
    first, second = "2026-08-12T12:00:00Z", "2026-08-13T12:00:00Z"
    assert warnings(member_id) == [(30, 15, first), (30, 3, second), (7, 15, first), (7, 3, second)]
    with at(200):
        assert go(jobs.forget_warnings) == 4
    assert differences() == []


def test_points_first_seen_in_their_last_week_are_warned_of_once(new_member: NewMember, give: GiveAward) -> None:
    with at(0):
        member_id = new_member()
        give(member_id, point_award(10, START, START + 5 * DAY))
        assert (go(jobs.warn_of_expiry), go(jobs.warn_of_expiry)) == (1, 0)
    with at(1):
        give(member_id, point_award(1, START, START + 5 * DAY))
        assert go(jobs.warn_of_expiry) == 0
    assert warnings(member_id) == [(7, 10, "2026-05-09T12:00:00Z")]


def test_an_extension_is_warned_of_again(new_member: NewMember, give: GiveAward) -> None:
    with at(0):
        member_id = new_member()
        give(member_id, point_award(10, START, START + 20 * DAY), point_award(5, START, START + 80 * DAY))
        assert go(jobs.warn_of_expiry) == 1
        service.extend_expiry(member_id, START + 60 * DAY, moment=START)
        assert go(jobs.warn_of_expiry) == 0
    with at(30):
        assert go(jobs.warn_of_expiry) == 1
    assert warnings(member_id) == [(30, 10, "2026-05-24T12:00:00Z"), (30, 10, "2026-07-03T12:00:00Z")]


@pytest.mark.parametrize("part", ["spent", "held"])
def test_what_is_not_there_any_more_is_not_warned_of(new_member: NewMember, give: GiveAward, part: str) -> None:
    with at(0):
        member_id = new_member()
        give(member_id, point_award(10, START, START + 20 * DAY))
        named: dict[str, Any] = {"actor": "t", "fingerprint": b"", "moment": now()}
        if part == "spent":
            service.spend_points(member_id, 10, key="spend:1", **named)
        else:
            service.hold_points(member_id, UUID(int=1), 10, expires_at=START + DAY, live=True, **named)
        assert go(jobs.warn_of_expiry) == 0
    assert db.session.scalars(select(ExpiryWarning)).all() == []


def test_more_members_than_one_transaction_takes(
    new_member: NewMember, give: GiveAward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ACCOUNTS_MAX", 2)
    with at(0):
        for _ in range(5):
            give(new_member(), point_award(10, START, START + 20 * DAY))
        assert go(jobs.warn_of_expiry) == 5
    with at(40):
        go(jobs.settle_all)
        assert (go(jobs.take_snapshots), go(jobs.take_snapshots)) == (5, 0)
