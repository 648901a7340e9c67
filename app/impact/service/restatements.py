"""Restatements: asked for by staff or a command, run by a worker, with progress; a killed one is taken up again.

A worker takes the oldest that waits, or one whose worker has not been heard of for ``STALE``, and goes on where that
one was. After ``ATTEMPTS_MAX`` it fails. A worker that is told to stop puts it back. What a restatement does stands in
``restating``.
"""

import contextlib
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from app.core import jobs
from app.core.clock import now
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.ids import new_id
from app.core.unit_of_work import after_commit, retry_transient, unit_of_work
from app.impact import restatement_queries as queries
from app.impact.errors import RestatementNotFound, TooManyRestatements
from app.impact.models import Restatement
from app.impact.service.factors import moves_of
from app.impact.service.restating import LetGo, Tell, restate, write
from app.staff import service as staff

JOB_NAME = "run_restatements"
STALE = timedelta(minutes=2)
ATTEMPTS_MAX = 10
OPEN_MAX = 20
log = structlog.get_logger()


def request_restatement(requested_by: UUID | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Store a restatement of ``factor`` for a worker to run, and return it; joins the unit of work.

    ``factor`` is the id of a version, for all versions of that factor; the code of a subject; or ``all``. ``from``
    leaves out what occurred before that day in the programme's zone. Raises ValidationProblem, TooManyRestatements.
    """
    with unit_of_work() as session:
        if queries.count_open(session) >= OPEN_MAX:
            raise TooManyRestatements
        made = _store(requested_by, asked, state="queued")
        after_commit(lambda: jobs.defer_job(JOB_NAME))
        return shown(made)


def restate_now(asked: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Run a restatement here and now, as a command does, and return how it ended; ``tell`` hears of its progress.

    One that is broken off is taken up by a worker. Raises ValidationProblem.
    """
    with unit_of_work() as session:
        made = _store(None, asked, state="running", attempt=1, heartbeat_at=now())
        session.expunge(made)
    _run(made, threading.Event(), tell)
    return get_restatement(made.restatement_id)


def _store(requested_by: UUID | None, asked: Mapping[str, Any], **state: Any) -> Restatement:
    if moves_of(asked["factor"]) is None:
        detail = "This is no factor's id, no subject's code, nor all."
        raise ValidationProblem([{"pointer": "/factor", "detail": detail}])
    values = {"attempt": 0, "entries_read": 0, "activities_changed": 0, "entries_booked": 0, "differences": {}} | state
    made = Restatement(
        restatement_id=new_id(), factor=asked["factor"], from_day=asked["from"], reason=asked["reason"],
        requested_by=requested_by, requested_at=now(), **values,
    )  # fmt: skip
    with unit_of_work() as session:
        session.add(made)
        session.flush()
        after = {name: asked[name] for name in ("factor", "from", "reason")}
        staff.record_audit(
            "restatement.requested", "restatement", made.restatement_id, before=None, after=after,
            moment=made.requested_at,
        )  # fmt: skip
    return made


def get_restatement(restatement_id: UUID) -> dict[str, Any]:
    """Return a restatement with its progress and what it has booked; raise RestatementNotFound."""
    found = queries.find_restatement(db.session, restatement_id)
    if found is None:
        raise RestatementNotFound
    return shown(found)


def list_restatements(before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return restatements, newest first, asked for before ``before``."""
    return [shown(found) for found in queries.list_restatements(db.session, before, limit)]


def shown(found: Restatement) -> dict[str, Any]:
    """Return a restatement as staff see it."""
    return {
        "id": found.restatement_id,
        "factor": found.factor,
        "from": found.from_day and found.from_day.isoformat(),
        "reason": found.reason,
        "state": found.state,
        "progress": {"entries_read": found.entries_read, "entries_total": found.entries_total},
        "result": {
            "activities_changed": found.activities_changed,
            "entries_booked": found.entries_booked,
            "differences": [{"metric": name, **band} for name, band in sorted(found.differences.items())],
        },
        "requested_by": found.requested_by,
        "requested_at": found.requested_at,
        "finished_at": found.finished_at,
        "error": found.error,
    }


def run_restatements(stop: threading.Event) -> int:
    """Run what waits until nothing does, or ``stop`` is set; return how many came to an end."""
    ended = 0
    while not stop.is_set() and (claimed := _claim()) is not None:
        ended += _run(claimed, stop)
    return ended


def _claim() -> Restatement | None:
    """Take up a restatement; it is read and detached, so that it stays as it was taken."""

    def attempt() -> Restatement | None:
        moment = now()
        with unit_of_work() as session:
            claimed = queries.claim_restatement(session, moment, moment - STALE, ATTEMPTS_MAX)
            if claimed is not None:
                session.expunge(claimed)
            return claimed

    return retry_transient(attempt)


def _run(claimed: Restatement, stop: threading.Event, tell: Tell = lambda *_: None) -> bool:
    """Restate what was taken up and store how it ended; return False where it was let go."""
    try:
        restate(claimed, stop, tell)
        write(claimed, state="done", finished_at=now())
    except LetGo:
        with contextlib.suppress(LetGo):
            write(claimed, state="queued")
        return False
    except Exception as error:
        log.error("restatement_failed", restatement_id=str(claimed.restatement_id), exc_info=error)
        with contextlib.suppress(LetGo):
            write(claimed, state="failed", error=f"{type(error).__name__}: {error}"[:500], finished_at=now())
    return True
