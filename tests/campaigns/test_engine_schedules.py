"""When a campaign runs: windows by the clock on the wall, whatever the clock does."""

import time as clock
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.campaigns.schedules import (
    WINDOWS_MAX,
    Recurrence,
    Schedule,
    is_open,
    next_window,
    validate_recurrence,
)
from tests.campaigns.documents import activity, campaign_document, compiled, evaluated, line, missed

SHANGHAI, BERLIN, UTC_ZONE = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
MICROSECOND = timedelta(microseconds=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def schedule(
    rrule: str,
    opens: str = "18:00",
    minutes: int = 240,
    zone: ZoneInfo = UTC_ZONE,
    starts_at: str = "2026-01-01T00:00",
    ends_at: str | None = "2027-01-01T00:00",
) -> Schedule:
    recurrence = Recurrence(rrule, time.fromisoformat(opens), timedelta(minutes=minutes))
    return Schedule(moment(starts_at), moment(ends_at) if ends_at else None, zone, recurrence)


def local(text: str, zone: ZoneInfo, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def windows(given: Schedule, after: datetime | None = None) -> list[tuple[datetime, datetime | None]]:
    """All windows that close after a moment, one after the other."""
    found: list[tuple[datetime, datetime | None]] = []
    at: datetime | None = after or given.starts_at
    while at is not None and len(found) < 50:
        window = next_window(given, at)
        if window is None:
            break
        found.append(window)
        at = window[1]
    return found


def days(given: Schedule) -> list[str]:
    return [opening.date().isoformat() for opening in given.openings]


WEDNESDAYS = schedule("FREQ=WEEKLY;BYDAY=WE;BYMONTH=7", zone=SHANGHAI)


@pytest.mark.parametrize(
    ("shown", "opened"),
    [
        ("2026-07-08T18:00", True), ("2026-07-08T17:59:59.999999", False),
        ("2026-07-08T21:59:59.999999", True), ("2026-07-08T22:00", False),
        ("2026-07-07T19:00", False), ("2026-07-09T19:00", False),
        ("2026-07-01T19:00", True), ("2026-07-29T19:00", True),
        ("2026-06-24T19:00", False), ("2026-08-05T19:00", False),
    ],
)  # fmt: skip
def test_each_wednesday_evening_in_shanghai_in_july(shown: str, opened: bool) -> None:
    assert is_open(WEDNESDAYS, local(shown, SHANGHAI)) is opened


def test_its_windows_are_told_in_utc() -> None:
    assert windows(WEDNESDAYS) == [
        (moment(f"2026-07-{day:02}T10:00"), moment(f"2026-07-{day:02}T14:00")) for day in (1, 8, 15, 22, 29)
    ]
    assert next_window(WEDNESDAYS, moment("2026-07-08T12:00")) == (
        moment("2026-07-08T10:00"), moment("2026-07-08T14:00"),
    )  # fmt: skip
    assert next_window(WEDNESDAYS, moment("2026-07-08T14:00")) == (
        moment("2026-07-15T10:00"), moment("2026-07-15T14:00"),
    )  # fmt: skip
    assert next_window(WEDNESDAYS, moment("2026-07-29T14:00")) is None


def test_an_evening_stays_an_evening_when_the_clocks_change() -> None:
    given = schedule("FREQ=DAILY", zone=BERLIN)
    for day in ("2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26"):
        assert is_open(given, local(f"{day}T18:00", BERLIN))
        assert not is_open(given, local(f"{day}T17:59", BERLIN))
        assert is_open(given, local(f"{day}T21:59", BERLIN))
        assert not is_open(given, local(f"{day}T22:00", BERLIN))
    opened = {window[0].hour for window in windows(given, moment("2026-03-27T00:00"))[:4]}
    assert opened == {17, 16}  # in UTC


def test_a_window_that_summer_time_cuts_out_never_opens() -> None:
    """In Berlin on 29 March 2026, 03:00 follows 01:59:59."""
    given = schedule("FREQ=DAILY;COUNT=3", "02:00", 60, BERLIN, starts_at="2026-03-28T00:00")
    change = moment("2026-03-29T01:00")
    assert not is_open(given, change - MICROSECOND)
    assert not is_open(given, change)
    assert windows(given) == [
        (moment("2026-03-28T01:00"), moment("2026-03-28T02:00")),
        (moment("2026-03-30T00:00"), moment("2026-03-30T01:00")),
    ]


def test_a_window_that_opens_in_the_hour_cut_out_opens_with_the_next() -> None:
    given = schedule("FREQ=DAILY;COUNT=1", "02:30", 60, BERLIN, starts_at="2026-03-29T00:00")
    change = moment("2026-03-29T01:00")
    assert not is_open(given, change - MICROSECOND)
    assert is_open(given, change)
    assert windows(given) == [(change, moment("2026-03-29T01:30"))]


def test_a_window_over_the_hour_cut_out_is_an_hour_shorter() -> None:
    given = schedule("FREQ=DAILY;COUNT=1", "01:00", 180, BERLIN, starts_at="2026-03-28T23:00")
    assert windows(given) == [(moment("2026-03-29T00:00"), moment("2026-03-29T02:00"))]


def test_a_window_in_the_hour_that_is_repeated_is_open_twice() -> None:
    """In Berlin on 25 October 2026 the hour from 02:00 comes twice."""
    given = schedule("FREQ=DAILY;COUNT=1", "02:15", 30, BERLIN, starts_at="2026-10-24T23:00")
    for fold in (0, 1):
        assert not is_open(given, local("2026-10-25T02:14", BERLIN, fold))
        assert is_open(given, local("2026-10-25T02:15", BERLIN, fold))
        assert is_open(given, local("2026-10-25T02:44", BERLIN, fold))
        assert not is_open(given, local("2026-10-25T02:45", BERLIN, fold))
    # told as one, from the first opening to the last closing
    told = (moment("2026-10-25T00:15"), moment("2026-10-25T01:45"))
    assert windows(given) == [told]
    assert next_window(given, moment("2026-10-25T00:50")) == told  # 02:50 for the first time


def test_a_window_over_the_hour_that_is_repeated_is_an_hour_longer() -> None:
    given = schedule("FREQ=DAILY;COUNT=1", "01:00", 180, BERLIN, starts_at="2026-10-24T22:00")
    assert windows(given) == [(moment("2026-10-24T23:00"), moment("2026-10-25T03:00"))]


def test_a_window_goes_over_midnight_and_over_the_year() -> None:
    given = schedule("FREQ=WEEKLY;BYDAY=FR", "22:00", 300, ends_at="2027-06-01T00:00")
    assert is_open(given, moment("2026-05-08T23:59"))  # a Friday
    assert is_open(given, moment("2026-05-09T02:59"))
    assert not is_open(given, moment("2026-05-09T03:00"))
    assert not is_open(given, moment("2026-05-08T02:00"))  # of Thursday's night there is none
    new_year = schedule("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", "22:00", 300, ends_at="2027-06-01T00:00")
    assert is_open(new_year, moment("2027-01-01T02:59"))


def test_windows_may_overlap_and_the_last_opening_keeps_them_open() -> None:
    given = schedule("FREQ=DAILY;COUNT=3", "12:00", 36 * 60)
    assert all(is_open(given, moment("2026-01-01T12:00") + timedelta(hours=hour)) for hour in range(84))
    assert not is_open(given, moment("2026-01-01T12:00") + timedelta(hours=84))


@pytest.mark.parametrize(
    ("rrule", "expected"),
    [
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=3", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=4", ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=2", ["2026-01-05", "2026-02-02"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["2026-01-30", "2026-02-27"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", ["2026-01-30", "2026-02-27"]),
        ("FREQ=YEARLY;BYMONTH=8;BYDAY=3SA;COUNT=2", ["2026-08-15", "2027-08-21"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=MO;COUNT=3", ["2026-01-13", "2026-01-27", "2026-02-10"]),
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", ["2026-01-01", "2026-01-11", "2026-01-21"]),
        # UNTIL: to the end of the day, to a moment on the wall, to a moment of UTC
        ("FREQ=DAILY;UNTIL=20260103", ["2026-01-01", "2026-01-02", "2026-01-03"]),
        ("FREQ=DAILY;UNTIL=20260103T180000", ["2026-01-01", "2026-01-02", "2026-01-03"]),
        ("FREQ=DAILY;UNTIL=20260103T175959", ["2026-01-01", "2026-01-02"]),
        ("FREQ=DAILY;UNTIL=20260103T180000Z", ["2026-01-01", "2026-01-02", "2026-01-03"]),
    ],
)
def test_a_rule_names_its_days(rrule: str, expected: list[str]) -> None:
    given = schedule(rrule, ends_at=None)
    validate_recurrence(given)
    assert days(given) == expected


def test_an_until_in_utc_is_another_time_on_the_wall() -> None:
    shown = schedule("FREQ=DAILY;UNTIL=20260103T100000", zone=SHANGHAI, ends_at=None)
    assert days(shown) == ["2026-01-01", "2026-01-02"]  # 18:00 there is 10:00 in UTC
    in_utc = schedule("FREQ=DAILY;UNTIL=20260103T100000Z", zone=SHANGHAI, ends_at=None)
    assert days(in_utc) == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_the_first_day_is_that_of_the_start_in_the_campaigns_zone() -> None:
    given = schedule("FREQ=DAILY;COUNT=2", zone=SHANGHAI, starts_at="2026-01-31T16:30")
    assert days(given) == ["2026-02-01", "2026-02-02"]


def test_start_and_end_bound_the_windows() -> None:
    given = schedule("FREQ=DAILY", "10:00", 240, starts_at="2026-01-01T12:00", ends_at="2026-01-03T11:00")
    assert windows(given) == [
        (moment("2026-01-01T12:00"), moment("2026-01-01T14:00")),
        (moment("2026-01-02T10:00"), moment("2026-01-02T14:00")),
        (moment("2026-01-03T10:00"), moment("2026-01-03T11:00")),
    ]
    assert not is_open(given, moment("2026-01-01T11:59"))
    assert not is_open(given, moment("2026-01-03T11:00"))


@pytest.mark.parametrize(
    "given",
    [
        WEDNESDAYS,
        schedule("FREQ=DAILY", "02:30", 90, BERLIN),
        schedule("FREQ=WEEKLY;BYDAY=SA,SU", "23:30", 8 * 60, BERLIN, starts_at="2026-03-01T00:00"),
        schedule("FREQ=DAILY;INTERVAL=3", "00:00", 1440, ZoneInfo("America/New_York"), starts_at="2026-02-28T00:00"),
    ],
)  # fmt: skip
def test_what_is_told_as_the_next_window_is_when_it_is_open(given: Schedule) -> None:
    for at in (moment("2026-03-27T00:00"), moment("2026-06-30T00:00"), moment("2026-10-23T00:00")):
        for opens_at, closes_at in windows(given, at)[:6]:
            assert closes_at is not None
            assert is_open(given, opens_at)
            assert not is_open(given, opens_at - MICROSECOND)
            assert is_open(given, closes_at - MICROSECOND)
            assert not is_open(given, closes_at)


def test_without_a_recurrence_there_is_one_window() -> None:
    forever = Schedule(moment("2026-01-01T00:00"), None, BERLIN)
    assert next_window(forever, moment("2030-01-01T00:00")) == (moment("2026-01-01T00:00"), None)
    ending = Schedule(moment("2026-01-01T00:00"), moment("2026-02-01T00:00"), BERLIN)
    assert next_window(ending, moment("2025-01-01T00:00")) == (moment("2026-01-01T00:00"), moment("2026-02-01T00:00"))
    assert next_window(ending, moment("2026-02-01T00:00")) is None
    assert [is_open(ending, moment(at)) for at in ("2025-12-31T23:59", "2026-01-01T00:00", "2026-02-01T00:00")] == [
        False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rrule", "said"),
    [
        ("FREQ=SECONDLY;COUNT=10", "FREQ is one of"), ("FREQ=HOURLY;COUNT=10", "FREQ is one of"),
        ("FREQ=EASTERLY", "FREQ is one of"), ("COUNT=3", "FREQ is needed"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "start_time"), ("FREQ=DAILY;BYMINUTE=1", "start_time"),
        ("FREQ=DAILY;BYSECOND=1", "start_time"), ("FREQ=YEARLY;BYEASTER=1", "can't be used"),
        ("FREQ=YEARLY;BYWEEKNO=20", "can't be used"), ("FREQ=YEARLY;BYYEARDAY=20", "can't be used"),
        ("FREQ=DAILY;COLOUR=GREEN", "can't be used"),
        ("", "Write parts"), ("FREQ", "Write parts"), ("FREQ=DAILY;", "Write parts"), ("freq=daily", "Write parts"),
        ("RRULE:FREQ=DAILY", "Write parts"), ("FREQ=DAILY COUNT=2", "Write parts"),
        ("DTSTART:20260101\nRRULE:FREQ=DAILY", "Write parts"), ("FREQ=DAILY;COUNT=２", "Write parts"),
        ("FREQ=DAILY;FREQ=WEEKLY", "more than once"), ("FREQ=DAILY;COUNT=2;UNTIL=20260301", "not both"),
        ("FREQ=DAILY;COUNT=0", "no COUNT"), ("FREQ=DAILY;COUNT=-1", "no COUNT"),
        ("FREQ=DAILY;INTERVAL=0", "no INTERVAL"), ("FREQ=DAILY;INTERVAL=-1", "no INTERVAL"),
        ("FREQ=DAILY;UNTIL=TOMORROW", "no UNTIL"),
        ("FREQ=DAILY;UNTIL=20260231", "no date"), ("FREQ=DAILY;UNTIL=20260101T250000", "no date"),
        ("FREQ=DAILY;UNTIL=99991231", "UNTIL lies between"),
        ("FREQ=DAILY;BYMONTH=13", "no BYMONTH"), ("FREQ=MONTHLY;BYMONTHDAY=32", "no BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "no BYMONTHDAY"), ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "no BYSETPOS"),
        ("FREQ=WEEKLY;BYDAY=XX", "no BYDAY"), ("FREQ=MONTHLY;BYDAY=9MO", "no BYDAY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "goes with MONTHLY"), ("FREQ=DAILY;BYMONTHDAY=1", "goes with MONTHLY"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", "goes with MONTHLY"), ("FREQ=YEARLY;BYDAY=1MO", "BYMONTH says"),
        ("FREQ=MONTHLY;BYSETPOS=1", "goes with BYDAY"),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "no such day"), ("FREQ=DAILY;INTERVAL=7;BYDAY=FR", "no such day"),
        ("FREQ=DAILY;UNTIL=20251231", "no such day"),
    ],
)  # fmt: skip
def test_a_rule_that_can_not_be_kept_is_refused_with_a_sentence(rrule: str, said: str) -> None:
    started = clock.process_time()
    with pytest.raises(ValueError, match=said):
        validate_recurrence(schedule(rrule))
    assert clock.process_time() - started < 5  # some have no day up to the end of the calendar


def test_a_recurrence_has_to_end() -> None:
    with pytest.raises(ValueError, match="never ends"):
        validate_recurrence(schedule("FREQ=DAILY", ends_at=None))
    validate_recurrence(schedule("FREQ=DAILY"))  # the campaign does
    validate_recurrence(schedule("FREQ=DAILY;COUNT=1", ends_at=None))


def test_there_are_only_so_many_windows() -> None:
    validate_recurrence(schedule(f"FREQ=DAILY;COUNT={WINDOWS_MAX}", ends_at=None))
    with pytest.raises(ValueError, match="more than 4000 times"):
        validate_recurrence(schedule(f"FREQ=DAILY;COUNT={WINDOWS_MAX + 1}", ends_at=None))
    with pytest.raises(ValueError, match="more than 4000 times"):
        validate_recurrence(schedule("FREQ=DAILY;UNTIL=22001231", ends_at=None))


@pytest.mark.parametrize("bounds", [{"starts_at": "0001-01-01T00:00"}, {"ends_at": "9999-12-31T23:59"}])
def test_a_recurrence_stays_in_years_that_clocks_know(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="between 1970 and 2200"):
        validate_recurrence(schedule("FREQ=YEARLY", zone=SHANGHAI, **bounds))


def test_a_campaign_that_recurs_pays_in_its_windows() -> None:
    document = campaign_document(
        time_zone="Asia/Shanghai", ends_at="2027-01-01T00:00:00Z",
        recurrence={"rrule": "FREQ=WEEKLY;BYDAY=WE;BYMONTH=7", "start_time": "18:00", "duration_minutes": 240},
    )  # fmt: skip
    for shown, reasons in (("2026-07-08T18:00", {}), ("2026-07-08T22:00", {"rule": "outside_schedule"})):
        subject = activity(line("1"), occurred_at=local(shown, SHANGHAI))
        assert missed(evaluated(compiled(document), subject)) == reasons
