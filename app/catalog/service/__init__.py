"""Use cases of the catalogue."""

from app.catalog.fields import Gtin
from app.catalog.service.reference import (
    CatalogReference,
    CertificationFacts,
    MaterialFacts,
    PackagingFacts,
    load_reference,
    reference,
)

__all__ = [
    "CatalogReference",
    "CertificationFacts",
    "Gtin",
    "MaterialFacts",
    "PackagingFacts",
    "load_reference",
    "reference",
]
