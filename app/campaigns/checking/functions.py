"""The functions and operators of the engine that rules may use, with their types; a test runs each of them in it.

Left out is what the engine lacks, what fails on ordinary values, and what costs too much; ``WITHHELD`` says why.
Times are taken apart in UTC; like those of CEL, ``getMonth``, ``getDayOfMonth`` and ``getDayOfYear`` count from 0,
``getDate`` from 1, and ``getDayOfWeek`` from Sunday as 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.campaigns.checking.types import (
    ANY_LIST,
    ANY_MAP,
    BOOL,
    DECIMAL,
    DURATION,
    TEXT,
    TIME,
    WHOLE,
    Type,
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives; ``receiver`` is what stands before the dot, None for a plain function."""

    receiver: Type | None
    name: str
    arguments: tuple[Type, ...]
    result: Type


SIGNATURES = (
    Signature(None, "size", (ANY_LIST,), WHOLE),
    Signature(None, "size", (ANY_MAP,), WHOLE),
    Signature(ANY_LIST, "size", (), WHOLE),
    Signature(ANY_MAP, "size", (), WHOLE),
    Signature(TEXT, "contains", (TEXT,), BOOL),
    Signature(TEXT, "startsWith", (TEXT,), BOOL),
    Signature(TEXT, "endsWith", (TEXT,), BOOL),
    Signature(None, "double", (WHOLE,), DECIMAL),
    Signature(None, "double", (DECIMAL,), DECIMAL),
    Signature(None, "int", (DECIMAL,), WHOLE),
    Signature(None, "int", (WHOLE,), WHOLE),
    Signature(None, "string", (WHOLE,), TEXT),
    Signature(None, "string", (DECIMAL,), TEXT),
    Signature(None, "timestamp", (TEXT,), TIME),
    Signature(None, "duration", (TEXT,), DURATION),
    *(
        Signature(TIME, name, (), WHOLE)
        for name in (
            "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
            "getHours", "getMinutes", "getSeconds", "getMilliseconds",
        )
    ),
    *(
        Signature(DURATION, name, (), WHOLE)
        for name in ("getHours", "getMinutes", "getSeconds", "getMilliseconds")
    ),
)  # fmt: skip
FUNCTIONS = frozenset(each.name for each in SIGNATURES if each.receiver is None)
METHODS = frozenset(each.name for each in SIGNATURES if each.receiver is not None)
# Each is tried at save, because a text that is no time would fail on every activity.
LITERAL_ALONE = {
    "timestamp": "a time such as '2026-06-05T00:00:00Z'",
    "duration": "a duration such as '90m' or '36h'",
}

# All but ``map``, which gives a list of what it asked, ask true or false of each item; ``filter`` gives a list again.
COMPREHENSIONS = frozenset({"all", "exists", "exists_one", "filter", "map"})

WITHHELD = {
    "matches": "its pattern would be compiled anew for each line; use `startsWith`, `endsWith`, `contains` or `in`",
    "has": "every field is there, though it may be null; write for example `line.weight_g != null`",
    "type": "the types are known when the rule is saved",
    "dyn": "the types are known when the rule is saved",
    "bool": "the engine has no such function; compare the value instead",
    "bytes": "rules work on texts and numbers",
    "uint": "rules work on whole and decimal numbers",
    "existsOne": "it is written `exists_one`",
    "min": "the engine has no such function; write a choice (`a < b ? a : b`)",
    "max": "the engine has no such function; write a choice (`a > b ? a : b`)",
}

ARITHMETIC: Mapping[tuple[str, str, str], Type] = {
    **{(sign, WHOLE.name, WHOLE.name): WHOLE for sign in "+-*/%"},
    **{(sign, DECIMAL.name, DECIMAL.name): DECIMAL for sign in "+-*/"},
    ("+", TEXT.name, TEXT.name): TEXT,
    ("+", TIME.name, DURATION.name): TIME,
    ("-", TIME.name, DURATION.name): TIME,
    ("-", TIME.name, TIME.name): DURATION,
    ("+", DURATION.name, DURATION.name): DURATION,
    ("-", DURATION.name, DURATION.name): DURATION,
}
ORDERED = frozenset({WHOLE.name, DECIMAL.name, TEXT.name, TIME.name, DURATION.name})
