"""An activity made ready for rules: which of its lines hold what they ask for. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.campaigns.engine.rules import Rule

_TELLING = ("certificate_missing", "certificate_expired")
WHOLE = -1  # the place of a rule that looks at the whole activity; lines are 0, 1, 2, …
# By dimension and value, the lines that hold it: bit n is line n, the bit after the last line the activity itself.
Held = Mapping[str, Mapping[str, int]]


def held_by(activity: Mapping[str, Any], merchant: Mapping[str, Any]) -> Held:
    """Return what ``activity`` and its lines hold; what the whole holds, every line does.

    A certification that was refused is held by no line: rules that ask for it are tried, to say why they don't pay.
    """
    lines = activity["lines"]
    everywhere = (2 << len(lines)) - 1
    certifications: dict[str, int] = {}
    packaging = dict.fromkeys(activity["packaging"], everywhere)
    materials: dict[str, int] = {}
    categories: dict[str, int] = {}
    bit = 1
    for line in lines:
        for code in line["certifications"]:
            certifications[code] = certifications.get(code, 0) | bit
        if "refused" in line:
            for code in line["refused"]:
                certifications.setdefault(code, 0)
        for code in line["packaging"]:
            packaging[code] = packaging.get(code, 0) | bit
        if line["material"]:
            materials[line["material"]] = materials.get(line["material"], 0) | bit
        if line["category"]:
            categories[line["category"]] = categories.get(line["category"], 0) | bit
        bit <<= 1
    return {
        "certifications": certifications,
        "packaging": packaging,
        "materials": materials,
        "categories": categories,
        "merchants": {merchant["key"]: everywhere},
    }


class Subject:
    """An activity and its lines, as the lists of rules ask of them."""

    def __init__(self, activity: Mapping[str, Any], merchant: Mapping[str, Any]) -> None:
        self.activity = activity
        self.lines: Sequence[Mapping[str, Any]] = activity["lines"]
        self.line_ids: Sequence[str] = [line["id"] for line in self.lines]
        self.held = held_by(activity, merchant)
        self._all_lines = (1 << len(self.lines)) - 1

    def places(self, rule: Rule) -> list[int]:
        """Return where the rule's lists are met: the lines, or ``WHOLE``; the activity meets them with all it holds."""
        if rule.is_of_lines:
            mask = self._all_lines
            for dimension, wanted in rule.match.items():
                mask &= self._mask(dimension, wanted)
            return self._positions(mask)
        return [WHOLE] if all(self._mask(dimension, wanted) for dimension, wanted in rule.match.items()) else []

    def holds_certificate(self, wanted: frozenset[str]) -> bool:
        """Return whether a line holds one of ``wanted``."""
        held = self.held["certifications"]
        return any(held.get(code) for code in wanted)

    def why_refused(self, wanted: frozenset[str]) -> str | None:
        """Return why a certificate among ``wanted`` that a line names does not count, None where none is named.

        One that had run out comes before one that is missing: it tells the shopper more.
        """
        reasons = {line["refused"].get(code) for line in self.lines if "refused" in line for code in wanted}
        return max((reason for reason in reasons if reason is not None), key=_TELLING.index, default=None)

    def ids(self, places: Iterable[int]) -> list[str | None]:
        """Return the ids of the lines, None for the activity."""
        return [None if place == WHOLE else self.line_ids[place] for place in places]

    def _mask(self, dimension: str, wanted: frozenset[str]) -> int:
        mask = 0
        for value, lines in self.held[dimension].items():
            if value in wanted:
                mask |= lines
        return mask

    def _positions(self, mask: int) -> list[int]:
        if mask == self._all_lines:
            return list(range(len(self.lines)))
        positions = []
        while mask:
            last = mask & -mask
            positions.append(last.bit_length() - 1)
            mask ^= last
        return positions
