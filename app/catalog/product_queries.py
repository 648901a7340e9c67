"""The SELECTs of products and their certificates."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, select, text
from sqlalchemy.orm import Session, scoped_session

from app.catalog.models import PackagingOffer, Product, ProductCertificate

_Session = Session | scoped_session[Any]


def lock_shelf(session: _Session, merchant_id: UUID, live: bool) -> None:
    """Let no two transactions write the merchant's products at once: a row lock can't hold a SKU that is not there."""
    name = f"products:{merchant_id}:{live}"
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def lock_by_sku(session: _Session, merchant_id: UUID, live: bool, skus: Collection[str]) -> Sequence[Product]:
    """Return the merchant's products of these SKUs, withdrawn ones too, locked: staff may be looking at them."""
    query = select(Product).where(Product.merchant_id == merchant_id, Product.live == live, Product.sku.in_(skus))
    locked = query.order_by(Product.product_id).with_for_update()
    return session.scalars(locked.execution_options(populate_existing=True)).all()


def find_product(session: _Session, merchant_id: UUID, live: bool, sku: str) -> Product | None:
    """Return the merchant's product of that SKU unless it is withdrawn."""
    query = select(Product).where(
        Product.merchant_id == merchant_id, Product.live == live, Product.sku == sku, Product.withdrawn_at.is_(None)
    )
    return session.scalar(query.execution_options(populate_existing=True))


def list_products(
    session: _Session, merchant_id: UUID, live: bool, filters: Mapping[str, Any], after: str | None, limit: int
) -> Sequence[Product]:
    """Return the merchant's products by SKU after ``after``, those of a ``category`` or ``gtin`` where asked for."""
    query = select(Product).where(
        Product.merchant_id == merchant_id, Product.live == live, Product.withdrawn_at.is_(None)
    )
    if filters["category"] is not None:
        query = query.where(Product.category == filters["category"])
    if filters["gtin"] is not None:
        query = query.where(Product.gtin == filters["gtin"])
    if after is not None:
        query = query.where(Product.sku > after)
    return session.scalars(query.order_by(Product.sku).limit(limit)).all()


def list_certificates(
    session: _Session, product_ids: Collection[UUID], with_withdrawn: bool = False
) -> Sequence[ProductCertificate]:
    """Return the certificates of these products by code."""
    query = select(ProductCertificate).where(ProductCertificate.product_id.in_(product_ids))
    if not with_withdrawn:
        query = query.where(~ProductCertificate.is_withdrawn)
    return session.scalars(query.order_by(ProductCertificate.code).execution_options(populate_existing=True)).all()


def find_by_id(session: _Session, product_id: UUID) -> Product | None:
    """Return the product of that id, whoever's it is."""
    return session.get(Product, product_id, populate_existing=True)


def lock_by_id(session: _Session, product_id: UUID) -> Product | None:
    """Return the product of that id, locked."""
    return session.get(Product, product_id, populate_existing=True, with_for_update=True)


def list_for_staff(session: _Session, filters: Mapping[str, Any], before: UUID | None, limit: int) -> Sequence[Product]:
    """Return products that are not withdrawn, newest first.

    ``filters``: merchant_id, live, gtin, certification, verification (with a number that stands so); None asks nothing.
    """
    query = select(Product).where(Product.withdrawn_at.is_(None))
    for name in ("merchant_id", "live", "gtin"):
        if filters[name] is not None:
            query = query.where(getattr(Product, name) == filters[name])
    if filters["certification"] is not None or filters["verification"] is not None:
        query = _with_certificate(query, filters["certification"], filters["verification"])
    if before is not None:
        query = query.where(Product.product_id < before)
    return session.scalars(query.order_by(Product.product_id.desc()).limit(limit)).all()


def _with_certificate(query: Select[Product], certification: str | None, verification: str | None) -> Select[Product]:
    held = exists().where(ProductCertificate.product_id == Product.product_id, ~ProductCertificate.is_withdrawn)
    if certification is not None:
        held = held.where(ProductCertificate.code == certification)
    if verification is not None:
        held = held.where(ProductCertificate.verification == verification, ProductCertificate.number.is_not(None))
    return query.where(held)


def labels_by_gtin(session: _Session, gtins: Collection[str]) -> dict[str, list[str]]:
    """Return the certifications that shared products of these GTINs bear, by GTIN."""
    rows = session.execute(
        select(Product.gtin, ProductCertificate.code)
        .join(ProductCertificate, ProductCertificate.product_id == Product.product_id)
        .where(Product.merchant_id.is_(None), Product.gtin.in_(gtins), ~ProductCertificate.is_withdrawn)
        .order_by(ProductCertificate.code)
    )
    found: dict[str, list[str]] = {}
    for gtin, code in rows:
        found.setdefault(str(gtin), []).append(code)
    return found


def find_offers(session: _Session, merchant_id: UUID, live: bool) -> PackagingOffer | None:
    """Return what the merchant said of the packaging that it offers."""
    return session.get(PackagingOffer, (merchant_id, live), populate_existing=True)
