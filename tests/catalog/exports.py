"""Exports of Open Food Facts as they come: 200 columns, tabs, no quotes. Made up, but for names of columns and tags."""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

NAMED = (
    "code", "url", "creator", "created_t", "product_name", "quantity", "packaging", "packaging_tags", "brands",
    "categories", "categories_tags", "labels", "labels_tags", "countries_tags", "environmental_score_grade",
)  # fmt: skip
COLUMNS = (*NAMED, *(f"nutrient-{number}_100g" for number in range(200 - len(NAMED))))
LABELS = (
    "en:organic", "en:eu-organic", "fr:ab-agriculture-biologique", "en:fair-trade", "en:fairtrade-international",
    "en:rainforest-alliance", "en:sustainable-seafood-msc", "en:vegan", "en:green-dot", "en:de-oko-006", "fr:inconnu",
)  # fmt: skip
PACKAGING = ("en:plastic", "en:glass", "fr:vrac", "fr:eco-recharge", "en:tetra-pak", "en:bag")
CATEGORIES = ("en:snacks", "en:beverages,en:teas", "en:dairies,en:milks,en:whole-milks", "")
GRADES = ("a-plus", "a", "c", "e", "unknown", "not-applicable", "")


def gtin(number: int) -> str:
    """Return a GTIN-13 of a German prefix with its check digit."""
    digits = f"40{number:010d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def row(number: int, **changes: str) -> dict[str, str]:
    """Return the cells of a row that are not empty."""
    return {
        "code": gtin(number), "product_name": f"Product {number}", "labels_tags": "en:organic,en:eu-organic",
        "packaging_tags": "en:glass", "categories_tags": "en:beverages,en:teas", "environmental_score_grade": "b",
    } | changes  # fmt: skip


def text_of(rows: Iterable[Mapping[str, str]], columns: Iterable[str] = COLUMNS, delimiter: str = "\t") -> bytes:
    """Return an export of ``rows``."""
    names = list(columns)
    lines = [names, *([cells.get(name, "") for name in names] for cells in rows)]
    return "".join(delimiter.join(line) + "\n" for line in lines).encode()


def write_synthetic(path: Path, count: int, seed: int = 7) -> None:
    """Write an export of ``count`` rows, every cell of most of them full, a row in a hundred broken."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    nutrients = [f"{value / 10:.1f}" for value in range(500)]
    with path.open("wb") as file:
        file.write(("\t".join(COLUMNS) + "\n").encode())
        for number in range(count):
            code = gtin(number)
            cells = [
                code, f"http://world.example/product/{code}", "somebody", "1489061370",
                f"Produit n° {number} «{chance.choice('abcdefgh') * 8}»", "500 g", "Glass",
                ",".join(chance.sample(PACKAGING, 2)), "Brand", "Teas", chance.choice(CATEGORIES), "Bio",
                ",".join(chance.sample(LABELS, chance.randrange(5))), "en:france", chance.choice(GRADES),
                *chance.choices(nutrients, k=len(COLUMNS) - len(NAMED)),
            ]  # fmt: skip
            line = "\t".join(cells).encode()
            if number % 100 == 50:
                line = (line[: len(line) // 2], line.replace(b"somebody", b"some\x00body"))[number % 200 == 50]
            file.write(line + b"\n")
