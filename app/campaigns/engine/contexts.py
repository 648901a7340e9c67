"""The variables that expressions see, at a line and at the whole activity, with only the fields that are read. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import cel

from app.campaigns.engine.subject import WHOLE
from app.campaigns.expressions import Fields, make_context

_OF_LINES = ("line", "product")
_NO_FIELDS: frozenset[str] = frozenset()
_HIDDEN = {"activity": frozenset({"lines"}), "member": frozenset({"id"})}
_HIDDEN_OF_LINES = frozenset({"refused", "is_judged"})


class Contexts:
    """The contexts of one activity, each made when it is first asked for."""

    def __init__(
        self,
        activity: Mapping[str, Any],
        member: Mapping[str, Any],
        merchant: Mapping[str, Any],
        now: datetime,
        whole_fields: Fields,
        line_fields: Fields,
    ) -> None:
        self._lines: Sequence[Mapping[str, Any]] = activity["lines"]
        self._sources = {"activity": activity, "member": member, "merchant": merchant}
        self._now = now
        self._whole_fields = whole_fields
        self._line_fields = line_fields
        self._of_lines = [(name, line_fields[name]) for name in _OF_LINES if name in line_fields]
        self._beside_line: Mapping[str, Any] | None = None
        self._made: dict[int, cel.Context] = {}

    def at(self, place: int) -> cel.Context:
        """Return the variables of a line, or with ``WHOLE`` of the activity."""
        context = self._made.get(place)
        if context is None:
            context = self._made[place] = self._make(place)
        return context

    def _make(self, place: int) -> cel.Context:
        if place == WHOLE:
            return make_context(self._shared(self._whole_fields))
        if self._beside_line is None:
            self._beside_line = self._shared(self._line_fields)
        context, line = make_context(self._beside_line), self._lines[place]
        for name, wanted in self._of_lines:
            context.add_variable(name, _part(line, wanted, _HIDDEN_OF_LINES))
        return context

    def _shared(self, fields: Fields) -> dict[str, Any]:
        """Return what is in ``fields`` of the variables that all lines share."""
        named: dict[str, Any] = {}
        for name, wanted in fields.items():
            if name == "now":
                named[name] = self._now
            elif name in self._sources:
                named[name] = _part(self._sources[name], wanted, _HIDDEN.get(name, _NO_FIELDS))
        return named


def _part(source: Mapping[str, Any], fields: Iterable[str] | None, hidden: frozenset[str]) -> dict[str, Any]:
    return {field: source[field] for field in fields or source if field in source and field not in hidden}
