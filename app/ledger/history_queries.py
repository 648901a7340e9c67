"""The SELECTs of the ledger's history: pages of entries, and where a moment lies among them.

Entries take effect in the order of their ``seq``, which has no gaps: so the last entry by a moment is found by halving,
in as many steps as the number of entries has bits, and no index on times is needed.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, literal, select, text
from sqlalchemy.orm import Session, scoped_session

from app.ledger.models import AccountSnapshot, Entry, Hold, Lot, Posting

_Session = Session | scoped_session[Any]

_LAST_SEQ_BY = """
WITH RECURSIVE halving(low, high) AS (
  SELECT CAST(:low AS bigint), last_seq FROM account WHERE member_id = :member_id
  UNION ALL
  SELECT CASE WHEN entry.effective_at <= :moment THEN step.middle ELSE step.low END,
         CASE WHEN entry.effective_at <= :moment THEN step.high ELSE step.middle - 1 END
  FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM halving WHERE low < high) AS step
  JOIN entry ON entry.member_id = :member_id AND entry.seq = step.middle)
SELECT low FROM halving WHERE low >= high
"""
_MOVED = """
SELECT coalesce(sum(amount) FILTER (WHERE source = 'issued'), 0) AS issued,
       coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0)
       - coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0) AS spent,
       coalesce(sum(amount) FILTER (WHERE target = 'expired'), 0) AS expired,
       coalesce(sum(amount) FILTER (WHERE target = 'reversed'), 0) AS reversed
FROM entry WHERE member_id = :member_id AND seq > :after AND seq <= :upto
"""


def last_seq_by(session: _Session, member_id: UUID, moment: datetime, low: int = 0) -> int:
    """Return the seq of the last entry that took effect by ``moment``, 0 for none; ``low`` is known to be one."""
    given = {"member_id": member_id, "moment": moment, "low": low}
    return int(session.scalar(text(_LAST_SEQ_BY), given) or 0)


def find_snapshot(session: _Session, member_id: UUID, moment: datetime) -> AccountSnapshot | None:
    """Return the member's last snapshot that was true by ``moment``, or None."""
    found: AccountSnapshot | None = session.scalar(
        select(AccountSnapshot)
        .where(AccountSnapshot.member_id == member_id, AccountSnapshot.taken_at <= moment)
        .order_by(AccountSnapshot.month.desc())
        .limit(1)
    )
    return found


def get_entry(session: _Session, member_id: UUID, seq: int) -> Entry:
    """Return one entry."""
    return session.get_one(Entry, (member_id, seq))


def sum_lifetimes(session: _Session, member_id: UUID, after: int, upto: int) -> dict[str, int]:
    """Return what the entries after ``after`` and up to ``upto`` add to the lifetime sums."""
    given = {"member_id": member_id, "after": after, "upto": upto}
    return {name: int(value) for name, value in session.execute(text(_MOVED), given).one()._mapping.items()}


def list_entries(
    session: _Session,
    member_id: UUID,
    *,
    after: int,
    upto: int | None,
    limit: int,
    kinds: Collection[str] = (),
    bucket: str | None = None,
    is_newest_first: bool = True,
) -> Sequence[Any]:
    """Return (entry, posting, lot or None) of a member's entries after ``after`` and, unless None, up to ``upto``."""
    query = (
        select(Entry, Posting, Lot)
        .join(Posting, and_(Posting.member_id == Entry.member_id, Posting.idempotency_key == Entry.posting_key))
        .outerjoin(
            Lot, and_(Lot.member_id == Entry.member_id, Lot.lot_id == Entry.seq, Entry.source == literal("issued"))
        )
        .where(Entry.member_id == member_id)
        .order_by(Entry.seq.desc() if is_newest_first else Entry.seq)
        .limit(limit)
    )
    if after:
        query = query.where(Entry.seq > after)
    if upto is not None:
        query = query.where(Entry.seq <= upto)
    if kinds:
        query = query.where(Posting.kind.in_(sorted(kinds)))
    if bucket is not None:
        query = query.where((Entry.source == bucket) | (Entry.target == bucket))
    return session.execute(query).all()


def orders_of_holds(session: _Session, member_id: UUID, hold_ids: Collection[UUID]) -> dict[UUID, str | None]:
    """Return the merchant's order of each of these holds."""
    if not hold_ids:
        return {}
    rows = session.execute(
        select(Hold.hold_id, Hold.order_ref).where(Hold.member_id == member_id, Hold.hold_id.in_(sorted(hold_ids)))
    )
    return {row.hold_id: row.order_ref for row in rows}
