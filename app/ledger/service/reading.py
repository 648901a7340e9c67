"""Read the ledger: the wallet by the clock, and its history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.database import db
from app.ledger import queries
from app.ledger.errors import AccountNotFound
from app.ledger.lots import due_movements


@dataclass(frozen=True, slots=True)
class Wallet:
    """A member's points at ``as_of``: time has taken effect, whether or not a job has booked it."""

    available: int
    pending: int
    held: int
    debt: int
    lifetime: dict[str, int]
    expiring: list[dict[str, Any]]
    maturing: list[dict[str, Any]]
    as_of: datetime
    version: int


def read_wallet(member_id: UUID) -> Wallet:
    """Return the member's points as they are by the clock; raise AccountNotFound."""
    moment = now()
    session = db.session
    account = queries.find_account(session, member_id)
    if account is None:
        raise AccountNotFound
    buckets = {name: getattr(account, name) for name in ("available", "pending", "held", "debt", "expired")}
    if account.next_due_at is not None and account.next_due_at <= moment:
        holds = queries.list_due_holds(session, member_id, moment)
        lots = {lot.lot_id: lot for lot in queries.list_due_lots(session, member_id, account.extended_until, moment)}
        missing = {lot_id for hold in holds for lot_id, _ in hold.parts} - lots.keys()
        lots |= {lot.lot_id: lot for lot in queries.list_lots(session, member_id, missing, account.extended_until)}
        movements, given_back = due_movements(lots.values(), holds, account.debt, moment)
        for movement in movements:
            buckets[movement.source] -= movement.amount
            buckets[movement.target] += -movement.amount if movement.target == "debt" else movement.amount
        if given_back and account.written_off:
            repaid = queries.list_repaid_lots(session, member_id, account.extended_until, given_back, lots)
            everything = {lot.lot_id: lot for lot in repaid} | lots
            # as ``give_back`` does: what nobody repaid makes good what was written off
            buckets["available"] -= max(0, given_back - sum(lot.returnable for lot in everything.values()))
    expiring = queries.list_expiring(session, member_id, account.extended_until, moment)
    return Wallet(
        available=buckets["available"],
        pending=buckets["pending"],
        held=buckets["held"],
        debt=buckets["debt"],
        lifetime={
            "issued": account.issued,
            "spent": account.spent,
            "expired": buckets["expired"],
            "reversed": account.reversed,
        },
        expiring=[{"points": int(points), "expires_at": at} for points, at in expiring],
        maturing=[
            {"points": int(points), "available_at": at}
            for points, at in queries.list_maturing(session, member_id, moment)
        ],
        as_of=moment,
        version=account.version,
    )


def list_entries(member_id: UUID, before_seq: int | None, limit: int) -> list[dict[str, Any]]:
    """Return one page of a member's history, newest first, each line with what caused it and the balances after."""
    return [
        {
            "seq": entry.seq,
            "kind": posting.kind,
            "points": entry.amount,
            "from": entry.source,
            "to": entry.target,
            "reason": lot.rule if lot is not None else posting.reason,
            "activity_id": posting.activity_id,
            "effective_at": entry.effective_at,
            "recorded_at": entry.recorded_at,
            "balances": {
                "pending": entry.pending,
                "available": entry.available,
                "held": entry.held,
                "debt": entry.debt,
            },
        }
        for entry, posting, lot in queries.list_entries(db.session, member_id, before_seq, limit)
    ]
