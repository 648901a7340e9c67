"""CEL expressions: compiled once a version, evaluated in contexts that hold only what the expressions read.

A condition sees ``activity``, ``line``, ``product``, ``member``, ``merchant`` and ``now``; a formula, which says how
many points, sees the same. One that fails, or has no answer of its kind, counts as a rule error: the rule pays nothing
and the activity goes on.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import cel

VARIABLES = ("activity", "line", "product", "member", "merchant", "now")
# A field that is read, or, with a bracket after it, a method of the whole variable.
_READ = re.compile(rf"\b({'|'.join(VARIABLES)})\b(?:\s*\.\s*([A-Za-z_]\w*)\s*(\()?)?", re.ASCII)
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,", re.ASCII)
Reads = frozenset[tuple[str, str | None]]
Fields = Mapping[str, frozenset[str] | None]


class ExpressionError(Exception):
    """The expression does not parse, or failed on this activity."""


class _Expression:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        try:
            self._program = cel.compile(text)
        except (ValueError, RuntimeError) as error:
            raise ExpressionError(str(error)) from error
        self.text = text

    def unknown_variables(self, known: Collection[str]) -> list[str]:
        """Return the variables that the expression names and neither it nor anybody else gives it."""
        bound = set(_BOUND.findall(self.text))
        return [name for name in self._program.variables() if name not in known and name not in bound]

    @cached_property
    def reads(self) -> Reads:
        """What the expression may read, as (variable, field); a field None is the whole variable.

        Taken from its text, so that it may name too much (what stands in a string, say) and never too little.
        """
        return frozenset(
            (name, field if field and not bracket else None) for name, field, bracket in _READ.findall(self.text)
        )


class Condition(_Expression):
    """A compiled condition."""

    def holds(self, context: cel.Context) -> bool:
        """Return whether the condition is true in ``context``; raise ExpressionError where it has no answer."""
        try:
            answer = self._program.execute(context)
        except Exception as error:  # the binding raises what the failing operation would raise in Python
            raise ExpressionError(str(error)) from error
        if not isinstance(answer, bool):
            raise ExpressionError("the condition is not a boolean")
        return answer


class Formula(_Expression):
    """A compiled number of points."""

    def points(self, context: cel.Context) -> tuple[int, int]:
        """Return the points as a whole amount and what it is over; raise ExpressionError where there is no such number.

        A double is what its shortest decimal says: 0.1 is one tenth. NaN, infinities and negative numbers are none.
        """
        try:
            answer = self._program.execute(context)
        except Exception as error:  # as above
            raise ExpressionError(str(error)) from error
        if type(answer) is int:
            amount, over = answer, 1
        elif type(answer) is float and math.isfinite(answer):
            amount, over = (int(answer), 1) if answer.is_integer() else Decimal(repr(answer)).as_integer_ratio()
        else:
            raise ExpressionError("the points are not a number")
        if amount < 0:
            raise ExpressionError("the points are negative")
        return amount, over


def fields_of(reads: Iterable[Reads]) -> Fields:
    """Return by variable the fields that any of ``reads`` names, None where it is the whole variable."""
    named: dict[str, set[str | None]] = {}
    for name, field in frozenset().union(*reads):
        named.setdefault(name, set()).add(field)
    return {
        name: None if None in fields else frozenset(field for field in fields if field is not None)
        for name, fields in named.items()
    }


def make_context(variables: Mapping[str, Any]) -> cel.Context:
    """Return a context with ``variables``; making one costs microseconds a value, so give it only what is read."""
    context = cel.Context()
    for name, value in variables.items():
        context.add_variable(name, value)
    return context
