"""Statements as CSV, for a spreadsheet or an accountant's program. Pure: the statement is given."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.spreadsheets import csv_text

COLUMNS = ("month", "item", "counterparty", "name", "points", "amount", "currency")
# what each item of a line does to the merchant's balance
SIGNS = {"spent_here": 1, "refunded_here": -1, "spent_there": -1, "refunded_there": 1}
FUNDED = ("funded", "expired", "reversed")
OVERVIEW_COLUMNS = (
    "month", "kind", "merchant", "name", *FUNDED, "spent", "refunded", "spent_at", "refunded_at", "receivable",
    "payable", "balance", "currency",
)  # fmt: skip


def statement_csv(statement: Mapping[str, Any]) -> str:
    """Return a merchant's statement, a row an item: amounts above 0 are the merchant's, and the last row their sum."""
    return csv_text(_statement_rows(statement))


def _statement_rows(statement: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    month, currency = statement["month"], statement["currency"]
    yield COLUMNS
    for item in FUNDED:
        yield month, item, "", "", statement["points"][item], "", ""
    for line in statement["lines"]:
        party = line["counterparty"]
        for item, sign in SIGNS.items():
            if line[item]["points"]:
                points, amount = line[item]["points"], sign * line[item]["amount"]
                yield month, item, party["key"] or party["kind"], party["name"], points, amount, currency
    yield month, "balance", "", "", "", statement["owed"]["balance"], currency


def overview_csv(overview: Mapping[str, Any]) -> str:
    """Return what everybody gets and pays, a row a party; the balances come to zero."""
    return csv_text(_overview_rows(overview))


def _overview_rows(overview: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    yield OVERVIEW_COLUMNS
    for row in overview["parties"]:
        party = row["party"]
        yield (
            overview["month"], party["kind"], party["key"] or "", party["name"], *row["points"].values(),
            *row["owed"].values(), overview["currency"],
        )  # fmt: skip
