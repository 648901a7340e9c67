"""Routes of settlement: statements for merchants and for finance, who closes months."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from flask import Response, request

from app.core import schemas as core_schemas
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, merchant_only, staff_only
from app.core.clock import now
from app.core.errors import ValidationProblem
from app.core.rate_limits import limited, token_holder
from app.core.unit_of_work import transactional
from app.merchants.errors import MerchantNotFound
from app.settlement import schemas, service, sheets
from app.settlement.errors import MonthClosed, MonthRunning

blueprint = Blueprint("settlement", __name__, description="Statements between merchants and the programme")
_month_path = schemas.MonthPath()


def _month(text: str) -> date:
    month: date = core_schemas.load(_month_path, {"month": text})["month"]
    return month


def _answer(statement: Mapping[str, Any], name: str, as_csv: Callable[[Mapping[str, Any]], str]) -> Response:
    """Return the statement as JSON, or as a CSV file for a caller who would rather have that."""
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        response = Response(as_csv(statement), mimetype="text/csv")
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}-{statement["month"]}.csv"'
    else:
        response = private_json(statement)
    response.headers["Vary"] = "Accept"
    return response


@blueprint.route("/v1/statements/<string:month>")
@limited("30 per minute")  # the statement of a month that is not closed reads all that moved in it
@merchant_only("statements")
@blueprint.problems(ValidationProblem)
@blueprint.response(200, schemas.MerchantStatementSchema, example=schemas.STATEMENT_EXAMPLE)
def get_statement(month: str) -> Response:
    """Return what the merchant gets and pays for the points of a month, such as `2026-11`; CSV for `Accept: text/csv`.

    Of the running month it tells what there is by now. Test mode is not settled: its statements are empty.
    """
    merchant = current_principal()
    found = service.merchant_statement(merchant.id, merchant.live, _month(month), now())
    return _answer(found, "statement", sheets.statement_csv)


@blueprint.route("/v1/admin/statements/<string:month>")
@limited("30 per minute", by=token_holder)
@staff_only("finance")
@blueprint.problems(MerchantNotFound, ValidationProblem)
@blueprint.arguments(schemas.StatementQuery, location="query")
@blueprint.response(200, schemas.StatementsSchema, example=schemas.OVERVIEW_EXAMPLE)
def get_statements(query: dict[str, Any], month: str) -> Response:
    """Return what everybody gets and pays for the points of a month, or, with `merchant`, that one's statement.

    As CSV for `Accept: text/csv`.
    """
    if query["merchant"] is None:
        return _answer(service.overview(_month(month), now()), "statements", sheets.overview_csv)
    merchant = service.find_merchant(query["merchant"])
    found = service.merchant_statement(merchant.merchant_id, True, _month(month), now())
    return _answer(found, f"statement-{merchant.key}", sheets.statement_csv)


@blueprint.route("/v1/admin/statements/<string:month>/close", methods=["POST"])
@staff_only("finance")
@blueprint.problems(MonthRunning, MonthClosed, ValidationProblem)
@blueprint.response(200, schemas.OverviewSchema, example=schemas.OVERVIEW_EXAMPLE)
@transactional
def close_month(month: str) -> Response:
    """Close a month that is over: its statements stay as they are; what is recorded later belongs to a later one."""
    return private_json(service.close_month(_month(month), current_principal().id, now()))
