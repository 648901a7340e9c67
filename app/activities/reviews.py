"""Reviews: activities that nobody has measured are looked at by staff before their points become available.

1. An activity opens a review in the transaction that stores it; its points wait, whatever the terms of their rules.
2. Approved, they mature by those terms, from then on at the earliest. Rejected, all that the activity paid is taken
   back, with its impact, limits and budgets, and its member sees why.
3. What nobody has looked at when its points become void is over: the rest is taken back too.

A review is decided once: whoever decides locks the account first, then the review.
"""

import functools
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.activities import completing
from app.activities import review_queries as queries
from app.activities.evidence_errors import ReviewClosed, ReviewNotFound
from app.activities.outcome import Accepted
from app.activities.queries import find_stored
from app.activities.review_models import Review
from app.activities.review_words import NOT_REVIEWED
from app.activities.voiding import void_activity
from app.core.auth import Principal
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.jobs import Job
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import service as ledger
from app.programme import service as programme
from app.staff import service as staff

STATES = ("open", "approved", "rejected", "expired")
REJECTED = "rejected"  # the ledger's code, for which the member's history has a sentence
CLOSED_AT_ONCE = 100


def open_review(accepted: Accepted, *, live: bool, kind: str, reasons: Sequence[str], moment: datetime) -> None:
    """Open the review of an activity that is stored in the caller's unit of work."""
    assert accepted.member_id is not None
    with unit_of_work() as session:
        session.add(
            Review(
                member_id=accepted.member_id, review_id=new_id(), live=live, kind=kind,
                activity_id=accepted.activity_id, points=accepted.outcome["points"]["awarded"], reasons=list(reasons),
                state="open", opened_at=moment,
                expires_at=accepted.occurred_at + timedelta(days=programme.current().completion_days_max),
            )
        )  # fmt: skip
        session.flush()


def approve(caller: Principal, review_id: UUID, moment: datetime) -> None:
    """Let the points of the activity mature. Raises ReviewNotFound, ReviewClosed."""
    with unit_of_work() as session:
        review = _lock_open(session, review_id, moment)
        before = _state(review)
        _mature(review, f"staff:{caller.id}", moment)
        review.state, review.decided_by, review.decided_at = "approved", caller.id, moment
        session.flush()
        _audit(review, before, moment)


def reject(caller: Principal, review_id: UUID, reason: str, note: str | None, moment: datetime) -> None:
    """Take back all that the activity paid. Raises ReviewNotFound, ReviewClosed."""
    with unit_of_work() as session:
        review = _lock_open(session, review_id, moment)
        before = _state(review)
        _void(review, f"staff:{caller.id}", REJECTED, moment)
        review.state, review.decided_by, review.decided_at = "rejected", caller.id, moment
        review.reason, review.note = reason, note
        session.flush()
        _audit(review, before, moment)


def _lock_open(session: Any, review_id: UUID, moment: datetime) -> Review:
    found = queries.find_review(session, review_id)
    if found is None:
        raise ReviewNotFound
    ledger.lock_account(found.member_id)
    review = queries.lock_review(session, found.member_id, review_id)
    state = state_at(review, moment)
    if state != "open":
        raise ReviewClosed(f"The review is {state}.", review_state=state)
    return review


def _mature(review: Review, actor: str, moment: datetime) -> None:
    """Let what waits mature, also of an activity that was reported as complete: its points have waited all the same."""
    with ledger.open_book(review.member_id, moment) as (session, book):
        stored = find_stored(session, review.member_id, review.activity_id)
        assert stored is not None
        if stored.completed_at is None:
            completing.complete_in_book(session, book, stored, moment, actor)


def _void(review: Review, actor: str, reason: str, moment: datetime) -> None:
    void_activity(
        review.member_id, review.activity_id, live=review.live, actor=actor, reason=reason, moment=moment
    )  # fmt: skip


def state_at(review: Review, moment: datetime) -> str:
    """Return the state by the clock: an open review whose time is over is expired."""
    return "expired" if review.state == "open" and review.expires_at <= moment else review.state


def _state(review: Review) -> dict[str, Any]:
    return {
        "state": review.state, "kind": review.kind, "member_id": review.member_id, "activity_id": review.activity_id,
        "points": review.points, "reason": review.reason,
    }  # fmt: skip


def _audit(review: Review, before: dict[str, Any], moment: datetime) -> None:
    staff.record_audit(
        f"review.{review.state}", "review", review.review_id, before=before, after=_state(review), moment=moment
    )


def close_overdue(stop: threading.Event) -> int:
    """End the reviews that nobody decided in time, and take back what their points' end left; return how many."""
    closed = 0
    while not stop.is_set():
        found = queries.list_overdue(db.session, now(), CLOSED_AT_ONCE)
        overdue = [(review.member_id, review.review_id) for review in found]
        for member_id, review_id in overdue:
            closed += retry_transient(functools.partial(_close, member_id, review_id))
            if stop.is_set():
                break
        if not overdue:
            break
    return closed


def _close(member_id: UUID, review_id: UUID) -> bool:
    moment = now()
    with unit_of_work() as session:
        ledger.lock_account(member_id)
        review = queries.lock_review(session, member_id, review_id)
        if review.state != "open" or review.expires_at > moment:
            return False
        _void(review, "clock", NOT_REVIEWED, moment)
        review.state, review.decided_at = "expired", moment
        session.flush()
        return True


JOB = Job("close_overdue_reviews", "53 * * * *", close_overdue)
