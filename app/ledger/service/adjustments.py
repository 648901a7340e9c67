"""Adjust points by hand: at once up to a limit of the programme, above it by two people; every step is audited."""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.auth import Principal
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import staff_queries
from app.ledger.errors import AdjustmentClosed, AdjustmentNotFound, DailyCapReached, SecondPersonNeeded
from app.ledger.models import Adjustment
from app.ledger.service.books import Posted
from app.ledger.service.changes import adjust_points
from app.members import service as members
from app.programme import service as programme
from app.staff import service as staff

OPEN_FOR = timedelta(days=7)
STATUSES = ("PROPOSED", "APPROVED", "REJECTED", "EXPIRED")


def propose(caller: Principal, member_id: UUID, points: int, reason: str, moment: datetime) -> dict[str, Any]:
    """Adjust a member's points, or propose it where the programme wants a second person; return the adjustment.

    Raises MemberNotFound, DailyCapReached, InsufficientPoints.
    """
    members.check_member(member_id)
    is_alone = abs(points) <= programme.current().adjustment_points_max_alone
    with unit_of_work() as session:
        _check_cap(caller, points, moment)
        adjustment = Adjustment(
            adjustment_id=new_id(), member_id=member_id, points=points, reason=reason, status="PROPOSED",
            proposed_by=caller.id, proposed_at=moment, expires_at=moment + OPEN_FOR,
        )  # fmt: skip
        done = _book(adjustment, caller.id, moment) if is_alone else None
        session.add(adjustment)
        session.flush()
        after = _state(adjustment, done)
        _audit("booked" if is_alone else "proposed", adjustment, None, after, moment)
        return shown(adjustment, moment)


def approve(caller: Principal, adjustment_id: UUID, moment: datetime) -> dict[str, Any]:
    """Book a proposed adjustment and return it.

    Raises AdjustmentNotFound, AdjustmentClosed, SecondPersonNeeded, DailyCapReached, InsufficientPoints.
    """
    with unit_of_work() as session:
        adjustment = _lock_open(session, adjustment_id, moment)
        if adjustment.proposed_by == caller.id:
            raise SecondPersonNeeded
        _check_cap(caller, adjustment.points, moment)
        before = _state(adjustment, None)
        done = _book(adjustment, caller.id, moment)
        session.flush()
        _audit("approved", adjustment, before, _state(adjustment, done), moment)
        return shown(adjustment, moment)


def reject(caller: Principal, adjustment_id: UUID, moment: datetime) -> dict[str, Any]:
    """Turn a proposed adjustment down, or take one's own back, and return it.

    Raises AdjustmentNotFound, AdjustmentClosed.
    """
    with unit_of_work() as session:
        adjustment = _lock_open(session, adjustment_id, moment)
        before = _state(adjustment, None)
        adjustment.status, adjustment.decided_by, adjustment.decided_at = "REJECTED", caller.id, moment
        session.flush()
        _audit("rejected", adjustment, before, _state(adjustment, None), moment)
        return shown(adjustment, moment)


def get_adjustment(adjustment_id: UUID, moment: datetime) -> dict[str, Any]:
    """Return the adjustment as it is at ``moment``; raise AdjustmentNotFound."""
    adjustment = staff_queries.find_adjustment(db.session, adjustment_id)
    if adjustment is None:
        raise AdjustmentNotFound
    return shown(adjustment, moment)


def list_adjustments(
    status: str | None, member_id: UUID | None, before: UUID | None, limit: int, moment: datetime
) -> list[dict[str, Any]]:
    """Return one page of adjustments, newest first."""
    found = staff_queries.list_adjustments(db.session, status, member_id, before, limit, moment)
    return [shown(adjustment, moment) for adjustment in found]


def shown(adjustment: Adjustment, moment: datetime) -> dict[str, Any]:
    """Return the adjustment as staff see it; an undecided one is EXPIRED by the clock."""
    return {
        "id": adjustment.adjustment_id,
        "member_id": adjustment.member_id,
        "points": adjustment.points,
        "reason": adjustment.reason,
        "status": "EXPIRED" if _is_over(adjustment, moment) else adjustment.status,
        "proposed_by": adjustment.proposed_by,
        "proposed_at": adjustment.proposed_at,
        "expires_at": adjustment.expires_at,
        "decided_by": adjustment.decided_by,
        "decided_at": adjustment.decided_at,
    }


def _is_over(adjustment: Adjustment, moment: datetime) -> bool:
    return adjustment.status == "PROPOSED" and adjustment.expires_at <= moment


def _lock_open(session: Any, adjustment_id: UUID, moment: datetime) -> Adjustment:
    adjustment = staff_queries.lock_adjustment(session, adjustment_id)
    if adjustment is None:
        raise AdjustmentNotFound
    if adjustment.status != "PROPOSED" or _is_over(adjustment, moment):
        status = shown(adjustment, moment)["status"]
        raise AdjustmentClosed(f"The adjustment is {status}.", adjustment_status=status)
    return adjustment


def _check_cap(caller: Principal, points: int, moment: datetime) -> None:
    """Raise DailyCapReached where ``points`` are more than the caller's roles leave of the programme's day."""
    settings = programme.current()
    cap = max((settings.adjustment_points_max_daily.get(role, 0) for role in caller.grants), default=0)
    since = settings.start_of_day(moment)
    with unit_of_work() as session:
        staff_queries.lock_daily_cap(session, caller.id)
        left = max(0, cap - staff_queries.sum_adjusted(session, caller.id, since))
    if abs(points) > left:
        raise DailyCapReached(f"{left} points are left today.", points_left=left)


def _book(adjustment: Adjustment, decided_by: UUID, moment: datetime) -> Posted:
    """Post the adjustment and mark it APPROVED; its id is the posting's key."""
    key = f"adjustment:{adjustment.adjustment_id}"
    content = f"{adjustment.member_id} {adjustment.points} {adjustment.reason}"
    done = adjust_points(
        adjustment.member_id, adjustment.points, key=key, actor=f"staff:{decided_by}", reason=adjustment.reason,
        fingerprint=hashlib.sha256(content.encode()).digest(), moment=moment,
    )  # fmt: skip
    adjustment.status, adjustment.decided_by, adjustment.decided_at = "APPROVED", decided_by, moment
    return done


def _state(adjustment: Adjustment, done: Posted | None) -> dict[str, Any]:
    state: dict[str, Any] = {
        "status": adjustment.status,
        "member_id": adjustment.member_id,
        "points": adjustment.points,
        "reason": adjustment.reason,
    }
    return state if done is None else state | {"available": done.available, "debt": done.debt}


def _audit(
    verb: str, adjustment: Adjustment, before: dict[str, Any] | None, after: dict[str, Any], moment: datetime
) -> None:
    staff.record_audit(
        f"adjustment.{verb}", "adjustment", adjustment.adjustment_id, before=before, after=after, moment=moment
    )
