"""The SELECTs of the ledger, locking reads included."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, text
from sqlalchemy.orm import Session, scoped_session

from app.core.database import driver_connection
from app.ledger.lots import HoldState, LotState
from app.ledger.models import Account, Entry, Hold, Lot, LotAllocation, Posting

_Session = Session | scoped_session[Any]
UPCOMING_MAX = 12
LOTS_CHUNK = 100


def find_account(session: _Session, member_id: UUID) -> Account | None:
    """Return the member's account as it is booked, or None."""
    return session.get(Account, member_id, populate_existing=True)


def find_balance(member_id: UUID) -> tuple[int, int, datetime | None] | None:
    """Return what is booked as available and as debt, and when something is due, in one read of its own."""
    with driver_connection() as connection:
        return connection.execute(
            "SELECT available, debt, next_due_at FROM account WHERE member_id = %s", [member_id]
        ).fetchone()


def get_version(session: _Session, member_id: UUID) -> int:
    """Return the account's version."""
    return session.scalars(select(Account.version).where(Account.member_id == member_id)).one()


def lock_account(session: _Session, member_id: UUID) -> Account | None:
    """Lock and return the member's account; in a statement of its own, so that what is read after it is current."""
    query = select(Account).where(Account.member_id == member_id)
    return session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))


