"""What else could earn more: the cart with one thing changed. Pure.

1. For the order: one packaging option more, of those that the merchant offers; it takes the place of what it excludes.
2. For a line whose product is sold so too: loose, as a refill, concentrated.
3. For a line that holds no certificate: another product of the merchant in its category that does. Quantity and price
   stay; of the line's packaging what the other product is sold in. A line with a serial number is of one thing alone.
4. Only what a rule could pay for is tried, and no more than a few of each kind: what looks like most points first.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.activities.reading import line_facts
from app.campaigns.service import Prospects
from app.catalog.service import Alternative, CatalogReference, ProductFacts, judge_line, name_in, packaging_name

SUGGESTIONS_MAX = 5
ORDER_TRIED_MAX, PACKAGING_TRIED_MAX, PRODUCTS_TRIED_MAX = 3, 1, 2  # each costs an evaluation
_TEXTS = {
    "en": {
        "order": "Choose “{option}” and earn {points}.",
        "line": "Choose “{line}” as “{option}” and earn {points}.",
        "product": "Choose “{product}” instead of “{line}” and earn {points}.",
        "one": "1 more point", "many": "{points} more points",
    },
    "zh-CN": {
        "order": "选择“{option}”，可多得 {points}。",
        "line": "“{line}”选择“{option}”，可多得 {points}。",
        "product": "选择“{product}”代替“{line}”，可多得 {points}。",
        "one": "1 分", "many": "{points} 分",
    },
}  # fmt: skip
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing changed: what the contract calls it, the facts with it, and the words for it but for the points.

    ``avoiding`` are facts with all the impact that it adds, None where it adds none.
    """

    change: dict[str, Any]
    facts: Facts
    avoiding: Facts | None
    kind: str
    names: Mapping[str, str]

    def text(self, points: int, locale: str) -> str:
        """Return the sentence that suggests it for ``points`` more."""
        texts = _TEXTS.get(locale) or _TEXTS["zh-CN" if locale.startswith("zh") else "en"]
        amount = texts["one" if points == 1 else "many"].format(points=points)
        return texts[self.kind].format(points=amount, **self.names)


@dataclass(frozen=True, slots=True)
class Shop:
    """What the merchant has for a cart: offered options (None: all), the products of its lines, others by category."""

    offers: frozenset[str] | None
    products: Sequence[ProductFacts | None]
    alternatives: Mapping[str, Sequence[Alternative]]
    day: date
    accepted: str

    def is_offered(self, code: str) -> bool:
        """Return whether the merchant offers a packaging option for orders or parcels."""
        return self.offers is None or code in self.offers


def categories_asked(facts: Facts) -> set[str]:
    """Return the categories in which an alternative is looked for."""
    return {line["category"] for line in facts["lines"] if line["category"] and _takes_alternative(line)}


def _takes_alternative(line: Facts) -> bool:
    return not line["certifications"] and line["serial"] is None


def with_everything(facts: Facts, shop: Shop, reference: CatalogReference) -> Facts:
    """Return ``facts`` with all that a change could add, at once: no rule concerns a change that does not meet this."""
    options = [code for code, option in reference.packaging.items() if option.applies_to != "line"]
    lines = []
    for line, product in zip(facts["lines"], shop.products, strict=True):
        codes = {code for other in _alternatives(line, shop) for code in other.codes}
        sold_in = product.packaging if product is not None and product.is_own else ()
        lines.append(
            {
                **line,
                "certifications": [*line["certifications"], *codes],
                "packaging": [*line["packaging"], *sold_in],
            }
        )
    return {**facts, "packaging": [*facts["packaging"], *options], "lines": lines}


def possible_changes(
    cart: Facts, facts: Facts, shop: Shop, reference: CatalogReference, prospects: Prospects, locale: str
) -> list[Change]:
    """Return the changes that are worth an evaluation; ``cart`` is what was read, ``facts`` what rules see of it."""
    words = _Words(reference, locale)
    order = ((points, code) for code, points in _order_options(facts, shop, reference, prospects))
    packaging = (
        (points, line["total"], place, code)
        for place, line in enumerate(facts["lines"])
        for code, points in _line_options(line, shop.products[place], reference, prospects)
    )
    products = (
        (points, line["total"], -place, -rank)
        for place, line in enumerate(facts["lines"])
        for rank, points in _product_options(line, shop, prospects)
    )
    return [
        *(_with_packaging(facts, code, words) for _, code in heapq.nlargest(ORDER_TRIED_MAX, order)),
        *(
            _with_line_packaging(facts, place, code, words)
            for _, _, place, code in heapq.nlargest(PACKAGING_TRIED_MAX, packaging)
        ),
        *(
            _with_product(cart, facts, -place, -rank, shop, words)
            for _, _, place, rank in heapq.nlargest(PRODUCTS_TRIED_MAX, products)
        ),
    ]


