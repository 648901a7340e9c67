"""Tables of engagement: projections, each of which can be emptied and rebuilt."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, Date, Integer, text
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db

METRICS = ("g_co2e_avoided", "g_packaging_avoided", "g_plastic_avoided", "items_recycled", "g_recycled")


def _total() -> Mapped[int]:
    return mapped_column(BigInteger, server_default=text("0"))


class MemberDay(db.Model):  # type: ignore[name-defined,misc]
    """What a member did on one day of the programme's zone: activities, points awarded for them, and impact."""

    __tablename__ = "member_day"

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    activities: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    points: Mapped[int] = _total()
    g_co2e_avoided: Mapped[int] = _total()
    g_packaging_avoided: Mapped[int] = _total()
    g_plastic_avoided: Mapped[int] = _total()
    items_recycled: Mapped[int] = _total()
    g_recycled: Mapped[int] = _total()
