"""Write a statement as JSON or CSV, piece by piece. Pure: the lines are given."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from app.core.strict_json import dumps

BALANCES = ("pending", "available", "held", "debt")
COLUMNS = ("seq", "effective_at", "kind", "points", "from", "to", "why", "activity_id", *BALANCES)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: Any) -> Any:
    """Return ``value`` so that no spreadsheet takes it for a formula: such a text gets an apostrophe."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def json_pieces(head: Mapping[str, Any], chunks: Iterable[list[dict[str, Any]]]) -> Iterator[bytes]:
    """Yield the statement as one JSON object: ``head`` and then ``lines``."""
    yield dumps(head)[:-1] + b',"lines":['
    is_first = True
    for lines in chunks:
        yield (b"" if is_first else b",") + b",".join(dumps(line) for line in lines)
        is_first = False
    yield b"]}"


def csv_pieces(
    opening: Mapping[str, Any],
    chunks: Iterable[list[dict[str, Any]]],
    closing: Mapping[str, Any],
    zone: ZoneInfo,
) -> Iterator[bytes]:
    """Yield the statement as CSV: a header, opening balances, the lines, closing balances; times in ``zone``."""
    yield _rows([COLUMNS, _balance_row("opening", opening, zone)])
    for lines in chunks:
        yield _rows(_line_row(line, zone) for line in lines)
    yield _rows([_balance_row("closing", closing, zone)])


def _balance_row(kind: str, wallet: Mapping[str, Any], zone: ZoneInfo) -> list[Any]:
    at = wallet["as_of"].astimezone(zone).isoformat(timespec="seconds")
    return ["", at, kind, "", "", "", "", "", *(wallet[name] for name in BALANCES)]


def _line_row(line: Mapping[str, Any], zone: ZoneInfo) -> list[Any]:
    balances = line["balances"]
    return [
        line["seq"], line["effective_at"].astimezone(zone).isoformat(timespec="seconds"), line["kind"], line["points"],
        line["from"], line["to"], line["why"], line["activity_id"] or "", *(balances[name] for name in BALANCES),
    ]  # fmt: skip


def _rows(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
    return text.getvalue().encode()
