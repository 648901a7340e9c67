"""Time takes effect exactly, whether or not it has been booked; booking it once is enough."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.ledger import service
from app.ledger.errors import AccountNotFound
from app.ledger.models import Entry, Lot, LotAllocation, Posting
from tests.ledger.conftest import GiveAward, NewMember, account_of, differences, point_award, settle

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def at(days: float) -> time_machine.travel:
    return time_machine.travel(START + timedelta(days=days), tick=False)


def wallet(member_id: UUID) -> tuple[int, int, int]:
    found = service.read_wallet(member_id)
    return found.pending, found.available, found.lifetime["expired"]


def entries(member_id: UUID) -> list[tuple[Any, ...]]:
    rows = db.session.scalars(select(Entry).where(Entry.member_id == member_id).order_by(Entry.seq))
    return [(row.seq, row.source, row.target, row.amount, row.effective_at) for row in rows]


@pytest.fixture
def member(new_member: NewMember, give: GiveAward) -> UUID:
    """100 points that mature on day 10 and expire on day 30, 50 that wait until day 90, and 7 for ever."""
    with at(0):
        member_id = new_member()
        give(
            member_id,
            point_award(100, START + 10 * DAY, START + 30 * DAY),
            point_award(50, None, None, START + 90 * DAY),
            point_award(7, START),
        )
    return member_id


@pytest.mark.parametrize(
    ("day", "buckets"),
    [(0, (150, 7, 0)), (9.99, (150, 7, 0)), (10, (50, 107, 0)), (29.99, (50, 107, 0)), (30, (50, 7, 100)),
     (89.99, (50, 7, 100)), (90, (0, 7, 150)), (5000, (0, 7, 150))],
)  # fmt: skip
def test_a_wallet_is_right_by_the_clock_before_and_after_booking(
    member: UUID, day: float, buckets: tuple[int, int, int]
) -> None:
    with at(day):
        before = account_of(member).version
        assert wallet(member) == buckets
        assert account_of(member).version == before, "reading books nothing"
        settle(member, now())
        account = account_of(member)
        assert (account.pending, account.available, account.expired) == buckets
        assert wallet(member) == buckets
        assert differences() == []


def test_what_is_due_is_booked_at_the_moment_it_happened(member: UUID) -> None:
    with at(100):
        state = settle(member, now())
        recorded = db.session.scalars(select(Entry.recorded_at).where(Entry.seq > 3)).all()
    assert entries(member)[3:] == [
        (4, "pending", "available", 100, START + 10 * DAY),
        (5, "available", "expired", 100, START + 30 * DAY),
        (6, "pending", "expired", 50, START + 90 * DAY),
    ]
    assert set(recorded) == {START + 100 * DAY}
    assert (state.pending, state.available, state.last_seq, state.next_due_at) == (0, 7, 6, None)
    balances = db.session.execute(select(Entry.pending, Entry.available).order_by(Entry.seq)).all()
    assert [tuple(row) for row in balances] == [(100, 0), (150, 0), (150, 7), (50, 107), (50, 7), (0, 7)]


def test_each_booking_names_the_lots_it_took(member: UUID, give: GiveAward) -> None:
    with at(1):
        give(member, point_award(30, START + 10 * DAY, START + 40 * DAY))
    with at(20):
        settle(member, now())
    rows = db.session.execute(select(LotAllocation.seq, LotAllocation.lot_id, LotAllocation.amount))
    assert sorted(tuple(row) for row in rows) == [(5, 1, 100), (5, 4, 30)]
    lots = {lot.lot_id: lot for lot in db.session.scalars(select(Lot))}
    assert [lots[number].is_matured for number in (1, 2, 3, 4)] == [True, False, True, True]
    assert all(lot.is_open for lot in lots.values())
    with at(40):
        settle(member, now())
        lots = {lot.lot_id: lot for lot in db.session.scalars(select(Lot).execution_options(populate_existing=True))}
    assert [(lots[number].remaining, lots[number].expired, lots[number].is_open) for number in (1, 4)] == [
        (0, 100, False), (0, 30, False),
    ]  # fmt: skip


def test_settling_again_books_nothing(member: UUID) -> None:
    with at(30):
        settle(member, now())
        first = (entries(member), account_of(member).version)
        settle(member, now())
        assert (entries(member), account_of(member).version) == first


def test_in_steps_or_at_once_comes_to_the_same(new_member: NewMember, give: GiveAward) -> None:
    awards = [point_award(3 + n, START + (n % 4) * 5 * DAY, START + (10 + 7 * n) * DAY) for n in range(6)]
    with at(0):
        stepwise, at_once = new_member(), new_member()
        give(stepwise, *awards)
        give(at_once, *awards)
    for day in range(0, 60, 3):
        with at(day):
            settle(stepwise, now())
    with at(60):
        settle(stepwise, now())
        settle(at_once, now())
        assert wallet(stepwise) == wallet(at_once)
        assert entries(stepwise) == entries(at_once)
        assert differences() == []


def test_next_due_follows_what_is_left(member: UUID) -> None:
    expected = [(0, 10), (10, 30), (30, 90), (90, None)]
    for day, due in expected:
        with at(day):
            settle(member, now())
        assert account_of(member).next_due_at == (START + due * DAY if due else None)


def test_settling_is_one_fact_for_the_projections(member: UUID) -> None:
    with at(100):
        settle(member, now())
    rows = db.session.scalars(select(OutboxRow).order_by(OutboxRow.version)).all()
    assert [(row.version, row.kind) for row in rows] == [(1, "activity"), (2, "settled")]
    assert [movement["points"] for movement in rows[1].payload["movements"]] == [100, 100, 50]
    assert account_of(member).version == 2


def test_an_award_that_is_due_already_can_be_settled_at_once(new_member: NewMember, give: GiveAward) -> None:
    """What is reported late may have expired before it is known; it expires no sooner than it came."""
    with at(0):
        member_id = new_member()
        give(member_id, point_award(5, START - 40 * DAY, START - DAY))
        assert wallet(member_id) == (0, 0, 5)
        settle(member_id, now())
        assert entries(member_id)[-1] == (2, "available", "expired", 5, START)
        assert differences() == []


def test_nobody_is_written_whose_account_has_something_due_or_was_changed(member: UUID) -> None:
    def write(state: service.AccountState) -> set[UUID]:
        plan = service.plan_for(state)
        activity_id = new_id()
        service.plan_activity(
            plan,
            service.AwardedActivity(f"a:{activity_id}", b"", activity_id, "x", [point_award(1)], "activity", "{}"),
            now(),
        )
        with driver_connection() as connection:
            return service.start_write([plan], now()).execute(connection)

    with at(5):
        seen = settle(member, now())
        stale = settle(member, now())
    with at(10):
        assert write(seen) == set()
        assert write(settle(member, now())) == {member}
        assert write(stale) == set()
    assert db.session.scalars(select(Posting.kind).order_by(Posting.first_seq)).all() == ["award", "mature", "award"]
    assert differences() == []


def test_a_wallet_tells_what_comes_by_date(member: UUID) -> None:
    with at(0):
        found = service.read_wallet(member)
    assert found.maturing == [{"points": 100, "available_at": START + 10 * DAY}]
    assert found.expiring == [{"points": 100, "expires_at": START + 30 * DAY}]
    assert (found.held, found.debt, found.as_of, found.version) == (0, 0, START, 1)
    assert found.lifetime == {"issued": 157, "spent": 0, "expired": 0, "reversed": 0}


def test_who_has_no_account_is_not_found(new_member: NewMember) -> None:
    with pytest.raises(AccountNotFound):
        service.read_wallet(new_id())
    with pytest.raises(AccountNotFound):
        settle(new_id(), now())


def test_a_hold_that_ends_by_itself_is_in_the_wallet_before_it_is_booked(member: UUID) -> None:
    with at(10):
        service.hold_points(
            member, new_id(), 60, expires_at=START + 35 * DAY, live=True, actor="merchant:shop", fingerprint=b"f",
            moment=now(),
        )  # fmt: skip
        assert (wallet(member), service.read_wallet(member).held) == ((50, 47, 0), 60)
    # on day 30 what is not held expires, on day 35 what was: first expiring first, it came of the 100
    for day, free, expired, held in ((30, 7, 40, 60), (34.99, 7, 40, 60), (35, 7, 100, 0)):
        with at(day):
            for _ in ("before", "after"):
                assert (wallet(member), service.read_wallet(member).held) == ((50, free, expired), held)
                settle(member, now())
            assert differences() == []


def test_points_live_until_their_extension(member: UUID) -> None:
    with at(29):
        service.extend_expiry(member, START + 60 * DAY, moment=now())
    for day, buckets in ((30, (50, 107, 0)), (59.99, (50, 107, 0)), (60, (50, 7, 100))):
        with at(day):
            assert wallet(member) == buckets
            settle(member, now())
            assert wallet(member) == buckets
            assert differences() == []
