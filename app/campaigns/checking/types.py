"""The types of an expression's values, as its author hears of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Type:
    """A type: ``item`` of a list's items or a map's values, ``fields`` of a record by name."""

    name: str
    item: "Type | None" = None
    fields: Mapping[str, "Type"] = field(default_factory=dict, compare=False)
    is_nullable: bool = False

    def __str__(self) -> str:
        if self.item is not None:
            return f"{_WORDS[self.name]} of {_PLURALS.get(self.item.name, f'{self.item.name}s')}"
        return _WORDS.get(self.name, self.name)


_WORDS = {
    "bool": "true or false", "whole": "a whole number", "decimal": "a decimal number", "text": "a text",
    "time": "a time", "duration": "a duration", "list": "a list", "map": "a map", "null": "null",
}  # fmt: skip
_PLURALS = {
    "bool": "true or false", "whole": "whole numbers", "decimal": "decimal numbers", "text": "texts", "time": "times",
    "duration": "durations", "null": "nulls",
}  # fmt: skip

BOOL = Type("bool")
WHOLE = Type("whole")
DECIMAL = Type("decimal")
TEXT = Type("text")
TIME = Type("time")
DURATION = Type("duration")
NULL = Type("null", is_nullable=True)
ANY_LIST = Type("list")
ANY_MAP = Type("map")
NUMBERS = (WHOLE.name, DECIMAL.name)


def list_of(item: Type) -> Type:
    """Return the type of a list of ``item``."""
    return Type("list", item)


def map_of(item: Type) -> Type:
    """Return the type of a map from texts to ``item``."""
    return Type("map", item)


def record(name: str, fields: Mapping[str, Type]) -> Type:
    """Return the type of a record; its name is how messages speak of it."""
    return Type(name, fields=fields)


def nullable(kind: Type) -> Type:
    """Return ``kind``, or null."""
    return kind if kind.is_nullable else replace(kind, is_nullable=True)


def sure(kind: Type) -> Type:
    """Return ``kind`` without null; null itself stays null."""
    return replace(kind, is_nullable=False) if kind.is_nullable and kind.name != NULL.name else kind


def common(first: Type, second: Type) -> Type | None:
    """Return the type that holds both, None where there is none: a whole number is no decimal one."""
    if first.name == NULL.name:
        return nullable(second)
    if second.name == NULL.name:
        return nullable(first)
    if first.name != second.name:
        return None
    item = first.item
    if first.item is not None and second.item is not None:
        item = common(first.item, second.item)
        if item is None:
            return None
    return replace(first, item=item, is_nullable=first.is_nullable or second.is_nullable)


def fits(kind: Type, wanted: Type) -> bool:
    """Return whether a value of ``kind``, null aside, can stand where ``wanted`` is asked for."""
    return kind.name == wanted.name and (wanted.item is None or kind.item == wanted.item)
