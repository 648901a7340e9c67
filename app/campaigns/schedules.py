"""When a campaign runs: from its start to its end, and within that, where it recurs, in its windows. Pure.

A recurrence is told by the clock on the wall in the campaign's time zone. Its windows open on the days that its rule
names, at ``start_time``, beginning with the day of the campaign's start; an activity is inside if the wall clock
showed a time from the opening on, and less than the duration after it. So a window of an hour that summer time cuts
out never opens; one in the hour that is repeated is open twice.

A recurrence has to end, and has few enough windows that they are worked out once and looked up from then on.
"""

import bisect
import itertools
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

WINDOWS_MAX = 4000
DURATION_MINUTES_MAX = 7 * 24 * 60
_YEARS = range(1970, 2201)  # so that no clock of the world leaves the calendar
_DAYS = "MO|TU|WE|TH|FR|SA|SU"
_FORM = re.compile(r"[A-Z]+=[A-Z0-9,+-]+(;[A-Z]+=[A-Z0-9,+-]+)*")
_ONE = r"[+-]?[0-9]{1,3}"
_PARTS = {
    "FREQ": re.compile("DAILY|WEEKLY|MONTHLY|YEARLY"),
    "INTERVAL": re.compile("[1-9][0-9]{0,2}"),
    "COUNT": re.compile("[1-9][0-9]{0,5}"),
    "UNTIL": re.compile("[0-9]{8}(T[0-9]{6}Z?)?"),
    "BYDAY": re.compile(rf"([+-]?[0-9]{{1,2}})?({_DAYS})(,([+-]?[0-9]{{1,2}})?({_DAYS}))*"),
    "BYMONTH": re.compile(r"[0-9]{1,2}(,[0-9]{1,2})*"),
    "BYMONTHDAY": re.compile(rf"{_ONE}(,{_ONE})*"),
    "BYSETPOS": re.compile(rf"{_ONE}(,{_ONE})*"),
    "WKST": re.compile(_DAYS),
}
_RANGES = {"BYMONTH": range(1, 13), "BYMONTHDAY": range(1, 32), "BYSETPOS": range(1, 32), "BYDAY": range(1, 6)}


@dataclass(frozen=True)
class Recurrence:
    """The days on which windows open (an RRULE), the time at which they do, and how long they stay open."""

    rrule: str
    start_time: time
    duration: timedelta


@dataclass(frozen=True)
class Schedule:
    """When a campaign runs; ``ends_at`` None is never over."""

    starts_at: datetime
    ends_at: datetime | None
    zone: ZoneInfo
    recurrence: Recurrence | None = None

    @cached_property
    def openings(self) -> tuple[datetime, ...]:
        """The openings of the windows by the wall clock, in order; none where it does not recur."""
        return () if self.recurrence is None else tuple(_openings(self, self.recurrence))


def is_open(schedule: Schedule, occurred_at: datetime) -> bool:
    """Return whether the campaign runs at that moment."""
    if occurred_at < schedule.starts_at or (schedule.ends_at is not None and occurred_at >= schedule.ends_at):
        return False
    if schedule.recurrence is None:
        return True
    shown = occurred_at.astimezone(schedule.zone).replace(tzinfo=None)
    opened = bisect.bisect_right(schedule.openings, shown)
    # the window that opened last is the one that stays open longest: all last equally long
    return opened > 0 and shown - schedule.openings[opened - 1] < schedule.recurrence.duration


def next_window(schedule: Schedule, after: datetime) -> tuple[datetime, datetime | None] | None:
    """Return when the campaign opens and closes, for the first window that closes after ``after``; None is never again.

    A window that is open then has opened before. The second moment is None where nothing closes it.
    """
    starts_at, ends_at = schedule.starts_at, schedule.ends_at
    if ends_at is not None and ends_at <= after:
        return None
    if schedule.recurrence is None:
        return starts_at, ends_at
    duration = schedule.recurrence.duration
    shown = max(after, starts_at).astimezone(schedule.zone).replace(tzinfo=None)
    # a clock that was turned back may show a window as over that opens once more
    first = bisect.bisect_right(schedule.openings, shown - duration - timedelta(days=1))
    for opening in schedule.openings[first:]:
        opens_at = max(_moment(opening, schedule.zone, 0), starts_at)
        closes_at = _moment(opening + duration, schedule.zone, 1)
        if ends_at is not None:
            closes_at = min(closes_at, ends_at)
        if opens_at < closes_at and closes_at > after:
            return opens_at, closes_at
    return None


