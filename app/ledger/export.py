"""Write the whole ledger out, as a beancount journal or as CSV, for somebody else to check.

A journal needs no trust in this application: ``bean-check`` adds its movements up by itself and compares the sums with
its assertions, which are the accounts. Both formats are streamed from one snapshot, in the order of member and ``seq``,
so that the same ledger gives the same text. Points that come from nowhere (issued, owed, written off) are negative.
"""

import csv
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from app.core.clock import format_time, now
from app.core.database import db
from app.ledger.models import BUCKETS

FORMATS = ("beancount", "csv")
COMMODITY = "POINTS"
ROWS_A_FETCH = 2000
_ROOTS = {
    "issued": "Income:Issued", "debt": "Liabilities:Debt", "written_off": "Income:WrittenOff",
    "pending": "Assets:Pending", "available": "Assets:Available", "held": "Assets:Held", "spent": "Expenses:Spent",
    "expired": "Expenses:Expired", "reversed": "Expenses:Reversed",
}  # fmt: skip
_NEGATIVE = frozenset({"issued", "debt", "written_off"})
_GIFTED = {"issued": "Received", "spent": "Sent"}
_COLUMNS = (
    "member_id", "seq", "posting_key", "kind", "effective_at", "recorded_at", "source", "target", "amount", "pending",
    "available", "held", "debt", "activity_id", "actor", "reason", "reverses",
)  # fmt: skip
_ENTRIES = """
SELECT e.member_id, e.seq, e.posting_key, p.kind, e.effective_at, e.recorded_at, e.source, e.target, e.amount,
       e.pending, e.available, e.held, e.debt, p.activity_id, p.actor, p.reason, p.reverses
FROM entry AS e JOIN posting AS p ON p.member_id = e.member_id AND p.idempotency_key = e.posting_key
ORDER BY e.member_id, e.seq
"""
_ACCOUNTS = f"SELECT member_id, {', '.join(BUCKETS)} FROM account ORDER BY member_id"  # noqa: S608 - constants
_TOTALS = f"""
SELECT {", ".join(f"coalesce(sum({bucket}), 0)::bigint AS {bucket}" for bucket in BUCKETS)},
       (SELECT min(effective_at) FROM entry) AS first_at, (SELECT max(effective_at) FROM entry) AS last_at
FROM account
"""  # noqa: S608 - constants
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_ledger(file_format: str) -> Iterator[str]:
    """Yield the ledger's text in one of ``FORMATS``, line by line; needs one snapshot's time."""
    with _snapshot() as connection:
        yield from _csv(connection) if file_format == "csv" else _beancount(connection)


@contextmanager
def _snapshot() -> Iterator[Connection]:
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        yield connection


def _stream(connection: Connection, statement: str) -> Iterable[Row[Any]]:
    """Return the rows of ``statement`` by a cursor on the server, which holds a few at a time here."""
    return connection.execute(text(statement), execution_options={"yield_per": ROWS_A_FETCH})


class _Line:
    """A file of one line, which ``csv`` writes to."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text = text


def _csv(connection: Connection) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(_COLUMNS)
    yield line.text
    for row in _stream(connection, _ENTRIES):
        writer.writerow([_cell(value) for value in row])
        yield line.text


def _cell(value: Any) -> Any:
    """Return a value as a cell; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _beancount(connection: Connection) -> Iterator[str]:
    totals = connection.execute(text(_TOTALS)).one()
    opened = _day(totals.first_at or now())
    asserted = _day(totals.last_at or now()) + timedelta(days=1)
    yield f'option "title" "Greenpoints"\noption "operating_currency" "{COMMODITY}"\n'
    yield f"{opened} commodity {COMMODITY}\n"
    for root in _ROOTS.values():
        yield f"{opened} open {root} {COMMODITY}\n"
    entries = iter(itertools.groupby(_stream(connection, _ENTRIES), key=lambda entry: entry.member_id))
    member_id, of_member = next(entries, (None, ()))
    for account in _stream(connection, _ACCOUNTS):
        name = _name(account.member_id)
        yield "\n"
        for bucket, root in _ROOTS.items():
            yield f"{opened} open {root}:{name} {COMMODITY}\n"
            if bucket in _GIFTED:
                yield f"{opened} open {root}:{name}:{_GIFTED[bucket]} {COMMODITY}\n"
        if member_id == account.member_id:
            for _, movements in itertools.groupby(of_member, key=lambda entry: entry.posting_key):
                yield from _transaction(list(movements))
            member_id, of_member = next(entries, (None, ()))
        for bucket, root in _ROOTS.items():
            yield _assertion(asserted, f"{root}:{name}", bucket, account)
    yield "\n"
    for bucket, root in _ROOTS.items():
        yield _assertion(asserted, root, bucket, totals)


def _day(moment: datetime) -> date:
    """Return the moment's day in UTC, in which the whole journal is kept."""
    return moment.astimezone(UTC).date()


def _name(member_id: Any) -> str:
    """Return a member's part of an account's name, which beancount wants to begin with a capital or a digit."""
    return str(member_id).upper()


def _quoted(value: Any) -> str:
    """Return ``value`` as beancount's text: one line, quotes and backslashes escaped."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in str(value)).split())
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _transaction(movements: list[Row[Any]]) -> Iterator[str]:
    """Yield one posting: two legs a movement, so that each posting balances to zero."""
    first = movements[0]
    yield f"\n{_day(first.effective_at)} * {_quoted(first.kind)} {_quoted(first.reason or '')}\n"
    told = {
        "key": first.posting_key, "seq": first.seq, "at": format_time(first.effective_at), "actor": first.actor,
        "activity": first.activity_id, "reverses": first.reverses,
    }  # fmt: skip
    for label, value in told.items():
        if value is not None:
            yield f"  {label}: {value if label == 'seq' else _quoted(value)}\n"
    for entry in movements:
        # a write-off moves an obligation: both its sides are negative here; points that make it good are points
        points = -entry.amount if (entry.source, entry.target) == ("debt", "written_off") else entry.amount
        for bucket, moved in ((entry.source, -points), (entry.target, points)):
            account = f"{_ROOTS[bucket]}:{_name(entry.member_id)}"
            if entry.kind == "gift" and bucket in _GIFTED:
                account += f":{_GIFTED[bucket]}"
            yield f"  {account}  {moved} {COMMODITY}\n"


def _assertion(day: date, account: str, bucket: str, row: Row[Any]) -> str:
    points = getattr(row, bucket)
    return f"{day} balance {account}  {-points if bucket in _NEGATIVE else points} {COMMODITY}\n"
