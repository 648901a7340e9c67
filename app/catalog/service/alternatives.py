"""Certified alternatives: other products of a merchant in the same category whose certificates count on a day.

Of products that hold the same certifications one stands for all, the first by SKU: to an award they are the same.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.catalog import lookup_queries as queries
from app.catalog.certificates import ProductFacts, held_of
from app.catalog.memory import UNKNOWN
from app.catalog.service.lookups import with_products

PER_CATEGORY_MAX = 3


@dataclass(frozen=True, slots=True)
class Alternative:
    """A certified product; ``codes`` are the certifications that count."""

    sku: str
    gtin: str | None
    names: Mapping[str, str]
    codes: frozenset[str]
    facts: ProductFacts


def certified_alternatives(
    merchant_id: UUID, live: bool, categories: Collection[str], day: date, accepted: str
) -> dict[str, Sequence[Alternative]]:
    """Return by category the certified products of the merchant, those of most certifications first; at most three.

    ``accepted`` is what the programme asks of a certificate. What is known costs no query.
    """
    known = with_products(merchant_id, live) if categories else None
    if known is None:
        return {}
    found: dict[str, Sequence[Alternative]] = {}
    unknown = []
    for category in categories:
        answer = known.answers.get(("alternatives", merchant_id, live, category, day, accepted))
        if answer is UNKNOWN:
            unknown.append(category)
        else:
            found[category] = answer
    if unknown:
        read = _read(merchant_id, live, unknown, day, accepted)
        known.answers.keep({("alternatives", merchant_id, live, each, day, accepted): read[each] for each in unknown})
        found |= read
    return found


def _read(
    merchant_id: UUID, live: bool, categories: Sequence[str], day: date, accepted: str
) -> dict[str, Sequence[Alternative]]:
    by_category: dict[str, list[Alternative]] = {category: [] for category in categories}
    for row in queries.list_certified(merchant_id, live, categories, day, is_verified_alone=accepted == "verified"):
        facts = ProductFacts(row.product_id, True, row.packaging, held_of(row.certificates))
        alternative = Alternative(row.sku, row.gtin, row.names, frozenset(row.codes), facts)
        by_category[row.category].append(alternative)
    return {
        category: sorted(found, key=lambda each: (-len(each.codes), each.sku))[:PER_CATEGORY_MAX]
        for category, found in by_category.items()
    }
