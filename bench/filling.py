"""Fill the ledger by SQL: members with a long history, as the operations would have booked it.

The owner writes it with triggers off, so it takes seconds a million. The history goes in cycles of five entries: 10
points issued as pending; they mature; 4 points issued as available; then both lots are held and spent. The last
``open_cycles`` of a member spend only the 10, so that as many lots of 4 points stay open.
"""

from collections.abc import Sequence
from uuid import UUID

import psycopg

ENTRIES_A_CYCLE = 5
_CYCLES = """
CREATE TEMP TABLE cycle ON COMMIT DROP AS
SELECT m.member_id, k, 5 * k AS base, 4 * greatest(0, k - %(closed)s)::bigint AS before,
       CASE WHEN k < %(closed)s THEN 14 ELSE 10 END AS taken, now() - interval '400 days' + k * interval '30 s' AS at,
       date_trunc('month', now()) + (1 + k %% 12) * interval '1 month' AS expires_at
FROM unnest(%(members)s::uuid[]) AS m(member_id), generate_series(0, %(cycles)s - 1) AS k
"""
_POSTINGS = """
INSERT INTO posting (member_id, idempotency_key, kind, fingerprint, first_seq, entry_count, recorded_at, activity_id,
                     actor)
SELECT member_id, posting_key, kind, '', base + p.place, entry_count, at, activity_id, 'fill'
FROM (SELECT *, md5(member_id::text || base)::uuid AS activity_id, md5(base || member_id::text)::uuid AS second_id
      FROM cycle) AS c,
LATERAL (VALUES (1, 'activity:' || activity_id || ':rev1', 'award', 1), (2, 'mature:' || base + 2, 'mature', 1),
                (3, 'activity:' || second_id || ':rev1', 'award', 1), (4, 'spend:' || base + 4, 'spend', 2))
  AS p(place, posting_key, kind, entry_count)
"""
_ENTRIES = """
INSERT INTO entry (member_id, seq, amount, pending, available, held, debt, effective_at, recorded_at, source, target,
                   posting_key)
SELECT member_id, base + e.place, e.amount, e.pending, before + e.available, e.held, 0, at, at, source, target, e.key
FROM (SELECT *, md5(member_id::text || base)::uuid AS activity_id, md5(base || member_id::text)::uuid AS second_id
      FROM cycle) AS c,
LATERAL (VALUES (1, 10, 10, 0, 0, 'issued', 'pending', 'activity:' || activity_id || ':rev1'),
                (2, 10, 0, 10, 0, 'pending', 'available', 'mature:' || base + 2),
                (3, 4, 0, 14, 0, 'issued', 'available', 'activity:' || second_id || ':rev1'),
                (4, taken, 0, 14 - taken, taken, 'available', 'held', 'spend:' || base + 4),
                (5, taken, 0, 14 - taken, 0, 'held', 'spent', 'spend:' || base + 4))
  AS e(place, amount, pending, available, held, source, target, key)
"""
_LOTS = """
INSERT INTO lot (member_id, lot_id, amount, remaining, spent, available_at, expires_at, is_matured, is_open, rule)
SELECT member_id, base + l.place, l.amount, l.amount - l.spent, l.spent, at, expires_at, true, l.amount > l.spent,
       'fill'
FROM cycle, LATERAL (VALUES (1, 10, 10), (3, 4, taken - 10)) AS l(place, amount, spent)
"""
_ALLOCATIONS = """
INSERT INTO lot_allocation (member_id, seq, lot_id, amount)
SELECT member_id, base + a.place, base + a.lot, a.amount
FROM cycle, LATERAL (VALUES (2, 1, 10), (4, 1, 10), (5, 1, 10), (4, 3, taken - 10), (5, 3, taken - 10))
  AS a(place, lot, amount)
WHERE a.amount > 0
"""
_ACCOUNTS = """
UPDATE account SET issued = 14 * %(cycles)s, available = 4 * %(open)s, spent = 14 * %(cycles)s - 4 * %(open)s,
  last_seq = 5 * %(cycles)s, version = 4 * %(cycles)s,
  next_due_at = CASE WHEN %(open)s > 0 THEN date_trunc('month', now()) + interval '1 month' END
WHERE member_id = ANY(%(members)s::uuid[])
"""
MEMBERS_A_TURN = 1000


def fill(owner_url: str, members: Sequence[UUID], *, cycles: int, open_cycles: int) -> None:
    """Give each of ``members``, whose accounts are empty, ``cycles`` cycles of history."""
    open_cycles = min(open_cycles, cycles)
    with psycopg.connect(owner_url) as connection:
        for first in range(0, len(members), MEMBERS_A_TURN):
            given = {
                "members": list(members[first : first + MEMBERS_A_TURN]), "cycles": cycles, "open": open_cycles,
                "closed": cycles - open_cycles,
            }  # fmt: skip
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in (_CYCLES, _POSTINGS, _ENTRIES, _LOTS, _ALLOCATIONS, _ACCOUNTS):
                connection.execute(statement.encode(), given)
            connection.commit()
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) account, posting, entry, lot, lot_allocation")


_DUE = (
    """
    CREATE TEMP TABLE due ON COMMIT DROP AS SELECT a.member_id, a.last_seq AS base, n
    FROM account AS a, generate_series(1, %(lots)s) AS n WHERE a.member_id = ANY(%(members)s::uuid[])
    """,
    """
    INSERT INTO posting (member_id, idempotency_key, kind, fingerprint, first_seq, entry_count, recorded_at, actor)
    SELECT member_id, 'activity:' || gen_random_uuid() || ':rev1', 'award', '', base + 1, %(lots)s,
           now() - interval '2 days', 'fill'
    FROM due WHERE n = 1
    """,
    """
    INSERT INTO entry (member_id, seq, amount, pending, available, held, debt, effective_at, recorded_at, source,
                       target, posting_key)
    SELECT d.member_id, base + n, 5, 0, a.available + 5 * n, 0, 0, p.recorded_at, p.recorded_at, 'issued', 'available',
           p.idempotency_key
    FROM due AS d JOIN account AS a USING (member_id)
    JOIN posting AS p ON p.member_id = d.member_id AND p.first_seq = base + 1
    """,
    """
    INSERT INTO lot (member_id, lot_id, amount, remaining, available_at, expires_at, is_matured, is_open, rule)
    SELECT member_id, base + n, 5, 5, now() - interval '2 days', now() - n * interval '1 minute', true, true, 'fill'
    FROM due
    """,
    """
    UPDATE account SET issued = issued + 5 * %(lots)s, available = available + 5 * %(lots)s, version = version + 1,
      last_seq = last_seq + %(lots)s, next_due_at = now() - %(lots)s * interval '1 minute'
    WHERE member_id = ANY(%(members)s::uuid[])
    """,
)


def fill_due(owner_url: str, members: Sequence[UUID], lots: int) -> None:
    """Give each of ``members``, who have nothing pending or held, ``lots`` lots that have just expired, unbooked."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement in _DUE:
            connection.execute(statement.encode(), {"members": list(members), "lots": lots})
