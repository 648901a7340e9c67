"""The route by which a merchant compares its own list with what is stored."""

from typing import Any, cast

from flask import Response

from app.activities import reconciliation_schemas as schemas
from app.activities import reconciling
from app.core.api import Blueprint, private_json
from app.core.auth import current_principal, merchant_only
from app.merchants.service import MerchantPrincipal

blueprint = Blueprint("reconciliations", __name__, description="What of a merchant's list is missing or different")


@blueprint.route("/v1/reconciliations", methods=["POST"])
@merchant_only("activities")
@blueprint.arguments(schemas.ReconciliationSchema, example=schemas.RECONCILIATION_EXAMPLE)
@blueprint.response(200, schemas.ReconciledSchema, example=schemas.RECONCILED_EXAMPLE)
def reconcile(asked: dict[str, Any]) -> Response:
    """Say what of the merchant's own list is missing or stored otherwise; nothing is written."""
    return private_json(reconciling.reconcile(cast(MerchantPrincipal, current_principal()), asked))
