"""Tables of the catalogue: what a product can hold, how goods can be packed, what can be recycled."""

from decimal import Decimal

from sqlalchemy import ARRAY, CheckConstraint, Numeric, Text
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
