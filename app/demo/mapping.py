"""Read the table that says how a real basket becomes an activity (``mapping.toml``), and turn it into one query."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

_TABLE = Path(__file__).with_name("mapping.toml")


@dataclass(frozen=True, slots=True)
class LineRule:
    """What becomes of a line for which ``when`` holds, unless an earlier rule took it."""

    name: str
    when: str
    then: Literal["drop", "quantity_one"]
    why: str


@dataclass(frozen=True, slots=True)
class ProductFact:
    """A certificate or packaging option that products bear for which ``when`` holds."""

    name: str
    when: str
    why: str
    certification: dict[str, str] | None = None
    packaging: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The whole table."""

    line_rules: tuple[LineRule, ...]
    product_facts: tuple[ProductFact, ...]
    activity: dict[str, str]
    line_fields: dict[str, str]
    constants: dict[str, Any]

    def fact(self, name: str) -> ProductFact:
        """Return the product fact ``name``; raises KeyError."""
        return {fact.name: fact for fact in self.product_facts}[name]


@cache
def load_mapping() -> Mapping:
    """Return the table in ``mapping.toml``."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return Mapping(
        line_rules=tuple(LineRule(**rule) for rule in table["line"]),
        product_facts=tuple(ProductFact(**fact) for fact in table["product"]),
        activity=table["activity"],
        line_fields=table["line_fields"],
        constants=table["constants"],
    )


def baskets_query(mapping: Mapping) -> str:
    """Return the query that yields one row a line, in the order of time, basket and product.

    Its parameters are the transactions file, the products file, and the number of days from the first basket on (null
    for all). Columns: those of ``activity``, ``fate`` (the name of the line rule that held, or null), those of
    ``line_fields``, and one truth value for each product fact.
    """
    fates = " ".join(f"when {rule.when} then '{rule.name}'" for rule in mapping.line_rules)
    activity = ", ".join(f"{expression} as {name}" for name, expression in mapping.activity.items())
    fields = ", ".join(f"{expression} as {name}" for name, expression in mapping.line_fields.items())
    facts = ", ".join(f"coalesce({fact.when}, false) as {fact.name}" for fact in mapping.product_facts)
    return f"""
        with window_of as (select min(transaction_timestamp) as first_at from read_parquet($transactions))
        select {activity}, case {fates} end as fate, {fields}, {facts}
        from read_parquet($transactions) as transactions
        left join read_parquet($products) as products using (product_id)
        cross join window_of
        where $days is null or transaction_timestamp < first_at + to_days($days)
        order by transaction_timestamp, basket_id, product_id
    """  # noqa: S608 - the parts are our own file's, written to be run
