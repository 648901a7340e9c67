"""Certificate numbers: which are well-formed, and when two are the same. Pure.

Where the form of a certification's numbers is public, ``reference/certificate_numbers.csv`` has it with its source.
Other numbers need a digit at least, so that «yes» and «applied for» are none, and no characters that no number has.
"""

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from app.core.reference import read_reference

LENGTH_MAX = 100
_TABLE = Path(__file__).with_name("reference") / "certificate_numbers.csv"
_ANY = re.compile(r"(?=[^0-9]*[0-9])\w[\w .,:;/()&+#*-]*")
_KEPT_MAX = 10_000


class NumberForm(NamedTuple):
    """The form of a certification's numbers, and one that is made up or public, to show it."""

    pattern: re.Pattern[str]
    example: str


@cache
def number_forms() -> dict[str, NumberForm]:
    """Return the forms that are public, by certification."""
    return {
        row["code"]: NumberForm(re.compile(row["pattern"]), normalise_number(row["example"]))
        for row in read_reference(_TABLE)
    }


@lru_cache(maxsize=_KEPT_MAX)
def normalise_number(number: str) -> str:
    """Return the spelling by which numbers are compared: capitals, single spaces, one form of each character."""
    return " ".join(unicodedata.normalize("NFKC", number).upper().split())


@lru_cache(maxsize=_KEPT_MAX)
def is_well_formed(code: str, number: str) -> bool:
    """Return whether ``number`` can be one of the certification ``code``."""
    form = number_forms().get(code)
    pattern = _ANY if form is None else form.pattern
    return len(number) <= LENGTH_MAX and pattern.fullmatch(normalise_number(number)) is not None
