"""Prove the ledger: recompute every account from its lots and from its entries, and name each difference.

Works through the members in chunks by id, inside the database, so that what is held in memory are differences alone.
All of it sees one snapshot: awards may go on meanwhile. What is checked of each member:

1. Both equations of the account, and every bucket against the lots; that nothing falls due before ``next_due_at``.
2. Every bucket against the entries; entries without a gap, each with the balances that follow from the one before.
3. Postings: their entries follow each other, and their number is what the posting says; no entry is without one.
4. Lots: each is what its entry issued. Allocations: what an entry took of its lots is its amount, and what entries
   held, spent and expired of a lot is what the lot says.
5. Holds: each is what its entry took, and the open ones are what the account has held.

Over the whole programme, which also finds what belongs to no account: every bucket of all accounts against all entries
and lots; and every gift, whose points were spent by one member, was issued to another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from app.core.database import db
from app.ledger.models import BUCKETS

MEMBERS_A_CHUNK = 500
ENTRIES_A_CHUNK = 200_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One fault: what was checked, what the account or posting says and what was recomputed.

    ``member_id`` is None where it is about the whole programme.
    """

    member_id: UUID | None
    check: str
    stated: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.member_id or 'programme'} {self.check}: stated {self.stated}, recomputed {self.recomputed}"


@dataclass(slots=True)
class Verification:
    """What was checked, and the number of differences; ``points_issued`` are without those given by members."""

    members: int = 0
    entries: int = 0
    lots: int = 0
    points_issued: int = 0
    differences: int = 0


_CHUNK = "member_id > :after AND member_id <= :upto"

_LOTS = f"""
WITH a AS (SELECT * FROM account WHERE {_CHUNK}),
l AS (
  SELECT member_id, sum(amount) AS issued, sum(remaining) FILTER (WHERE NOT is_matured) AS pending,
         sum(remaining) FILTER (WHERE is_matured) AS available, sum(held) AS held, sum(spent) AS spent,
         sum(expired) AS expired, sum(reversed) + sum(clawed_back) AS reversed,
         sum(clawed_back) - sum(repaid) AS owed, count(*) FILTER (WHERE amount <> remaining + held + spent + expired
         + reversed + repaid OR is_open <> (remaining + held > 0)) AS broken
  FROM lot WHERE {_CHUNK} GROUP BY member_id)
SELECT a.member_id, c.bucket, c.stated, coalesce(c.recomputed, 0)
FROM a LEFT JOIN l USING (member_id), LATERAL (VALUES
  ('issued against lots', a.issued, l.issued), ('pending against lots', a.pending, l.pending),
  ('available against lots', a.available, l.available), ('held against lots', a.held, l.held),
  ('spent against lots', a.spent, l.spent), ('expired against lots', a.expired, l.expired),
  ('reversed against lots', a.reversed, l.reversed), ('debt and written off against lots', a.debt + a.written_off,
  l.owed), ('lots that do not add up', 0, l.broken), ('account equation', a.issued + a.debt + a.written_off,
  a.pending + a.available + a.held + a.spent + a.expired + a.reversed)) AS c(bucket, stated, recomputed)
WHERE c.stated <> coalesce(c.recomputed, 0)
ORDER BY 1, 2
"""  # noqa: S608 - made of constants; members come as parameters

