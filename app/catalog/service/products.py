"""Merchants' own products: named singly or in batches, read, withdrawn."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema

from app.catalog import product_queries as queries
from app.catalog.errors import ProductNotFound
from app.catalog.numbers import is_well_formed, number_forms
from app.catalog.schemas import BatchProductSchema, ProductSchema
from app.catalog.service.lookups import forget_products
from app.catalog.service.reference import CatalogReference, reference
from app.catalog.service.shelves import Shelf
from app.catalog.service.showing import certificates_of, shown
from app.core import schemas
from app.core.database import db
from app.core.errors import ProblemError, ValidationProblem
from app.core.strict_json import pointer
from app.core.unit_of_work import unit_of_work
from app.merchants.service import MerchantPrincipal

Put = tuple[dict[str, Any], bool]
_schema = ProductSchema()
_batch_schema = BatchProductSchema()


def put_product(merchant: MerchantPrincipal, sku: str, body: Any, moment: datetime) -> Put:
    """Make the merchant's product of ``sku`` what ``body`` says; return it, and whether it is new.

    The same again changes nothing. Raises ValidationProblem.
    """
    read = _read(_schema, body)
    if read["sku"] not in (None, sku):
        raise ValidationProblem([_fault("This is not the SKU in the path.", "sku")])
    with unit_of_work() as session:
        shelf = Shelf(session, merchant, [sku], moment)
        put = shelf.put(sku, read)
        _write(shelf, merchant)
        return put


def put_products(merchant: MerchantPrincipal, bodies: Sequence[Any], moment: datetime) -> list[Put | ProblemError]:
    """Do with each of ``bodies`` what ``put_product`` does, in their order; return what became of each.

    Each stands alone. One that is a problem already, because its text could not be read, stays that problem.
    """
    results: list[Put | ProblemError | None] = [None] * len(bodies)
    reads: dict[int, dict[str, Any]] = {}
    for index, body in enumerate(bodies):
        try:
            reads[index] = _read(_batch_schema, body)
        except ValidationProblem as problem:
            results[index] = problem
    if reads:
        with unit_of_work() as session:
            shelf = Shelf(session, merchant, {read["sku"] for read in reads.values()}, moment)
            for index, read in reads.items():
                results[index] = shelf.put(read["sku"], read)
            _write(shelf, merchant)
    assert None not in results
    return results  # type: ignore[return-value]


def _write(shelf: Shelf, merchant: MerchantPrincipal) -> None:
    if shelf.is_changed:
        shelf.write()
        forget_products(merchant.id)


def _read(schema: Schema, body: Any) -> dict[str, Any]:
    """Return ``body`` as it is read; raise ValidationProblem, also where the body is one."""
    if isinstance(body, ValidationProblem):
        raise body
    read: dict[str, Any] = schemas.load(schema, body)
    faults = _faults(read, reference())
    if faults:
        raise ValidationProblem(faults)
    return read


def _faults(read: Mapping[str, Any], known: CatalogReference) -> list[dict[str, str]]:
    """Return where a product names what there is not."""
    faults = []
    for place, code in enumerate(read["packaging"]):
        option = known.packaging.get(code)
        if option is None:
            faults.append(_fault(f"{code!r} is no packaging option.", "packaging", place))
        elif option.applies_to != "line":
            faults.append(_fault(f"{code} belongs to a {option.applies_to}, not to a product.", "packaging", place))
    codes: set[str] = set()
    for place, certificate in enumerate(read["certificates"]):
        if certificate["code"] in codes:
            faults.append(_fault("This certification stands here more than once.", "certificates", place, "code"))
        codes.add(certificate["code"])
        faults += [
            _fault(detail, "certificates", place, name) for name, detail in certificate_faults(certificate, known)
        ]
    return faults


def certificate_faults(certificate: Mapping[str, Any], known: CatalogReference) -> list[tuple[str, str]]:
    """Return (field, what is wrong) where a certificate does not fit its certification."""
    code, number, grade = certificate["code"], certificate["number"], certificate["grade"]
    certification = known.certifications.get(code)
    if certification is None:
        return [("code", f"{code!r} is no certification.")]
    faults = []
    if number is not None and not is_well_formed(code, number):
        form = number_forms().get(code)
        detail = f", such as {form.example}" if form else ": letters, digits and a few signs, a digit at least"
        faults.append(("number", f"No number of {certification.name}{detail}."))
    if grade is not None and grade not in certification.grades:
        grades = ", ".join(sorted(certification.grades))
        faults.append(("grade", f"{certification.name} has {'the grades ' + grades if grades else 'no grades'}."))
    return faults


def _fault(detail: str, *place: object) -> dict[str, str]:
    return {"pointer": pointer(*place), "detail": detail}


def get_product(merchant: MerchantPrincipal, sku: str) -> dict[str, Any]:
    """Return the merchant's product; raise ProductNotFound for an unknown or withdrawn one."""
    product = queries.find_product(db.session, merchant.id, merchant.live, sku)
    if product is None:
        raise ProductNotFound
    return shown(product, certificates_of([product]).get(product.product_id, ()))


def list_products(
    merchant: MerchantPrincipal, filters: Mapping[str, Any], after: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return one page of the merchant's products by SKU; see ``queries.list_products`` for ``filters``."""
    found = queries.list_products(db.session, merchant.id, merchant.live, filters, after, limit)
    held = certificates_of(found)
    return [shown(product, held.get(product.product_id, ())) for product in found]


def withdraw_product(merchant: MerchantPrincipal, sku: str, moment: datetime) -> None:
    """Let the product be known no more; what was bought stays. Raises ProductNotFound."""
    with unit_of_work() as session:
        queries.lock_shelf(session, merchant.id, merchant.live)
        found = queries.lock_by_sku(session, merchant.id, merchant.live, [sku])
        product = found[0] if found else None
        if product is None or product.withdrawn_at is not None:
            raise ProductNotFound
        product.withdrawn_at = product.updated_at = moment
        product.version += 1
        forget_products(merchant.id)
