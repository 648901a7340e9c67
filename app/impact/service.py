"""Load published factors as immutable versions, and claim the impact of an activity by the default ones."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.catalog import service as catalog
from app.core.cache import Snapshot, bump
from app.core.guarded_write import RowShape
from app.core.ids import new_id
from app.core.reference import read_reference
from app.core.unit_of_work import unit_of_work
from app.impact import queries
from app.impact.calculation import (
    Factor,
    FactorTable,
    Impact,
    ImpactEntry,
    ImpactLine,
    ImpactReference,
    ImpactSubject,
    Unclaimed,
    calculate_impact,
)
from app.impact.models import ImpactFactor

IMPACT_ENTRY = RowShape("impact_entry", (
    ("member_id", "uuid"), ("impact_id", "uuid"), ("activity_id", "uuid"), ("factor_id", "uuid"), ("value", "bigint"),
    ("low", "bigint"), ("high", "bigint"), ("occurred_at", "timestamptz"), ("recorded_at", "timestamptz"),
    ("metric", "text"), ("subject_code", "text"), ("line", "text"),
))  # fmt: skip

__all__ = [
    "IMPACT_ENTRY",
    "Factor",
    "FactorTable",
    "Impact",
    "ImpactEntry",
    "ImpactLine",
    "ImpactSubject",
    "Unclaimed",
    "claim_impact",
    "default_factors",
    "entry_rows",
    "load_reference",
]

_FILE = Path(__file__).with_name("reference") / "impact_factors.csv"
_CACHE = "impact"
_STATED = ("value", "low", "high", "year", "baseline", "is_default", "note")
_WITHDRAWN = "withdrawn from the reference data"


def _published(row: dict[str, str]) -> dict[str, Any]:
    numbers = {name: int(row[name]) for name in ("value", "low", "high", "year")}
    return {**row, **numbers, "is_default": row["is_default"] == "true"}


def _factor(row: ImpactFactor) -> Factor:
    return Factor(
        row.id,
        row.subject_kind,
        row.subject_code,
        row.metric,
        row.unit_of_activity,
        row.value,
        row.low,
        row.high,
        row.note,
    )


def _identity(row: Any) -> tuple[Any, ...]:
    return tuple(row[name] if isinstance(row, dict) else getattr(row, name) for name in queries.IDENTITY)


def load_reference(file: Path = _FILE) -> int:
    """Bring the factors to what ``file`` says; return how many rows were added.

    A changed figure is a new version; one that left the file gets a last version that is no default. Nothing is
    changed in place, so what was claimed keeps the factor it was claimed by. Raises InconsistentFactors where two
    defaults claim the same metric of one subject, and leaves everything as it was.
    """
    published = {_identity(row): row for row in map(_published, read_reference(file))}
    with unit_of_work() as session:
        queries.lock_factors()
        latest = {_identity(row): row for row in queries.list_latest_factors()}
        added = 0
        for identity in [*published, *(gone for gone in latest if gone not in published)]:
            known = latest.get(identity)
            stated = published.get(identity)
            if stated is None and known is not None:
                stated = {name: getattr(known, name) for name in (*queries.IDENTITY, *_STATED)}
                stated |= {"is_default": False, "note": _WITHDRAWN}
            if stated is None or (known and all(getattr(known, name) == stated[name] for name in _STATED)):
                continue
            session.add(ImpactFactor(id=new_id(), version=known.version + 1 if known else 1, **stated))
            added += 1
        session.flush()
        _read()
        if added:
            bump(_CACHE)
    return added


def _read() -> FactorTable:
    return FactorTable(_factor(row) for row in queries.list_latest_factors() if row.is_default)


_snapshot = Snapshot(_CACHE, _read)


def default_factors() -> FactorTable:
    """Return the factors that are claimed, from this process's memory."""
    return _snapshot.get()


def claim_impact(subject: ImpactSubject) -> Impact:
    """Return what ``subject`` claims by the default factors; what has none is listed and claims 0."""
    tables = catalog.reference()
    return calculate_impact(
        subject, ImpactReference(default_factors(), tables.line_packaging, tables.typical_piece_grams)
    )


def entry_rows(
    member_id: UUID, activity_id: UUID, impact: Impact, occurred_at: datetime, moment: datetime
) -> list[tuple[Any, ...]]:
    """Return the rows of ``IMPACT_ENTRY`` that book ``impact``, for the statement that books the points."""
    return [
        (member_id, new_id(), activity_id, claim.factor_id, claim.value, claim.low, claim.high, occurred_at, moment,
         claim.metric, claim.subject_code, claim.line)
        for claim in impact.entries
    ]  # fmt: skip