_ENTRIES = f"""
WITH a AS (SELECT * FROM account WHERE {_CHUNK}),
moved AS (
  SELECT e.member_id, e.seq, e.pending, e.available, e.held, e.debt, e.amount, e.source, e.target,
         (e.target = 'pending')::int - (e.source = 'pending')::int AS d_pending,
         (e.target = 'available')::int - (e.source = 'available')::int AS d_available,
         (e.target = 'held')::int - (e.source = 'held')::int AS d_held,
         CASE WHEN e.source = 'debt' AND e.target <> 'written_off' THEN 1
              WHEN e.target = 'debt' OR e.source = 'debt' THEN -1 ELSE 0 END AS d_debt
  FROM entry AS e WHERE {_CHUNK}),
chained AS (
  SELECT *, lag(seq, 1, 0::bigint) OVER w AS seq_before, lag(pending, 1, 0::bigint) OVER w AS pending_before,
         lag(available, 1, 0::bigint) OVER w AS available_before, lag(held, 1, 0::bigint) OVER w AS held_before,
         lag(debt, 1, 0::bigint) OVER w AS debt_before
  FROM moved WINDOW w AS (PARTITION BY member_id ORDER BY seq)),
summed AS (
  SELECT member_id, count(*) AS entries, max(seq) AS last_seq,
         sum(amount) FILTER (WHERE source = 'issued') AS issued,
         sum(amount * d_pending) AS pending, sum(amount * d_available) AS available, sum(amount * d_held) AS held,
         sum(amount * d_debt) AS debt, sum(CASE source WHEN 'debt' THEN amount ELSE -amount END)
         FILTER (WHERE target = 'written_off') AS written_off,
         coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0)
         - coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0) AS spent,
         sum(amount) FILTER (WHERE target = 'expired') AS expired,
         sum(amount) FILTER (WHERE target = 'reversed') AS reversed,
         count(*) FILTER (WHERE seq <> seq_before + 1) AS gaps,
         count(*) FILTER (WHERE pending <> pending_before + amount * d_pending
           OR available <> available_before + amount * d_available OR held <> held_before + amount * d_held
           OR debt <> debt_before + amount * d_debt) AS breaks
  FROM chained GROUP BY member_id)
SELECT a.member_id, c.bucket, c.stated, coalesce(c.recomputed, 0)
FROM a LEFT JOIN summed AS s USING (member_id), LATERAL (VALUES
  ('issued against entries', a.issued, s.issued), ('pending against entries', a.pending, s.pending),
  ('available against entries', a.available, s.available), ('held against entries', a.held, s.held),
  ('debt against entries', a.debt, s.debt), ('written off against entries', a.written_off, s.written_off),
  ('spent against entries', a.spent, s.spent), ('expired against entries', a.expired, s.expired),
  ('reversed against entries', a.reversed, s.reversed), ('last seq', a.last_seq, s.last_seq),
  ('number of entries', a.last_seq, s.entries), ('gaps in seq', 0, s.gaps),
  ('balances that do not follow', 0, s.breaks)) AS c(bucket, stated, recomputed)
WHERE c.stated <> coalesce(c.recomputed, 0)
ORDER BY 1, 2
"""  # noqa: S608 - as above

_POSTINGS = f"""
WITH e AS (
  SELECT member_id, posting_key, count(*) AS entries, min(seq) AS first_seq, max(seq) AS last_seq
  FROM entry WHERE {_CHUNK} GROUP BY member_id, posting_key)
SELECT coalesce(p.member_id, e.member_id), 'entries of posting ' || coalesce(p.idempotency_key, e.posting_key),
       coalesce(p.first_seq || '+' || p.entry_count, 'none'), coalesce(e.first_seq || '+' || e.entries, 'none')
FROM (SELECT * FROM posting WHERE {_CHUNK}) AS p
FULL JOIN e ON e.member_id = p.member_id AND e.posting_key = p.idempotency_key
WHERE e.entries IS DISTINCT FROM p.entry_count OR e.first_seq IS DISTINCT FROM p.first_seq
   OR e.last_seq IS DISTINCT FROM p.first_seq + p.entry_count - 1
ORDER BY 1, 2
"""  # noqa: S608 - as above

_ALLOCATIONS = f"""
WITH taken AS (
  SELECT member_id, seq, sum(amount) AS amount FROM lot_allocation WHERE {_CHUNK} GROUP BY member_id, seq)
SELECT e.member_id, 'allocations of entry ' || e.seq, e.amount, coalesce(t.amount, 0)
FROM (SELECT * FROM entry WHERE {_CHUNK}) AS e LEFT JOIN taken AS t ON t.member_id = e.member_id AND t.seq = e.seq
WHERE e.source <> 'issued' AND e.target <> 'written_off' AND e.amount <> coalesce(t.amount, 0)
ORDER BY 1, e.seq
"""  # noqa: S608 - as above

_ORIGINS = f"""
SELECT coalesce(l.member_id, e.member_id), 'lot of entry ' || coalesce(l.lot_id, e.seq), coalesce(l.amount, 0),
       coalesce(e.amount, 0)
FROM (SELECT * FROM lot WHERE {_CHUNK}) AS l
FULL JOIN (SELECT * FROM entry WHERE {_CHUNK} AND source = 'issued') AS e
  ON e.member_id = l.member_id AND e.seq = l.lot_id
WHERE l.amount IS DISTINCT FROM e.amount
ORDER BY 1, coalesce(l.lot_id, e.seq)
"""  # noqa: S608 - as above

