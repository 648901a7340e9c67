"""Tables of evidence: the pictures that shoppers uploaded, and the registry by which like ones are found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Integer, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class Evidence(db.Model):  # type: ignore[name-defined,misc]
    """A picture of a member: where it is kept, what it was made from, and the activity that cites it, if any.

    ``sha256`` is of the upload, ``dhash`` of what it shows. ``stored_at`` is null until the picture is kept, and again
    when it is to be deleted. ``reused_evidence_id`` is the earlier picture that it is like, and ``reused_member_id``
    whose that is.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        CheckConstraint("(reused_member_id IS NULL) = (reused_evidence_id IS NULL)", name="reused_of_somebody"),
        CheckConstraint("(activity_id IS NULL) = (cited_at IS NULL)", name="cited_at_a_time"),
        Index("ix_evidence_evidence_id", "evidence_id"),
        Index("ix_evidence_sha256", "sha256"),
        Index("ix_evidence_activity_id", "activity_id", postgresql_where=text("activity_id IS NOT NULL")),
        Index("ix_evidence_uncited", "created_at", postgresql_where=text("activity_id IS NULL")),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), primary_key=True)
    evidence_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    object_name: Mapped[str] = mapped_column(String)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    dhash: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    byte_count: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    stored_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    activity_id: Mapped[UUID | None] = mapped_column(PgUUID)
    cited_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reused_member_id: Mapped[UUID | None] = mapped_column(PgUUID)
    reused_evidence_id: Mapped[UUID | None] = mapped_column(PgUUID)


class EvidenceBand(db.Model):  # type: ignore[name-defined,misc]
    """One quarter of a picture's hash, by which pictures that are like it find it; four rows a picture."""

    __tablename__ = "evidence_band"

    band: Mapped[int] = mapped_column(Integer, primary_key=True)
    evidence_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID)
    dhash: Mapped[int] = mapped_column(BigInteger)
