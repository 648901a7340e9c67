"""Use cases of the ledger; nobody else writes its tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import insert, text
from sqlalchemy.orm import Session, scoped_session

from app.core.clock import format_time, now
from app.core.database import db
from app.core.guarded_write import GuardedWrite
from app.core.outbox import OutboxRow, partition_of
from app.core.unit_of_work import unit_of_work
from app.ledger import queries
from app.ledger.awarding import (
    AccountState,
    Award,
    AwardedActivity,
    MemberPlan,
    guarded_write,
    plan_activity,
    plan_for,
)
from app.ledger.errors import AccountNotFound
from app.ledger.lots import (
    ExpiryTerms,
    Movement,
    PendingTerms,
    available_time,
    due_movements,
    expiry_time,
)
from app.ledger.models import Account, Entry, LotAllocation, Posting
from app.ledger.verification import Verification, verify

__all__ = [
    "AccountState",
    "Award",
    "AwardedActivity",
    "ExpiryTerms",
    "MemberPlan",
    "PendingTerms",
    "Verification",
    "Wallet",
    "available_time",
    "expiry_time",
    "list_entries",
    "open_accounts",
    "plan_activity",
    "plan_for",
    "read_wallet",
    "settle_due",
    "start_write",
    "verify",
]
_Session = Session | scoped_session[Any]


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


def open_accounts(session: _Session, member_ids: Sequence[UUID]) -> None:
    """Open an empty account for each member, in the transaction that enrols them."""
    if member_ids:
        session.execute(insert(Account), [{"member_id": member_id} for member_id in member_ids])


def start_write(plans: Sequence[MemberPlan], moment: datetime) -> GuardedWrite:
    """Return the statement that books ``plans`` at ``moment``; other rooms add their rows to it and execute it.

    A member whose account was changed meanwhile, owes points or has something due is not granted: lock, settle and
    plan again.
    """
    return guarded_write(plans, moment)


def settle_due(member_id: UUID, moment: datetime) -> AccountState:
    """Lock the account, book what time has done to its lots up to ``moment``, and return it.

    Joins the caller's unit of work; the account stays locked until that ends. Raises AccountNotFound.
    """
    with unit_of_work() as session:
        account = queries.lock_account(session, member_id)
        if account is None:
            raise AccountNotFound
        if account.next_due_at is not None and account.next_due_at <= moment:
            movements = due_movements(queries.list_due_lots(session, member_id, moment), moment)
            _book(session, account, movements, moment)
            session.flush()
            account.next_due_at = queries.next_due_time(session, member_id)
            session.flush()
        return AccountState(
            member_id, account.version, account.last_seq, account.pending, account.available, account.held,
            account.debt, account.next_due_at,
        )  # fmt: skip


def _book(session: _Session, account: Account, movements: Sequence[Movement], moment: datetime) -> None:
    """Book ``movements`` of a locked account: a posting and an entry each, the lots they took, and one fact."""
    for movement in movements:
        account.last_seq += 1
        kind = "mature" if movement.target == "available" else "expire"
        key = f"{kind}:{format_time(movement.at)}:{account.last_seq}"
        setattr(account, movement.source, getattr(account, movement.source) - movement.amount)
        setattr(account, movement.target, getattr(account, movement.target) + movement.amount)
        session.add(
            Posting(
                member_id=account.member_id, idempotency_key=key, kind=kind, fingerprint=b"",
                first_seq=account.last_seq, entry_count=1, recorded_at=moment, actor="clock",
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Entry(
                member_id=account.member_id, seq=account.last_seq, amount=movement.amount, pending=account.pending,
                available=account.available, held=account.held, debt=account.debt, effective_at=movement.at,
                recorded_at=moment, source=movement.source, target=movement.target, posting_key=key,
            )
        )  # fmt: skip
        session.flush()
        session.execute(
            insert(LotAllocation),
            [
                {"member_id": account.member_id, "seq": account.last_seq, "lot_id": lot_id, "amount": points}
                for lot_id, points in movement.parts
            ],
        )
        session.execute(
            text(_MATURE if kind == "mature" else _EXPIRE),
            {"member_id": account.member_id, "lots": [lot_id for lot_id, _ in movement.parts]},
        )
    if movements:
        account.version += 1
        payload = {"movements": [{"target": m.target, "points": m.amount, "at": format_time(m.at)} for m in movements]}
        session.add(
            OutboxRow(
                member_id=account.member_id, version=account.version, partition=partition_of(account.member_id),
                kind="settled", payload=payload, recorded_at=moment,
            )
        )  # fmt: skip


_MATURE = "UPDATE lot SET is_matured = true WHERE member_id = :member_id AND lot_id = ANY(CAST(:lots AS bigint[]))"
_EXPIRE = (
    "UPDATE lot SET expired = expired + remaining, remaining = 0, is_open = (held > 0)"
    " WHERE member_id = :member_id AND lot_id = ANY(CAST(:lots AS bigint[]))"
)


def read_wallet(member_id: UUID) -> Wallet:
    """Return the member's points as they are by the clock; raise AccountNotFound."""
    moment = now()
    session = db.session
    account = queries.find_account(session, member_id)
    if account is None:
        raise AccountNotFound
    buckets = {name: getattr(account, name) for name in ("available", "pending", "expired")}
    if account.next_due_at is not None and account.next_due_at <= moment:
        for movement in due_movements(queries.list_due_lots(session, member_id, moment), moment):
            buckets[movement.source] -= movement.amount
            buckets[movement.target] += movement.amount
    return Wallet(
        available=buckets["available"],
        pending=buckets["pending"],
        held=account.held,
        debt=account.debt,
        lifetime={
            "issued": account.issued, "spent": account.spent, "expired": buckets["expired"],
            "reversed": account.reversed,
        },
        expiring=[{"points": int(p), "expires_at": t} for p, t in queries.list_expiring(session, member_id, moment)],
        maturing=[{"points": int(p), "available_at": t} for p, t in queries.list_maturing(session, member_id, moment)],
        as_of=moment,
        version=account.version,
    )  # fmt: skip


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
                "pending": entry.pending, "available": entry.available, "held": entry.held, "debt": entry.debt,
            },
        }
        for entry, posting, lot in queries.list_entries(db.session, member_id, before_seq, limit)
    ]  # fmt: skip


def write_payload(payload: dict[str, Any]) -> str:
    """Return a fact's payload as JSON text for the guarded write."""
    return orjson.dumps(payload).decode()


def is_duplicate(error: psycopg.Error) -> bool:
    """Return whether a guarded write met a row that stands there already."""
    return isinstance(error, psycopg.errors.UniqueViolation)
