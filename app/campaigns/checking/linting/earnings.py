"""What rules earn together by how many units there are, as far as a document alone can say."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]
COMPARABLE = frozenset({"fixed", "per_unit"})
QUANTITY_MAX = 10_000  # of one line
LINES_MAX = 200


def is_comparable(rule: Rule) -> bool:
    """Return whether the rule's points depend on how many units there are, and on nothing else."""
    return rule["award"]["type"] in COMPARABLE


def points_of(rules: Iterable[Rule], units: int, *, a_line_each: bool) -> int:
    """Return what comparable ``rules`` pay together for ``units``, on one line or on a line each.

    Of a stacking group in which rules compete, the best counts.
    """
    total = 0
    best: dict[str, int] = {}
    for rule in rules:
        points = _points(rule, units, a_line_each)
        stacking = rule.get("stacking")
        if stacking and stacking["mode"] != "sum":
            best[stacking["group"]] = max(best.get(stacking["group"], 0), points)
        else:
            total += points
    return total + sum(best.values())


def _points(rule: Rule, units: int, a_line_each: bool) -> int:
    grows = rule["award"]["type"] == "per_unit" or (a_line_each and rule["scope"] == "line")
    points: int = rule["award"]["points"] * (units if grows else 1)
    if rule["minimum"] is not None and points < rule["minimum"]:
        return 0
    return points if rule["maximum"] is None else min(points, rule["maximum"])


def units_to_out_earn(lower: Sequence[Rule], higher: Sequence[Rule]) -> tuple[int, int, int] | None:
    """Return for how many units ``lower`` first pays more than ``higher``, and what both pay then; None for none.

    Both are straight lines between the quantities at which a minimum or maximum of one of their rules is reached, so
    that only there, and where they begin and end, one can come to lie above the other.
    """
    for a_line_each, units_max in ((False, QUANTITY_MAX), (True, LINES_MAX)):

        def exceeds(units: int, a_line_each: bool = a_line_each) -> bool:
            paid = points_of(higher, units, a_line_each=a_line_each)
            return points_of(lower, units, a_line_each=a_line_each) > paid

        before = 0
        for units in _turns((*lower, *higher), units_max):
            if exceeds(units):
                first = _first(exceeds, before, units)
                return (
                    first,
                    points_of(lower, first, a_line_each=a_line_each),
                    points_of(higher, first, a_line_each=a_line_each),
                )
            before = units
    return None


def _turns(rules: Iterable[Rule], units_max: int) -> list[int]:
    """Return the quantities around which the points of one of ``rules`` begin, or stop, to grow."""
    found = {1, units_max}
    for rule in rules:
        for bound in (rule["minimum"], rule["maximum"]):
            if bound is not None:
                reached = bound // rule["award"]["points"]
                found |= {units for units in (reached - 1, reached, reached + 1) if 1 <= units <= units_max}
    return sorted(found)


def _first(exceeds: Any, below: int, above: int) -> int:
    """Return where it first exceeds between a quantity where it does not and one where it does, on a straight line."""
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if exceeds(middle) else (middle, above)
    return above
