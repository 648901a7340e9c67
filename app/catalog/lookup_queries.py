"""The SELECTs of the award path and of previews; each in a connection of its own, so that it sees what is committed."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.database import AUTOCOMMIT, db

_HELD = """
(SELECT jsonb_agg(jsonb_build_object('code', held.code, 'number', held.number, 'valid_from', held.valid_from,
                                     'valid_to', held.valid_to, 'verification', held.verification)
                  ORDER BY held.code)
   FROM product_certificate AS held WHERE held.product_id = product.product_id AND NOT held.is_withdrawn)
"""
_OWN = text(f"""
SELECT product_id, sku, gtin, packaging, {_HELD} AS certificates
  FROM (SELECT * FROM product
         WHERE merchant_id = :merchant_id AND live = :live AND sku = ANY(CAST(:skus AS text[]))
        UNION
        SELECT * FROM product
         WHERE merchant_id = :merchant_id AND live = :live AND gtin = ANY(CAST(:gtins AS text[]))) AS product
 WHERE withdrawn_at IS NULL
 ORDER BY product_id
""")  # noqa: S608 - the text is made of constants
_SHARED = text(f"""
SELECT product_id, sku, gtin, packaging, {_HELD} AS certificates
  FROM product
 WHERE merchant_id IS NULL AND gtin = ANY(CAST(:gtins AS text[])) AND withdrawn_at IS NULL
   AND EXISTS (SELECT FROM product_certificate AS held
                WHERE held.product_id = product.product_id AND held.number IS NOT NULL AND NOT held.is_withdrawn)
""")  # noqa: S608 - the text is made of constants
CERTIFIED_READ_MAX = 500
# Of each category as many certified products as are read; of those that hold the same certifications the first by SKU.
_CERTIFIED = text(f"""
SELECT DISTINCT ON (product.category, valid.codes)
       product.category, valid.codes, product.product_id, product.sku, product.gtin, product.names, product.packaging,
       {_HELD} AS certificates
  FROM unnest(CAST(:categories AS text[])) AS wanted(category)
 CROSS JOIN LATERAL (
   SELECT each.* FROM product AS each
    WHERE each.merchant_id = :merchant_id AND each.live = :live AND each.category = wanted.category
      AND each.withdrawn_at IS NULL
      AND EXISTS (SELECT FROM product_certificate AS held
                   WHERE held.product_id = each.product_id AND held.number IS NOT NULL AND NOT held.is_withdrawn)
    ORDER BY each.sku LIMIT {CERTIFIED_READ_MAX}) AS product
 CROSS JOIN LATERAL (
   SELECT array_agg(held.code ORDER BY held.code) AS codes FROM product_certificate AS held
    WHERE held.product_id = product.product_id AND NOT held.is_withdrawn AND held.number IS NOT NULL
      AND (held.valid_from IS NULL OR held.valid_from <= :day) AND (held.valid_to IS NULL OR held.valid_to >= :day)
      AND (held.verification = 'verified' OR (held.verification = 'unverified' AND NOT :is_verified_alone))) AS valid
 WHERE valid.codes IS NOT NULL
 ORDER BY product.category, valid.codes, product.sku
""")  # noqa: S608 - the text is made of constants
_OFFERS = text("SELECT offers FROM packaging_offer WHERE merchant_id = :merchant_id AND live = :live")
_HAS_PRODUCTS = text("SELECT EXISTS (SELECT FROM product WHERE merchant_id = :merchant_id AND live = :live)")
_HAS_SHARED_NUMBERS = text("""
SELECT EXISTS (SELECT FROM product JOIN product_certificate AS held ON held.product_id = product.product_id
                WHERE product.merchant_id IS NULL AND held.number IS NOT NULL AND NOT held.is_withdrawn)
""")


def _rows(statement: Any, **given: Any) -> Sequence[Any]:
    with db.engines[AUTOCOMMIT].connect() as connection:
        return connection.execute(statement, given).all()


def list_facts(merchant_id: UUID | None, live: bool, skus: Sequence[str], gtins: Sequence[str]) -> Sequence[Any]:
    """Return the merchant's products of these SKUs and GTINs, oldest first; of nobody, the shared ones with numbers."""
    if merchant_id is None:
        return _rows(_SHARED, gtins=list(gtins))
    return _rows(_OWN, merchant_id=merchant_id, live=live, skus=list(skus), gtins=list(gtins))


def list_certified(
    merchant_id: UUID, live: bool, categories: Sequence[str], day: date, *, is_verified_alone: bool
) -> Sequence[Any]:
    """Return of these categories one product for each set of certifications that count on ``day``."""
    return _rows(
        _CERTIFIED, merchant_id=merchant_id, live=live, categories=list(categories), day=day,
        is_verified_alone=is_verified_alone,
    )  # fmt: skip


def find_offers(merchant_id: UUID, live: bool) -> frozenset[str] | None:
    """Return the packaging options for orders and parcels that the merchant offers, None where it has not said."""
    rows = _rows(_OFFERS, merchant_id=merchant_id, live=live)
    return frozenset(rows[0][0]) if rows else None


def has_products(merchant_id: UUID, live: bool) -> bool:
    """Return whether the merchant has ever named a product."""
    return bool(_rows(_HAS_PRODUCTS, merchant_id=merchant_id, live=live)[0][0])


def has_shared_numbers() -> bool:
    """Return whether a shared product has a certificate with a number."""
    return bool(_rows(_HAS_SHARED_NUMBERS)[0][0])
