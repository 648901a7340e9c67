"""Backtests: asked for by staff, run by a worker one after the other, with progress; a killed one is taken up again.

1. A worker takes the oldest that waits, or one whose worker has not been heard of for ``STALE``: that one begins anew.
   It replays nothing but what is stored, so that it comes to the same result. After ``ATTEMPTS_MAX`` it fails.
2. The activities are read by one cursor in one read-only transaction; the progress is written in others, each second.
   Who finds that somebody else has taken the backtest up lets go of it.
3. A worker that is told to stop puts it back; one runs at a time in each worker.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from flask import current_app
from sqlalchemy import text, update

from app.activities import backtest_queries as queries
from app.activities.errors import BacktestNotFound, TooManyBacktests
from app.activities.models import Backtest
from app.activities.replaying import Recorded, Replay
from app.activities.tallies import exposure
from app.campaigns import service as campaigns
from app.campaigns.service import trials
from app.core import jobs
from app.core.auth import Principal
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import after_commit, retry_transient, unit_of_work
from app.programme import service as programme

STALE = timedelta(minutes=2)  # longer than the first row takes to come: it waits for all to be sorted
ATTEMPTS_MAX = 3
OPEN_MAX = 20
PROGRESS_SECONDS = 1.0
LOOK_EVERY = 100
log = structlog.get_logger()


class _LetGo(Exception):
    """The replay ends here: the worker is told to stop, or somebody else has taken it up."""


def request_backtest(caller: Principal, campaign_id: UUID, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Store a backtest of the period ``from`` to ``to`` for a worker to run, and return it; joins the unit of work.

    ``schedule`` None is as written where the campaign's run has a moment in the period, and the whole period where it
    has none, as that of a campaign still to come. Raises CampaignNotFound, CampaignVersionNotFound, TooManyBacktests.
    """
    trial = trials.get_trial(campaign_id, asked["version"])
    is_within = trial.runs_in(asked["from"], asked["to"])
    with unit_of_work() as session:
        if queries.count_open(session) >= OPEN_MAX:
            raise TooManyBacktests
        backtest = Backtest(
            backtest_id=new_id(), campaign_id=campaign_id, campaign_version_id=trial.version_id, version=trial.version,
            from_at=asked["from"], to_at=asked["to"], state="queued", attempt=0, activities_read=0,
            schedule=asked["schedule"] or ("as_written" if is_within else "whole_period"), requested_by=caller.id,
            requested_at=now(),
        )  # fmt: skip
        session.add(backtest)
        session.flush()
        after_commit(lambda: jobs.defer_job(JOB.name))
        return shown(backtest)


def get_backtest(campaign_id: UUID, backtest_id: UUID) -> dict[str, Any]:
    """Return a backtest of the campaign with its progress and, once it is done, its result; raise BacktestNotFound."""
    backtest = queries.find_backtest(db.session, campaign_id, backtest_id)
    if backtest is None:
        raise BacktestNotFound
    return shown(backtest)


def shown(backtest: Backtest) -> dict[str, Any]:
    """Return a backtest as staff see it."""
    return {
        "id": backtest.backtest_id,
        "campaign_id": backtest.campaign_id,
        "version": backtest.version,
        "from": backtest.from_at,
        "to": backtest.to_at,
        "schedule": backtest.schedule,
        "state": backtest.state,
        "progress": {"activities_read": backtest.activities_read, "activities_total": backtest.activities_total},
        "requested_at": backtest.requested_at,
        "finished_at": backtest.finished_at,
        "error": backtest.error,
        "result": backtest.result,
    }


def run_backtests(stop: threading.Event) -> int:
    """Run what waits until nothing does, or ``stop`` is set; return how many came to an end."""
    ended = 0
    with _one_at_a_time() as is_first:
        while is_first and not stop.is_set() and (claimed := _claim()) is not None:
            ended += _run(claimed, stop)
    return ended


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[bool]:
    """Say whether no other thread of this process runs backtests; keep others out meanwhile."""
    lock: threading.Lock = current_app.extensions.setdefault("backtests", threading.Lock())
    is_first = lock.acquire(blocking=False)
    try:
        yield is_first
    finally:
        if is_first:
            lock.release()


def _claim() -> Backtest | None:
    """Take up a backtest; it is read and detached, so that it stays as it was taken."""

    def attempt() -> Backtest | None:
        moment = now()
        with unit_of_work() as session:
            claimed = queries.claim_backtest(session, moment, moment - STALE, ATTEMPTS_MAX)
            if claimed is not None:
                session.expunge(claimed)
            return claimed

    return retry_transient(attempt)