_PARTS = f"""
WITH taken AS (
  SELECT a.member_id, a.lot_id,
         sum(CASE 'held' WHEN e.target THEN a.amount WHEN e.source THEN -a.amount ELSE 0 END) AS held,
         sum(CASE 'spent' WHEN e.target THEN a.amount WHEN e.source THEN -a.amount ELSE 0 END) AS spent,
         sum(CASE 'expired' WHEN e.target THEN a.amount ELSE 0 END) AS expired
  FROM (SELECT * FROM lot_allocation WHERE {_CHUNK}) AS a
  JOIN (SELECT * FROM entry WHERE {_CHUNK}) AS e ON e.member_id = a.member_id AND e.seq = a.seq
  GROUP BY a.member_id, a.lot_id)
SELECT l.member_id, c.part || ' of lot ' || l.lot_id, c.stated, coalesce(c.recomputed, 0)
FROM (SELECT * FROM lot WHERE {_CHUNK}) AS l
LEFT JOIN taken AS t ON t.member_id = l.member_id AND t.lot_id = l.lot_id, LATERAL (VALUES
  ('held', l.held, t.held), ('spent', l.spent, t.spent), ('expired', l.expired, t.expired))
  AS c(part, stated, recomputed)
WHERE c.stated <> coalesce(c.recomputed, 0)
ORDER BY 1, l.lot_id, 2
"""  # noqa: S608 - as above

_DUE = f"""
WITH l AS (
  SELECT a.member_id, a.next_due_at, least(min(coalesce(l.available_at, l.void_at)) FILTER (WHERE NOT l.is_matured),
         min(CASE WHEN l.expires_at IS NOT NULL THEN greatest(l.expires_at, a.extended_until) END)) AS due_at
  FROM (SELECT * FROM account WHERE {_CHUNK}) AS a
  JOIN (SELECT * FROM lot WHERE {_CHUNK} AND is_open AND remaining > 0) AS l USING (member_id)
  GROUP BY a.member_id, a.next_due_at),
h AS (SELECT member_id, min(expires_at) AS due_at FROM hold WHERE {_CHUNK} AND status = 'open' GROUP BY member_id)
SELECT a.member_id, 'next due', coalesce(a.next_due_at::text, 'never'), least(l.due_at, h.due_at)
FROM (SELECT * FROM account WHERE {_CHUNK}) AS a LEFT JOIN l USING (member_id) LEFT JOIN h USING (member_id)
WHERE least(l.due_at, h.due_at) IS NOT NULL
  AND (a.next_due_at IS NULL OR a.next_due_at > least(l.due_at, h.due_at))
ORDER BY 1
"""  # noqa: S608 - as above

_HOLDS = f"""
WITH h AS (
  SELECT member_id, sum(amount) AS held FROM hold WHERE {_CHUNK} AND status = 'open' GROUP BY member_id)
SELECT a.member_id, 'held against holds', a.held, coalesce(h.held, 0)
FROM (SELECT * FROM account WHERE {_CHUNK}) AS a LEFT JOIN h USING (member_id) WHERE a.held <> coalesce(h.held, 0)
UNION ALL
SELECT h.member_id, 'entry of hold ' || h.hold_id, h.amount, coalesce(e.amount, 0)
FROM (SELECT * FROM hold WHERE {_CHUNK}) AS h
LEFT JOIN entry AS e ON e.member_id = h.member_id AND e.seq = h.seq AND e.target = 'held'
WHERE h.amount IS DISTINCT FROM e.amount
ORDER BY 1, 2
"""  # noqa: S608 - as above

_CHECKS = (_LOTS, _DUE, _ENTRIES, _POSTINGS, _ORIGINS, _ALLOCATIONS, _PARTS, _HOLDS)

