"""What time does to lots: by table, and what holds of all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.lots import (
    ExpiryTerms,
    Movement,
    OpenLot,
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


def lot(lot_id: int = 1, **changes: object) -> OpenLot:
    """A lot that waits: 100 points, available in ten days, expiring in thirty."""
    found = OpenLot(lot_id, 100, 0, False, NOON + 10 * DAY, NOON + 30 * DAY, None)
    return replace(found, **changes)  # type: ignore[arg-type]


MATURE = Movement(NOON + 10 * DAY, "pending", "available", ((1, 100),))
EXPIRE = Movement(NOON + 30 * DAY, "available", "expired", ((1, 100),))


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
        ([lot(remaining=40, held=60, is_matured=True)], 30, [replace(EXPIRE, parts=((1, 40),))]),
        # maturing and expiring at one moment: it matures first; expiring before it would mature: it never does
        ([lot(expires_at=NOON + 10 * DAY)], 10, [MATURE, replace(EXPIRE, at=NOON + 10 * DAY)]),
        ([lot(expires_at=NOON + 5 * DAY)], 10, [Movement(NOON + 5 * DAY, "pending", "expired", ((1, 100),))]),
        # waiting for completion until it is voided
        ([lot(available_at=None, expires_at=None, void_at=NOON + 90 * DAY)], 89, []),
        ([lot(available_at=None, expires_at=None, void_at=NOON + 90 * DAY)], 90,
         [Movement(NOON + 90 * DAY, "pending", "expired", ((1, 100),))]),
        ([lot(available_at=None, void_at=NOON + 90 * DAY)], 90,
         [Movement(NOON + 30 * DAY, "pending", "expired", ((1, 100),))]),
        # a void time means nothing once the points have a time, or are there
        ([lot(expires_at=None, void_at=NOON + 5 * DAY)], 9, []),
        ([lot(is_matured=True, available_at=None, expires_at=None, void_at=NOON + 5 * DAY)], 9, []),
        # several lots: one movement a moment and kind, in the order in which it happened
        ([lot(2, remaining=7), lot(1)], 10, [replace(MATURE, parts=((2, 7), (1, 100)))]),
        ([lot(1), lot(2, available_at=NOON + DAY, expires_at=NOON + 10 * DAY)], 10,
         [Movement(NOON + DAY, "pending", "available", ((2, 100),)), MATURE,
          Movement(NOON + 10 * DAY, "available", "expired", ((2, 100),))]),
    ],
)  # fmt: skip
def test_time_moves_what_is_due_in_the_order_in_which_it_happened(
    lots: list[OpenLot], after_days: float, movements: list[Movement]
) -> None:
    assert due_movements(lots, NOON + timedelta(days=after_days)) == movements


times = st.none() | st.integers(-50, 50).map(lambda days: NOON + days * DAY)


@st.composite
def open_lots(draw: st.DrawFn) -> list[OpenLot]:
    return [
        OpenLot(
            number,
            draw(st.integers(0, 1000)),
            draw(st.integers(0, 10)),
            *draw(st.tuples(st.booleans(), times, times, times)),
        )
        for number in range(1, draw(st.integers(1, 8)))
    ]


def applied(lots: list[OpenLot], movements: list[Movement]) -> tuple[list[OpenLot], int]:
    """The lots after ``movements``, and the points that expired; asserts that each takes what is there."""
    by_id = {each.lot_id: each for each in lots}
    expired = 0
    for movement in movements:
        for lot_id, points in movement.parts:
            before = by_id[lot_id]
            assert points == before.remaining > 0
            assert movement.source == ("available" if before.is_matured else "pending")
            if movement.target == "expired":
                by_id[lot_id] = replace(before, remaining=0)
                expired += points
            else:
                by_id[lot_id] = replace(before, is_matured=True)
    return list(by_id.values()), expired


@given(open_lots())
def test_movements_keep_the_sum_come_in_order_and_leave_nothing_due(lots: list[OpenLot]) -> None:
    movements = due_movements(lots, NOON)
    assert [each.at for each in movements] == sorted(each.at for each in movements)
    assert all(each.at <= NOON and each.amount > 0 for each in movements)
    after, expired = applied(lots, movements)
    assert sum(each.remaining for each in after) + expired == sum(each.remaining for each in lots)
    assert [each.held for each in after] == [each.held for each in lots]
    assert due_movements(after, NOON) == []


@given(open_lots(), st.integers(-50, 50))
def test_settling_twice_comes_to_the_same_as_settling_once(lots: list[OpenLot], days: int) -> None:
    earlier = NOON + days * DAY
    halfway, expired_first = applied(lots, due_movements(lots, earlier))
    later = max(earlier, NOON)
    in_two, expired_second = applied(halfway, due_movements(halfway, later))
    in_one, expired = applied(lots, due_movements(lots, later))
    assert (in_two, expired_first + expired_second) == (in_one, expired)
