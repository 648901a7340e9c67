"""The SELECTs of the award path and of previews; each in a connection of its own, so that it sees what is committed."""

from collections.abc import Sequence
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


def has_products(merchant_id: UUID, live: bool) -> bool:
    """Return whether the merchant has ever named a product."""
    return bool(_rows(_HAS_PRODUCTS, merchant_id=merchant_id, live=live)[0][0])


def has_shared_numbers() -> bool:
    """Return whether a shared product has a certificate with a number."""
    return bool(_rows(_HAS_SHARED_NUMBERS)[0][0])