_ACCOUNTS = (
    f"SELECT member_id, {', '.join(BUCKETS)}, last_seq FROM account"  # noqa: S608 - constants
    " WHERE member_id > :after ORDER BY member_id LIMIT :size"
)
_MOVED = f"SELECT source, target, sum(amount), count(*) FROM entry WHERE {_CHUNK} GROUP BY source, target"  # noqa: S608
_LOT_SUMS = f"SELECT coalesce(sum(amount), 0), count(*) FROM lot WHERE {_CHUNK}"  # noqa: S608 - as above
# a line a gift that does not net to nothing, and one with the sums of all gifts, whose key is null
_GIFTS = """
SELECT g.idempotency_key, g.sent, g.received FROM (
  SELECT p.idempotency_key, coalesce(sum(e.amount) FILTER (WHERE e.target = 'spent'), 0) AS sent,
         coalesce(sum(e.amount) FILTER (WHERE e.source = 'issued'), 0) AS received
  FROM posting AS p JOIN entry AS e ON e.member_id = p.member_id AND e.seq >= p.first_seq
   AND e.seq < p.first_seq + p.entry_count
  WHERE p.kind = 'gift' GROUP BY GROUPING SETS ((p.idempotency_key), ())) AS g
WHERE g.idempotency_key IS NULL OR g.sent <> g.received ORDER BY 1
"""
_SESSION = (
    "SET LOCAL statement_timeout = 0",
    # each chunk is planned for its own members, and leaves the other processors to awards
    "SET LOCAL plan_cache_mode = force_custom_plan",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)


@dataclass(slots=True)
class _Sums:
    """Every bucket over the programme: as the accounts have it, and as entries and lots make it."""

    stated: dict[str, int]
    moved: dict[str, int]
    in_lots: int = 0

    def add_movement(self, source: str, target: str, points: int) -> None:
        """Count a movement; what is issued or owed stands on the other side of the equation."""
        self.moved[source] += points if source == "issued" or (source, target) == ("debt", "reversed") else -points
        self.moved[target] += (
            -points if target == "debt" or (source, target) == ("available", "written_off") else points
        )

    def differences(self) -> Iterator[Difference]:
        """Yield where they differ."""
        for bucket in BUCKETS:
            if self.stated[bucket] != self.moved[bucket]:
                check = f"{bucket.replace('_', ' ')} over the programme"
                yield Difference(None, check, str(self.stated[bucket]), str(self.moved[bucket]))
        if self.stated["issued"] != self.in_lots:
            yield Difference(None, "lots over the programme", str(self.stated["issued"]), str(self.in_lots))


def verify(found: Verification) -> Iterator[Difference]:
    """Yield each difference in the ledger and count in ``found`` what was checked; needs one snapshot's time."""
    for difference in _differences(found):
        found.differences += 1
        yield difference


def _differences(found: Verification) -> Iterator[Difference]:
    sums = _Sums(dict.fromkeys(BUCKETS, 0), dict.fromkeys(BUCKETS, 0))
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for setting in _SESSION:
            connection.execute(text(setting))
        for bounds in _chunks(connection, found, sums):
            _sum_up(connection, found, sums, bounds)
            for check in _CHECKS:
                for row in connection.execute(text(check), bounds):
                    yield Difference(row[0], str(row[1]), str(row[2]), str(row[3]))
        yield from sums.differences()
        found.points_issued = sums.stated["issued"]
        for key, sent, received in connection.execute(text(_GIFTS)):
            if key is None:
                found.points_issued -= int(received)
            else:
                yield Difference(None, f"gift {key}", str(sent), str(received))


def _chunks(connection: Connection, found: Verification, sums: _Sums) -> Iterator[dict[str, UUID]]:
    """Yield bounds of members that have about ``ENTRIES_A_CHUNK`` entries, or one that has more, and all ids at last.

    The last chunk is beyond every account: it finds nothing unless rows belong to no account.
    """
    after = UUID(int=0)
    while chunk := connection.execute(text(_ACCOUNTS), {"after": after, "size": MEMBERS_A_CHUNK}).all():
        entries = 0
        upto = after
        for account in chunk:
            entries += account.last_seq
            if upto != after and entries > ENTRIES_A_CHUNK:
                break
            upto = account.member_id
            found.members += 1
            for bucket in BUCKETS:
                sums.stated[bucket] += getattr(account, bucket)
        yield {"after": after, "upto": upto}
        after = upto
    yield {"after": after, "upto": UUID(int=2**128 - 1)}


def _sum_up(connection: Connection, found: Verification, sums: _Sums, bounds: dict[str, UUID]) -> None:
    for source, target, points, count in connection.execute(text(_MOVED), bounds):
        sums.add_movement(source, target, int(points))
        found.entries += count
    points, count = connection.execute(text(_LOT_SUMS), bounds).one()
    sums.in_lots += int(points)
    found.lots += count
