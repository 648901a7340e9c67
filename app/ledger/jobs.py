"""What the ledger does by itself: book what is due, keep monthly snapshots, warn before points expire.

Each works in transactions of at most 500 accounts (100 where they settle), passes over what others have locked, and
finds by the data alone what is left to do: it can be stopped, repeated, and run several times at once.
"""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from app.core.clock import now
from app.core.jobs import Job
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import queries
from app.ledger.models import ExpiryWarning
from app.ledger.service.books import book_of, write_books_of
from app.ledger.service.history import month_bounds
from app.ledger.service.settling import settle_due_accounts
from app.programme import service as programme

ACCOUNTS_MAX = 500
WARN_DAYS = (30, 7)
SNAPSHOT_DELAY = timedelta(hours=1)  # a writer that took its moment before the month began has long ended

_SNAPSHOT = """
WITH chosen AS MATERIALIZED (
  SELECT account.member_id, coalesce(last.last_seq, 0) AS after, coalesce(last.issued, 0) AS issued,
         coalesce(last.written_off, 0) AS written_off, coalesce(last.spent, 0) AS spent,
         coalesce(last.expired, 0) AS expired, coalesce(last.reversed, 0) AS reversed
  FROM account
  LEFT JOIN LATERAL (
    SELECT * FROM account_snapshot AS s WHERE s.member_id = account.member_id ORDER BY s.month DESC LIMIT 1
  ) AS last ON true
  WHERE account.member_id > :after AND account.last_seq > coalesce(last.last_seq, 0)
    AND (last.month IS NULL OR last.month < :month)
    AND (account.next_due_at IS NULL OR account.next_due_at >= :taken_at)
  ORDER BY account.member_id LIMIT :size),
moved AS MATERIALIZED (
  SELECT chosen.member_id, coalesce(max(entry.seq), max(chosen.after)) AS last_seq,
         sum(amount) FILTER (WHERE source = 'issued') AS issued,
         sum(CASE source WHEN 'debt' THEN amount ELSE -amount END) FILTER (WHERE target = 'written_off') AS written_off,
         sum(CASE WHEN target = 'spent' THEN amount WHEN source = 'spent' THEN -amount END) AS spent,
         sum(amount) FILTER (WHERE target = 'expired') AS expired,
         sum(amount) FILTER (WHERE target = 'reversed') AS reversed
  FROM chosen
  LEFT JOIN entry
    ON entry.member_id = chosen.member_id AND entry.seq > chosen.after AND entry.effective_at < :taken_at
  GROUP BY chosen.member_id),
taken AS (
  INSERT INTO account_snapshot (member_id, month, taken_at, last_seq, issued, debt, written_off, pending, available,
                                held, spent, expired, reversed)
  SELECT chosen.member_id, :month, :taken_at, moved.last_seq, chosen.issued + coalesce(moved.issued, 0),
         coalesce(entry.debt, 0), chosen.written_off + coalesce(moved.written_off, 0), coalesce(entry.pending, 0),
         coalesce(entry.available, 0), coalesce(entry.held, 0), chosen.spent + coalesce(moved.spent, 0),
         chosen.expired + coalesce(moved.expired, 0), chosen.reversed + coalesce(moved.reversed, 0)
  FROM chosen JOIN moved USING (member_id)
  LEFT JOIN entry ON entry.member_id = chosen.member_id AND entry.seq = moved.last_seq
  ON CONFLICT DO NOTHING)
SELECT count(*) OVER () AS members, member_id FROM chosen ORDER BY member_id DESC LIMIT 1
"""
_EXPIRING_SOON = """
SELECT member_id, next_due_at FROM account
WHERE next_due_at <= :upto AND (next_due_at, member_id) > (CAST(:due_at AS timestamptz), CAST(:member_id AS uuid))
ORDER BY next_due_at, member_id LIMIT :size
"""
_UNWARNED = """
SELECT member_id, ends_at, points, days FROM (
  SELECT a.member_id, greatest(l.expires_at, a.extended_until) AS ends_at, sum(l.remaining) AS points,
         CASE WHEN greatest(l.expires_at, a.extended_until) <= :soon THEN 7 ELSE 30 END AS days
  FROM account AS a JOIN lot AS l ON l.member_id = a.member_id
  WHERE a.member_id = ANY(:member_ids) AND l.is_open AND l.remaining > 0 AND l.expires_at <= :upto
  GROUP BY a.member_id, greatest(l.expires_at, a.extended_until)) AS ending
WHERE ends_at > :now AND ends_at <= :upto AND NOT EXISTS (
  SELECT FROM expiry_warning AS w
  WHERE w.member_id = ending.member_id AND w.expires_at = ending.ends_at AND w.days <= ending.days)
ORDER BY member_id, ends_at
"""


