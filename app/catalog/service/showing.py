"""Products as the contract shows them."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from app.catalog import product_queries as queries
from app.catalog.models import Product, ProductCertificate
from app.core.database import db
from app.merchants import service as merchants

CERTIFICATE_FIELDS = ("number", "holder", "grade", "valid_from", "valid_to", "link")


def certificates_of(products: Iterable[Product]) -> dict[UUID, list[ProductCertificate]]:
    """Return the certificates of each of ``products`` that has some, by product."""
    found: dict[UUID, list[ProductCertificate]] = {}
    for row in queries.list_certificates(db.session, [product.product_id for product in products]):
        found.setdefault(row.product_id, []).append(row)
    return found


def shown(product: Product, certificates: Iterable[ProductCertificate]) -> dict[str, Any]:
    """Return ``product`` as its merchant sees it."""
    return {
        "id": product.product_id,
        "sku": product.sku,
        "gtin": product.gtin,
        "names": product.names,
        "category": product.category,
        "packaging": product.packaging,
        "certificates": [_certificate(row) for row in certificates if not row.is_withdrawn],
        "updated_at": product.updated_at,
    }


def _certificate(row: ProductCertificate) -> dict[str, Any]:
    days = {name: getattr(row, name) and getattr(row, name).isoformat() for name in ("valid_from", "valid_to")}
    return {
        "code": row.code,
        **{name: getattr(row, name) for name in CERTIFICATE_FIELDS},
        **days,
        "verification": row.verification,
        "verified_at": row.checked_at if row.verification == "verified" else None,
        "reason": row.reason,
    }


def shown_to_staff(products: Sequence[Product]) -> list[dict[str, Any]]:
    """Return ``products`` as staff see them: whose they are, who looked at what, and what public data says."""
    held = certificates_of(products)
    owners = merchants.list_merchants(ids={each.merchant_id for each in products if each.merchant_id is not None})
    by_id = {owner.merchant_id: {"id": owner.merchant_id, "key": owner.key} for owner in owners}
    labels = queries.labels_by_gtin(db.session, {each.gtin for each in products if each.gtin is not None})
    found = []
    for product in products:
        rows = held.get(product.product_id, [])
        entry = shown(product, rows)
        for certificate, row in zip(entry["certificates"], rows, strict=True):
            certificate |= {"checked_at": row.checked_at, "checked_by": row.checked_by}
        found.append(
            entry
            | {
                "merchant": by_id.get(product.merchant_id) if product.merchant_id is not None else None,
                "live": product.live,
                "source": product.source,
                "environmental_grade": product.environmental_grade,
                "public_labels": labels.get(product.gtin, []) if product.gtin is not None else [],
                "created_at": product.created_at,
                "withdrawn_at": product.withdrawn_at,
            }
        )
    return found