def _moment(shown: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """Return the moment when the clock of ``zone`` shows ``shown``, or jumps over it; ``fold`` 1 is the second time."""
    found = shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == shown:
        return found
    before = shown.replace(tzinfo=zone, fold=1).astimezone(UTC).replace(second=0, microsecond=0)
    minutes = range(2 * 24 * 60)  # clocks jump at whole minutes
    jumped = bisect.bisect_left(
        minutes, shown, key=lambda minute: (before + timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None)
    )
    return before + timedelta(minutes=jumped)


def _openings(schedule: Schedule, recurrence: Recurrence) -> list[datetime]:
    """Return the openings that are before the campaign's end, at most one more than there may be."""
    parts = dict(part.split("=") for part in recurrence.rrule.split(";"))
    until = _last_opening(parts.pop("UNTIL", None), schedule.zone)
    first_day = schedule.starts_at.astimezone(schedule.zone).date()
    rule = rrulestr(
        ";".join(f"{name}={value}" for name, value in parts.items()),
        dtstart=datetime.combine(first_day, recurrence.start_time),
    )

    def is_before_end(opening: datetime) -> bool:
        if opening > until:
            return False
        return schedule.ends_at is None or _moment(opening, schedule.zone, 0) < schedule.ends_at

    return list(itertools.islice(itertools.takewhile(is_before_end, rule), WINDOWS_MAX + 1))


def _last_opening(until: str | None, zone: ZoneInfo) -> datetime:
    """Return the last moment of an UNTIL by the wall clock: a day counts to its end, ``Z`` is UTC."""
    if until is None:
        return datetime.combine(date(_YEARS.stop - 1, 12, 31), time.max)
    read = datetime.fromisoformat(until)
    if "T" not in until:
        return datetime.combine(read, time.max)
    return read.astimezone(zone).replace(tzinfo=None) if until.endswith("Z") else read


def validate_recurrence(schedule: Schedule) -> None:
    """Raise ValueError, with a sentence for who wrote it, where the schedule's RRULE is not one that we can keep."""
    recurrence = schedule.recurrence
    assert recurrence is not None
    parts = _check_form(recurrence.rrule)
    if {"COUNT", "UNTIL"} <= parts.keys():
        raise ValueError("Give COUNT or UNTIL, not both.")
    if "COUNT" not in parts and "UNTIL" not in parts and schedule.ends_at is None:
        raise ValueError("It never ends: give it COUNT or UNTIL, or the campaign ends_at.")
    if any(moment and moment.year not in _YEARS for moment in (schedule.starts_at, schedule.ends_at)):
        raise ValueError(f"A campaign that recurs runs between {_YEARS.start} and {_YEARS.stop - 1}.")
    try:
        count = len(_openings(schedule, recurrence))
    except (ValueError, IndexError) as error:
        raise ValueError(f"Not a recurrence: {error}.") from error
    if count == 0:
        raise ValueError("There is no such day between the campaign's start and its end.")
    if count > WINDOWS_MAX:
        raise ValueError(f"It recurs more than {WINDOWS_MAX} times: end it sooner.")


def _check_form(rrule: str) -> dict[str, str]:
    if not _FORM.fullmatch(rrule):
        raise ValueError("Write parts such as FREQ=WEEKLY;BYDAY=WE, with nothing before, between or after them.")
    parts: dict[str, str] = {}
    for part in rrule.split(";"):
        name, value = part.split("=")
        if name in parts:
            raise ValueError(f"{name} stands here more than once.")
        parts[name] = value
        _check_part(name, value)
    if "FREQ" not in parts:
        raise ValueError("FREQ is needed.")
    _check_fits(parts)
    return parts


def _check_part(name: str, value: str) -> None:
    if name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        raise ValueError(f"Not {name}: a window opens once a day, at start_time.")
    form = _PARTS.get(name)
    if form is None:
        raise ValueError(f"{name} can't be used; known are {', '.join(_PARTS)}.")
    if name == "FREQ" and not form.fullmatch(value):
        raise ValueError("FREQ is one of DAILY, WEEKLY, MONTHLY and YEARLY.")
    numbers = [abs(int(number)) for number in re.findall(r"[0-9]+", value)]
    allowed = _RANGES.get(name)
    if not form.fullmatch(value) or (allowed is not None and any(number not in allowed for number in numbers)):
        raise ValueError(f"{value} is no {name}.")
    if name == "UNTIL":
        try:
            year = datetime.fromisoformat(value).year
        except ValueError as error:
            raise ValueError(f"{value} is no date.") from error
        if year not in _YEARS:
            raise ValueError(f"UNTIL lies between {_YEARS.start} and {_YEARS.stop - 1}.")


def _check_fits(parts: dict[str, str]) -> None:
    """Raise for parts that have no meaning together; the standard forbids most of them too."""
    frequency = parts["FREQ"]
    by_day = "BYDAY" in parts and re.search("[0-9]", parts["BYDAY"])
    if frequency in ("DAILY", "WEEKLY"):
        for name in ("BYMONTHDAY", "BYSETPOS"):
            if name in parts:
                raise ValueError(f"{name} goes with MONTHLY and YEARLY.")
        if by_day:
            raise ValueError("A day with a number, such as 1MO, goes with MONTHLY and YEARLY.")
    if by_day and frequency == "YEARLY" and "BYMONTH" not in parts:
        raise ValueError("A day with a number goes with YEARLY where BYMONTH says of which month.")
    if "BYSETPOS" in parts and not {"BYDAY", "BYMONTHDAY"} & parts.keys():
        raise ValueError("BYSETPOS goes with BYDAY or BYMONTHDAY.")
