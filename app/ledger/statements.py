"""Write a statement as JSON or CSV, piece by piece. Pure: the lines are given."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from app.core.spreadsheets import csv_text
from app.core.strict_json import dumps

BALANCES = ("pending", "available", "held", "debt")
COLUMNS = ("seq", "effective_at", "kind", "points", "from", "to", "why", "activity_id", *BALANCES)


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
    yield csv_text([COLUMNS, _balance_row("opening", opening, zone)]).encode()
    for lines in chunks:
        yield csv_text(_line_row(line, zone) for line in lines).encode()
    yield csv_text([_balance_row("closing", closing, zone)]).encode()


def _balance_row(kind: str, wallet: Mapping[str, Any], zone: ZoneInfo) -> list[Any]:
    at = wallet["as_of"].astimezone(zone).isoformat(timespec="seconds")
    return ["", at, kind, "", "", "", "", "", *(wallet[name] for name in BALANCES)]


def _line_row(line: Mapping[str, Any], zone: ZoneInfo) -> list[Any]:
    balances = line["balances"]
    return [
        line["seq"], line["effective_at"].astimezone(zone).isoformat(timespec="seconds"), line["kind"], line["points"],
        line["from"], line["to"], line["why"], line["activity_id"] or "", *(balances[name] for name in BALANCES),
    ]  # fmt: skip
