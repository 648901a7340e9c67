"""What time does to lots: by table, and what holds of all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.lots import (
    ExpiryTerms,
    HoldState,
    LotState,
    Movement,
    PendingTerms,
    available_time,
    due_movements,
    expiry_time,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("terms", "is_completed", "expected"),
    [
        (None, False, NOON),
        (None, True, NOON),
        (PendingTerms(14), False, NOON + 14 * DAY),
        (PendingTerms(14), True, NOON + 14 * DAY),
        (PendingTerms(0), False, NOON),
        (PendingTerms(None), False, None),
        (PendingTerms(None), True, NOON),
    ],
)
def test_points_become_available_by_their_terms(
    terms: PendingTerms | None, is_completed: bool, expected: datetime | None
) -> None:
    assert available_time(terms, NOON, is_completed) == expected


@pytest.mark.parametrize(
    ("occurred_at", "months", "round_to", "zone", "expected"),
    [
        # the end of a day in the zone; a month has its own length
        ("2026-01-31T12:00:00Z", 1, None, "UTC", "2026-02-28T23:59:59Z"),
        ("2028-01-31T12:00:00Z", 1, None, "UTC", "2028-02-29T23:59:59Z"),
        ("2028-02-29T12:00:00Z", 12, None, "UTC", "2029-02-28T23:59:59Z"),
        ("2028-02-29T12:00:00Z", 48, None, "UTC", "2032-02-29T23:59:59Z"),
        ("2026-03-31T12:00:00Z", 1, None, "UTC", "2026-04-30T23:59:59Z"),
        ("2026-04-30T12:00:00Z", 1, None, "UTC", "2026-05-30T23:59:59Z"),
        ("2026-12-31T12:00:00Z", 2, None, "UTC", "2027-02-28T23:59:59Z"),
        # to the end of the month, quarter and year in which those months end
        ("2026-01-31T12:00:00Z", 1, "month", "UTC", "2026-02-28T23:59:59Z"),
        ("2026-04-02T12:00:00Z", 1, "month", "UTC", "2026-05-31T23:59:59Z"),
        ("2026-04-30T12:00:00Z", 1, "month", "UTC", "2026-05-31T23:59:59Z"),
        ("2026-01-01T12:00:00Z", 1, "quarter", "UTC", "2026-03-31T23:59:59Z"),
        ("2026-02-28T12:00:00Z", 1, "quarter", "UTC", "2026-03-31T23:59:59Z"),
        ("2026-03-01T12:00:00Z", 1, "quarter", "UTC", "2026-06-30T23:59:59Z"),
        ("2026-08-31T12:00:00Z", 1, "quarter", "UTC", "2026-09-30T23:59:59Z"),
        ("2026-10-05T12:00:00Z", 3, "quarter", "UTC", "2027-03-31T23:59:59Z"),
        ("2026-11-30T12:00:00Z", 1, "year", "UTC", "2026-12-31T23:59:59Z"),
        ("2026-12-01T12:00:00Z", 1, "year", "UTC", "2027-12-31T23:59:59Z"),
        # the day is the zone's own, on both sides of midnight
        ("2026-01-31T22:59:59Z", 12, None, "Europe/Brussels", "2027-01-31T22:59:59Z"),
        ("2026-01-31T23:00:00Z", 12, None, "Europe/Brussels", "2027-02-01T22:59:59Z"),
        ("2026-01-31T15:59:59Z", 1, "month", "Asia/Shanghai", "2026-02-28T15:59:59Z"),
        ("2026-01-31T16:00:00Z", 1, "month", "Asia/Shanghai", "2026-03-31T15:59:59Z"),
        ("2026-12-31T16:00:00Z", 12, "year", "Asia/Shanghai", "2028-12-31T15:59:59Z"),
        # summer and winter time: 23:59:59 by the wall of that day
        ("2026-01-15T12:00:00Z", 6, None, "Europe/Brussels", "2026-07-15T21:59:59Z"),
        ("2026-07-15T12:00:00Z", 6, None, "Europe/Brussels", "2027-01-15T22:59:59Z"),
        ("2026-02-28T12:00:00Z", 1, None, "America/New_York", "2026-03-29T03:59:59Z"),
        ("2026-02-08T12:00:00Z", 1, None, "America/New_York", "2026-03-09T03:59:59Z"),  # the clocks go forward
        ("2026-10-01T12:00:00Z", 1, None, "America/New_York", "2026-11-02T04:59:59Z"),  # they go back
        ("2026-02-28T12:00:00Z", 1, "month", "Europe/Brussels", "2026-03-31T21:59:59Z"),
    ],
)
def test_points_expire_at_the_end_of_a_day(
    occurred_at: str, months: int, round_to: str | None, zone: str, expected: str
) -> None:
    terms = ExpiryTerms(months, round_to)
    assert expiry_time(terms, datetime.fromisoformat(occurred_at), ZoneInfo(zone)) == datetime.fromisoformat(expected)


def test_without_terms_points_do_not_expire() -> None:
    assert expiry_time(None, NOON, ZoneInfo("UTC")) is None


moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(
    ["UTC", "Europe/Brussels", "Asia/Shanghai", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]
)
rounding = st.sampled_from([None, "month", "quarter", "year"])


@given(moments, st.integers(1, 120), rounding, zones)
def test_points_live_at_least_their_months_and_never_end_sooner_for_rounding(
    occurred_at: datetime, months: int, round_to: str | None, zone: str
) -> None:
    plain = expiry_time(ExpiryTerms(months, None), occurred_at, ZoneInfo(zone))
    rounded = expiry_time(ExpiryTerms(months, round_to), occurred_at, ZoneInfo(zone))
    assert plain is not None
    assert rounded is not None
    assert occurred_at + timedelta(days=28 * months) < plain <= rounded < plain + timedelta(days=367)
    local = rounded.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute, local.second) == (23, 59, 59)
    if round_to is not None:
        assert (local + DAY).day == 1
        assert round_to != "quarter" or local.month % 3 == 0
        assert round_to != "year" or local.month == 12


def lot(lot_id: int = 1, **changes: object) -> LotState:
    """A lot that waits: 100 points, available in ten days, expiring in thirty."""
    found = LotState(lot_id, 100, 100, 0, 0, 0, 0, 0, 0, False, NOON + 10 * DAY, NOON + 30 * DAY, None)
    changed = replace(found, **changes)  # type: ignore[arg-type]
    changed.amount = changed.remaining + changed.held + changed.spent + changed.expired + changed.repaid
    return changed


HOLD_ID = UUID(int=7)


def hold(*parts: tuple[int, int], days: float = 20) -> HoldState:
    return HoldState(HOLD_ID, NOON + timedelta(days=days), parts)


def moved(day: float, source: str, target: str, *parts: tuple[int, int], hold_id: UUID | None = None) -> Movement:
    return Movement(NOON + timedelta(days=day), source, target, parts, hold_id)


MATURE = moved(10, "pending", "available", (1, 100))
EXPIRE = moved(30, "available", "expired", (1, 100))
RELEASE = moved(20, "held", "available", (1, 60), hold_id=HOLD_ID)
NO_HOLDS: list[HoldState] = []


@pytest.mark.parametrize(
    ("lots", "after_days", "movements"),
    [
        ([], 100, []),
        ([lot()], 9.99, []),
        ([lot()], 10, [MATURE]),
        ([lot()], 29.99, [MATURE]),
        ([lot()], 30, [MATURE, EXPIRE]),
        ([lot(is_matured=True)], 29, []),
        ([lot(is_matured=True)], 30, [EXPIRE]),
        ([lot(expires_at=None)], 1000, [MATURE]),
        ([lot(is_matured=True, expires_at=None)], 1000, []),
        # nothing left to move; held points are not touched
        ([lot(remaining=0, held=100)], 100, []),
        ([lot(remaining=40, held=60, is_matured=True)], 30, [moved(30, "available", "expired", (1, 40))]),
        # maturing and expiring at one moment: it matures first; expiring before it would mature: it never does
        ([lot(expires_at=NOON + 10 * DAY)], 10, [MATURE, moved(10, "available", "expired", (1, 100))]),
        ([lot(expires_at=NOON + 5 * DAY)], 10, [moved(5, "pending", "expired", (1, 100))]),
        # waiting for completion until it is voided
        ([lot(available_at=None, expires_at=None, void_at=NOON + 90 * DAY)], 89, []),
        ([lot(available_at=None, expires_at=None, void_at=NOON + 90 * DAY)], 90,
         [moved(90, "pending", "expired", (1, 100))]),
        ([lot(available_at=None, void_at=NOON + 90 * DAY)], 90, [moved(30, "pending", "expired", (1, 100))]),
        # a void time means nothing once the points have a time, or are there
        ([lot(expires_at=None, void_at=NOON + 5 * DAY)], 9, []),
        ([lot(is_matured=True, available_at=None, expires_at=None, void_at=NOON + 5 * DAY)], 9, []),
        # several lots: one movement a moment and kind, in the order in which it happened
        ([lot(2, remaining=7), lot(1)], 10, [moved(10, "pending", "available", (1, 100), (2, 7))]),
        ([lot(1), lot(2, available_at=NOON + DAY, expires_at=NOON + 10 * DAY)], 10,
         [moved(1, "pending", "available", (2, 100)), MATURE, moved(10, "available", "expired", (2, 100))]),
    ],
)  # fmt: skip
def test_time_moves_what_is_due_in_the_order_in_which_it_happened(
    lots: list[LotState], after_days: float, movements: list[Movement]
) -> None:
    copies = [replace(each) for each in lots]
    assert due_movements(copies, NO_HOLDS, 0, NOON + timedelta(days=after_days)) == (movements, 0)


@pytest.mark.parametrize(
    ("held_lot", "holds", "after_days", "movements"),
    [
        ({}, [hold((1, 60))], 19.99, []),
        ({}, [hold((1, 60))], 20, [RELEASE]),
        ({}, [hold((1, 60))], 30, [RELEASE, EXPIRE]),
        # held past its time: the rest expires then, the held part when the hold ends
        ({}, [hold((1, 60), days=40)], 40,
         [moved(30, "available", "expired", (1, 40)), moved(40, "held", "available", (1, 60), hold_id=HOLD_ID),
          moved(40, "available", "expired", (1, 60))]),
        # at one moment the hold ends first, then the lot
        ({}, [hold((1, 60), days=30)], 30,
         [moved(30, "held", "available", (1, 60), hold_id=HOLD_ID), moved(30, "available", "expired", (1, 100))]),
        ({"expires_at": None}, [hold((1, 60))], 1000, [RELEASE]),
    ],
)  # fmt: skip
def test_a_hold_ends_by_itself_and_gives_back_to_its_lots(
    held_lot: dict[str, object], holds: list[HoldState], after_days: float, movements: list[Movement]
) -> None:
    held = lot(**{"remaining": 40, "held": 60, "is_matured": True} | held_lot)  # type: ignore[arg-type]
    assert due_movements([held], holds, 0, NOON + timedelta(days=after_days)) == (movements, 0)


def test_points_that_become_available_repay_debt_first() -> None:
    lots = [lot(1, expires_at=NOON + 11 * DAY), lot(2, available_at=NOON + 12 * DAY), lot(3, is_matured=True)]
    movements, _ = due_movements(lots, NO_HOLDS, 130, NOON + 12 * DAY)
    assert movements == [
        MATURE,
        moved(10, "available", "debt", (1, 100)),
        moved(12, "pending", "available", (2, 100)),
        moved(12, "available", "debt", (2, 30)),
    ]
    assert [(each.remaining, each.repaid) for each in lots] == [(0, 100), (70, 30), (100, 0)]


times = st.none() | st.integers(-50, 50).map(lambda days: NOON + days * DAY)


@st.composite
def accounts(draw: st.DrawFn) -> tuple[list[LotState], list[HoldState], int]:
    """Lots as a ledger can have them, the holds that what is held belongs to, and a debt."""
    lots, holds = [], []
    for number in range(1, draw(st.integers(1, 8))):
        held = draw(st.integers(0, 50))
        available_at, expires_at, void_at = draw(st.tuples(times, times, times))
        is_matured = held > 0 or draw(st.booleans())
        lots.append(
            lot(number, remaining=draw(st.integers(0, 100)), held=held, spent=draw(st.integers(0, 9)),
                is_matured=is_matured, available_at=available_at, expires_at=expires_at, void_at=void_at)
        )  # fmt: skip
    waiting = [(each.lot_id, each.held) for each in lots if each.held]
    while waiting:
        count = draw(st.integers(1, len(waiting)))
        parts, waiting = waiting[:count], waiting[count:]
        holds.append(HoldState(UUID(int=len(holds)), NOON + draw(st.integers(-50, 50)) * DAY, tuple(parts)))
    return lots, holds, draw(st.integers(0, 120))


def buckets(lots: list[LotState]) -> dict[str, int]:
    return {
        "pending": sum(each.remaining for each in lots if not each.is_matured),
        "available": sum(each.remaining for each in lots if each.is_matured),
        "held": sum(each.held for each in lots),
        "expired": sum(each.expired for each in lots),
        "debt": -sum(each.repaid for each in lots),
    }


def settled(
    account: tuple[list[LotState], list[HoldState], int], moment: datetime
) -> tuple[tuple[list[LotState], list[HoldState], int], list[Movement]]:
    """The account with what time has done by ``moment``, and the movements."""
    lots, holds, debt = account
    after = [replace(each) for each in lots]
    movements, given_back = due_movements(after, holds, debt, moment)
    assert given_back == 0
    paid = sum(each.amount for each in movements if each.target == "debt")
    return (after, [each for each in holds if each.expires_at > moment], debt - paid), movements


@given(accounts())
def test_movements_keep_every_sum_come_in_order_and_leave_nothing_due(
    account: tuple[list[LotState], list[HoldState], int],
) -> None:
    after, movements = settled(account, NOON)
    assert [each.at for each in movements] == sorted(each.at for each in movements)
    assert all(each.at <= NOON and each.amount > 0 for each in movements)
    told = buckets(account[0])
    for movement in movements:
        told[movement.source] -= movement.amount
        told[movement.target] += -movement.amount if movement.target == "debt" else movement.amount
        assert min(told[name] for name in ("pending", "available", "held")) >= 0
    assert told == buckets(after[0])
    assert after[2] >= 0
    for each in after[0]:
        assert each.amount == each.remaining + each.held + each.spent + each.expired + each.reversed + each.repaid
    assert settled(after, NOON) == (after, [])


@given(accounts(), st.integers(0, 60))
def test_settling_in_two_steps_comes_to_the_same_as_in_one(
    account: tuple[list[LotState], list[HoldState], int], days: int
) -> None:
    halfway, first = settled(account, NOON - days * DAY)
    in_two, second = settled(halfway, NOON)
    in_one, movements = settled(account, NOON)
    assert in_two == in_one
    assert first + second == movements
