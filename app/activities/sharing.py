"""Single reports that come at once share rounds; see ``coalescing`` for how they meet.

1. A report meets others of its own source: same merchant's key, same bounds. They go in one round, which waits for
   no account.
2. Where others were changing the account, it meets those of the same member: they go in one round under its lock.
   Whoever has to wait for an account so waits with its own member's reports alone.
3. While such a round runs, others that name the member in the same way join it without the first. What they name is
   read again under the lock: if it is somebody else by then, only the wrong account was locked.
4. What a round can't do goes by itself, in its own thread.

A shared round runs in an application context of its own: it knows nothing of the request of the thread that leads it.
"""

import contextvars
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
import structlog
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.activities import rounds
from app.activities.evaluating import Source
from app.activities.intake import read_report, report_alone, report_many
from app.activities.reading import Report
from app.activities.rounds import ALONE, Left, Result, Why
from app.core.coalescing import Coalescer
from app.core.errors import ValidationProblem
from app.core.unit_of_work import in_unit_of_work

SHARED_MAX = 32
log = structlog.get_logger()
_Outcomes = list[Result | Left]


class _Lanes:
    """Where the single reports of one application meet: first those of a source, then those of a contended account."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.open: Coalescer[Source, Report, Result | Left] = Coalescer(self._play, SHARED_MAX)
        self.locked: Coalescer[tuple[Source, UUID], Report, Result | Left] = Coalescer(self._play_locked, SHARED_MAX)
        self._contended: dict[tuple[Source, str], UUID] = {}  # by how a report names the member

    def submit(self, origin: Source, report: Report) -> Result | Left:
        """Return what has become of ``report`` in the rounds that it shares."""
        named = (origin, str(report.read["member"]))
        member_id = self._contended.get(named)
        if member_id is None or not self.locked.is_busy((origin, member_id)):
            outcome = self.open.submit(origin, report)
            if isinstance(outcome, Left) and outcome.why is Why.REPEATED:
                outcome = self.open.submit(origin, report)
            if not isinstance(outcome, Left) or outcome.member_id is None:
                return outcome
            member_id = outcome.member_id
            self._contended[named] = member_id
        try:
            return self.locked.submit((origin, member_id), report)
        finally:
            if not self.locked.is_busy((origin, member_id)):
                self._forget(member_id)

    def _forget(self, member_id: UUID) -> None:
        for named, contended in list(self._contended.items()):  # as many as requests wait for accounts
            if contended == member_id:
                self._contended.pop(named, None)

    def _play(self, origin: Source, reports: Sequence[Report]) -> _Outcomes:
        def is_contended(member_id: UUID) -> bool:
            return self.locked.is_busy((origin, member_id))

        return _apart(self._app, reports, lambda: rounds.play(origin, reports, is_contended))

    def _play_locked(self, key: tuple[Source, UUID], reports: Sequence[Report]) -> _Outcomes:
        origin, member_id = key
        return _apart(self._app, reports, lambda: rounds.play_locked(origin, reports, [member_id]))


def report_one(origin: Source, body: Any) -> Result:
    """Store and award one activity, in a round with others of ``origin`` that come at the same time.

    Inside a unit of work it goes alone: what others sent must not hang on whether that commits.
    """
    if in_unit_of_work():
        return report_many(origin, [body])[0]
    try:
        report = read_report(0, body)
    except ValidationProblem as problem:
        return problem
    outcome = _lanes().submit(origin, report)
    return report_alone(origin, report) if isinstance(outcome, Left) else outcome


def _lanes() -> _Lanes:
    extensions = current_app.extensions
    lanes: _Lanes | None = extensions.get("award_lanes")
    if lanes is None:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        lanes = extensions.setdefault("award_lanes", _Lanes(app))
    return lanes


def _apart(app: Flask, reports: Sequence[Report], play: Callable[[], _Outcomes]) -> _Outcomes:
    """Return ``play()``, for several reports in a context of its own.

    An error of theirs leaves each to go alone, so that it meets whoever it belongs to; one of the database is
    everybody's and is raised.
    """
    if len(reports) == 1:
        return play()

    def run() -> _Outcomes:
        with app.app_context():
            try:
                return play()
            except Exception as error:
                original = error.orig if isinstance(error, DBAPIError) else error
                if isinstance(original, psycopg.OperationalError | PoolTimeout):
                    raise
                log.error("shared_round_failed", exc_info=error)
                return [ALONE] * len(reports)

    return contextvars.Context().run(run)
