"""Use cases of activities: report, read, preview."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.activities import claims, completing, queries, rounds
from app.activities.errors import ActivityNotFound
from app.activities.evaluating import Source, example_facts
from app.activities.intake import report_many
from app.activities.outcome import Accepted, render
from app.activities.previewing import preview, read_cart
from app.activities.queries import Found
from app.activities.rounds import Result
from app.activities.schemas import CartSchema
from app.activities.sharing import report_one
from app.campaigns import service as campaigns
from app.core.clock import format_time
from app.core.database import db, driver_connection
from app.core.schemas import EXTERNAL_ID
from app.merchants.service import MerchantPrincipal

__all__ = ["Accepted", "CartSchema", "Result", "Source", "answer", "claim_activity", "complete_activity",
           "example_facts", "get_activity", "get_own_activity", "list_own_activities", "preview", "read_cart",
           "report_many", "report_one"]  # fmt: skip


def answer(accepted: Accepted, words: campaigns.Words) -> dict[str, Any]:
    """Return the contract's answer to a stored activity, with the sentences of ``words``."""
    shown: dict[str, Any] = {
        "id": str(accepted.activity_id),
        "external_id": accepted.external_id,
        "revision": accepted.revision,
        "status": _status(accepted),
        "member_id": None if accepted.member_id is None else str(accepted.member_id),
        "occurred_at": format_time(accepted.occurred_at),
    }
    if accepted.claim_code is not None:
        shown["claim_code"] = accepted.claim_code
        shown["claim_qr"] = claims.qr_payload(accepted.claim_code)
    shown |= accepted.since
    return shown | render(accepted.outcome, words)


def _status(accepted: Accepted) -> str:
    if accepted.claim_code is not None:
        return "waiting_for_claim"
    return "duplicate" if None in accepted.outcome.get("duplicates", ()) else "accepted"


def get_activity(merchant: MerchantPrincipal, any_id: str) -> Accepted:
    """Return a merchant's activity by its own id or ours; raise ActivityNotFound for another's too."""
    is_id = re.match(EXTERNAL_ID, any_id)
    registered = queries.find_registered(db.session, merchant.id, merchant.live, any_id) if is_id else None
    if registered is None:
        raise ActivityNotFound
    known = Found(registered.activity_id, registered.member_id, registered.revision, registered.digest, None, None)
    [accepted] = _as_they_stand(rounds.first_answers([known]))
    return accepted


def _as_they_stand(accepted: Sequence[Accepted]) -> list[Accepted]:
    """Return the answers with what has become of each activity since."""
    since = queries.list_since(db.session, [(each.member_id, each.activity_id) for each in accepted if each.member_id])
    return [replace(each, since=since.get(each.activity_id, {})) for each in accepted]


def list_own_activities(member_id: UUID, before: UUID | None, limit: int) -> list[Accepted]:
    """Return one page of a member's activities, newest report first."""
    return _as_they_stand(
        [
            Accepted(row.activity_id, external_id, row.revision, member_id, row.occurred_at, row.outcome)
            for row, external_id in queries.list_activities(db.session, member_id, before, limit)
        ]
    )


def get_own_activity(member_id: UUID, activity_id: UUID) -> Accepted:
    """Return a member's own activity; raise ActivityNotFound for another's too."""
    with driver_connection() as connection:
        stored = queries.read_stored(connection, [(member_id, activity_id)])
    if activity_id not in stored:
        raise ActivityNotFound
    return _as_they_stand([stored[activity_id]])[0]


def complete_activity(merchant: MerchantPrincipal, any_id: str, completed_at: datetime | None) -> Accepted:
    """Complete a merchant's activity and return it as it stands; see ``completing``."""
    completing.complete(merchant, any_id, completed_at)
    return get_activity(merchant, any_id)


def claim_activity(member_id: UUID, live: bool, code: str) -> Accepted:
    """Book what waits under a claim code for the member and return it as it stands; see ``claims``."""
    return _as_they_stand([claims.claim_activity(member_id, live, code)])[0]
