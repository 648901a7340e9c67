"""Names in the reader's language. Pure."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from app.core.reference import read_reference

_PACKAGING_NAMES = Path(__file__).with_name("reference") / "packaging_names.csv"


def name_in(names: Mapping[str, str], locale: str) -> str | None:
    """Return the name in ``locale``, in its language, in English, or in whatever there is; None where there is none."""
    language = locale.partition("-")[0]
    near = (name for tag, name in names.items() if tag.partition("-")[0] == language)
    return names.get(locale) or next(near, None) or names.get("en") or next(iter(names.values()), None)


@cache
def _packaging_names() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in read_reference(_PACKAGING_NAMES):
        found.setdefault(row["code"], {})[row["locale"]] = row["name"]
    return found


def packaging_name(code: str, english: str, locale: str) -> str:
    """Return the name of a packaging option in ``locale``; the one in English where it has none there."""
    return name_in({"en": english, **_packaging_names().get(code, {})}, locale) or english