def settle_all(stop: threading.Event) -> int:
    """Book what time has done to every account by now; return how many accounts had something due."""
    moment, total = now(), 0
    while not stop.is_set() and (count := settle_due_accounts(moment)):
        total += count
    return total


def take_snapshots(stop: threading.Event) -> int:
    """Keep how every account stood when this month began in the programme's zone; return how many were taken.

    An account gets one only when it has entries since the last; one with something still to be booked of the time
    before gets it the next time.
    """
    moment = now()
    zone = programme.current().zone
    month = (moment - SNAPSHOT_DELAY).astimezone(zone).date().replace(day=1)
    taken_at, _ = month_bounds(month, zone)
    after, total = UUID(int=0), 0
    while not stop.is_set():
        given = {"after": after, "month": month, "taken_at": taken_at, "size": ACCOUNTS_MAX}
        with unit_of_work() as session:
            row = session.execute(text(_SNAPSHOT), given).first()
        if row is None:
            break
        total += row.members
        after = row.member_id
    return total


def warn_of_expiry(stop: threading.Event) -> int:
    """Tell 30 and 7 days before points expire: a fact in the outbox for each moment; return how many were told.

    Of one moment each is told once; where an extension moves it, the new one is told again. What has fewer than 7
    days left when it is first seen is told once.
    """
    moment, total = now(), 0
    upto = moment + timedelta(days=max(WARN_DAYS))
    position = {"due_at": datetime(1970, 1, 1, tzinfo=UTC), "member_id": UUID(int=0)}
    while not stop.is_set():
        with unit_of_work() as session:
            given = {**position, "upto": upto, "size": ACCOUNTS_MAX}
            rows = session.execute(text(_EXPIRING_SOON), given).all()
        if not rows:
            break
        total += retry_transient(lambda ids=[row.member_id for row in rows]: _warn(ids, moment))  # type: ignore[misc]
        position = {"due_at": rows[-1].next_due_at, "member_id": rows[-1].member_id}
    return total


def _warn(member_ids: list[UUID], moment: datetime) -> int:
    soon, upto = (moment + timedelta(days=days) for days in sorted(WARN_DAYS))
    given = {"member_ids": member_ids, "now": moment, "soon": soon, "upto": upto}
    with unit_of_work() as session:
        concerned = {row.member_id for row in session.execute(text(_UNWARNED), given)}
        if not concerned:
            return 0
        books = {
            account.member_id: book_of(account, moment) for account in queries.lock_free_accounts(session, concerned)
        }
        unwarned = session.execute(text(_UNWARNED), given | {"member_ids": list(books)}).all()
        for row in unwarned:
            books[row.member_id].add_fact(
                "expiry_warning", {"days": row.days, "points": int(row.points), "expires_at": row.ends_at}
            )
            session.add(ExpiryWarning(member_id=row.member_id, expires_at=row.ends_at, days=row.days))
        write_books_of(list(books.values()))
        return len(unwarned)


def forget_warnings(stop: threading.Event) -> int:
    """Delete the warnings of moments that are past; return how many."""
    with unit_of_work() as session:
        result = session.execute(
            text("DELETE FROM expiry_warning WHERE expires_at < :moment"), {"moment": now() - timedelta(days=1)}
        )
        return int(result.rowcount)  # type: ignore[attr-defined]


JOBS = (
    Job("settle_due_accounts", "* * * * *", settle_all),
    Job("take_snapshots", "40 3 * * *", take_snapshots),
    Job("warn_of_expiry", "17 */6 * * *", warn_of_expiry),
    Job("forget_warnings", "7 4 * * *", forget_warnings),
)
