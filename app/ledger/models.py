"""Tables of the ledger; rows of postings and entries are appended, never changed.

``member_id`` leads every key. Buckets are whole points. The equations of the ledger are CHECKs on the rows.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db

BUCKETS = ("issued", "debt", "written_off", "pending", "available", "held", "spent", "expired", "reversed")
LOT_PARTS = ("remaining", "held", "spent", "expired", "reversed", "repaid")


def _points(default: str | None = "0") -> Mapped[int]:
    return mapped_column(BigInteger, server_default=text(default) if default is not None else None)


class Account(db.Model):  # type: ignore[name-defined,misc]
    """A member's balances; ``version`` counts the member's facts, ``last_seq`` the member's entries.

    ``last_entry_at`` is when the last entry took effect: the next one does not before it, whatever a clock says.
    """

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(" AND ".join(f"{bucket} >= 0" for bucket in BUCKETS), name="buckets_not_negative"),
        CheckConstraint(
            "issued + debt + written_off = pending + available + held + spent + expired + reversed", name="balanced"
        ),
        Index("ix_account_due", "next_due_at", postgresql_where=text("next_due_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 70}},
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), primary_key=True)
    issued: Mapped[int] = _points()
    debt: Mapped[int] = _points()
    written_off: Mapped[int] = _points()
    pending: Mapped[int] = _points()
    available: Mapped[int] = _points()
    held: Mapped[int] = _points()
    spent: Mapped[int] = _points()
    expired: Mapped[int] = _points()
    reversed: Mapped[int] = _points()
    version: Mapped[int] = _points()
    last_seq: Mapped[int] = _points()
    next_due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    extended_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_entry_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class AccountSnapshot(db.Model):  # type: ignore[name-defined,misc]
    """An account as it was when ``month`` began in the programme's zone, at ``taken_at``.

    ``last_seq`` is the last entry before that moment. A month in which nothing had moved since the one before has none.
    """

    __tablename__ = "account_snapshot"

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_seq: Mapped[int] = mapped_column(BigInteger)
    issued: Mapped[int] = mapped_column(BigInteger)
    debt: Mapped[int] = mapped_column(BigInteger)
    written_off: Mapped[int] = mapped_column(BigInteger)
    pending: Mapped[int] = mapped_column(BigInteger)
    available: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    spent: Mapped[int] = mapped_column(BigInteger)
    expired: Mapped[int] = mapped_column(BigInteger)
    reversed: Mapped[int] = mapped_column(BigInteger)


class ExpiryWarning(db.Model):  # type: ignore[name-defined,misc]
    """A warning that was given, ``days`` before points of a member expire: once for each moment at which some do."""

    __tablename__ = "expiry_warning"

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    days: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class Posting(db.Model):  # type: ignore[name-defined,misc]
    """One business event; its key is the event itself. Its entries are ``first_seq`` and the following ones."""

    __tablename__ = "posting"
    __table_args__ = (
        CheckConstraint("entry_count > 0", name="has_entries"),
        Index("ix_posting_reverses", "member_id", "reverses", postgresql_where=text("reverses IS NOT NULL")),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String, primary_key=True)
    kind: Mapped[str] = mapped_column(String)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    first_seq: Mapped[int] = mapped_column(BigInteger)
    entry_count: Mapped[int] = mapped_column(Integer)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    activity_id: Mapped[UUID | None] = mapped_column(PgUUID)
    actor: Mapped[str | None] = mapped_column(String)
    reason: Mapped[str | None] = mapped_column(String)
    reverses: Mapped[str | None] = mapped_column(String)


class Entry(db.Model):  # type: ignore[name-defined,misc]
    """One movement between two buckets, with the balances after it; ``seq`` has no gaps."""

    __tablename__ = "entry"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "posting_key"], ["posting.member_id", "posting.idempotency_key"]),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("source <> target", name="moves"),
        # rows come in the order of time: a few bytes for a hundred pages of them are enough to find a month
        Index("ix_entry_recorded_at", "recorded_at", postgresql_using="brin"),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)
    pending: Mapped[int] = mapped_column(BigInteger)
    available: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    debt: Mapped[int] = mapped_column(BigInteger)
    effective_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(String)
    target: Mapped[str] = mapped_column(String)
    posting_key: Mapped[str] = mapped_column(String)


class Lot(db.Model):  # type: ignore[name-defined,misc]
    """The points of one award, by where they are now; ``lot_id`` is the ``seq`` of the entry that issued them.

    ``available_at`` is null while the points wait for completion, and they are voided at ``void_at``;
    ``is_matured`` says that the move from pending to available is booked; ``is_open`` that points remain or are held.
    """

    __tablename__ = "lot"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "lot_id"], ["entry.member_id", "entry.seq"]),
        CheckConstraint(f"amount = {' + '.join(LOT_PARTS)}", name="complete"),
        CheckConstraint(" AND ".join(f"{part} >= 0" for part in LOT_PARTS), name="parts_not_negative"),
        CheckConstraint("clawed_back >= 0 AND clawed_back <= held + spent + repaid", name="clawed_back"),
        CheckConstraint("is_open = (remaining + held > 0)", name="open"),
        Index("ix_lot_open", "member_id", "expires_at", "lot_id", postgresql_where=text("is_open")),
        Index("ix_lot_waiting", "member_id", "available_at", postgresql_where=text("is_open AND NOT is_matured")),
        # who funds a lot never changes, so that this index costs an award of the programme's own nothing
        Index(
            "ix_lot_funded",
            "member_id",
            "lot_id",
            postgresql_include=["funder"],
            postgresql_where=text("funder IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": 90}},
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    lot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)
    remaining: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = _points()
    spent: Mapped[int] = _points()
    expired: Mapped[int] = _points()
    reversed: Mapped[int] = _points()
    repaid: Mapped[int] = _points()
    clawed_back: Mapped[int] = _points()
    available_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    void_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    funder: Mapped[UUID | None] = mapped_column(PgUUID)
    campaign_version_id: Mapped[UUID | None] = mapped_column(PgUUID)
    is_matured: Mapped[bool] = mapped_column(Boolean)
    is_open: Mapped[bool] = mapped_column(Boolean)
    rule: Mapped[str | None] = mapped_column(String)


class LotAllocation(db.Model):  # type: ignore[name-defined,misc]
    """How much of which lot one entry took."""

    __tablename__ = "lot_allocation"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "seq"], ["entry.member_id", "entry.seq"]),
        ForeignKeyConstraint(["member_id", "lot_id"], ["lot.member_id", "lot.lot_id"]),
        CheckConstraint("amount > 0", name="amount_positive"),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)


class Adjustment(db.Model):  # type: ignore[name-defined,misc]
    """Points added (> 0) or taken away (< 0) by hand; above a limit somebody else approves it before ``expires_at``.

    An undecided one is over at ``expires_at`` by the clock. ``decided_by`` is the proposer where no second was needed.
    """

    __tablename__ = "adjustment"
    __table_args__ = (
        CheckConstraint("points <> 0", name="moves"),
        CheckConstraint("status IN ('PROPOSED', 'APPROVED', 'REJECTED')", name="status"),
        CheckConstraint("(status = 'PROPOSED') = (decided_at IS NULL)", name="decided"),
        Index("ix_adjustment_member_id", "member_id", "adjustment_id"),
        Index("ix_adjustment_proposed_by", "proposed_by", "proposed_at"),
        Index("ix_adjustment_decided_by", "decided_by", "decided_at"),
        Index("ix_adjustment_open", "adjustment_id", postgresql_where=text("status = 'PROPOSED'")),
    )

    adjustment_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"))
    points: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String)
    proposed_by: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    proposed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class LedgerVerification(db.Model):  # type: ignore[name-defined,misc]
    """What one run of ``ledger verify`` checked and found; ``lines`` are the first hundred differences."""

    __tablename__ = "ledger_verification"

    verification_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    members: Mapped[int] = mapped_column(BigInteger)
    entries: Mapped[int] = mapped_column(BigInteger)
    lots: Mapped[int] = mapped_column(BigInteger)
    points_issued: Mapped[int] = mapped_column(BigInteger)
    differences: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[list[str]] = mapped_column(ARRAY(String))


class PayCode(db.Model):  # type: ignore[name-defined,misc]
    """Registry of the codes that let a till spend: a keyed hash, and whose points; one a member, gone once used."""

    __tablename__ = "pay_code"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), unique=True)
    live: Mapped[bool] = mapped_column(Boolean)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Hold(db.Model):  # type: ignore[name-defined,misc]
    """Points set aside until they are captured or released; at ``expires_at`` they go back by themselves.

    ``seq`` is the entry that took them: its allocations name the lots. ``captured`` is the part that was spent. Where
    the shopper has to confirm it by ``confirm_by``, that is when it expires until ``confirmed_at``; once confirmed it
    lasts until ``lasts_until``. ``programme_version`` are the settings that say what its points are worth.
    """

    __tablename__ = "hold"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "seq"], ["entry.member_id", "entry.seq"]),
        CheckConstraint("amount > 0 AND captured >= 0 AND captured <= amount", name="captured"),
        CheckConstraint("status IN ('open', 'captured', 'released', 'declined', 'expired')", name="status"),
        CheckConstraint("(confirm_by IS NULL) = (lasts_until IS NULL)", name="lasts_once_confirmed"),
        CheckConstraint("confirmed_at IS NULL OR confirmed_at < confirm_by", name="confirmed_in_time"),
        CheckConstraint("status <> 'captured' OR confirm_by IS NULL OR confirmed_at IS NOT NULL", name="confirmed"),
        Index("ix_hold_open", "member_id", "expires_at", postgresql_where=text("status = 'open'")),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    hold_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    captured: Mapped[int] = _points()
    seq: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID)
    order_ref: Mapped[str | None] = mapped_column(String)
    order_total: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String)
    confirm_by: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lasts_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    programme_version: Mapped[int | None] = mapped_column(Integer)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether its shopper has to confirm it and has not done so."""
        return self.confirm_by is not None and self.confirmed_at is None


class HoldRegistry(db.Model):  # type: ignore[name-defined,misc]
    """Registry of holds: whose points a hold's id is about, and which merchant may capture it, for which order."""

    __tablename__ = "hold_registry"
    __table_args__ = (
        Index(
            "ix_hold_registry_order_ref", "merchant_id", "live", "order_ref",
            postgresql_where=text("order_ref IS NOT NULL"),
        ),
    )  # fmt: skip

    hold_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID)
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID)
    live: Mapped[bool] = mapped_column(Boolean)
    order_ref: Mapped[str | None] = mapped_column(String)
