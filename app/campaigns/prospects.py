"""What a change of an activity could earn, roughly: which are worth an evaluation, and which of them first. Pure.

1. A rule that its campaign or a limit keeps from paying, whatever was bought, is left out.
2. A packaging option or certification can only earn by a rule that lists it, or by one whose expressions read such
   things: of those that they name in quotes each may, of those that name none any.
3. The estimate is what the rule pays for the activity as it is, without minimum, maximum, limits and groups.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from app.campaigns.engine.rules import Rule

_READERS = {
    "packaging": frozenset({("activity", "packaging"), ("line", "packaging"), ("product", "packaging")}),
    "certifications": frozenset(
        (name, field) for name in ("line", "product") for field in ("certifications", "certificates")
    ),
}
_QUOTED = re.compile(r"""['"]([A-Z][A-Z0-9_]*)['"]""")
_WHOLE = frozenset((name, None) for name in ("activity", "line", "product"))


class Prospects:
    """Rough points by packaging option and by certification."""

    def __init__(self, rules: Iterable[Rule], barred: Collection[Rule], activity: Mapping[str, Any]) -> None:
        self._listed: dict[str, dict[str, int]] = {dimension: {} for dimension in _READERS}
        self._by_text: dict[str, list[tuple[frozenset[str], int]]] = {dimension: [] for dimension in _READERS}
        closed = {id(rule) for rule in barred}
        for rule in rules:
            if id(rule) not in closed:
                self._add(rule, max(1, _estimate(rule, activity)))

    def _add(self, rule: Rule, points: int) -> None:
        for dimension, fields in _READERS.items():
            if dimension in rule.match:
                listed = self._listed[dimension]
                for code in rule.match[dimension]:
                    listed[code] = listed.get(code, 0) + points
            elif not rule.reads.isdisjoint(fields | _WHOLE):
                texts = (each.text for each in (rule.condition, rule.formula) if each is not None)
                self._by_text[dimension].append((_named_in("\n".join(texts)), points))

    def of_packaging(self, code: str) -> int:
        """Return the points that the option could earn; 0 where it can't earn any."""
        return self._of("packaging", [code])

    def of_certifications(self, codes: Iterable[str]) -> int:
        """Return the points that these certifications could earn; 0 where they can't earn any."""
        return self._of("certifications", codes)

    def _of(self, dimension: str, codes: Iterable[str]) -> int:
        wanted = frozenset(codes)
        listed = self._listed[dimension]
        points = sum(listed.get(code, 0) for code in wanted)
        return points + sum(each for named, each in self._by_text[dimension] if not named or named & wanted)


@lru_cache(maxsize=1000)
def _named_in(text: str) -> frozenset[str]:
    return frozenset(_QUOTED.findall(text))


def _estimate(rule: Rule, activity: Mapping[str, Any]) -> int:
    if rule.is_multiplier or rule.formula is not None:
        return rule.maximum or 1
    points, over = rule.rate
    if rule.measure is None:
        return points
    return points * sum(line[rule.measure] or 0 for line in activity["lines"]) // over
