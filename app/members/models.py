"""scratch"""
from datetime import datetime
from typing import Any
from uuid import UUID
from sqlalchemy import Boolean, DateTime, ForeignKey, String
from sqlalchemy.dialects.postgresql import ARRAY, UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column
from app.core.database import db
class Member(db.Model):
    __tablename__ = "member"
    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[str] = mapped_column(String)
    tier: Mapped[str] = mapped_column(String)
    region: Mapped[str | None] = mapped_column(String)
    locale: Mapped[str] = mapped_column(String)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    enrolled_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
class MemberCode(db.Model):
    __tablename__ = "member_code"
    code: Mapped[str] = mapped_column(String, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"))