def _order_options(
    facts: Facts, shop: Shop, reference: CatalogReference, prospects: Prospects
) -> Iterable[tuple[str, int]]:
    """Return the options that could be taken for the order, with the points that they could earn."""
    for code, option in reference.packaging.items():
        if option.applies_to != "line" and code not in facts["packaging"] and shop.is_offered(code):
            points = prospects.of_packaging(code)
            if points:
                yield code, points


def _line_options(
    line: Facts, product: ProductFacts | None, reference: CatalogReference, prospects: Prospects
) -> Iterable[tuple[str, int]]:
    """Return the options in which the line's product is sold too, with the points that they could earn."""
    for code in product.packaging if product is not None and product.is_own else ():
        if code not in line["packaging"] and code in reference.packaging:
            points = prospects.of_packaging(code)
            if points:
                yield code, points


def _product_options(line: Facts, shop: Shop, prospects: Prospects) -> Iterable[tuple[int, int]]:
    """Return the places of the products that could take the line's, with the points that they could earn."""
    for rank, other in enumerate(_alternatives(line, shop)):
        if other.sku != line["sku"]:
            points = prospects.of_certifications(other.codes)
            if points:
                yield rank, points


def _alternatives(line: Facts, shop: Shop) -> Sequence[Alternative]:
    return shop.alternatives.get(line["category"], ()) if _takes_alternative(line) else ()


@dataclass(frozen=True, slots=True)
class _Words:
    """The reference tables and the language of the reader."""

    reference: CatalogReference
    locale: str

    def option(self, code: str) -> str:
        """Return the name of a packaging option."""
        return packaging_name(code, self.reference.packaging[code].name, self.locale)


def _with_option(held: Sequence[str], code: str, reference: CatalogReference) -> list[str]:
    """Return the packaging ``held`` with one option more, which takes the place of what it excludes."""
    group = reference.packaging[code].exclusive_group
    kept = [each for each in held if group is None or reference.packaging[each].exclusive_group != group]
    return [*kept, code]


def _with_packaging(facts: Facts, code: str, words: _Words) -> Change:
    packaging = _with_option(facts["packaging"], code, words.reference)
    changed = {**facts, "packaging": packaging}
    alone = {**facts, "packaging": [code], "lines": []}
    return Change({"packaging": packaging}, changed, alone, "order", {"option": words.option(code)})


def _with_line_packaging(facts: Facts, place: int, code: str, words: _Words) -> Change:
    line = facts["lines"][place]
    packaging = _with_option(line["packaging"], code, words.reference)
    changed = _with_line(facts, place, {**line, "packaging": packaging})
    change = {"lines": [{"id": line["id"], "packaging": packaging}]}
    return Change(change, changed, changed, "line", {"line": _label(line), "option": words.option(code)})


def _with_product(cart: Facts, facts: Facts, place: int, rank: int, shop: Shop, words: _Words) -> Change:
    """Return the cart with another product in a line; its GTIN is named where the line names one."""
    line: Facts = cart["lines"][place]
    other = _alternatives(facts["lines"][place], shop)[rank]
    change: dict[str, Any] = {"id": line["id"], "sku": other.sku}
    if line["gtin"] is not None:
        change["gtin"] = other.gtin
    packaging = [code for code in line["packaging"] if code in other.facts.packaging]
    if packaging != line["packaging"]:
        change["packaging"] = packaging
    judged = judge_line(line["certifications"], other.facts, shop.day, shop.accepted)
    changed = _with_line(facts, place, line_facts({**line, **change}, judged))
    names = {"product": name_in(other.names, words.locale) or other.sku, "line": _label(line)}
    return Change({"lines": [change]}, changed, changed if "packaging" in change else None, "product", names)


def _with_line(facts: Facts, place: int, line: Facts) -> Facts:
    lines = list(facts["lines"])
    lines[place] = line
    return {**facts, "lines": lines}


def _label(line: Facts) -> str:
    return str(line["name"] or line["sku"] or line["gtin"] or line["id"])
