"""Routes of products: merchants name their own and what packaging they offer."""

import re
from typing import Any, cast

from flask import Response

from app.catalog import examples, schemas, service
from app.catalog.errors import ProductNotFound
from app.core import paging
from app.core.api import BATCH_BYTES_MAX, Blueprint, json_response, read_json
from app.core.auth import current_principal, merchant_only
from app.core.clock import now
from app.core.errors import InvalidCursor, ProblemError, ValidationProblem
from app.core.schemas import EXTERNAL_ID
from app.core.unit_of_work import transactional
from app.merchants.service import MerchantPrincipal

blueprint = Blueprint("products", __name__, description="Products, their certificates, and the packaging on offer")


def _merchant() -> MerchantPrincipal:
    return cast(MerchantPrincipal, current_principal())


def _new_sku(sku: str) -> str:
    if not re.match(EXTERNAL_ID, sku):
        raise ValidationProblem([{"pointer": "/sku", "detail": "1 to 64 of A-Z a-z 0-9 . _ : -"}])
    return sku


def _known_sku(sku: str) -> str:
    if not re.match(EXTERNAL_ID, sku):
        raise ProductNotFound
    return sku


@blueprint.route("/v1/products/<string:sku>", methods=["PUT"])
@merchant_only("products")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"application/json": {"schema": schemas.ProductSchema, "example": examples.PRODUCT}},
    }
)
@blueprint.response(200, schemas.ProductAnswerSchema, example=examples.ANSWER)
@blueprint.alt_response(201, schema=schemas.ProductAnswerSchema, example=examples.ANSWER, description="New.")
@transactional
def put_product(sku: str) -> Response:
    """Name a product, or change it: all of it, so that what is left out is empty.

    A certificate that staff had verified and of which anything changes waits to be verified again.
    """
    product, is_new = service.put_product(_merchant(), _new_sku(sku), read_json(), now())
    return json_response(product, 201 if is_new else 200)


@blueprint.route("/v1/products/batch", methods=["POST"])
@merchant_only("products")
@transactional
@blueprint.arguments(
    schemas.ProductBatchSchema, bytes_max=BATCH_BYTES_MAX, standalone="products", example=examples.BATCH
)
@blueprint.response(200, schemas.ProductBatchAnswerSchema, example=examples.BATCH_ANSWER)
def put_products(batch: dict[str, Any]) -> Response:
    """Name or change up to 1,000 products; each stands alone, and its result stands at its place."""
    results = []
    for index, result in enumerate(service.put_products(_merchant(), batch["products"], now())):
        if isinstance(result, ProblemError):
            entry = {"index": index, "status": result.status, "product": None, "problem": result.to_problem()}
        else:
            product, is_new = result
            entry = {"index": index, "status": 201 if is_new else 200, "product": product, "problem": None}
        results.append(entry)
    return json_response({"results": results})


@blueprint.route("/v1/products/<string:sku>")
@merchant_only("products")
@blueprint.problems(ProductNotFound)
@blueprint.response(200, schemas.ProductAnswerSchema, example=examples.ANSWER)
def get_product(sku: str) -> Response:
    """Return a product, with what staff found of its certificates."""
    return json_response(service.get_product(_merchant(), _known_sku(sku)))


@blueprint.route("/v1/products")
@merchant_only("products")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.ProductQuery, location="query")
@blueprint.response(200, schemas.ProductPageSchema, example=examples.PAGE)
def list_products(query: dict[str, Any]) -> Response:
    """Return the merchant's products by SKU."""
    merchant = _merchant()
    bound_to = f"products:{merchant.id}:{merchant.live}:{query['category']}:{query['gtin']}"
    after = paging.decode_cursor(query["cursor"], bound_to)[0] if query["cursor"] else None
    found = service.list_products(merchant, query, after, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([page[-1]["sku"]], bound_to) if len(found) > len(page) else None
    return json_response({"data": page, "next_cursor": more})


@blueprint.route("/v1/products/<string:sku>", methods=["DELETE"])
@merchant_only("products")
@blueprint.problems(ProductNotFound)
@blueprint.response(204)
@transactional
def withdraw_product(sku: str) -> Response:
    """Take a product out of the catalogue; what was earned with it stays."""
    service.withdraw_product(_merchant(), _known_sku(sku), now())
    return Response(status=204)


@blueprint.route("/v1/packaging-options")
@merchant_only("products")
@blueprint.response(200, schemas.OffersAnswerSchema, example=examples.OFFERS_ANSWER)
def get_packaging_options() -> Response:
    """Return all packaging options, and which of those for orders and parcels the merchant offers; null: all."""
    return json_response(service.get_offers(_merchant()))


@blueprint.route("/v1/packaging-options", methods=["PUT"])
@merchant_only("products")
@transactional
@blueprint.arguments(schemas.OffersSchema, example=examples.OFFERS)
@blueprint.response(200, schemas.OffersAnswerSchema, example=examples.OFFERS_ANSWER)
def put_packaging_options(body: dict[str, Any]) -> Response:
    """Say which options for orders and parcels are offered: previews suggest no others."""
    return json_response(service.put_offers(_merchant(), body["offers"], now()))
