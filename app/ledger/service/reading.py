"""Read the ledger: the wallet by the clock, at any moment; what campaigns have paid."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.database import db
from app.ledger import history_queries, queries
from app.ledger.errors import AccountNotFound
from app.ledger.lots import due_movements
from app.ledger.models import Account

LIFETIMES = ("issued", "spent", "expired", "reversed")


@dataclass(frozen=True, slots=True)
class Wallet:
    """A member's points at ``as_of``: time has taken effect, whether or not a job has booked it.

    ``version`` is the account's as it was read. Of a past moment ``expiring`` and ``maturing`` are empty: what was to
    come then has come, and the history tells it.
    """

    available: int
    pending: int
    held: int
    debt: int
    lifetime: dict[str, int]
    expiring: list[dict[str, Any]]
    maturing: list[dict[str, Any]]
    as_of: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member can spend, and owes."""

    available: int
    debt: int


def read_wallet(member_id: UUID, at: datetime | None = None) -> Wallet:
    """Return the member's points by the clock, or as they were or will be ``at`` another moment.

    The future is what becomes of today's lots and holds if nobody does anything. Account and lots are read one after
    the other: where the account has moved on meanwhile, all is read again. Raises AccountNotFound.
    """
    while True:
        wallet = _read(member_id, at)
        if queries.get_version(db.session, member_id) == wallet.version:
            return wallet


def read_balance(member_id: UUID) -> Balance:
    """Return what the member can spend and owes by the clock, in one read where nothing is due; for a list of prices.

    Raises AccountNotFound.
    """
    row = queries.find_balance(member_id)
    if row is None:
        raise AccountNotFound
    available, debt, next_due_at = row
    if next_due_at is None or next_due_at > now():
        return Balance(available, debt)
    wallet = read_wallet(member_id)
    return Balance(wallet.available, wallet.debt)


def _read(member_id: UUID, at: datetime | None) -> Wallet:
    session = db.session
    moment = at or now()
    account = queries.find_account(session, member_id)
    if account is None:
        raise AccountNotFound
    if account.last_entry_at is not None and moment < account.last_entry_at:
        if at is not None:
            return _read_past(account, moment)
        moment = account.last_entry_at  # an entry of this moment by a faster clock: what is booked is booked
    return _read_from_now_on(account, moment, at or moment)


def _read_from_now_on(account: Account, moment: datetime, as_of: datetime) -> Wallet:
    """Return the wallet at a moment after which nothing is booked: the account, and what time does to its lots."""
    session, member_id, until = db.session, account.member_id, account.extended_until
    buckets = {name: getattr(account, name) for name in ("available", "pending", "held", "debt", "expired")}
    if account.next_due_at is not None and account.next_due_at <= moment:
        holds = queries.list_due_holds(session, member_id, moment)
        lots = {lot.lot_id: lot for lot in queries.list_due_lots(session, member_id, until, moment)}
        missing = {lot_id for hold in holds for lot_id, _ in hold.parts} - lots.keys()
        lots |= {lot.lot_id: lot for lot in queries.list_lots(session, member_id, missing, until)}
        movements, given_back = due_movements(lots.values(), holds, account.debt, moment)
        for movement in movements:
            buckets[movement.source] -= movement.amount
            buckets[movement.target] += -movement.amount if movement.target == "debt" else movement.amount
        if given_back and account.written_off:
            repaid = queries.list_repaid_lots(session, member_id, until, given_back, lots)
            everything = {lot.lot_id: lot for lot in repaid} | lots
            # as ``give_back`` does: what nobody repaid makes good what was written off
            buckets["available"] -= max(0, given_back - sum(lot.returnable for lot in everything.values()))
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
        expiring=[
            {"points": int(points), "expires_at": ends_at}
            for points, ends_at in queries.list_expiring(session, member_id, until, moment)
        ],
        maturing=[
            {"points": int(points), "available_at": starts_at}
            for points, starts_at in queries.list_maturing(session, member_id, moment)
        ],
        as_of=as_of,
        version=account.version,
    )


def _read_past(account: Account, moment: datetime) -> Wallet:
    """Return the wallet at a moment before the last entry: the balances after the last entry by then.

    Whoever writes an entry first books what was due, and no entry takes effect before the one before it: so the
    entries by then are all that had happened. The lifetime sums go on from the last monthly snapshot.
    """
    session, member_id = db.session, account.member_id
    snapshot = history_queries.find_snapshot(session, member_id, moment)
    after = snapshot.last_seq if snapshot is not None else 0
    seq = history_queries.last_seq_by(session, member_id, moment, after)
    moved = history_queries.sum_lifetimes(session, member_id, after, seq)
    entry = history_queries.get_entry(session, member_id, seq) if seq else None
    return Wallet(
        available=entry.available if entry else 0,
        pending=entry.pending if entry else 0,
        held=entry.held if entry else 0,
        debt=entry.debt if entry else 0,
        lifetime={name: (getattr(snapshot, name) if snapshot else 0) + moved[name] for name in LIFETIMES},
        expiring=[],
        maturing=[],
        as_of=moment,
        version=account.version,
    )


def sum_paid(campaign_version_ids: Collection[UUID]) -> int:
    """Return the points that live members were paid by these campaign versions, less what was taken back."""
    return queries.sum_paid(db.session, campaign_version_ids)
