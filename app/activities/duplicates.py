"""What was named twice, for staff: the activity that keeps a receipt or serial number, and the one that came later."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import aliased

from app.activities.models import ActivityRegistry, DuplicateClaim
from app.core.database import db
from app.merchants import service as merchants

_First, _Second = aliased(ActivityRegistry), aliased(ActivityRegistry)


def list_duplicates(before: tuple[datetime, UUID, str, str] | None, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` duplicates, newest first, with both activities.

    They come after ``before``: the moment, activity, proof and value of the last one seen.
    """
    query = (
        select(DuplicateClaim, _First, _Second)
        .join(_First, _First.activity_id == DuplicateClaim.first_activity_id)
        .join(_Second, _Second.activity_id == DuplicateClaim.activity_id)
    )
    place = DuplicateClaim.recorded_at, DuplicateClaim.activity_id, DuplicateClaim.proof, DuplicateClaim.value
    if before is not None:
        query = query.where(tuple_(*place) < before)
    rows = db.session.execute(query.order_by(*(column.desc() for column in place)).limit(limit)).all()
    ids = {registered.merchant_id for _, *both in rows for registered in both}
    keys = {merchant.merchant_id: merchant.key for merchant in merchants.list_merchants(ids=ids)}
    return [
        {
            "kind": named.kind, "proof": named.proof, "value": named.value, "live": named.live,
            "recorded_at": named.recorded_at, "first": _shown(first, keys), "second": _shown(second, keys),
        }
        for named, first, second in rows
    ]  # fmt: skip


def _shown(registered: ActivityRegistry, keys: dict[UUID, str]) -> dict[str, Any]:
    return {
        "activity": str(registered.activity_id), "external_id": registered.external_id,
        "merchant": keys[registered.merchant_id],
        "member_id": None if registered.member_id is None else str(registered.member_id),
    }  # fmt: skip
