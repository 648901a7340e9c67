"""Routes for shoppers: ways to earn."""

from datetime import datetime
from typing import Any

from flask import Response, request

from app.campaigns import service
from app.campaigns.shopper_schemas import WAY_EXAMPLE, WayPageSchema
from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, member_only
from app.core.clock import format_time, now
from app.core.errors import InvalidCursor
from app.members import service as members

blueprint = Blueprint("ways", __name__, description="Ways to earn")
_pages = WayPageSchema()


def _asked_locales(own: str) -> list[str]:
    """Return the languages that the request asks for, the best first, or else the member's own."""
    if "Accept-Language" in request.headers:
        return [locale for locale, quality in request.accept_languages if quality > 0]
    return [own]


@blueprint.route("/v1/campaigns")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(paging.PageQuery, location="query")
@blueprint.response(200, WayPageSchema, example={"data": [WAY_EXAMPLE], "next_cursor": None})
def list_ways(query: dict[str, Any]) -> Response:
    """Return the shopper's ways to earn now and within 30 days, those that are open first, then the next to open.

    In the language of `Accept-Language`, or else the shopper's own. Further pages are of the moment of the first.
    """
    caller = current_principal()
    member = members.get_member(caller.id, caller.live)
    locale = service.choose_locale(_asked_locales(member.locale))
    bound_to = f"ways:{caller.id}:{locale}"
    moment, after = now(), None
    if query["cursor"]:
        asked_at, is_later, opens_at, key = paging.decode_cursor(query["cursor"], bound_to)
        moment = datetime.fromisoformat(asked_at)
        after = service.Position(is_later, datetime.fromisoformat(opens_at), key)
    found = service.list_ways(member, locale, moment, after=after, limit=query["limit"])
    more = None
    if found.last is not None:
        is_later, opens_at, key = found.last
        more = paging.encode_cursor([format_time(moment), is_later, format_time(opens_at), key], bound_to)
    return private_json(_pages.dump({"data": found.data, "next_cursor": more}))
