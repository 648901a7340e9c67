"""Move what is booked by versions of a factor to those that are claimed in their place, piece by piece.

1. The ledger is gone through in the order of its key. Of each activity in which something stands by a version to be
   replaced, that is taken back and booked by the version in its place, from what was multiplied then. So the same
   restatement a second time finds nothing, and one that begins anew costs time alone.
2. ``PIECE`` activities are one transaction. It locks the accounts of their members first and reads again under that
   lock, as returns do: whichever comes second sees what the first has booked. Projections hear of each activity whose
   sums change by a fact of its member.
3. Whoever finds that somebody else has taken the restatement up lets go of it; what it has not committed is gone.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.cache import CHECK_SECONDS
from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.ids import made_at
from app.core.outbox import FactKind
from app.core.unit_of_work import retry_transient, unit_of_work
from app.impact import queries as ledger_queries
from app.impact import restatement_queries as queries
from app.impact.calculation import Factor
from app.impact.differences import Booked, changes_by_time, differences, restated
from app.impact.models import Restatement
from app.impact.service.claiming import IMPACT_ENTRY, rows_of
from app.impact.service.factors import moves_of
from app.ledger import service as ledger
from app.programme import service as programme

WINDOW_ENTRIES = 2000
PIECE = 200
PROGRESS_SECONDS = 1.0
# for so long after a load, other processes may claim by the old versions: what they book then would be missed
OTHERS_LEARN = timedelta(seconds=2 * CHECK_SECONDS)
_KINDS = {
    "packaging": "purchase",
    "material": "recycling",
    "device": "trade_in",
}  # of activity, by what a factor is for
Tell = Callable[[int, int], None]


class LetGo(Exception):
    """The restatement ends here: the worker is told to stop, or somebody else has taken it up."""


def write(claimed: Restatement, **values: Any) -> None:
    """Write to the restatement as long as it is ours; raise LetGo where it is not."""

    def attempt() -> None:
        with unit_of_work():
            own = _own(claimed)
            for name, value in values.items():
                setattr(own, name, value)

    retry_transient(attempt)


def _own(claimed: Restatement) -> Restatement:
    """Return the stored restatement, locked and its heartbeat told; raise LetGo where it is ours no more."""
    own = queries.lock_own(db.session, claimed.restatement_id, claimed.attempt)
    if own is None:
        raise LetGo
    own.heartbeat_at = now()
    return own


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done: each version with the factor in its place, from when on."""

    claimed: Restatement
    moves: Mapping[UUID, Factor]
    since: datetime | None


def restate(claimed: Restatement, stop: threading.Event, tell: Tell) -> None:
    """Go through the ledger from where the restatement stands; ``tell`` hears of the progress. Raises LetGo."""
    work = _Work(claimed, moves_of(claimed.factor) or {}, _since(claimed.from_day))
    if work.moves:
        _wait_for_others(work.moves, stop)
        total = _total(claimed)
        _go_through(work, total, stop, tell)
        write(claimed, entries_read=total, entries_total=total)
        tell(total, total)


def _total(claimed: Restatement) -> int:
    if claimed.entries_total is not None:
        return claimed.entries_total
    with unit_of_work() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        return queries.count_entries(session)


def _wait_for_others(moves: Mapping[UUID, Factor], stop: threading.Event) -> None:
    newest = max(made_at(factor.id) for factor in moves.values())
    stop.wait(max(0.0, (newest + OTHERS_LEARN - now()).total_seconds()))


def _since(day: date | None) -> datetime | None:
    """Return when ``day`` begins in the programme's zone."""
    return None if day is None else datetime.combine(day, time_of_day(), programme.current().zone).astimezone(UTC)


def _go_through(work: _Work, total: int, stop: threading.Event, tell: Tell) -> None:
    claimed, read, told_at = work.claimed, work.claimed.entries_read, 0.0
    after = queries.START if claimed.after_member_id is None else (claimed.after_member_id, queries.START[1])
    while after != queries.END:
        if stop.is_set() or time.monotonic() - told_at >= PROGRESS_SECONDS:
            write(claimed, entries_read=read, entries_total=total, after_member_id=after[0])
            tell(read, total)
            told_at = time.monotonic()
        if stop.is_set():
            raise LetGo
        last = queries.window_end(db.session, after, WINDOW_ENTRIES)
        concerned = queries.list_concerned(db.session, after, last, work.moves.keys(), work.since)
        read = min(total, read + queries.count_window(db.session, after, last))
        for start in range(0, len(concerned), PIECE):
            _book(work, concerned[start : start + PIECE])
        after = last


def _book(work: _Work, places: Sequence[queries.Place]) -> None:
    """Book the differences of these activities in one transaction; raise LetGo."""

    def attempt() -> None:
        with unit_of_work() as session, driver_connection() as connection:
            ledger.lock_accounts({member_id for member_id, _ in places})
            standing = ledger_queries.list_booked(session, places)
            moved = {place: _moved(work, standing.get(place, ())) for place in places}
            moment = now()
            rows = [row for place, entries in moved.items() for row in rows_of(*place, entries, moment)]
            if rows:
                queries.insert_entries(connection, IMPACT_ENTRY, rows)
                ledger.add_facts(_facts(work, moved), moment)
            own = _own(work.claimed)
            own.activities_changed += sum(1 for entries in moved.values() if entries)
            own.entries_booked += len(rows)
            own.differences = _added(own.differences, itertools.chain.from_iterable(moved.values()))

    retry_transient(attempt)


def _moved(work: _Work, standing: Iterable[Booked]) -> list[Booked]:
    """Return the entries that move what stands by versions to be replaced to those in their place."""
    moving = [
        (item, work.moves[item.factor_id])
        for item in standing
        if item.factor_id is not None
        and item.factor_id in work.moves
        and (work.since is None or item.occurred_at >= work.since)
    ]
    return differences([item for item, _ in moving], [restated(item, factor) for item, factor in moving])


def _facts(
    work: _Work, moved: Mapping[queries.Place, Sequence[Booked]]
) -> dict[UUID, list[tuple[str, dict[str, Any]]]]:
    """Return what projections are to hear, by member: a fact for each activity whose sums change."""
    facts: dict[UUID, list[tuple[str, dict[str, Any]]]] = {}
    for (member_id, activity_id), entries in moved.items():
        subjects = {work.moves[e.factor_id].subject_kind for e in entries if e.factor_id in work.moves and e.factor_id}
        changes = [
            {"occurred_at": moment, "kind": _KINDS[min(subjects)], "activities": 0, "points": 0, "impact": metrics}
            for moment, metrics in changes_by_time(entries).items()
        ]
        if changes:
            payload = {"activity": activity_id, "changes": changes}
            facts.setdefault(member_id, []).append((FactKind.CORRECTED, payload))
    return facts


def _added(sums: Mapping[str, Mapping[str, int]], entries: Iterable[Booked]) -> dict[str, dict[str, int]]:
    """Return ``sums`` by metric with ``entries`` added."""
    added = {metric: dict(band) for metric, band in sums.items()}
    for entry in entries:
        band = added.setdefault(entry.metric, {"value": 0, "low": 0, "high": 0})
        for name in band:
            band[name] += getattr(entry, name)
    return added
