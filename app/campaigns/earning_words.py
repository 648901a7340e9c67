"""The sentences that say what a rule earns, in the reader's language; and which language a reader gets. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.campaigns.explanations import DEFAULT_LOCALE
from app.core.currencies import minor_units

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "fixed": "{points} each time",
        "per_unit": "{points} for each unit",
        "per_amount": "{points} for each {measure}",
        "per_weight": "{points} for each {measure}",
        "multiplier": "{factor}× points",
        "expression": "Points by how much you do",
        "point": "{count} point",
        "points": "{count} points",
        "kg": "{count} kg",
        "g": "{count} g",
        "at_most": "{text}, at most {points}",
    },
    "zh-CN": {
        "fixed": "每次得 {points}",
        "per_unit": "每件得 {points}",
        "per_amount": "每 {measure} 得 {points}",
        "per_weight": "每 {measure}得 {points}",
        "multiplier": "{factor} 倍积分",
        "expression": "按实际行为计分",
        "point": "{count} 分",
        "points": "{count} 分",
        "kg": "{count} 公斤",
        "g": "{count} 克",
        "at_most": "{text}，最多 {points}",
    },
}
TEXT_LOCALES = tuple(_WORDS)


def nearest_locale(asked: Iterable[str], offered: Sequence[str]) -> str:
    """Return the first of ``asked`` that is offered, or whose language is; English where none is.

    A script or region that is not offered is left aside: ``zh-TW`` and ``zh-Hans-CN`` get ``zh-CN``.
    """
    exact = {locale.lower(): locale for locale in reversed(offered)}
    by_language = {locale.lower().split("-")[0]: locale for locale in reversed(offered)}
    for locale in asked:
        tag = locale.lower().replace("_", "-")
        found = exact.get(tag) or by_language.get(tag.split("-")[0])
        if found is not None:
            return found
    return DEFAULT_LOCALE


def earns_text(award: Mapping[str, Any], maximum: int | None, locale: str) -> str:
    """Return the sentence that says what ``award`` pays, and the most that it does, in the language of ``locale``."""
    words = _WORDS[nearest_locale([locale], TEXT_LOCALES)]
    text = words[award["type"]].format(
        points=_points(award.get("points", 0), words),
        measure=_measure(award, words),
        factor=_decimal(award.get("factor", "")),
    )
    return text if maximum is None else words["at_most"].format(text=text, points=_points(maximum, words))


def _points(count: int, words: Mapping[str, str]) -> str:
    return words["point" if count == 1 else "points"].format(count=count)


def _measure(award: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if award["type"] == "per_amount":
        return _money(award["per"], award["currency"])
    if award["type"] == "per_weight":
        kilograms, grams = divmod(award["per_g"], 1000)
        return words["g"].format(count=award["per_g"]) if grams else words["kg"].format(count=kilograms)
    return ""


def _money(amount: int, currency: str) -> str:
    """Return ``amount`` minor units as units: whole where it is, else with all its decimals."""
    over = minor_units(currency)
    units, rest = divmod(amount, over)
    return f"{units}.{rest:0{len(str(over)) - 1}d} {currency}" if rest else f"{units} {currency}"


def _decimal(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
