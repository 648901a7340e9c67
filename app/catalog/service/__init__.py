"""Use cases of the catalogue."""

from app.catalog.certificates import CertificateTerms, Judged, ProductFacts, judge_line, judge_stated
from app.catalog.fields import Gtin
from app.catalog.naming import name_in, packaging_name
from app.catalog.service.alternatives import Alternative, certified_alternatives
from app.catalog.service.lookups import certificate_terms, offers_of
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
    "Alternative",
    "CatalogReference",
    "CertificateTerms",
    "CertificationFacts",
    "Gtin",
    "Judged",
    "MaterialFacts",
    "PackagingFacts",
    "ProductFacts",
    "certificate_terms",
    "certified_alternatives",
    "get_offers",
    "get_product",
    "get_product_for_staff",
    "judge_line",
    "judge_stated",
    "list_products",
    "list_products_for_staff",
    "load_reference",
    "name_in",
    "offers_of",
    "packaging_name",
    "put_offers",
    "put_product",
    "put_products",
    "reference",
    "reject_certificate",
    "verify_certificate",
    "withdraw_product",
]
