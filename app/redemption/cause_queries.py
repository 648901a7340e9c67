"""The SELECTs of causes, sponsors' promises, donations and payouts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session, scoped_session

from app.redemption.models import Cause, CauseMatch, CausePayout, CauseTotal, Donation

_Session = Session | scoped_session[Any]


def find_cause(session: _Session, any_id: str | UUID) -> Cause | None:
    """Return a cause by its id or its key, or None."""
    if isinstance(any_id, str):
        try:
            any_id = UUID(any_id)
        except ValueError:
            return session.scalar(select(Cause).where(Cause.key == any_id))
    return session.get(Cause, any_id)


def lock_cause(session: _Session, cause_id: UUID) -> Cause:
    """Lock and return a cause that there is."""
    query = select(Cause).where(Cause.cause_id == cause_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def list_causes(session: _Session, is_shown: bool, after: str | None, limit: int) -> Sequence[Cause]:
    """Return causes by key, after one; only those that shoppers see if ``is_shown``."""
    query = select(Cause).order_by(Cause.key).limit(limit)
    if is_shown:
        query = query.where(Cause.state == "published", Cause.verified_at.is_not(None))
    if after is not None:
        query = query.where(Cause.key > after)
    return session.scalars(query).all()


def list_totals(session: _Session, cause_ids: Sequence[UUID]) -> dict[UUID, CauseTotal]:
    """Return the public counters of these causes, of those that have been given anything."""
    rows = session.scalars(select(CauseTotal).where(CauseTotal.cause_id.in_(cause_ids)))
    return {row.cause_id: row for row in rows}


def list_matches(session: _Session, cause_id: UUID) -> Sequence[CauseMatch]:
    """Return the sponsors' promises for a cause, newest first."""
    query = select(CauseMatch).where(CauseMatch.cause_id == cause_id).order_by(CauseMatch.match_id.desc())
    return session.scalars(query).all()


def _open(moment: datetime) -> tuple[Any, ...]:
    return (
        CauseMatch.starts_at <= moment,
        or_(CauseMatch.ends_at.is_(None), CauseMatch.ends_at > moment),
        CauseMatch.matched_points < CauseMatch.budget_points,
    )


def list_open_matches(session: _Session, cause_ids: Sequence[UUID], moment: datetime) -> dict[UUID, CauseMatch]:
    """Return of each cause the promise by which a donation is matched now: the oldest with something left."""
    query = select(CauseMatch).where(CauseMatch.cause_id.in_(cause_ids), *_open(moment))
    found: dict[UUID, CauseMatch] = {}
    for match in session.scalars(query.order_by(CauseMatch.match_id)):
        found.setdefault(match.cause_id, match)
    return found


def lock_open_match(session: _Session, cause_id: UUID, moment: datetime) -> CauseMatch | None:
    """Lock and return the promise by which a donation is matched now, or None; waits for other donations."""
    # locked first and asked again: what waited for the lock may have left nothing
    of_cause = select(CauseMatch).where(CauseMatch.cause_id == cause_id).order_by(CauseMatch.match_id)
    locked = session.scalars(of_cause.with_for_update().execution_options(populate_existing=True)).all()
    for match in locked:
        is_running = match.starts_at <= moment and (match.ends_at is None or match.ends_at > moment)
        if is_running and match.matched_points < match.budget_points:
            return match
    return None


def has_matches(session: _Session, cause_id: UUID) -> bool:
    """Return whether any sponsor has ever promised something for the cause."""
    return session.scalar(select(CauseMatch.match_id).where(CauseMatch.cause_id == cause_id).limit(1)) is not None


def list_donations(session: _Session, member_id: UUID, before: UUID | None, limit: int) -> Sequence[Donation]:
    """Return a member's donations, newest first, before one."""
    query = select(Donation).where(Donation.member_id == member_id)
    if before is not None:
        query = query.where(Donation.donation_id < before)
    return session.scalars(query.order_by(Donation.donation_id.desc()).limit(limit)).all()


def sum_donations(
    session: _Session, cause_id: UUID, start: datetime | None, end: datetime | None
) -> tuple[int, int, int, int, int, int]:
    """Return donations, members, points, matched points, worth and points paid out of a cause.

    Live donations alone, from ``start`` on and before ``end``.
    """
    both = Donation.points + Donation.matched_points
    query = select(
        func.count(), func.count(Donation.member_id.distinct()), func.coalesce(func.sum(Donation.points), 0),
        func.coalesce(func.sum(Donation.matched_points), 0), func.coalesce(func.sum(Donation.worth_amount), 0),
        func.coalesce(func.sum(both).filter(Donation.payout_id.is_not(None)), 0),
    ).where(Donation.cause_id == cause_id, Donation.live)  # fmt: skip
    if start is not None:
        query = query.where(Donation.donated_at >= start)
    if end is not None:
        query = query.where(Donation.donated_at < end)
    sums = [int(value) for value in session.execute(query).one()]
    return sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]


def list_payouts(session: _Session, cause_id: UUID, start: datetime | None, end: datetime | None) -> list[Any]:
    """Return (payout, donations that it covers) of a cause, newest first."""
    query = (
        select(CausePayout, func.count(Donation.donation_id))
        .outerjoin(Donation, Donation.payout_id == CausePayout.payout_id)
        .where(CausePayout.cause_id == cause_id)
        .group_by(CausePayout.payout_id)
        .order_by(CausePayout.payout_id.desc())
    )
    if start is not None:
        query = query.where(CausePayout.paid_at >= start)
    if end is not None:
        query = query.where(CausePayout.paid_at < end)
    return list(session.execute(query))


# One statement, so that the payout's points are exactly those of the donations that it covers.
_PAY_OUT = text("""
WITH covered AS (
  UPDATE donation SET payout_id = :payout_id
  WHERE cause_id = :cause_id AND live AND payout_id IS NULL AND donated_at <= :up_to
  RETURNING points + matched_points AS points)
INSERT INTO cause_payout (payout_id, cause_id, points, amount, currency, reference, paid_at, paid_by)
SELECT :payout_id, :cause_id, sum(points), :amount, :currency, :reference, :paid_at, :paid_by
FROM covered HAVING count(*) > 0
RETURNING (SELECT count(*) FROM covered)
""")


def add_payout(session: _Session, values: Mapping[str, Any]) -> int:
    """Store a payout of the live donations up to ``up_to`` that none covers; return how many, perhaps none."""
    return int(session.scalar(_PAY_OUT, dict(values)) or 0)
