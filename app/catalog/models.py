"""Tables of the catalogue: what a product can hold, how goods can be packed, what can be recycled; and products."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db

HIERARCHY = ("refuse", "reduce", "reuse", "recycle")
APPLIES_TO = ("order", "parcel", "line")


class Certification(db.Model):  # type: ignore[name-defined,misc]
    """A label or certificate that a product can hold."""

    __tablename__ = "certification"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    market: Mapped[str] = mapped_column(Text)
    sector: Mapped[str] = mapped_column(Text)
    gs1_code: Mapped[str | None] = mapped_column(Text)
    grades: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)


class PackagingOption(db.Model):  # type: ignore[name-defined,misc]
    """A way to pack with less; options of one ``exclusive_group`` exclude each other."""

    __tablename__ = "packaging_option"
    __table_args__ = (
        CheckConstraint("hierarchy IN ('refuse', 'reduce', 'reuse', 'recycle')", name="hierarchy"),
        CheckConstraint("applies_to IN ('order', 'parcel', 'line')", name="applies_to"),
    )

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    hierarchy: Mapped[str] = mapped_column(Text)
    applies_to: Mapped[str] = mapped_column(Text)
    exclusive_group: Mapped[str | None] = mapped_column(Text)
    definition: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)


class Material(db.Model):  # type: ignore[name-defined,misc]
    """A material accepted for recycling; ``identification`` is its code by Decision 97/129/EC."""

    __tablename__ = "material"
    __table_args__ = (CheckConstraint("typical_piece_grams > 0", name="typical_piece_grams"),)

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    identification: Mapped[str | None] = mapped_column(Text)
    units: Mapped[list[str]] = mapped_column(ARRAY(Text))
    gs1_code: Mapped[str | None] = mapped_column(Text)
    typical_piece_grams: Mapped[Decimal | None] = mapped_column(Numeric(10, 3))
    piece_source: Mapped[str] = mapped_column(Text)


class Product(db.Model):  # type: ignore[name-defined,misc]
    """A product: a merchant's own under its SKU, live or test; or one that all share under its GTIN, from ``source``.

    ``names`` are by language tag, ``packaging`` the line options that it comes in. ``version`` grows with each change
    of it or of its certificates. One that is withdrawn is known no more, until its merchant names it again.
    """

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint(
            "CASE WHEN merchant_id IS NULL THEN live AND sku IS NULL AND gtin IS NOT NULL AND source IS NOT NULL"
            " ELSE sku IS NOT NULL AND source IS NULL END",
            name="own_by_sku_shared_by_gtin",
        ),
        CheckConstraint("gtin ~ '^[0-9]{14}$'", name="gtin_of_14_digits"),
        CheckConstraint("jsonb_typeof(names) = 'object'", name="names_by_language"),
        UniqueConstraint("merchant_id", "live", "sku"),
        Index("uq_product_shared_gtin", "gtin", unique=True, postgresql_where=text("merchant_id IS NULL")),
        Index("ix_product_gtin_merchant_id", "gtin", "merchant_id"),
        Index(
            "ix_product_merchant_id_category", "merchant_id", "live", "category", "sku",
            postgresql_where=text("merchant_id IS NOT NULL AND withdrawn_at IS NULL"),
        ),
    )  # fmt: skip

    product_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"))
    live: Mapped[bool] = mapped_column(Boolean)
    sku: Mapped[str | None] = mapped_column(Text)
    gtin: Mapped[str | None] = mapped_column(Text)
    names: Mapped[dict[str, str]] = mapped_column(JSONB)
    category: Mapped[str | None] = mapped_column(Text)
    packaging: Mapped[list[str]] = mapped_column(ARRAY(Text))
    environmental_grade: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ProductCertificate(db.Model):  # type: ignore[name-defined,misc]
    """That a product holds a certification; without its number it is a label and earns nothing.

    A rejected one earns nothing until staff verify it. Its row stays when the merchant takes it off the product
    (``is_withdrawn``), so that naming it again does not make it a new one.
    """

    __tablename__ = "product_certificate"
    __table_args__ = (
        CheckConstraint("verification IN ('unverified', 'verified', 'rejected')", name="verification_known"),
        CheckConstraint("(verification = 'unverified') = (checked_at IS NULL)", name="checked_at_some_time"),
        CheckConstraint("verification <> 'verified' OR number IS NOT NULL", name="verified_by_number"),
        CheckConstraint("valid_from <= valid_to", name="validity_in_order"),
        Index("ix_product_certificate_code", "code", "product_id"),
        Index(
            "ix_product_certificate_to_verify", "product_id",
            postgresql_where=text("verification = 'unverified' AND number IS NOT NULL"),
        ),
    )  # fmt: skip

    product_id: Mapped[UUID] = mapped_column(
        PgUUID, ForeignKey("product.product_id", ondelete="CASCADE"), primary_key=True
    )
    code: Mapped[str] = mapped_column(Text, ForeignKey("certification.code"), primary_key=True)
    number: Mapped[str | None] = mapped_column(Text)
    holder: Mapped[str | None] = mapped_column(Text)
    grade: Mapped[str | None] = mapped_column(Text)
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    link: Mapped[str | None] = mapped_column(Text)
    verification: Mapped[str] = mapped_column(Text, server_default=text("'unverified'"))
    checked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    checked_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    reason: Mapped[str | None] = mapped_column(Text)
    is_withdrawn: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class PackagingOffer(db.Model):  # type: ignore[name-defined,misc]
    """The packaging options for orders and parcels that a merchant offers; of one that has not said, all."""

    __tablename__ = "packaging_offer"

    merchant_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    offers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
