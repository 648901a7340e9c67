"""Read the reference tables that the product carries as CSV files."""

import csv
from pathlib import Path


def read_reference(path: Path) -> list[dict[str, str]]:
    """Return the rows of ``path`` by column name; an empty cell is an empty string."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))
