"""What a voucher takes off a cart. Pure.

1. A line counts if it is what the terms ask for: certified, where they are for certified products only, and of one of
   the categories and one of the articles, where they name any.
2. What counts must come to the minimum spend; what doesn't, does not help.
3. With scope ``whole`` the voucher is for all that counts together, with ``line`` for the one line of which it takes
   off the most; the first, where several are equal.
4. ``amount`` takes off what is left of its value, ``percent`` that part, rounded down, ``product`` one unit of the
   dearest line that counts: it needs categories or articles, or else it is good for nothing. Never more than counts.
5. What is taken off is shared among the lines by largest remainder, in proportion to what they cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.campaigns.service import share_by_largest_remainder

NOTHING_ELIGIBLE = "nothing_eligible"
BELOW_MINIMUM = "below_minimum_spend"


@dataclass(frozen=True, slots=True)
class Worth:
    """The ``amount`` that a voucher takes off, in minor units, and of which lines.

    Where that is nothing, ``reason`` is the code of why, and ``missing`` what lacks to the minimum spend.
    """

    amount: int
    lines: tuple[tuple[str, int], ...] = ()
    reason: str | None = None
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """What a voucher gives: ``left`` of an amount in minor units, or ``percent``, or else one unit."""

    left: int | None = None
    percent: int | None = None

    def off(self, line: Mapping[str, Any]) -> int:
        """Return what it takes off one line, or off several taken together as one of quantity 1."""
        total = int(line["total"])
        if self.left is not None:
            return min(self.left, total)
        return total * self.percent // 100 if self.percent is not None else total // int(line["quantity"])


def counts(terms: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Return whether ``line``, as rules see it, is what the voucher is for."""
    if terms.get("certified_only") and not line["certifications"]:
        return False
    if terms.get("categories") and line["category"] not in terms["categories"]:
        return False
    return not terms.get("skus") or line["sku"] in terms["skus"]


def worth_of(
    value: Value, terms: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], at_most: int | None = None
) -> Worth:
    """Return what a voucher of ``value`` and ``terms`` takes off a cart of ``lines``, ``at_most`` so much if given."""
    is_product = value.left is None and value.percent is None
    is_for_any = not terms.get("categories") and not terms.get("skus")
    eligible = [] if is_product and is_for_any else [line for line in lines if counts(terms, line)]
    eligible = [line for line in eligible if line["total"] > 0]
    if not eligible:
        return Worth(0, reason=NOTHING_ELIGIBLE)
    total = sum(line["total"] for line in eligible)
    missing = (terms.get("minimum_spend") or 0) - total
    if missing > 0:
        return Worth(0, reason=BELOW_MINIMUM, missing=missing)
    if is_product or terms.get("scope") == "line":
        eligible = [max(eligible, key=value.off)]
        amount = value.off(eligible[0])
    else:
        amount = value.off({"total": total, "quantity": 1})
    if at_most is not None:
        amount = min(amount, at_most)
    if amount == 0:
        return Worth(0, reason=NOTHING_ELIGIBLE)
    parts = share_by_largest_remainder(amount, [line["total"] for line in eligible])
    shares = zip(eligible, parts, strict=True)
    return Worth(amount, tuple((str(line["id"]), part) for line, part in shares if part))
