"""What staff see of a member's points, and how the last proof of the ledger ended."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import staff_queries
from app.ledger.errors import VerificationNotFound
from app.ledger.models import LOT_PARTS, LedgerVerification
from app.ledger.verification import Difference, Verification, verify

LINES_MAX = 100


def list_lots(member_id: UUID, before_lot: int | None, limit: int) -> list[dict[str, Any]]:
    """Return one page of the member's lots as they are booked, newest first."""
    return [
        {"id": lot.lot_id, "amount": lot.amount}
        | {part: getattr(lot, part) for part in LOT_PARTS}
        | {
            "clawed_back": lot.clawed_back,
            "is_open": lot.is_open,
            "is_matured": lot.is_matured,
            "available_at": lot.available_at,
            "expires_at": lot.expires_at,
            "void_at": lot.void_at,
            "rule": lot.rule,
            "campaign_version_id": lot.campaign_version_id,
            "funder": lot.funder,
            "activity_id": activity_id,
        }
        for lot, activity_id in staff_queries.list_lots(db.session, member_id, before_lot, limit)
    ]


def verify_and_keep(found: Verification) -> Iterator[Difference]:
    """Yield each difference as ``verify`` does, and once it is through store the result for staff to read."""
    started_at = now()
    lines: list[str] = []
    for difference in verify(found):
        if len(lines) < LINES_MAX:
            lines.append(str(difference))
        yield difference
    counted = {name: asdict(found)[name] for name in ("members", "entries", "lots", "points_issued", "differences")}
    with unit_of_work() as session:
        session.add(
            LedgerVerification(
                verification_id=new_id(), started_at=started_at, finished_at=now(), lines=lines, **counted
            )
        )


def last_verification() -> dict[str, Any]:
    """Return what the last ``ledger verify`` checked and found; raise VerificationNotFound."""
    last = staff_queries.find_last_verification(db.session)
    if last is None:
        raise VerificationNotFound
    return {
        "started_at": last.started_at,
        "finished_at": last.finished_at,
        "checked": {
            "members": last.members, "entries": last.entries, "lots": last.lots, "points_issued": last.points_issued,
        },
        "differences": last.differences,
        "lines": last.lines,
    }  # fmt: skip
