"""Global Trade Item Numbers: the check digit, and the one spelling by which products are looked up. Pure.

By the GS1 General Specifications a GTIN has 8, 12, 13 or 14 digits, the last of which is a check digit. Here they are
filled up to 14 with zeros on the left, so that an article has one number whatever its barcode.
"""

import re
from functools import lru_cache

from stdnum import ean

PATTERN = r"^([0-9]{8}|[0-9]{12,14})\Z"
_GTIN = re.compile(PATTERN)
_KEPT_MAX = 50_000
_EAN_8 = "000000"
# By the GS1 prefixes for restricted circulation a company, or the shops of a region, give numbers out for themselves:
# two shops use the same one for different goods. In 14 digits: those of EAN-13 and UPC-A first, then those of EAN-8.
_RESTRICTED = ("002", "004", "02", _EAN_8 + "0", _EAN_8 + "2")


@lru_cache(maxsize=_KEPT_MAX)
def normalise_gtin(text: str) -> str | None:
    """Return ``text`` in 14 digits; None where it has another length or a wrong check digit."""
    return text.zfill(14) if _GTIN.match(text) and ean.is_valid(text) else None


def is_restricted(gtin: str) -> bool:
    """Return whether ``gtin``, of 14 digits, means an article within one company or region alone."""
    return gtin.startswith(_RESTRICTED)
