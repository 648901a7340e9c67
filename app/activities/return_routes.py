"""Routes of returns: merchants report what came back, one by one or in batches."""

from typing import Any, cast

from flask import Response

from app.activities import return_schemas, returns
from app.activities.errors import (
    ActivityNotFound,
    ReturnBeforePurchase,
    ReturnExceedsPurchase,
    ReturnIdReused,
    ReturnNotFound,
    ReturnOfReturn,
)
from app.core.api import BATCH_BYTES_MAX, Blueprint, private_json, read_json
from app.core.auth import current_principal, merchant_only
from app.core.errors import ProblemError
from app.merchants.service import MerchantPrincipal

blueprint = Blueprint("returns", __name__, description="What came back, and what that took back")


def _merchant() -> MerchantPrincipal:
    return cast(MerchantPrincipal, current_principal())


@blueprint.route("/v1/returns", methods=["POST"])
@merchant_only("returns")
@blueprint.problems(ActivityNotFound, ReturnIdReused, ReturnExceedsPurchase, ReturnOfReturn, ReturnBeforePurchase)
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": return_schemas.ReturnSchema, "example": return_schemas.RETURN}
        },
    }
)  # fmt: skip
@blueprint.response(201, return_schemas.ReturnAnswerSchema, example=return_schemas.RETURN_ANSWER)
@blueprint.alt_response(
    200,
    schema=return_schemas.ReturnAnswerSchema,
    example=return_schemas.RETURN_ANSWER,
    description="The same id and content again: the first answer, with `Idempotent-Replayed: true`.",
)
def return_goods() -> Response:
    """Report goods that came back; the points and impact that they were worth are taken back."""
    booked = returns.return_one(_merchant(), read_json())
    headers = {"Idempotent-Replayed": "true"} if booked.is_replay else None
    return private_json(booked.shown, 200 if booked.is_replay else 201, headers)


@blueprint.route("/v1/returns/batch", methods=["POST"])
@merchant_only("returns")
@blueprint.arguments(
    return_schemas.ReturnBatchSchema,
    bytes_max=BATCH_BYTES_MAX,
    standalone="returns",
    example={"returns": [return_schemas.RETURN]},
)
@blueprint.response(200, return_schemas.ReturnBatchAnswerSchema, example=return_schemas.RETURN_BATCH_ANSWER)
def return_many(batch: dict[str, Any]) -> Response:
    """Report up to 500 returns; each stands alone, and its result stands at its place."""
    results: list[dict[str, Any]] = []
    for index, result in enumerate(returns.return_many(_merchant(), batch["returns"])):
        entry: dict[str, Any] = {"index": index, "status": 201, "replayed": False, "return": None, "problem": None}
        if isinstance(result, ProblemError):
            entry |= {"status": result.status, "problem": result.to_problem()}
        else:
            entry["return"] = result.shown
            if result.is_replay:
                entry |= {"status": 200, "replayed": True}
        results.append(entry)
    return private_json({"results": results})


@blueprint.route("/v1/returns/<string:any_id>")
@merchant_only("returns")
@blueprint.problems(ReturnNotFound)
@blueprint.response(200, return_schemas.ReturnAnswerSchema, example=return_schemas.RETURN_ANSWER)
def get_return(any_id: str) -> Response:
    """Return a return by the merchant's own id or by ours."""
    return private_json(returns.get_return(_merchant(), any_id).shown)
