"""CEL conditions: compiled once a version, evaluated in a context prepared once an activity.

A condition sees ``activity``, ``line``, ``product``, ``member``, ``merchant`` and ``now``. One that fails, or is not
a boolean, counts as a rule error: the rule pays nothing and the activity goes on.
"""

from collections.abc import Mapping
from typing import Any

import cel


class ExpressionError(Exception):
    """The expression does not parse, or failed on this activity."""


class Condition:
    """A compiled condition."""

    def __init__(self, text: str) -> None:
        try:
            self._program = cel.compile(text)
        except (ValueError, RuntimeError) as error:
            raise ExpressionError(str(error)) from error
        self.text = text

    def unknown_variables(self, known: set[str]) -> list[str]:
        """Return the variables that the condition names and nobody gives it."""
        return [name for name in self._program.variables() if name not in known]

    def holds(self, context: cel.Context) -> bool:
        """Return whether the condition is true in ``context``; raise ExpressionError where it has no answer."""
        try:
            answer = self._program.execute(context)
        except Exception as error:  # the binding raises what the failing operation would raise in Python
            raise ExpressionError(str(error)) from error
        if not isinstance(answer, bool):
            raise ExpressionError("the condition is not a boolean")
        return answer


def make_context(variables: Mapping[str, Any]) -> cel.Context:
    """Return a context with ``variables``; ``set_line`` puts each line into it in turn."""
    return cel.Context(variables=dict(variables))


def set_line(context: cel.Context, line: Mapping[str, Any]) -> None:
    """Make ``line`` the line, and the product, that conditions see."""
    context.add_variable("line", line)
    context.add_variable("product", line)
