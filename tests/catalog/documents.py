"""Products as merchants send them."""

from typing import Any

GTIN = "4006381333931"
GTIN_14 = "04006381333931"


def certificate(**changes: Any) -> dict[str, Any]:
    """Return an organic certificate of this and the next decades."""
    return {
        "code": "EU_ORGANIC", "number": "DE-ÖKO-001", "holder": "Carrot Farm eG", "grade": None,
        "valid_from": "2020-01-01", "valid_to": "2059-12-31", "link": "https://certificates.example/1?a=b#c",
    } | changes  # fmt: skip


def product(**changes: Any) -> dict[str, Any]:
    """Return carrots that come loose, with an organic certificate."""
    return {
        "gtin": GTIN, "names": {"en": "Carrots", "zh-CN": "胡萝卜"}, "category": "produce", "packaging": ["UNPACKED"],
        "certificates": [certificate()],
    } | changes  # fmt: skip
