"""Members with points that somebody funds, and shops where they spend them, in April, which is over, and in May."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from app.core.database import db
from app.core.ids import new_id
from app.ledger import service as ledger
from app.members import service as members
from tests import world

NOW = datetime(2031, 5, 20, 12, tzinfo=UTC)  # April is over, May runs
APRIL = datetime(2031, 4, 10, 12, tzinfo=UTC)
MAY = datetime(2031, 5, 10, 12, tzinfo=UTC)
BY: dict[str, Any] = {"actor": "test", "fingerprint": b""}


@pytest.fixture
def clock(app: Flask) -> Iterator[time_machine.Traveller]:
    """The clock, which stands still at ``NOW``."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def mill(clock: Any) -> world.Shop:
    return world.make_shop("old-mill")


@pytest.fixture
def corner(clock: Any) -> world.Shop:
    return world.make_shop("corner-shop")


@pytest.fixture
def finance(clock: Any) -> world.Staff:
    return world.make_staff("finance")


def new_member(live: bool = True) -> UUID:
    return members.enrol_member(live=live, moment=APRIL).member_id


def award(
    member_id: UUID, points: int, funder: UUID | None = None, moment: datetime = APRIL, expires_at: Any = None
) -> str:
    """Award points that ``funder`` funds; return the posting's key."""
    key = f"activity:{new_id()}:rev1"
    given = ledger.Award(points, moment, expires_at, None, None, "a-rule", funder)
    with ledger.open_book(member_id, moment) as (_, book):
        ledger.award_in_book(book, ledger.AwardedActivity(key, b"", new_id(), "test", [given], "activity", "{}"))
    return key


def pay(member_id: UUID, points: int, shop: UUID | None, moment: datetime = APRIL) -> str:
    """Spend points at a shop's checkout; return the posting's key."""
    hold_id = new_id()
    ledger.hold_points(
        member_id, hold_id, points, expires_at=moment.replace(hour=23), live=True, merchant_id=shop, moment=moment,
        **BY,
    )  # fmt: skip
    ledger.capture_hold(member_id, hold_id, points, moment=moment, **BY)
    return f"hold:{hold_id}:captured"


def refund(member_id: UUID, spend_key: str, points: int, moment: datetime = APRIL) -> None:
    ledger.refund_spend(member_id, spend_key, points, key=f"refund:{new_id()}", moment=moment, **BY)


@pytest.fixture
def statement(client: Any) -> Callable[..., Any]:
    """A function that asks for a shop's statement."""

    def ask(shop: world.Shop, month: str = "2031-04", **headers: str) -> Any:
        return client.get(f"/v1/statements/{month}", headers=shop.live | headers)

    return ask


@pytest.fixture
def overview(client: Any, finance: world.Staff) -> Callable[..., Any]:
    """A function that asks what everybody gets and pays, by readable name, and checks that it comes to nothing."""

    def ask(month: str = "2031-04") -> dict[str, Any]:
        answer = client.get(f"/v1/admin/statements/{month}", headers=finance.headers)
        assert answer.status_code == 200, answer.text
        assert answer.json["balance"] == sum(each["owed"]["balance"] for each in answer.json["parties"]) == 0
        return {each["party"]["key"] or "programme": each for each in answer.json["parties"]}

    return ask


@pytest.fixture(autouse=True)
def proven(app: Flask) -> Iterator[None]:
    """Whatever was booked, the ledger is sound."""
    yield
    db.session.rollback()
    assert [str(each) for each in ledger.verify(ledger.Verification())] == []
