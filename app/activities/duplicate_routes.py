"""Routes of activities for staff: receipts and serial numbers that were named twice."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import fields

from app.activities import duplicates
from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, staff_only
from app.core.clock import format_time
from app.core.errors import InvalidCursor
from app.core.schemas import Schema, Timestamp

blueprint = Blueprint("duplicate_claims", __name__, description="Receipts and serial numbers that were named twice")

_EXAMPLE = {
    "kind": "purchase",
    "proof": "receipt",
    "value": "r-5531",
    "live": True,
    "recorded_at": "2026-11-23T09:20:00Z",
    "first": {
        "activity": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11",
        "external_id": "order-10023",
        "merchant": "corner-shop",
        "member_id": "019a5f3e-1f00-7a57-8a52-6a1d3c9b7e02",
    },
    "second": {
        "activity": "019a5f3e-5d0e-7a44-8f01-90b1c2d3e4f5",
        "external_id": "order-77",
        "merchant": "other-shop",
        "member_id": None,
    },
}


class NamedActivitySchema(Schema):
    """An activity that named it; nobody's yet where ``member_id`` is null."""

    activity = fields.String()
    external_id = fields.String()
    merchant = fields.String()
    member_id = fields.String(allow_none=True)


class DuplicateClaimSchema(Schema):
    """What was named twice: the ``first`` keeps it, the ``second`` earned nothing for it."""

    kind = fields.String()
    proof = fields.String()
    value = fields.String()
    live = fields.Boolean()
    recorded_at = Timestamp()
    first = fields.Nested(NamedActivitySchema)
    second = fields.Nested(NamedActivitySchema)


class DuplicateClaimPageSchema(Schema):
    """One page, newest first."""

    data = fields.List(fields.Nested(DuplicateClaimSchema))
    next_cursor = fields.String(allow_none=True)


@blueprint.route("/v1/admin/duplicate-claims")
@staff_only("viewer")
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, DuplicateClaimPageSchema, example={"data": [_EXAMPLE], "next_cursor": None})
def list_duplicate_claims(query: dict[str, Any]) -> Response:
    """Return receipts and serial numbers that were named by a second activity, newest first."""
    bound_to = f"duplicate-claims:{current_principal().id}"
    before = None
    if query["cursor"]:
        moment, activity_id, proof, value = paging.decode_cursor(query["cursor"], bound_to)
        before = datetime.fromisoformat(moment), UUID(activity_id), proof, value
    found = duplicates.list_duplicates(before, query["limit"] + 1)
    page, more = found[: query["limit"]], None
    if len(found) > len(page):
        last = page[-1]
        place = [last["recorded_at"].isoformat(), last["second"]["activity"], last["proof"], last["value"]]
        more = paging.encode_cursor(place, bound_to)
    data = [each | {"recorded_at": format_time(each["recorded_at"])} for each in page]
    return private_json({"data": data, "next_cursor": more})
