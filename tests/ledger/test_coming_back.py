"""Points that come back, to the lots they came from: what they repay, when they fall due, in which order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select

from app.core.database import db
from app.core.ids import new_id
from app.ledger import queries, service
from app.ledger.models import Lot
from tests.ledger.conftest import NewMember, account_of, differences

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def add(member_id: UUID, points: int, key: str, days: float | None = None, at: datetime = START) -> None:
    expires_at = None if days is None else START + days * DAY
    service.adjust_points(
        member_id, points, key=key, reason="r", actor="test", fingerprint=b"", expires_at=expires_at, moment=at
    )


def hold(member_id: UUID, points: int, days: float, at: datetime = START) -> UUID:
    hold_id = new_id()
    service.hold_points(
        member_id, hold_id, points, expires_at=START + days * DAY, live=True, actor="test", fingerprint=b"", moment=at
    )
    return hold_id


def remaining(member_id: UUID) -> list[int]:
    return list(db.session.scalars(select(Lot.remaining).where(Lot.member_id == member_id).order_by(Lot.lot_id)))


@pytest.fixture
def member(new_member: NewMember) -> UUID:
    return new_member()


def test_what_comes_back_after_a_write_off_makes_that_good(member: UUID) -> None:
    add(member, 100, "adjust:1")
    service.spend_points(member, 100, key="spend:1", actor="test", fingerprint=b"", moment=START)
    service.reverse_points(
        member, "adjust:1", None, key="reverse:1", is_written_off=True, actor="test", fingerprint=b"", moment=START
    )
    assert account_of(member).written_off == 100
    done = service.refund_spend(
        member, "spend:1", 60, key="refund:1", actor="test", fingerprint=b"", moment=START
    )  # fmt: skip
    assert done.moved == {("spent", "available"): 60, ("available", "written_off"): 60}
    account = account_of(member)
    assert (account.available, account.written_off, account.reversed) == (0, 40, 100)
    assert differences() == []


def test_a_hold_that_ends_after_a_write_off_makes_that_good_and_the_wallet_knows(member: UUID) -> None:
    add(member, 100, "adjust:1")
    hold(member, 100, 2)
    service.reverse_points(
        member, "adjust:1", None, key="reverse:1", is_written_off=True, actor="test", fingerprint=b"", moment=START
    )
    with time_machine.travel(START + 2 * DAY, tick=False):
        assert service.read_wallet(member).available == 0
        assert service.settle_due_accounts() == 1
        assert service.read_wallet(member).available == 0
    assert (account_of(member).held, account_of(member).written_off) == (0, 0)
    assert differences() == []


def test_released_points_expire_on_time_though_the_hold_would_have_lasted_longer(member: UUID) -> None:
    add(member, 100, "adjust:1", days=3)
    add(member, 1, "adjust:2", days=0.5)
    hold_id = hold(member, 101, 7)
    service.settle_due(member, START + 0.6 * DAY)  # what is held falls due with the hold alone
    service.release_hold(member, hold_id, actor="test", fingerprint=b"", moment=START + DAY)
    assert account_of(member).next_due_at == START + 3 * DAY
    assert differences() == []
    service.settle_due(member, START + 3 * DAY)
    assert (account_of(member).available, account_of(member).expired) == (0, 101)


def test_points_given_back_to_a_lot_that_repaid_expire_with_it(member: UUID) -> None:
    add(member, 50, "adjust:1")
    service.spend_points(member, 50, key="spend:1", actor="test", fingerprint=b"", moment=START)
    add(member, 50, "adjust:2", days=3)
    service.reverse_points(member, "adjust:1", None, key="reverse:1", actor="test", fingerprint=b"", moment=START)
    service.settle_due(member, START + DAY)
    service.refund_spend(member, "spend:1", 50, key="refund:1", actor="test", fingerprint=b"", moment=START + DAY)
    assert remaining(member) == [0, 50]
    [lot] = db.session.scalars(select(Lot).where(Lot.remaining > 0))
    assert lot.expires_at == START + 3 * DAY, "it has not expired, so nothing lengthens its life"
    assert account_of(member).next_due_at == START + 3 * DAY
    assert differences() == []


def test_an_extension_is_no_fault_to_the_verification(member: UUID) -> None:
    add(member, 50, "adjust:1", days=3)
    service.extend_expiry(member, START + 30 * DAY, moment=START)
    service.settle_due(member, START + 4 * DAY)
    assert account_of(member).next_due_at == START + 30 * DAY
    assert differences() == []


def test_a_capture_spends_first_what_expires_first_and_a_refund_returns_last_what_does(member: UUID) -> None:
    add(member, 10, "adjust:1", days=30)
    add(member, 10, "adjust:2", days=10)
    hold_id = hold(member, 20, 5)
    service.capture_hold(member, hold_id, 10, actor="test", fingerprint=b"", moment=START)
    assert remaining(member) == [10, 0]
    service.spend_points(member, 10, key="spend:1", actor="test", fingerprint=b"", moment=START)
    service.refund_spend(
        member, f"hold:{hold_id}:captured", 10, key="refund:1", actor="test", fingerprint=b"", moment=START
    )
    add(member, 10, "adjust:3", days=20)
    service.spend_points(member, 15, key="spend:2", actor="test", fingerprint=b"", moment=START)
    assert remaining(member) == [0, 0, 5]
    service.refund_spend(member, "spend:2", 5, key="refund:2", actor="test", fingerprint=b"", moment=START)
    assert remaining(member) == [0, 0, 10]
    service.refund_spend(member, "spend:2", 10, key="refund:3", actor="test", fingerprint=b"", moment=START)
    assert remaining(member) == [0, 10, 10]


def test_debt_is_repaid_by_lots_beyond_one_chunk(member: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "LOTS_CHUNK", 1)
    add(member, 50, "adjust:1")
    service.spend_points(member, 30, key="spend:1", actor="test", fingerprint=b"", moment=START)
    for number in range(2, 5):
        add(member, 10, f"adjust:{number}")
    service.reverse_points(member, "adjust:1", None, key="reverse:1", actor="test", fingerprint=b"", moment=START)
    assert (account_of(member).debt, account_of(member).available) == (0, 0)
    assert differences() == []
