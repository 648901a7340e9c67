"""The statements by which codes are imported: who has which, and COPY of those that nobody has."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg

_Connection = psycopg.Connection[Any]

# one by one through the index: a plan that was made while there were few codes would read them all
_KNOWN = """
SELECT given.code_hash, known.is_own, known.place FROM unnest(%(hashes)s::bytea[]) AS given(code_hash)
CROSS JOIN LATERAL (
  SELECT reward_id = %(reward)s AS is_own, place FROM pool_code AS code WHERE code.code_hash = given.code_hash LIMIT 1
) AS known
"""
_COPY = "COPY pool_code (reward_id, place, live, code_hash, code_cipher) FROM STDIN (FORMAT BINARY)"


def begin_import(connection: _Connection, reward_id: UUID, merchant_id: UUID | None, patience_s: int) -> int:
    """Let other imports of the merchant's wait until the transaction ends; return the last place of the reward's codes.

    So nobody adds a code that was just looked for, and no two imports wait for each other's codes. ``patience_s`` is
    how long this one waits for another.
    """
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience_s}s"])
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('pool codes of ' || coalesce(%s::text, 'the programme'), 0))",
        [merchant_id],
    )
    [(last,)] = connection.execute("SELECT coalesce(max(place), 0) FROM pool_code WHERE reward_id = %s", [reward_id])
    return int(last)


def list_known(connection: _Connection, reward_id: UUID, hashes: Sequence[bytes]) -> dict[bytes, tuple[bool, int]]:
    """Return of those codes that a pool has whether it is the reward's own, and the code's place in it."""
    rows = connection.execute(_KNOWN, {"reward": reward_id, "hashes": list(hashes)})
    return {code_hash: (is_own, place) for code_hash, is_own, place in rows}


def add_codes(connection: _Connection, reward_id: UUID, live: bool, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
    """Add free codes that no pool has: place, hash and cipher of each."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(["uuid", "int8", "bool", "bytea", "bytea"])
        for place, code_hash, cipher in rows:
            copy.write_row((reward_id, place, live, code_hash, cipher))
