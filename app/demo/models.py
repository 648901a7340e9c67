"""The demo's one table: which days of the real baskets were first replayed when."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db


class DemoWindow(db.Model):  # type: ignore[name-defined,misc]
    """The first ``days`` days of the data, whose newest basket happens at ``anchored_at``; never changed."""

    __tablename__ = "demo_window"
    __table_args__ = (CheckConstraint("days BETWEEN 1 AND 366", name="days"),)

    days: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    anchored_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
