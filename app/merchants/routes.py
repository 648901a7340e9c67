"""Routes of the merchants: linked customers, and their API keys for staff."""

import re
from dataclasses import asdict
from typing import Any, cast
from uuid import UUID

from flask import Response

from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, merchant_only, staff_only
from app.core.clock import now
from app.core.errors import ValidationProblem
from app.core.schemas import EXTERNAL_ID
from app.core.unit_of_work import transactional
from app.members.errors import MemberNotFound
from app.merchants import schemas, service
from app.merchants.errors import CustomerNotFound, KeyNotFound, MerchantNotFound

blueprint = Blueprint("merchants", __name__, description="Merchants: linked customers and API keys")


def _merchant() -> service.MerchantPrincipal:
    return cast(service.MerchantPrincipal, current_principal())


def _ref(ref: str) -> str:
    if not re.match(EXTERNAL_ID, ref):
        raise ValidationProblem([{"pointer": "/ref", "detail": "1 to 64 of A-Z a-z 0-9 . _ : -"}])
    return ref


@blueprint.route("/v1/customers/<string:ref>", methods=["PUT"])
@merchant_only("customers")
@blueprint.problems(MemberNotFound)
@blueprint.arguments(schemas.CustomerLinkSchema, example={"member_code": "7ZK3QF92M"})
@blueprint.response(200, schemas.CustomerSchema, example=schemas.CUSTOMER_EXAMPLE)
@blueprint.alt_response(
    201, schema=schemas.CustomerSchema, example=schemas.CUSTOMER_EXAMPLE, description="Newly linked."
)
@transactional
def link_customer(body: dict[str, Any], ref: str) -> Response:
    """Link the merchant's own customer reference with the member whose code the shopper shows."""
    merchant = _merchant()
    customer, is_new = service.link_customer(merchant.id, merchant.live, _ref(ref), body["member_code"], now())
    return private_json(asdict(customer), 201 if is_new else 200)


@blueprint.route("/v1/customers/<string:ref>")
@merchant_only("customers")
@blueprint.problems(CustomerNotFound)
@blueprint.response(200, schemas.CustomerSchema, example=schemas.CUSTOMER_EXAMPLE)
def get_customer(ref: str) -> Response:
    """Return which member the reference names."""
    merchant = _merchant()
    return private_json(asdict(service.get_customer(merchant.id, merchant.live, _ref(ref))))


@blueprint.route("/v1/customers/<string:ref>", methods=["DELETE"])
@merchant_only("customers")
@blueprint.problems(CustomerNotFound)
@blueprint.response(204)
@transactional
def unlink_customer(ref: str) -> Response:
    """Forget which member the reference names; what was earned through it stays."""
    merchant = _merchant()
    service.unlink_customer(merchant.id, merchant.live, _ref(ref))
    return Response(status=204)


@blueprint.route("/v1/admin/merchants/<uuid:merchant_id>/keys", methods=["POST"])
@staff_only("admin")
@blueprint.problems(MerchantNotFound)
@blueprint.arguments(
    schemas.KeyRequestSchema, example={key: schemas.KEY_EXAMPLE[key] for key in ("label", "live", "scopes")}
)
@blueprint.response(201, schemas.KeySchema, example=schemas.KEY_EXAMPLE)
@transactional
def issue_key(body: dict[str, Any], merchant_id: UUID) -> Response:
    """Make an API key for the merchant; the answer shows it, and nothing will show it again."""
    key_id, plain = service.issue_key(merchant_id, **body, moment=now())
    body["scopes"] = sorted(set(body["scopes"]))
    return private_json({"key_id": key_id, "key": plain, "last4": plain[-4:]} | body, 201)


@blueprint.route("/v1/admin/merchants/<uuid:merchant_id>/keys/<uuid:key_id>", methods=["DELETE"])
@staff_only("admin")
@blueprint.problems(KeyNotFound)
@blueprint.response(204)
@transactional
def revoke_key(merchant_id: UUID, key_id: UUID) -> Response:
    """End an API key at once."""
    service.revoke_key(merchant_id, key_id, now())
    return Response(status=204)