def lock_due_accounts(session: _Session, now: datetime, limit: int) -> Sequence[Account]:
    """Lock and return accounts with something due, by member id, passing over those that somebody else has locked."""
    return session.scalars(
        select(Account)
        .where(Account.next_due_at <= now)
        .order_by(Account.next_due_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()


def lock_free_accounts(session: _Session, member_ids: Collection[UUID]) -> Sequence[Account]:
    """Lock and return those of the accounts that nobody else has locked, in the order of their members."""
    return session.scalars(
        select(Account)
        .where(Account.member_id.in_(sorted(member_ids)))
        .order_by(Account.member_id)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()


def in_force(extended_until: datetime | None) -> ColumnElement[Any]:
    """Return a lot's expiry as it is in force: not before the account's extension; null is never."""
    if extended_until is None:
        return Lot.expires_at.expression
    return case((Lot.expires_at.is_not(None), func.greatest(Lot.expires_at, extended_until)))


def _states(session: _Session, query: Any) -> list[LotState]:
    return [LotState(*row) for row in session.execute(query)]


def _select_lots(extended_until: datetime | None) -> Any:
    return select(
        Lot.lot_id, Lot.amount, Lot.remaining, Lot.held, Lot.spent, Lot.expired, Lot.reversed, Lot.repaid,
        Lot.clawed_back, Lot.is_matured, Lot.available_at, in_force(extended_until), Lot.void_at,
    )  # fmt: skip


def list_due_lots(session: _Session, member_id: UUID, extended_until: datetime | None, now: datetime) -> list[LotState]:
    """Return the open lots of a member to which something has happened by ``now``."""
    waits = and_(~Lot.is_matured, or_(Lot.available_at <= now, and_(Lot.available_at.is_(None), Lot.void_at <= now)))
    return _states(
        session,
        _select_lots(extended_until).where(
            Lot.member_id == member_id, Lot.is_open, Lot.remaining > 0, or_(waits, in_force(extended_until) <= now)
        ),
    )


def list_waiting_lots(session: _Session, member_id: UUID, extended_until: datetime | None) -> list[LotState]:
    """Return the member's pending lots that become available at a time of their own, not with a completion."""
    return _states(
        session,
        _select_lots(extended_until)
        .where(Lot.member_id == member_id, Lot.is_open, ~Lot.is_matured, Lot.available_at.is_not(None))
        .order_by(Lot.lot_id),
    )


def list_due_holds(session: _Session, member_id: UUID, now: datetime) -> list[HoldState]:
    """Return the member's open holds that have ended by themselves by ``now``, with the lots they took."""
    return _holds(session, member_id, Hold.status == "open", Hold.expires_at <= now)


def _holds(session: _Session, member_id: UUID, *conditions: Any) -> list[HoldState]:
    rows = session.execute(
        select(Hold.hold_id, Hold.expires_at, LotAllocation.lot_id, LotAllocation.amount)
        .join(LotAllocation, and_(LotAllocation.member_id == Hold.member_id, LotAllocation.seq == Hold.seq))
        .where(Hold.member_id == member_id, *conditions)
        .order_by(Hold.expires_at, Hold.hold_id, LotAllocation.lot_id)
    )
    found: dict[UUID, tuple[datetime, list[tuple[int, int]]]] = {}
    for hold_id, expires_at, lot_id, amount in rows:
        found.setdefault(hold_id, (expires_at, []))[1].append((lot_id, amount))
    return [HoldState(hold_id, expires_at, tuple(parts)) for hold_id, (expires_at, parts) in found.items()]


def get_open_hold(session: _Session, member_id: UUID, hold_id: UUID) -> HoldState:
    """Return an open hold with the lots it took."""
    [found] = _holds(session, member_id, Hold.hold_id == hold_id)
    return found


def close_due_holds(session: _Session, member_id: UUID, now: datetime) -> None:
    """Mark the holds that have ended by themselves."""
    session.execute(
        text(
            "UPDATE hold SET status = 'expired', closed_at = expires_at"
            " WHERE member_id = :member_id AND status = 'open' AND expires_at <= :now"
        ),
        {"member_id": member_id, "now": now},
    )


def list_lots(
    session: _Session, member_id: UUID, lot_ids: Collection[int], extended_until: datetime | None
) -> list[LotState]:
    """Return the member's lots of these ids."""
    if not lot_ids:
        return []
    return _states(
        session, _select_lots(extended_until).where(Lot.member_id == member_id, Lot.lot_id.in_(sorted(lot_ids)))
    )


def list_spendable_lots(
    session: _Session, member_id: UUID, points: int, extended_until: datetime | None, entered: Mapping[int, LotState]
) -> list[LotState]:
    """Return lots with available points, first expiring first, until they make up ``points`` or there are no more.

    ``entered`` are lots that may stand otherwise than they are stored: they count as they are there.
    """
    query = (
        _select_lots(extended_until)
        .where(Lot.member_id == member_id, Lot.is_open, Lot.is_matured, Lot.remaining > 0)
        .order_by(in_force(extended_until), Lot.lot_id)
    )
    return _until(session, query, points, lambda lot: entered.get(lot.lot_id, lot).remaining)


def list_repaid_lots(
    session: _Session, member_id: UUID, extended_until: datetime | None, points: int, entered: Mapping[int, LotState]
) -> list[LotState]:
    """Return lots that have repaid debt of others, last to expire first, until ``points`` can come back to them."""
    query = (
        _select_lots(extended_until)
        .where(Lot.member_id == member_id, Lot.repaid > Lot.clawed_back)
        .order_by(in_force(extended_until).desc().nulls_first(), Lot.lot_id.desc())
    )
    return _until(session, query, points, lambda lot: entered.get(lot.lot_id, lot).returnable)


def _until(session: _Session, query: Any, points: int, worth: Callable[[LotState], int]) -> list[LotState]:
    """Return the lots of ``query``, chunk by chunk, until what they are worth makes up ``points``."""
    found: list[LotState] = []
    while points > 0:
        chunk = _states(session, query.limit(LOTS_CHUNK).offset(len(found)))
        found += chunk
        points -= sum(worth(lot) for lot in chunk)
        if len(chunk) < LOTS_CHUNK:
            break
    return found


def next_due_time(session: _Session, member_id: UUID, extended_until: datetime | None) -> datetime | None:
    """Return when the member's next lot matures, expires or is voided, or the next hold ends, or None."""
    waits_until = func.coalesce(Lot.available_at, Lot.void_at)
    of_lots: datetime | None = session.scalar(
        select(func.least(func.min(waits_until).filter(~Lot.is_matured), func.min(in_force(extended_until)))).where(
            Lot.member_id == member_id, Lot.is_open, Lot.remaining > 0
        )
    )
    of_holds: datetime | None = session.scalar(
        select(func.min(Hold.expires_at)).where(Hold.member_id == member_id, Hold.status == "open")
    )
    return min((moment for moment in (of_lots, of_holds) if moment is not None), default=None)


# Both go through the moments by an index, in their order, and stop after the twelfth: however many lots are open.
_EXPIRING = """
SELECT sum(remaining), greatest(expires_at, :extended_until) AS ends_at FROM lot
WHERE member_id = :member_id AND is_open AND remaining > 0 AND expires_at <= :extended_until
  AND :extended_until > :now GROUP BY 2
UNION ALL (
SELECT sum(remaining), expires_at FROM lot
WHERE member_id = :member_id AND is_open AND remaining > 0 AND expires_at > greatest(:extended_until, :now)
GROUP BY expires_at ORDER BY expires_at LIMIT :upcoming)
ORDER BY 2 LIMIT :upcoming
""".replace(":extended_until", "CAST(:extended_until AS timestamptz)").replace(":now", "CAST(:now AS timestamptz)")
_MATURING = """
SELECT sum(remaining), available_at FROM lot
WHERE member_id = :member_id AND is_open AND NOT is_matured AND remaining > 0 AND available_at > :now
GROUP BY available_at ORDER BY available_at LIMIT :upcoming
"""


def list_expiring(session: _Session, member_id: UUID, extended_until: datetime | None, now: datetime) -> list[Any]:
    """Return (points, moment) of the next 12 moments at which points expire."""
    given = {"member_id": member_id, "extended_until": extended_until, "now": now, "upcoming": UPCOMING_MAX}
    return list(session.execute(text(_EXPIRING), given))


def list_maturing(session: _Session, member_id: UUID, now: datetime) -> list[Any]:
    """Return (points, moment) of the next 12 moments at which pending points become available."""
    return list(session.execute(text(_MATURING), {"member_id": member_id, "now": now, "upcoming": UPCOMING_MAX}))


def find_posting(session: _Session, member_id: UUID, key: str) -> Posting | None:
    """Return the posting of that key, or None."""
    return session.get(Posting, (member_id, key))


def list_posting_entries(session: _Session, posting: Posting) -> Sequence[Entry]:
    """Return the entries of a posting, which follow each other."""
    return session.scalars(
        select(Entry)
        .where(
            Entry.member_id == posting.member_id,
            Entry.seq >= posting.first_seq,
            Entry.seq < posting.first_seq + posting.entry_count,
        )
        .order_by(Entry.seq)
    ).all()


def list_issued_lots(session: _Session, member_id: UUID, posting_keys: Sequence[str]) -> Sequence[Any]:
    """Return (lot_id, posting_key, campaign_version_id, rule) of the lots that these postings issued, oldest first."""
    return session.execute(
        select(Lot.lot_id, Entry.posting_key, Lot.campaign_version_id, Lot.rule)
        .select_from(Posting)
        .join(
            Entry,
            and_(
                Entry.member_id == Posting.member_id,
                Entry.seq >= Posting.first_seq,
                Entry.seq < Posting.first_seq + Posting.entry_count,
                Entry.source == literal("issued"),
            ),
        )
        .join(Lot, and_(Lot.member_id == Entry.member_id, Lot.lot_id == Entry.seq))
        .where(Posting.member_id == member_id, Posting.idempotency_key.in_(posting_keys))
        .order_by(Lot.lot_id)
    ).all()


def sum_allocations(session: _Session, member_id: UUID, seqs: Sequence[int]) -> dict[int, int]:
    """Return the points that these entries took, by lot."""
    rows = session.execute(
        select(LotAllocation.lot_id, func.sum(LotAllocation.amount))
        .where(LotAllocation.member_id == member_id, LotAllocation.seq.in_(seqs))
        .group_by(LotAllocation.lot_id)
    )
    return {lot_id: int(points) for lot_id, points in rows}


def list_refund_seqs(session: _Session, member_id: UUID, key: str) -> list[int]:
    """Return the entries by which postings gave back what the posting of ``key`` had spent."""
    return list(
        session.scalars(
            select(Entry.seq)
            .join(Posting, and_(Posting.member_id == Entry.member_id, Posting.idempotency_key == Entry.posting_key))
            .where(Posting.member_id == member_id, Posting.reverses == key, Entry.source == literal("spent"))
        )
    )


def funders_of(session: _Session, member_id: UUID, lot_ids: Collection[int]) -> dict[int, UUID | None]:
    """Return who funds each of these lots; None is the programme."""
    rows = session.execute(
        select(Lot.lot_id, Lot.funder).where(Lot.member_id == member_id, Lot.lot_id.in_(sorted(lot_ids)))
    )
    return {row.lot_id: row.funder for row in rows}


_PAID = """
SELECT coalesce(sum(lot.amount - lot.reversed - lot.clawed_back), 0) FROM lot JOIN member USING (member_id)
WHERE lot.campaign_version_id = ANY(:version_ids) AND member.live
"""


def sum_paid(session: _Session, version_ids: Collection[UUID]) -> int:
    """Return the points that live members were paid by these campaign versions, less what was taken back."""
    return int(session.scalar(text(_PAID), {"version_ids": list(version_ids)}) or 0)
