"""Load the catalogue's reference tables and give the hot path an immutable snapshot of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.catalog import queries
from app.catalog.models import Certification, Material, PackagingOption
from app.core.cache import Snapshot, bump
from app.core.reference import read_reference
from app.core.unit_of_work import unit_of_work

FOLDER = Path(__file__).parents[1] / "reference"
_CACHE = "catalog"


@dataclass(frozen=True, slots=True)
class CertificationFacts:
    """A certification as rules and validation see it; ``grades`` is empty where it has none."""

    code: str
    name: str
    grades: frozenset[str]
    status: str


@dataclass(frozen=True, slots=True)
class PackagingFacts:
    """A packaging option as rules and validation see it."""

    code: str
    name: str
    hierarchy: str
    applies_to: str
    exclusive_group: str | None


@dataclass(frozen=True, slots=True)
class MaterialFacts:
    """A material; ``typical_piece_grams`` turns pieces into a weight where nothing was weighed."""

    code: str
    name: str
    units: frozenset[str]
    typical_piece_grams: Decimal | None


@dataclass(frozen=True, slots=True)
class CatalogReference:
    """The reference tables by code, as one immutable value."""

    certifications: Mapping[str, CertificationFacts]
    packaging: Mapping[str, PackagingFacts]
    materials: Mapping[str, MaterialFacts]
    line_packaging: frozenset[str]
    typical_piece_grams: Mapping[str, Decimal]

    def conflicts(self, codes: Iterable[str]) -> list[tuple[str, str]]:
        """Return the pairs of packaging options among ``codes`` that exclude each other; unknown codes are left out."""
        taken: dict[str, str] = {}
        found: list[tuple[str, str]] = []
        for code in codes:
            option = self.packaging.get(code)
            if option is None or option.exclusive_group is None:
                continue
            first = taken.setdefault(option.exclusive_group, code)
            if first != code:
                found.append((first, code))
        return found


def _certification(row: dict[str, str]) -> dict[str, Any]:
    return {
        **row,
        "gs1_code": row["gs1_code"] or None,
        "grades": [grade for grade in row["grades"].split(";") if grade],
    }


def _packaging_option(row: dict[str, str]) -> dict[str, Any]:
    return {**row, "exclusive_group": row["exclusive_group"] or None}


def _material(row: dict[str, str]) -> dict[str, Any]:
    grams = row["typical_piece_grams"]
    return {
        **row,
        "identification": row["identification"] or None,
        "units": row["units"].split(";"),
        "gs1_code": row["gs1_code"] or None,
        "typical_piece_grams": Decimal(grams) if grams else None,
    }


def load_reference() -> int:
    """Bring the reference tables to what the product's CSV files say; return how many rows that changed.

    A code that left the files stays in its table, because what was recorded under it still names it.
    """
    with unit_of_work():
        changed = queries.upsert_coded(
            Certification, [_certification(row) for row in read_reference(FOLDER / "certifications.csv")]
        )
        changed += queries.upsert_coded(
            PackagingOption, [_packaging_option(row) for row in read_reference(FOLDER / "packaging_options.csv")]
        )
        changed += queries.upsert_coded(Material, [_material(row) for row in read_reference(FOLDER / "materials.csv")])
        if changed:
            bump(_CACHE)
    return changed


def _read() -> CatalogReference:
    options = queries.list_packaging_options()
    materials = queries.list_materials()
    return CatalogReference(
        certifications=MappingProxyType(
            {
                row.code: CertificationFacts(row.code, row.name, frozenset(row.grades), row.status)
                for row in queries.list_certifications()
            }
        ),
        packaging=MappingProxyType(
            {
                row.code: PackagingFacts(row.code, row.name, row.hierarchy, row.applies_to, row.exclusive_group)
                for row in options
            }
        ),
        materials=MappingProxyType(
            {
                row.code: MaterialFacts(row.code, row.name, frozenset(row.units), row.typical_piece_grams)
                for row in materials
            }
        ),
        line_packaging=frozenset(row.code for row in options if row.applies_to == "line"),
        typical_piece_grams=MappingProxyType(
            {row.code: row.typical_piece_grams for row in materials if row.typical_piece_grams is not None}
        ),
    )


_snapshot = Snapshot(_CACHE, _read)


def reference() -> CatalogReference:
    """Return the reference tables from this process's memory."""
    return _snapshot.get()