def _run(claimed: Backtest, stop: threading.Event) -> bool:
    """Replay what was taken up and store how it ended; return False where it was let go."""
    try:
        result = _replay(claimed, stop)
        _write(claimed, state="done", result=result, finished_at=now())
    except _LetGo:
        with contextlib.suppress(_LetGo):
            _write(claimed, state="queued", activities_read=0)
        return False
    except Exception as error:
        log.error("backtest_failed", backtest_id=str(claimed.backtest_id), exc_info=error)
        with contextlib.suppress(_LetGo):
            _write(claimed, state="failed", error=f"{type(error).__name__}: {error}"[:500], finished_at=now())
    return True


def _write(claimed: Backtest, **values: Any) -> None:
    """Write to the backtest as long as it is ours; raise _LetGo where it is not."""

    def attempt() -> bool:
        with unit_of_work() as session:
            ours = session.execute(
                update(Backtest)
                .where(
                    Backtest.backtest_id == claimed.backtest_id, Backtest.attempt == claimed.attempt,
                    Backtest.state == "running",
                )
                .values(heartbeat_at=now(), **values)
                .returning(Backtest.backtest_id)
            )  # fmt: skip
            if (found := ours.scalar()) is not None and (points := _exposed(values.get("result"))) is not None:
                campaigns.estimate_exposure(claimed.campaign_id, claimed.version, points)
            return found is not None

    if not retry_transient(attempt):
        raise _LetGo


def _exposed(result: Mapping[str, Any] | None) -> int | None:
    return None if result is None or result["exposure"] is None else int(result["exposure"]["points"])


def _replay(claimed: Backtest, stop: threading.Event) -> dict[str, Any]:
    """Return the result of the replay; raise _LetGo."""
    trial = trials.get_trial(claimed.campaign_id, claimed.version)
    tried = trial.moved_to(claimed.from_at, claimed.to_at) if claimed.schedule == "whole_period" else trial
    replay = Replay(tried, _book_at(tried), programme.current().zone)
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL work_mem = '64MB'"))
        total = queries.count_recorded(connection, claimed.from_at, claimed.to_at)
        _write(claimed, activities_read=0, activities_total=total)
        stream = queries.stream_recorded(connection, claimed.from_at, claimed.to_at, trial.key)
        with contextlib.closing(stream):
            _feed(claimed, replay, stream, stop)
    _write(claimed, activities_read=total)
    return _result(claimed, trial, replay)


def _feed(claimed: Backtest, replay: Replay, stream: Iterable[Recorded], stop: threading.Event) -> None:
    """Replay the stream, telling the progress each second; raise _LetGo."""
    told_at = time.monotonic()
    for number, recorded in enumerate(stream):
        if number % LOOK_EVERY == 0:
            if stop.is_set():
                raise _LetGo
            if time.monotonic() - told_at >= PROGRESS_SECONDS:
                _write(claimed, activities_read=number)
                told_at = time.monotonic()
        replay.take(recorded)


def _book_at(tried: trials.Trial) -> Callable[[datetime], trials.RuleBook]:
    """Return by which rules an activity of a moment is evaluated."""
    if tried.depends_on_others:
        return trials.Substitution(tried, is_pause_kept=False).at
    alone = trials.book_of([tried])
    return lambda _: alone


def _result(claimed: Backtest, trial: trials.Trial, replay: Replay) -> dict[str, Any]:
    """Return the totals with what they cost, and the exposure of a version without a budget."""
    totals, settings = replay.tally.totals(), programme.current()
    starts_at, ends_at = trial.document["starts_at"], trial.document["ends_at"]
    start, end = claimed.from_at, claimed.to_at
    if claimed.schedule == "as_written":  # the days on which it was not to run say nothing of those on which it does
        start, end = max(start, starts_at), min(end, ends_at or end)
    has_budget = trial.document["budget"] is not None
    is_open = end > start
    return {
        "points": totals["points"],
        "cost": {
            "amount": settings.worth(totals["points"]),
            "currency": settings.currency,
            "point_value_micros": settings.point_value_micros,
        },
        **totals,
        "exposure": None
        if has_budget or not is_open
        else exposure(totals["points"], end - start, ends_at and ends_at - starts_at),
    }


JOB = jobs.Job("run_backtests", "* * * * *", run_backtests)
