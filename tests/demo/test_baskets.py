"""The real baskets become activities by the written table, and every line is accounted for."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from app.demo.baskets import Mover, Tally, Window, data_file, households, read_baskets, window_bounds
from app.demo.mapping import baskets_query, load_mapping

ANCHOR = datetime(2026, 11, 23, 12, 0, 0, 750_000, tzinfo=UTC)
ROW_COLUMNS = (
    "household_id bigint, store_id bigint, basket_id bigint, product_id bigint, quantity bigint, sales_value double, "
    "transaction_timestamp timestamp"
)


@pytest.fixture(scope="module")
def month() -> tuple[list[dict[str, Any]], Tally]:
    tally = Tally()
    return list(read_baskets(Mover([Window(30, ANCHOR)]), tally, 30)), tally


def _fates(rows: list[tuple[int, float, str | None, str | None, str | None]]) -> list[dict[str, Any]]:
    """Return what the query makes of made-up ``rows`` of quantity, value, department, category and type."""
    with duckdb.connect() as connection:
        connection.execute(f"create table t ({ROW_COLUMNS})")
        connection.execute(
            "create table p (product_id bigint, department varchar, product_category varchar, product_type varchar)"
        )
        for number, (quantity, value, department, category, kind) in enumerate(rows):
            connection.execute("insert into t values (1, 2, 3, ?, ?, ?, '2017-01-01')", [number, quantity, value])
            connection.execute("insert into p values (?, ?, ?, ?)", [number, department, category, kind])
        query = baskets_query(load_mapping())
        query = query.replace("read_parquet($transactions)", "t").replace("read_parquet($products)", "p")
        cursor = connection.execute(query, {"days": None})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("quantity", "value", "kind", "fate"),
    [
        (1, 0.50, "COOKIES", None),
        (0, 0.50, "COOKIES", "no_quantity"),
        (0, 0.0, "COOKIES", "no_quantity"),
        (2, 0.0, "COOKIES", "no_value"),
        (8725, 20.06, "GASOLINE-REG UNLEADED", "fuel"),
        (89638, 200.0, "GASOLINE-REG UNLEADED", "above_contract"),
        (0, 20.06, "GASOLINE-REG UNLEADED", "no_quantity"),
        (10000, 1.0, "COOKIES", None),
        (10001, 1.0, "COOKIES", "above_contract"),
        (1, 1.0, None, None),
    ],
)
def test_a_line_meets_the_first_rule_that_holds(
    quantity: int, value: float, kind: str | None, fate: str | None
) -> None:
    assert _fates([(quantity, value, "GROCERY", None, kind)])[0]["fate"] == fate


@pytest.mark.parametrize(
    ("department", "category", "kind", "organic", "loose"),
    [
        ("PRODUCE", "ORGANICS FRUIT & VEGETABLES", "JUICE", True, False),
        ("MEAT", "LAMB", "ORGANIC", True, False),
        ("PRODUCE", "TOMATOES", "TOMATOES VINE RIPE BULK", False, True),
        ("PRODUCE", "CARROTS", "CARROTS - BULK", False, True),
        ("PRODUCE", "POTATOES", "POTATOES RUSSET (BULK&BAG)", False, False),
        ("PRODUCE", "APPLES", "APPLES GOLD DELICIOUS (BULK&BA", False, False),
        ("PRODUCE", "TOMATOES", "ROMA TOMATOES (BULK/PKG)", False, False),
        ("DELI", "DELI MEATS", "MEAT: TURKEY BULK", False, False),
        ("MISCELLANEOUS", None, None, False, False),
    ],
)
def test_a_product_bears_only_what_its_type_and_category_say(
    department: str, category: str | None, kind: str | None, organic: bool, loose: bool
) -> None:
    row = _fates([(1, 1.0, department, category, kind)])[0]
    assert (row["organic"], row["loose_produce"]) == (organic, loose)


def test_thirty_days_hold_12441_baskets_of_1977_households(month: tuple[list[dict[str, Any]], Tally]) -> None:
    baskets, tally = month
    assert tally.baskets_read == len(baskets) == 12_441
    assert window_bounds(30)[2] == 12_441
    assert len({basket["member"]["ref"] for basket in baskets}) == len(households(30)) == 1_977


def test_every_line_read_is_sent_or_dropped_by_a_named_rule(month: tuple[list[dict[str, Any]], Tally]) -> None:
    baskets, tally = month
    assert tally.lines_read == 121_265
    assert tally.lines_sent == sum(len(basket["lines"]) for basket in baskets)
    assert tally.lines_read == tally.lines_sent + tally.lines_dropped.total()
    assert tally.lines_dropped == Counter(no_quantity=554, no_value=182, above_contract=585)
    assert tally.lines_changed == Counter(fuel=490)
    assert tally.baskets_emptied == sum(not basket["lines"] for basket in baskets) == 610


def test_the_years_figures_are_those_the_rules_were_written_for() -> None:
    with duckdb.connect() as connection:
        counted = connection.execute(
            f"""
            select count(*), count(distinct id), count(*) filter (fate = 'no_quantity'),
                   count(*) filter (fate = 'no_value'), count(*) filter (fate = 'above_contract'),
                   count(*) filter (fate = 'fuel')
            from ({baskets_query(load_mapping())})
            """,
            {"transactions": str(data_file("transactions")), "products": str(data_file("products")), "days": None},
        ).fetchone()
    assert counted == (1_469_307, 155_848, 8_869, 2_406, 7_686, 7_011)


def test_bodies_fit_the_contract(month: tuple[list[dict[str, Any]], Tally]) -> None:
    baskets, _ = month
    assert len({basket["id"] for basket in baskets}) == len(baskets)
    for basket in baskets:
        assert len(basket["lines"]) <= 200
        assert len({line["id"] for line in basket["lines"]}) == len(basket["lines"])
        for line in basket["lines"]:
            assert 1 <= line["quantity"] <= 10_000
            assert 1 <= line["total"] <= 10**9
            assert None not in line.values()
            assert line.get("category", "a-b").replace("-", "").isalnum()
    kinds = {key for basket in baskets for line in basket["lines"] for key in line}
    assert kinds == {"id", "sku", "name", "category", "quantity", "total", "certifications", "packaging"}


def test_baskets_come_in_order_and_within_the_30_days_before_the_anchor(
    month: tuple[list[dict[str, Any]], Tally],
) -> None:
    times = [datetime.fromisoformat(basket["occurred_at"]) for basket in month[0]]
    assert times == sorted(times)
    assert times[-1] == ANCHOR.replace(microsecond=0)
    assert ANCHOR - times[0] < timedelta(days=30) - timedelta(minutes=5)
    assert all(basket["occurred_at"].endswith("Z") and "." not in basket["occurred_at"] for basket in month[0])


def test_a_second_reading_gives_equal_bodies() -> None:
    windows = [Window(2, ANCHOR)]
    first, second = (list(read_baskets(Mover(windows), Tally(), 2)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_a_wider_window_repeats_what_a_narrower_one_sent() -> None:
    narrow = list(read_baskets(Mover([Window(2, ANCHOR)]), Tally(), 2))
    later = Window(4, ANCHOR + timedelta(days=9))
    wide = list(read_baskets(Mover([Window(2, ANCHOR), later]), Tally(), 4))
    assert wide[: len(narrow)] == narrow
    assert datetime.fromisoformat(wide[-1]["occurred_at"]) == later.anchored_at.replace(microsecond=0)


def test_a_narrower_reading_repeats_what_a_wider_window_sent() -> None:
    mover = Mover([Window(4, ANCHOR)])
    wide = list(read_baskets(mover, Tally(), 4))
    narrow = list(read_baskets(mover, Tally(), 2))
    assert narrow == wide[: len(narrow)]


def test_a_moment_outside_every_window_is_refused() -> None:
    with pytest.raises(ValueError, match="no stored window"):
        Mover([Window(1, ANCHOR)]).moved(datetime(2017, 3, 1))  # noqa: DTZ001 - the data's times are naive


def test_each_rule_says_why() -> None:
    mapping = load_mapping()
    assert all(rule.why for rule in (*mapping.line_rules, *mapping.product_facts))
    assert mapping.fact("organic").certification == {"code": "USDA_ORGANIC", "number": "DEMO-ORG-0001"}
