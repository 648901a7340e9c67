"""The table of reviews: activities whose points wait until a member of staff has looked at them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class Review(db.Model):  # type: ignore[name-defined,misc]
    """An activity that is looked at, why, what it was to earn, and how it ended.

    ``kind`` says whose queue it is; ``reasons`` are codes. ``state`` is one of open, approved, rejected, expired: by
    ``expires_at`` the points are void. ``reason`` is the code of a rejection, ``note`` what staff say to it.
    """

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'approved', 'rejected', 'expired')", name="state_known"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_at_a_time"),
        CheckConstraint("(state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)", name="decided_by_somebody"),
        CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name="rejected_for_a_reason"),
        CheckConstraint("points >= 0", name="points_not_negative"),
        Index("ix_review_review_id", "review_id"),
        Index("ix_review_state", "state", "review_id"),
        UniqueConstraint("member_id", "activity_id"),
        Index("ix_review_overdue", "expires_at", postgresql_where=text("state = 'open'")),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    review_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    kind: Mapped[str] = mapped_column(String)
    activity_id: Mapped[UUID] = mapped_column(PgUUID)
    points: Mapped[int] = mapped_column(BigInteger)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(String))
    state: Mapped[str] = mapped_column(String, server_default=text("'open'"))
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reason: Mapped[str | None] = mapped_column(String)
    note: Mapped[str | None] = mapped_column(String)
