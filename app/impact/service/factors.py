"""Load published factors as immutable versions, and look them up."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from app.core.cache import Snapshot, bump
from app.core.ids import new_id
from app.core.reference import read_reference
from app.core.unit_of_work import unit_of_work
from app.impact import queries
from app.impact.calculation import Factor, FactorTable
from app.impact.errors import FactorNotFound, InconsistentFactors
from app.impact.models import ImpactFactor

_FILE = Path(__file__).parents[1] / "reference" / "impact_factors.csv"
ALL = "all"
_CACHE = "impact"
_STATED = ("value", "low", "high", "year", "baseline", "is_default", "note", "method")
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
    changed in place, so what was claimed keeps the factor it was claimed by, until it is restated. Raises
    InconsistentFactors where two defaults claim the same metric of one subject, or where a default is not the lowest
    that is published, and leaves everything as it was.
    """
    published = {_identity(row): row for row in map(_published, read_reference(file))}
    check_defaults(published.values())
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


def check_defaults(published: Collection[Mapping[str, Any]]) -> None:
    """Raise InconsistentFactors where a default is not the lowest published figure of its subject, metric and unit."""
    lowest: dict[tuple[str, ...], int] = {}
    for row in published:
        claim = tuple(row[name] for name in queries.CLAIM)
        lowest[claim] = min(row["value"], lowest.get(claim, row["value"]))
    for row in published:
        least = lowest[tuple(row[name] for name in queries.CLAIM)]
        if row["is_default"] and row["value"] > least:
            raise InconsistentFactors(
                f"{row['subject_code']} claims {row['value']} {row['metric']} by default, where {least} is published"
            )


@dataclass(frozen=True, slots=True)
class _Factors:
    claimed: FactorTable
    by_id: Mapping[UUID, Factor]


def _read() -> _Factors:
    return _Factors(
        FactorTable(_factor(row) for row in queries.list_latest_factors() if row.is_default),
        MappingProxyType({row.id: _factor(row) for row in queries.list_factors()}),
    )


_snapshot = Snapshot(_CACHE, _read)


def default_factors() -> FactorTable:
    """Return the factors that are claimed, from this process's memory."""
    return _snapshot.get().claimed


def factors_of(factor_ids: Collection[UUID]) -> list[Factor]:
    """Return exactly these versions of factors; raise FactorNotFound where there is no such version."""
    known = _snapshot.get().by_id
    found = {factor_id: known[factor_id] for factor_id in factor_ids if factor_id in known}
    if len(found) < len(set(factor_ids)):  # another process may just have loaded them
        found |= {row.id: _factor(row) for row in queries.list_factors(set(factor_ids) - found.keys())}
    if missing := set(factor_ids) - found.keys():
        raise FactorNotFound(f"There is no impact factor {min(missing)}.")
    return list(found.values())


def all_factors() -> dict[UUID, Factor]:
    """Return every version of every factor by its id, as stored now."""
    return {row.id: _factor(row) for row in queries.list_factors()}


def moves_of(asked: str) -> dict[UUID, Factor] | None:
    """Return by version of a factor the one that is claimed in its place now; None where ``asked`` names no factor.

    ``asked`` is the id of a version, for all versions of that factor; the code of a subject; or ``all``. In the place
    of a version stands the default for the same metric and unit of its subject, whoever published that; where there is
    none any more, what was claimed stays.
    """
    rows = queries.list_factors()
    named = [row for row in rows if asked in (ALL, row.subject_code) or asked.lower() == str(row.id)]
    if not named and asked != ALL:
        return None
    identities = {_identity(row) for row in named}
    claimed = {_claim(row): _factor(row) for row in queries.list_latest_factors() if row.is_default}
    moves = {row.id: claimed[_claim(row)] for row in rows if _identity(row) in identities and _claim(row) in claimed}
    return {factor_id: factor for factor_id, factor in moves.items() if factor_id != factor.id}


def _claim(row: ImpactFactor) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in queries.CLAIM)
