"""Routes of the ledger: the shopper's wallet, its history and its statements."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, current_app, request

from app.core import paging
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, member_only
from app.core.clock import format_time
from app.core.errors import InvalidCursor
from app.ledger import schemas, service, statements
from app.ledger.explanations import DEFAULT_LOCALE, LOCALES
from app.members import service as members
from app.programme import service as programme

blueprint = Blueprint("ledger", __name__, description="Points: the wallet and its history")


def _locale() -> str:
    """Return the language that the request asks for, or else the member's own."""
    if "Accept-Language" in request.headers:
        return request.accept_languages.best_match(LOCALES) or DEFAULT_LOCALE
    caller = current_principal()
    return members.get_member(caller.id, caller.live).locale


@blueprint.route("/v1/me/wallet")
@member_only
@blueprint.arguments(schemas.WalletQuery, location="query")
@blueprint.response(200, schemas.WalletSchema, example=schemas.WALLET_EXAMPLE)
def get_wallet(query: dict[str, Any]) -> Response:
    """Return the shopper's points as they are by the clock, or as they were or will be at another moment.

    The future is what becomes of today's points if nothing else happens. Of a past moment, `expiring` and `maturing`
    are empty.
    """
    return private_json(asdict(service.read_wallet(current_principal().id, query["at"])))


@blueprint.route("/v1/me/wallet/entries")
@member_only
@blueprint.problems(InvalidCursor)
@blueprint.arguments(schemas.HistoryQuery, location="query")
@blueprint.response(200, schemas.EntryPageSchema, example={"data": [schemas.ENTRY_EXAMPLE], "next_cursor": None})
def list_entries(query: dict[str, Any]) -> Response:
    """Return the shopper's history, newest first, each line with why and the balances after it.

    A page looks through 10,000 movements at most: with filters it may have fewer lines than `limit`, and still a next.
    """
    member_id = current_principal().id
    return history_page(query, member_id, f"entries:{member_id}", _locale())


def history_page(query: dict[str, Any], member_id: UUID, bound_to: str, locale: str) -> Response:
    """Return the page of a history that ``query`` asks for; its cursor is bound to ``bound_to`` and the filters."""
    times = [query[name] and format_time(query[name]) for name in ("start", "end")]
    bound_to = f"{bound_to}:{sorted(query['kinds'])}:{query['bucket']}:{times}"
    before = int(paging.decode_cursor(query["cursor"], bound_to)[0]) if query["cursor"] else None
    page = service.read_history(
        member_id, before, query["limit"], kinds=query["kinds"], bucket=query["bucket"], start=query["start"],
        end=query["end"], locale=locale,
    )  # fmt: skip
    more = None if page.next_before is None else paging.encode_cursor([page.next_before], bound_to)
    return private_json({"data": page.lines, "next_cursor": more})


@blueprint.route("/v1/me/wallet/statement")
@member_only
@blueprint.arguments(schemas.StatementQuery, location="query")
@blueprint.response(200, schemas.StatementSchema, example=schemas.STATEMENT_EXAMPLE)
def get_statement(query: dict[str, Any]) -> Response:
    """Return a month of the wallet in the programme's time zone: opening, lines and closing.

    As CSV for `Accept: text/csv`. Of the running month it closes now.
    """
    member_id, month, zone, locale = current_principal().id, query["month"], programme.current().zone, _locale()
    found = service.read_statement(member_id, month, zone)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    chunks = service.statement_chunks(app, member_id, found, locale)
    opening, closing = asdict(found.opening), asdict(found.closing)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return _streamed(statements.csv_pieces(opening, chunks, closing, zone), "text/csv", month)
    head = {
        "month": f"{month:%Y-%m}", "time_zone": zone.key, "starts_at": found.starts_at, "ends_at": found.ends_at,
        "opening": schemas.balances(opening), "closing": schemas.balances(closing),
    }  # fmt: skip
    return _streamed(statements.json_pieces(head, chunks), "application/json", None)


def _streamed(pieces: Iterable[bytes], mimetype: str, file_month: date | None) -> Response:
    response = Response(pieces, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    if file_month is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="points-{file_month:%Y-%m}.csv"'
    return response
