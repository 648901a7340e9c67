"""Routes for staff: products of all merchants, and whether their certificates hold."""

from typing import Any
from uuid import UUID

from flask import Response

from app.catalog import examples, service
from app.catalog import staff_schemas as schemas
from app.catalog.errors import CertificateNotFound, CertificateWithoutNumber, ProductNotFound
from app.core import paging
from app.core.api import Blueprint, json_response, read_optional_json
from app.core.auth import current_principal, staff_only
from app.core.clock import now
from app.core.errors import InvalidCursor
from app.core.preconditions import ETAG_HEADER, PreconditionFailed, PreconditionRequired, Seen, conditional, etag
from app.core.schemas import load
from app.core.unit_of_work import transactional

blueprint = Blueprint("product-verification", __name__, description="Products as staff see them")
_VERIFIERS = ("editor", "approver", "admin")
_MISSED = (PreconditionRequired, PreconditionFailed, ProductNotFound, CertificateNotFound)
_CERTIFICATE = "/v1/admin/products/<uuid:product_id>/certificates/<string:code>"


def _shown(product: dict[str, Any], version: int) -> Response:
    return json_response(product, 200, etag(version))


@blueprint.route("/v1/admin/products")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.StaffProductQuery, location="query")
@blueprint.response(200, schemas.StaffProductPageSchema, example=examples.STAFF_PAGE)
def list_products(query: dict[str, Any]) -> Response:
    """Return products of all merchants and shared ones, newest first; withdrawn ones are left out."""
    names = ("merchant", "certification", "verification", "gtin", "mode")
    bound_to = ":".join(["products", str(current_principal().id), *(repr(query[name]) for name in names)])
    before = UUID(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_products_for_staff(query, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([str(page[-1]["id"])], bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/admin/products/<uuid:product_id>")
@staff_only("viewer")
@blueprint.problems(ProductNotFound)
@blueprint.response(200, schemas.StaffProductSchema, example=examples.STAFF_ANSWER, headers=ETAG_HEADER)
def get_product(product_id: UUID) -> Response:
    """Return a product, withdrawn or not, with what public data says of its GTIN."""
    return _shown(*service.get_product_for_staff(product_id))


@blueprint.route(f"{_CERTIFICATE}/verify", methods=["POST"])
@staff_only(*_VERIFIERS)
@blueprint.problems(*_MISSED, CertificateWithoutNumber)
@blueprint.doc(
    requestBody={
        "required": False,
        "content": {"application/json": {"schema": schemas.CertificateFindingSchema, "example": examples.VERIFICATION}},
    }
)
@blueprint.response(200, schemas.StaffProductSchema, example=examples.STAFF_VERIFIED, headers=ETAG_HEADER)
@transactional
@conditional
def verify_certificate(product_id: UUID, code: str, seen: Seen) -> Response:
    """Say that the certificate was looked up and holds, as it stands in the state that `If-Match` names."""
    found = load(schemas.CertificateFindingSchema(), read_optional_json())
    return _shown(*service.verify_certificate(current_principal(), product_id, code, found, seen, now()))


@blueprint.route(f"{_CERTIFICATE}/reject", methods=["POST"])
@staff_only(*_VERIFIERS)
@blueprint.problems(*_MISSED)
@transactional
@conditional
@blueprint.arguments(schemas.CertificateRejectionSchema, example=examples.REJECTION)
@blueprint.response(200, schemas.StaffProductSchema, example=examples.STAFF_REJECTED, headers=ETAG_HEADER)
def reject_certificate(body: dict[str, Any], product_id: UUID, code: str, seen: Seen) -> Response:
    """Say that the certificate does not hold, verified before or not: it earns nothing until it is verified."""
    return _shown(*service.reject_certificate(current_principal(), product_id, code, body["reason"], seen, now()))
