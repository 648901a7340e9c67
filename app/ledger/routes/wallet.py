"""Routes of the ledger: the shopper's wallet and its history."""

from dataclasses import asdict
from typing import Any

from flask import Response

from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, member_only
from app.core.errors import InvalidCursor
from app.ledger import schemas, service

blueprint = Blueprint("ledger", __name__, description="Points: the wallet and its history")


@blueprint.route("/v1/me/wallet")
@member_only
@blueprint.response(200, schemas.WalletSchema, example=schemas.WALLET_EXAMPLE)
def get_wallet() -> Response:
    """Return the shopper's points as they are by the clock."""
    return private_json(asdict(service.read_wallet(current_principal().id)))


@blueprint.route("/v1/me/wallet/entries")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, schemas.EntryPageSchema, example={"data": [schemas.ENTRY_EXAMPLE], "next_cursor": None})
def list_entries(query: dict[str, Any]) -> Response:
    """Return the shopper's history, newest first, each line with the balances after it."""
    member_id = current_principal().id
    bound_to = f"entries:{member_id}"
    before = int(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    found = service.list_entries(member_id, before, query["limit"] + 1)
    page = found[: query["limit"]]
    more = paging.encode_cursor([page[-1]["seq"]], bound_to) if len(found) > len(page) else None
    return private_json({"data": page, "next_cursor": more})
