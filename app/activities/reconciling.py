"""Compare a merchant's own list with what is stored, so that a plugin that was offline knows what to send again."""

from collections.abc import Mapping
from typing import Any

from app.activities.reconciliation_queries import ACTIVITIES, RETURNS, read_stored_digests
from app.core.database import db
from app.merchants.service import MerchantPrincipal


def reconcile(merchant: MerchantPrincipal, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return which activities and returns of the merchant are missing, and which are stored otherwise than it says.

    Each in the order asked. What is left out of an item, or null, is not compared. Writes nothing; one SELECT.
    """
    activity_ids, return_ids = ([item["id"] for item in asked[kind]] for kind in (ACTIVITIES, RETURNS))
    stored = read_stored_digests(db.session, merchant.id, merchant.live, activity_ids, return_ids)
    found: dict[str, Any] = {}
    for kind in (ACTIVITIES, RETURNS):
        missing, different = [], []
        for item in asked[kind]:
            known = stored.get((kind, item["id"]))
            if known is None:
                missing.append(item["id"])
            elif any(item[name] not in (None, value) for name, value in known.items()):
                different.append({"id": item["id"]} | known)
        found[kind] = {"missing": missing, "different": different}
    return found
