"""Routes of test mode: made-up shoppers for those who build a plugin. A live key is refused."""

from typing import cast
from uuid import UUID

from flask import Response

from app.core.api import private_json, read_optional_json
from app.core.auth import bearer_token, current_principal, merchant_only
from app.core.clock import now
from app.core.errors import Unauthorized
from app.core.rate_limits import client_network, limited
from app.core.schemas import load
from app.core.unit_of_work import transactional
from app.ledger.routes.wallet import blueprint
from app.ledger.schemas import WALLET_EXAMPLE, WalletSchema
from app.ledger.schemas import test_mode as schemas
from app.ledger.service import test_mode
from app.members.errors import MemberNotFound
from app.merchants import service as merchants
from app.merchants.errors import TestKeyRequired

_request = schemas.TestMemberRequestSchema()


def _key_holder() -> str:
    """Return which merchant's key the request carries; one without a key of ours is told by its network."""
    try:
        return f"merchant:{merchants.authenticate(bearer_token()).id}"
    except Unauthorized:
        return client_network()


def _merchant() -> merchants.MerchantPrincipal:
    """Return whose test key it is; raise TestKeyRequired for a live one."""
    merchant = cast(merchants.MerchantPrincipal, current_principal())
    if merchant.live:
        raise TestKeyRequired
    return merchant


@blueprint.route("/v1/test/members", methods=["POST"])
@limited("60 per minute", by=_key_holder)
@limited("2000 per day", by=_key_holder)
@merchant_only("customers")
@blueprint.problems(TestKeyRequired)
@blueprint.doc(
    requestBody={
        "required": False,
        "content": {
            "application/json": {"schema": _request, "example": schemas.TEST_MEMBER_REQUEST_EXAMPLE},
        },
    }
)
@blueprint.response(201, schemas.TestMemberSchema, example=schemas.TEST_MEMBER_EXAMPLE)
@transactional
def make_test_member() -> Response:
    """Make a shopper up, with a token to sign in as them; a merchant has 1,000, and the next one closes the oldest."""
    merchant = _merchant()
    return private_json(test_mode.make_test_member(merchant, load(_request, read_optional_json()), now()), 201)


@blueprint.route("/v1/test/members/<uuid:member_id>/mature", methods=["POST"])
@merchant_only("customers")
@blueprint.problems(TestKeyRequired, MemberNotFound)
@blueprint.response(200, WalletSchema, example=WALLET_EXAMPLE)
@transactional
def mature_test_member(member_id: UUID) -> Response:
    """Let a made-up shopper's pending points become available now, but for those that wait for a completion."""
    return private_json(test_mode.mature_test_member(_merchant(), member_id, now()))
