"""The SELECTs of reviews."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, not_, select
from sqlalchemy.orm import Session, scoped_session

from app.activities.models import Activity, ActivityRegistry
from app.activities.review_models import Review

_Session = Session | scoped_session[Any]


def find_review(session: _Session, review_id: UUID) -> Review | None:
    """Return the review, whoever's it is."""
    return session.scalar(select(Review).where(Review.review_id == review_id))


def lock_review(session: _Session, member_id: UUID, review_id: UUID) -> Review:
    """Return the member's review, locked."""
    return session.get_one(Review, (member_id, review_id), populate_existing=True, with_for_update=True)


def _is_overdue(moment: datetime) -> Any:
    return and_(Review.state == "open", Review.expires_at <= moment)


def list_reviews(
    session: _Session, filters: Mapping[str, Any], after: UUID | None, limit: int, moment: datetime
) -> list[Row[Any]]:
    """Return (review, activity, its external id), the oldest first, that were opened after the review ``after``.

    ``filters`` are ``state`` as the clock has it, ``kind``, ``member_id`` and ``live``; None does not narrow the list.
    """
    query = _with_activity().order_by(Review.review_id).limit(limit)
    if filters["state"] == "expired":
        query = query.where((Review.state == "expired") | _is_overdue(moment))
    elif filters["state"] is not None:
        query = query.where(Review.state == filters["state"], not_(_is_overdue(moment)))
    for name in ("kind", "member_id", "live"):
        if filters[name] is not None:
            query = query.where(getattr(Review, name) == filters[name])
    return list(session.execute(query if after is None else query.where(Review.review_id > after)))


def find_with_activity(session: _Session, review_id: UUID) -> Row[Any] | None:
    """Return (review, activity, its external id)."""
    return session.execute(_with_activity().where(Review.review_id == review_id)).first()


def _with_activity() -> Any:
    return (
        select(Review, Activity, ActivityRegistry.external_id)
        .join(ActivityRegistry, ActivityRegistry.activity_id == Review.activity_id)
        .join(
            Activity,
            and_(
                Activity.member_id == Review.member_id, Activity.activity_id == Review.activity_id,
                Activity.revision == ActivityRegistry.revision,
            ),
        )
        .execution_options(populate_existing=True)
    )  # fmt: skip


def reviews_of(session: _Session, member_id: UUID, activity_ids: Collection[UUID]) -> dict[UUID, Review]:
    """Return the reviews of those of the member's activities that have one, by activity."""
    if not activity_ids:
        return {}
    found = session.scalars(
        select(Review)
        .where(Review.member_id == member_id, Review.activity_id.in_(activity_ids))
        .execution_options(populate_existing=True)
    )
    return {review.activity_id: review for review in found}


def sum_opened(session: _Session, member_id: UUID, kind: str, since: datetime) -> tuple[int, int]:
    """Return how many reviews of that kind the member's activities have opened since then, and their points."""
    row = session.execute(
        select(func.count(), func.coalesce(func.sum(Review.points), 0)).where(
            Review.member_id == member_id, Review.kind == kind, Review.opened_at >= since
        )
    ).one()
    return int(row[0]), int(row[1])


def list_overdue(session: _Session, moment: datetime, limit: int) -> list[Review]:
    """Return open reviews whose time is over, the first of them first."""
    return list(session.scalars(select(Review).where(_is_overdue(moment)).order_by(Review.expires_at).limit(limit)))
