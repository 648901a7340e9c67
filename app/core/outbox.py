"""The outbox: each fact about a member, written in the transaction that made it, in the member's own order.

``version`` is the member's account version after the fact, so the order is that of the commits, with no sequence.
A row stays when it is applied: projections are rebuilt by reading the facts again.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, Index, SmallInteger, String, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db
from app.core.unit_of_work import unit_of_work

PARTITIONS = 64


class OutboxRow(db.Model):  # type: ignore[name-defined,misc]
    """One fact; ``is_applied`` once every projection has taken or parked it."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "partition", "member_id", "version", postgresql_where=text("NOT is_applied")),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    partition: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(String)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    is_applied: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class OutboxPartition(db.Model):  # type: ignore[name-defined,misc]
    """One of the 64 locks by which projectors share the work."""

    __tablename__ = "outbox_partition"

    partition: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)


class ParkedFact(db.Model):  # type: ignore[name-defined,misc]
    """A fact that one projection could not apply, or that waits behind such a one of the same member."""

    __tablename__ = "parked_fact"

    projection: Mapped[str] = mapped_column(String, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    error: Mapped[str] = mapped_column(String)
    attempts: Mapped[int] = mapped_column(SmallInteger)
    parked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class FactKind(enum.StrEnum):
    """What a fact tells."""

    ACTIVITY = "activity"
    COMPLETED = "completed"
    CORRECTED = "corrected"
    BUDGET = "budget"
    REDEMPTION = "redemption"
    DONATION = "donation"
    LOW_STOCK = "low_stock"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as projections see it."""

    member_id: UUID
    version: int
    kind: str
    payload: dict[str, Any]
    recorded_at: datetime


def partition_of(member_id: UUID) -> int:
    """Return the partition, 0 to 63, of a member: the low bits of a UUIDv7 are random."""
    return member_id.int % PARTITIONS


def add_subject_fact(subject_id: UUID, kind: FactKind, payload: dict[str, Any], moment: datetime) -> None:
    """Write a fact about a subject that is no member, such as a campaign, under its id; joins the unit of work.

    Facts of one subject are in order, whoever the subject is: the caller has locked it.
    """
    with unit_of_work() as session:
        newest = session.scalar(select(func.max(OutboxRow.version)).where(OutboxRow.member_id == subject_id))
        session.add(
            OutboxRow(
                member_id=subject_id, version=(newest or 0) + 1, partition=partition_of(subject_id), kind=kind,
                payload=payload, recorded_at=moment,
            )
        )  # fmt: skip
        session.flush()
