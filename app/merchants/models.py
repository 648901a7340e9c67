"""scratch"""
from datetime import datetime
from uuid import UUID
from sqlalchemy import Boolean, DateTime, ForeignKey, String, Index
from sqlalchemy.dialects.postgresql import ARRAY, UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column
from app.core.database import db
class Merchant(db.Model):
    __tablename__ = "merchant"
    merchant_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
class CustomerLink(db.Model):
    __tablename__ = "customer_link"
    __table_args__ = (Index("ix_customer_link_member", "member_id"),)
    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    ref: Mapped[str] = mapped_column(String, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"))
