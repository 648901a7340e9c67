"""Tables of closed months; rows are added when a month is closed and never changed.

Points are whole, money is in minor units of the month's currency. The programme stands among the merchants as the id
``PROGRAMME``, which no merchant has.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, ForeignKey, String
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class SettlementMonth(db.Model):  # type: ignore[name-defined,misc]
    """A closed month: what was recorded from ``starts_at`` on and before ``ends_at``, and what a point is worth in it.

    The months beside it begin and end where it does, whatever the programme's time zone is by then.
    """

    __tablename__ = "settlement_month"
    __table_args__ = (CheckConstraint("starts_at < ends_at AND ends_at <= closed_at", name="over_when_closed"),)

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    time_zone: Mapped[str] = mapped_column(String)
    currency: Mapped[str] = mapped_column(String)
    point_value_micros: Mapped[int] = mapped_column(BigInteger)
    closed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    closed_by: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))


class SettlementSpend(db.Model):  # type: ignore[name-defined,misc]
    """Points that ``funder`` funds and that were spent at ``place`` in a closed month, or given back of such."""

    __tablename__ = "settlement_spend"
    __table_args__ = (
        CheckConstraint(
            "spent_points >= 0 AND refunded_points >= 0 AND spent_amount >= 0 AND refunded_amount >= 0",
            name="not_negative",
        ),
    )

    month: Mapped[date] = mapped_column(Date, ForeignKey("settlement_month.month"), primary_key=True)
    funder: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    place: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    spent_points: Mapped[int] = mapped_column(BigInteger)
    refunded_points: Mapped[int] = mapped_column(BigInteger)
    spent_amount: Mapped[int] = mapped_column(BigInteger)
    refunded_amount: Mapped[int] = mapped_column(BigInteger)


class SettlementFund(db.Model):  # type: ignore[name-defined,misc]
    """What became of the points that ``funder`` funds in a closed month, beside being spent."""

    __tablename__ = "settlement_fund"
    __table_args__ = (
        CheckConstraint("issued_points >= 0 AND expired_points >= 0 AND reversed_points >= 0", name="not_negative"),
    )

    month: Mapped[date] = mapped_column(Date, ForeignKey("settlement_month.month"), primary_key=True)
    funder: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    issued_points: Mapped[int] = mapped_column(BigInteger)
    expired_points: Mapped[int] = mapped_column(BigInteger)
    reversed_points: Mapped[int] = mapped_column(BigInteger)
