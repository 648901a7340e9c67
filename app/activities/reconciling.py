"""Compare a merchant's own list with what is stored, so that a plugin that was offline knows what to send again."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.activities.reconciliation_queries import Stored, read_stored_digests
from app.core.database import db
from app.merchants.service import MerchantPrincipal


def reconcile(merchant: MerchantPrincipal, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return which of the merchant's activities are missing and which are stored otherwise, each in the order asked.

    Writes nothing, and reads with one SELECT.
    """
    activities = asked["activities"]
    stored = read_stored_digests(db.session, merchant.id, merchant.live, [item["id"] for item in activities])
    return {"activities": _compared(activities, stored)}


def _compared(items: Sequence[Mapping[str, Any]], stored: Mapping[str, Stored]) -> dict[str, Any]:
    missing, different = [], []
    for item in items:
        known = stored.get(item["id"])
        if known is None:
            missing.append(item["id"])
        elif any(item[name] not in (None, getattr(known, name)) for name in ("revision", "digest")):
            different.append({"id": item["id"], "revision": known.revision, "digest": known.digest})
    return {"missing": missing, "different": different}
