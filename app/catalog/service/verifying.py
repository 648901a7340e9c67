"""Staff look certificates up: what they verify counts, what they reject earns nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.catalog import product_queries as queries
from app.catalog.errors import CertificateNotFound, CertificateWithoutNumber, ProductNotFound
from app.catalog.models import Product, ProductCertificate
from app.catalog.service.lookups import forget_products
from app.catalog.service.products import certificate_faults
from app.catalog.service.reference import reference
from app.catalog.service.showing import CERTIFICATE_FIELDS, shown_to_staff
from app.core.auth import Principal
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.preconditions import Seen
from app.core.strict_json import pointer
from app.core.unit_of_work import unit_of_work
from app.merchants import service as merchants
from app.staff import service as staff

WithVersion = tuple[dict[str, Any], int]


def list_products_for_staff(filters: Mapping[str, Any], before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return one page of all merchants' products and the shared ones, newest first.

    ``merchant`` is an id or a key; ``mode``, ``certification``, ``verification`` and ``gtin`` may be None.
    """
    merchant_id = None
    if filters["merchant"] is not None:
        merchant_id = _merchant_id(filters["merchant"])
        if merchant_id is None:
            return []
    live = None if filters["mode"] is None else filters["mode"] == "live"
    asked = {**filters, "merchant_id": merchant_id, "live": live}
    return shown_to_staff(queries.list_for_staff(db.session, asked, before, limit))


def _merchant_id(any_id: str) -> UUID | None:
    try:
        return UUID(any_id)
    except ValueError:
        found = merchants.find_merchant_by_key(any_id)
        return found.merchant_id if found is not None else None


def get_product_for_staff(product_id: UUID) -> WithVersion:
    """Return a product, withdrawn or not, and its version; raise ProductNotFound."""
    product = queries.find_by_id(db.session, product_id)
    if product is None:
        raise ProductNotFound
    return shown_to_staff([product])[0], product.version


def verify_certificate(
    caller: Principal, product_id: UUID, code: str, found: Mapping[str, Any], seen: Seen, moment: datetime
) -> WithVersion:
    """Say that the certificate was looked up and is what it says; return the product and its version.

    ``found`` has the reason and, of a shared product alone, what was found. Raises ProductNotFound,
    CertificateNotFound, CertificateWithoutNumber, PreconditionFailed, ValidationProblem.
    """
    with unit_of_work():
        product, row = _locked(product_id, code, seen)
        before = _state(row)
        details = {name: value for name, value in found.items() if name in CERTIFICATE_FIELDS}
        if details:
            _check_details(product, row, details)
        for name, value in details.items():
            setattr(row, name, value)
        if row.number is None:
            raise CertificateWithoutNumber
        return _checked(caller, product, row, "verified", found["reason"], before, moment)


def _check_details(product: Product, row: ProductCertificate, details: Mapping[str, Any]) -> None:
    """Raise ValidationProblem unless these are for staff to say, and fit the certification."""
    if product.merchant_id is not None:
        detail = "This is for the product's merchant to say."
        raise ValidationProblem([{"pointer": pointer(name), "detail": detail} for name in details])
    after = {"code": row.code} | {name: details.get(name, getattr(row, name)) for name in CERTIFICATE_FIELDS}
    faults = certificate_faults(after, reference())
    if after["valid_from"] and after["valid_to"] and after["valid_to"] < after["valid_from"]:
        faults.append(("valid_to", "This is before valid_from."))
    if faults:
        raise ValidationProblem([{"pointer": pointer(name), "detail": detail} for name, detail in faults])


def reject_certificate(
    caller: Principal, product_id: UUID, code: str, reason: str, seen: Seen, moment: datetime
) -> WithVersion:
    """Say that the certificate does not hold: it earns nothing from now on. Return the product and its version.

    Raises ProductNotFound, CertificateNotFound, PreconditionFailed.
    """
    with unit_of_work():
        product, row = _locked(product_id, code, seen)
        return _checked(caller, product, row, "rejected", reason, _state(row), moment)


def _locked(product_id: UUID, code: str, seen: Seen) -> tuple[Product, ProductCertificate]:
    product = queries.lock_by_id(db.session, product_id)
    if product is None:
        raise ProductNotFound
    seen.check(product.version)
    rows = {row.code: row for row in queries.list_certificates(db.session, [product_id])}
    if code not in rows:
        raise CertificateNotFound
    return product, rows[code]


def _state(row: ProductCertificate) -> dict[str, Any]:
    names = ("code", *CERTIFICATE_FIELDS, "verification", "reason")
    return {name: getattr(row, name) for name in names}


def _checked(
    caller: Principal,
    product: Product,
    row: ProductCertificate,
    verification: str,
    reason: str | None,
    before: Mapping[str, Any],
    moment: datetime,
) -> WithVersion:
    row.verification, row.checked_at, row.checked_by, row.reason = verification, moment, caller.id, reason
    product.version += 1
    product.updated_at = moment
    action = f"product_certificate.{verification}"
    staff.record_audit(action, "product", product.product_id, before=before, after=_state(row), moment=moment)
    forget_products(product.merchant_id)
    return shown_to_staff([product])[0], product.version
