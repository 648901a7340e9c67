"""Match lists as sets: what two rules have in common, and whether one takes in all that another does."""

from collections.abc import Mapping
from typing import Any

Match = Mapping[str, frozenset[str]]


def match_of(rule: Mapping[str, Any]) -> Match:
    """Return the lists of a rule's match by dimension; a dimension that is left out takes in anything."""
    return {dimension: frozenset(values) for dimension, values in (rule.get("match") or {}).items()}


def meet(first: Match, second: Match) -> Match | None:
    """Return what both take in, None where that is nothing."""
    found = {**first, **second}
    for dimension in first.keys() & second.keys():
        found[dimension] = first[dimension] & second[dimension]
        if not found[dimension]:
            return None
    return found


def takes_in(match: Match, narrower: Match) -> bool:
    """Return whether ``match`` holds wherever ``narrower`` does."""
    for dimension, values in match.items():  # asked so often that a generator would double what it costs
        within = narrower.get(dimension)
        if within is None or not within <= values:
            return False
    return True


def without_packaging(match: Match) -> Match:
    """Return ``match`` for any packaging."""
    return {dimension: values for dimension, values in match.items() if dimension != "packaging"}
