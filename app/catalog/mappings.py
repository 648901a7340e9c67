"""What the tags of public data mean here: readable tables, in which a tag may be a pattern with ``*`` and ``?``. Pure.

A tag that stands there without a meaning is known to have none: it is not counted as unknown.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cache
from pathlib import Path

from app.core.reference import read_reference

_FOLDER = Path(__file__).with_name("reference")
_KEPT_MAX = 200_000


class Meanings:
    """A table of tags: first the tag itself, then the patterns in their order."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self._known: dict[str, str | None] = {}
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        for tag, meaning in rows:
            if "*" in tag or "?" in tag:
                self._patterns.append((re.compile(translate(tag)), meaning))
            else:
                self._known[tag] = meaning

    def of(self, tag: str) -> str | None:
        """Return the code that ``tag`` means, an empty text where it means none, None where it is not known."""
        if tag in self._known:
            return self._known[tag]
        found = next((meaning for pattern, meaning in self._patterns if pattern.match(tag)), None)
        if len(self._known) < _KEPT_MAX:
            self._known[tag] = found
        return found


@cache
def label_meanings() -> Meanings:
    """Return which certification a label of Open Food Facts stands for."""
    rows = read_reference(_FOLDER / "label_mapping.csv")
    return Meanings((row["tag"], row["certification"]) for row in rows)


@cache
def packaging_meanings() -> Meanings:
    """Return which packaging option of a line a packaging tag of Open Food Facts stands for."""
    rows = read_reference(_FOLDER / "packaging_mapping.csv")
    return Meanings((row["tag"], row["packaging"]) for row in rows)
