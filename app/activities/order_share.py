"""What of an order's payment goes back when goods come back: points and money in its proportion. Pure.

1. What came back is counted over all returns. Its share of the order is what was paid for it, a line in proportion to
   its pieces, over the order's total: that which the merchant named, or the sum of the lines where that is more. When
   nothing is left the share is the whole, with whatever was paid beside the lines.
2. Of each payment in points, the share is rounded half to even; what was given back before is taken off. So parts in
   any order come to exactly the whole.
3. The rest of what the goods were worth is money: never less than was told before, nor more than was paid in money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from app.activities.remaining import Returned


@dataclass(frozen=True, slots=True)
class Payment:
    """Points that paid for an order, how many of them were given back, and what one is worth in minor units."""

    points: int
    refunded: int
    point_worth: Fraction

    def worth(self, points: int) -> int:
        """Return what so many of its points are worth, rounded down."""
        return int(points * self.point_worth)


@dataclass(frozen=True, slots=True)
class Refund:
    """What a return gives back: points of each payment, what they are worth together, and money."""

    points: Sequence[int]
    worth: int
    money: int


def share_of(lines: Sequence[Mapping[str, Any]], returned: Returned, order_total: int | None) -> Fraction:
    """Return the share of an order that has come back; ``lines`` have ``id``, ``quantity`` and ``total``."""
    if returned.is_whole:
        return Fraction(1)
    total: int = max(sum(line["total"] for line in lines), order_total or 0)
    if total == 0:
        return Fraction(0)
    parts = (Fraction(line["total"] * returned.quantities.get(line["id"], 0), line["quantity"]) for line in lines)
    return sum(parts, Fraction(0)) / total


def refund_of(payments: Sequence[Payment], total: int, share: Fraction, money_before: int) -> Refund:
    """Return what goes back once ``share`` of an order of ``total`` has come back; see the rules of the module."""
    due = [max(round(share * payment.points), payment.refunded) for payment in payments]
    worth = [payment.worth(points) for payment, points in zip(payments, due, strict=True)]
    paid_in_money = max(0, total - sum(payment.worth(payment.points) for payment in payments))
    money = max(money_before, min(paid_in_money, round(share * total) - sum(worth)))
    return Refund(
        [points - payment.refunded for payment, points in zip(payments, due, strict=True)],
        sum(worth) - sum(payment.worth(payment.refunded) for payment in payments),
        money - money_before,
    )
