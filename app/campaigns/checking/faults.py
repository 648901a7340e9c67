"""What is wrong with an expression, in a sentence for the person who wrote it, and where."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_MAX = 40
LISTED_MAX = 15


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in an expression, both counted from 1."""

    line: int
    column: int


START = Place(1, 1)


class ExpressionFault(Exception):
    """The expression can't be used; ``detail`` says why, ``place`` where."""

    def __init__(self, detail: str, place: Place = START) -> None:
        super().__init__(detail)
        self.detail = detail
        self.place = place

    def __str__(self) -> str:
        return f"{self.detail} (line {self.place.line}, column {self.place.column})"


@dataclass(frozen=True, slots=True)
class Remark:
    """What works but will surprise: a stable ``code`` and its sentence."""

    code: str
    detail: str
    place: Place


def quoted(text: str) -> str:
    """Return ``text`` as messages show it: in backquotes, cut where it is long."""
    return f"`{text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + '…'}`"


def capital(text: str) -> str:
    """Return ``text`` as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` was most likely meant to be, None where none is near."""
    found = difflib.get_close_matches(name[:100], sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown ``name``: the nearest known one, or all if they are few."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {quoted(near)}?"
    return f"; there are {', '.join(map(quoted, names))}." if len(names) <= LISTED_MAX else "."
