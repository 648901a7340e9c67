"""What else could earn more: the same evaluation, tried with one more packaging option. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from app.catalog.service import CatalogReference, PackagingFacts

SUGGESTIONS_MAX = 5
_TEXTS = {
    "en": "Choose “{option}” and earn {points} more points.",
    "zh-CN": "选择“{option}”，可多得 {points} 分。",
}
Evaluate = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _with_option(facts: Mapping[str, Any], option: PackagingFacts, reference: CatalogReference) -> list[str]:
    """Return the activity's packaging with ``option``, which takes the place of what it excludes."""
    kept = [
        code
        for code in facts["packaging"]
        if option.exclusive_group is None or reference.packaging[code].exclusive_group != option.exclusive_group
    ]
    return [*kept, option.code]


def suggest(
    facts: Mapping[str, Any],
    outcome: Mapping[str, Any],
    reference: CatalogReference,
    evaluate: Evaluate,
    locale: str,
) -> list[dict[str, Any]]:
    """Return the packaging choices for the whole order that would earn more, best first, at most five."""
    earned = outcome["points"]["awarded"]
    text = _TEXTS.get(locale) or _TEXTS["zh-CN" if locale.startswith("zh") else "en"]
    found = []
    for option in reference.packaging.values():
        if option.applies_to == "line" or option.code in facts["packaging"]:
            continue
        packaging = _with_option(facts, option, reference)
        changed = evaluate({**facts, "packaging": packaging})
        extra = changed["points"]["awarded"] - earned
        if extra > 0:
            found.append(
                {
                    "change": {"packaging": packaging},
                    "extra_points": extra,
                    "impact": [claim for claim in changed["impact"] if claim["subject"] == option.code],
                    "text": text.format(option=option.name, points=extra),
                }
            )
    found.sort(key=lambda suggestion: (-suggestion["extra_points"], suggestion["change"]["packaging"]))
    return found[:SUGGESTIONS_MAX]
