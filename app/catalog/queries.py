"""The SELECTs and upserts of the catalogue."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Certification, Material, PackagingOption
from app.core.database import db

CodedTable = type[Certification] | type[PackagingOption] | type[Material]


def list_certifications() -> Sequence[Certification]:
    """Return every certification by code."""
    return db.session.scalars(select(Certification).order_by(Certification.code)).all()


def list_packaging_options() -> Sequence[PackagingOption]:
    """Return every packaging option by code."""
    return db.session.scalars(select(PackagingOption).order_by(PackagingOption.code)).all()


def list_materials() -> Sequence[Material]:
    """Return every material by code."""
    return db.session.scalars(select(Material).order_by(Material.code)).all()


def upsert_coded(table: CodedTable, rows: list[dict[str, Any]]) -> int:
    """Add or change the rows of ``table`` by their code; return how many were not so already. None is ever deleted."""
    statement = insert(table).values(sorted(rows, key=lambda row: row["code"]))
    changing = [column.name for column in table.__table__.columns if column.name != "code"]
    statement = statement.on_conflict_do_update(
        index_elements=["code"],
        set_={name: statement.excluded[name] for name in changing},
        where=or_(*(getattr(table, name).is_distinct_from(statement.excluded[name]) for name in changing)),
    )
    return len(db.session.execute(statement.returning(table.code)).all())
