"""Use cases of the catalogue."""

from app.catalog.fields import Gtin
from app.catalog.service.offers import get_offers, put_offers
from app.catalog.service.products import (
    get_product,
    list_products,
    put_product,
    put_products,
    withdraw_product,
)
from app.catalog.service.reference import (
    CatalogReference,
    CertificationFacts,
    MaterialFacts,
    PackagingFacts,
    load_reference,
    reference,
)
from app.catalog.service.verifying import (
    get_product_for_staff,
    list_products_for_staff,
    reject_certificate,
    verify_certificate,
)

__all__ = [
    "CatalogReference",
    "CertificationFacts",
    "Gtin",
    "MaterialFacts",
    "PackagingFacts",
    "get_offers",
    "get_product",
    "get_product_for_staff",
    "list_products",
    "list_products_for_staff",
    "load_reference",
    "put_offers",
    "put_product",
    "put_products",
    "reference",
    "reject_certificate",
    "verify_certificate",
    "withdraw_product",
]
