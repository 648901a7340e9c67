"""What the award path knows of products, from memory: products that are known cost no query.

1. Merchants are shared out over ``PARTITIONS``: a change forgets what is known of one of these, in every process, as
   ``core.cache`` says. What is read while it changes goes into a memory that is forgotten already.
2. All keys of a round that are not known are asked for by one SELECT, in a connection of its own: it sees what is
   committed. That there is no such product is remembered too. A partition remembers so many keys, the oldest go.
3. Lines without SKU and GTIN cost nothing, nor do merchants without products.
4. A line's product is the merchant's of that SKU, or its oldest of that GTIN, or the shared one. Of the shared ones
   only those are asked for that staff gave a number to: labels from public data earn nothing. A number that a shop
   gave out for itself means no shared product.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.catalog import lookup_queries as queries
from app.catalog.certificates import CertificateTerms, ProductFacts, held_of
from app.catalog.gtin import is_restricted, normalise_gtin
from app.catalog.memory import UNKNOWN, Memory
from app.core.cache import Snapshot, bump
from app.programme import service as programme

PARTITIONS = 16
_SHARED = "products/shared"
_Line = Mapping[str, Any]
_Key = tuple[str, str]  # what it is (sku, gtin), and the text
_Found = dict[_Key, ProductFacts | None]


class Known:
    """What is known of the products of a partition's merchants, until one of these changes."""

    def __init__(self) -> None:
        self.products = Memory[tuple[UUID | None, bool, _Key], ProductFacts | None]()
        self.answers = Memory[tuple[Any, ...], Any]()


class _Shared(Known):
    """What is known of shared products; ``has_numbers`` says whether any can earn."""

    def __init__(self) -> None:
        super().__init__()
        self.has_numbers = queries.has_shared_numbers()


_partitions = [Snapshot(f"products/{number:02d}", Known) for number in range(PARTITIONS)]
_shared = Snapshot(_SHARED, _Shared)


def known_of(merchant_id: UUID) -> Known:
    """Return what is known of the partition of that merchant."""
    return _partitions[merchant_id.int % PARTITIONS].get()


def offers_of(merchant_id: UUID, live: bool) -> frozenset[str] | None:
    """Return the packaging options for orders and parcels that the merchant offers; None: it has not said, so all."""
    answer: frozenset[str] | None = known_of(merchant_id).answers.ask(
        ("offers", merchant_id, live), lambda: queries.find_offers(merchant_id, live)
    )
    return answer


def forget_products(merchant_id: UUID | None) -> None:
    """Say, in the open unit of work, that products of the merchant, or with None the shared ones, have changed."""
    bump(_SHARED if merchant_id is None else _partitions[merchant_id.int % PARTITIONS].name)


def certificate_terms(
    merchant_id: UUID | None, live: bool, activities: Sequence[tuple[Sequence[_Line], datetime]]
) -> list[CertificateTerms | None]:
    """Return by what the certificates of each activity (lines, when it occurred) are judged; None: by their numbers.

    ``merchant_id`` None is an activity of no merchant.
    """
    settings = programme.current()
    find = _finder(merchant_id, live, (line for lines, _ in activities for line in lines))
    if find is None and settings.certificates_accepted == "stated":
        return [None] * len(activities)
    return [
        CertificateTerms(
            occurred_at.astimezone(settings.zone).date(),
            settings.certificates_accepted,
            [find(line) if find is not None else None for line in lines],
        )
        for lines, occurred_at in activities
    ]


def _finder(
    merchant_id: UUID | None, live: bool, lines: Iterable[_Line]
) -> Callable[[_Line], ProductFacts | None] | None:
    """Return the function that says of which product a line is, for ``lines``; None where none of them is of any."""
    shared = _shared.get()
    own = None if merchant_id is None else with_products(merchant_id, live)
    if own is None and not shared.has_numbers:
        return None
    keys = {key for line in lines for key in _keys(line)}
    if not keys:
        return None
    found_own = {} if own is None else _look_up(own, merchant_id, live, keys)
    gtins = [key for key in keys if key[0] == "gtin" and not is_restricted(key[1])] if shared.has_numbers else []
    found_shared = _look_up(shared, None, True, gtins)

    def find(line: _Line) -> ProductFacts | None:
        places = _keys(line)
        own_ones = (found_own.get(key) for key in places)
        return next((each for each in own_ones if each is not None), None) or (
            found_shared.get(places[-1]) if places else None
        )

    return find


def with_products(merchant_id: UUID, live: bool) -> Known | None:
    """Return what is known of the products of a merchant's partition; None where it has none."""
    known = known_of(merchant_id)
    has_some = known.answers.ask(("has_products", merchant_id, live), lambda: queries.has_products(merchant_id, live))
    return known if has_some else None


def _keys(line: _Line) -> list[_Key]:
    """Return by what the product of a line is looked up, the first that finds one."""
    keys = []
    if line["sku"]:
        keys.append(("sku", line["sku"]))
    if line["gtin"]:
        gtin = normalise_gtin(line["gtin"])
        if gtin is not None:
            keys.append(("gtin", gtin))
    return keys


def _look_up(known: Known, merchant_id: UUID | None, live: bool, keys: Iterable[_Key]) -> _Found:
    """Return the product of each key, finding out those that are not known."""
    found: _Found = {}
    unknown: _Found = {}
    for key in keys:
        answer: Any = known.products.get((merchant_id, live, key))
        if answer is UNKNOWN:
            unknown[key] = None
        else:
            found[key] = answer
    if unknown:
        skus, gtins = ([text for kind, text in unknown if kind == wanted] for wanted in ("sku", "gtin"))
        for row in queries.list_facts(merchant_id, live, skus, gtins):
            facts = ProductFacts(row.product_id, merchant_id is not None, row.packaging, held_of(row.certificates))
            for key in (("sku", row.sku), ("gtin", row.gtin)):
                if key in unknown and unknown[key] is None:
                    unknown[key] = facts
        known.products.keep({(merchant_id, live, key): facts for key, facts in unknown.items()})
    return found | unknown
