"""The one SELECT of a reconciliation."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, String, and_, any_, literal, null, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, scoped_session

from app.activities.models import ActivityRegistry, ReturnRegistry

_Session = Session | scoped_session[Any]
ACTIVITIES, RETURNS = "activities", "returns"


def read_stored_digests(
    session: _Session, merchant_id: UUID, live: bool, activity_ids: Sequence[str], return_ids: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is stored of the merchant's activities and returns, by kind and id.

    Of an activity, ``revision`` and ``digest`` of the newest revision; of a return its ``digest``.
    """

    def named(registry: type[ActivityRegistry] | type[ReturnRegistry], ids: Sequence[str]) -> ColumnElement[bool]:
        return and_(
            registry.merchant_id == merchant_id,
            registry.live == live,
            registry.external_id == any_(literal(list(ids), ARRAY(String))),
        )

    known, returned = ActivityRegistry, ReturnRegistry
    rows = session.execute(
        union_all(
            select(literal(ACTIVITIES), known.external_id, known.digest, known.revision).where(
                named(known, activity_ids)
            ),
            select(literal(RETURNS), returned.external_id, returned.digest, null().cast(Integer)).where(
                named(returned, return_ids)
            ),
        )
    )
    return {
        (kind, external_id): {"digest": digest.hex()} | ({} if revision is None else {"revision": revision})
        for kind, external_id, digest, revision in rows
    }
