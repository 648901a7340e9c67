"""The one SELECT of a reconciliation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import String, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, scoped_session

from app.activities.models import ActivityRegistry

_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored under a merchant's own id: the newest revision and its digest."""

    revision: int
    digest: str


def read_stored_digests(
    session: _Session, merchant_id: UUID, live: bool, activity_ids: Sequence[str]
) -> dict[str, Stored]:
    """Return what is stored of each of the merchant's activities that there is."""
    known = ActivityRegistry
    rows = session.execute(
        select(known.external_id, known.revision, known.digest).where(
            known.merchant_id == merchant_id,
            known.live == live,
            known.external_id == any_(literal(list(activity_ids), ARRAY(String))),
        )
    )
    return {external_id: Stored(revision, digest.hex()) for external_id, revision, digest in rows}
