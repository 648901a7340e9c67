"""How many points may pay for an order. Pure.

1. Points pay in whole multiples, and at least the minimum.
2. What they are worth together, rounded down to a minor unit, is at most the share of the order's total, rounded down.
3. Of the numbers of points that are worth the most within that, the fewest: more would buy nothing.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """The programme's terms; ``point_worth`` is in minor units of its currency, exactly."""

    points_min: int
    points_multiple: int
    percent_max: int
    point_worth: Fraction

    @property
    def least(self) -> int:
        """The fewest points that fit both minimum and multiple."""
        return -(-self.points_min // self.points_multiple) * self.points_multiple


def points_max(terms: OrderTerms, order_total: int, points_before: int = 0) -> int:
    """Return the most points that may pay for the rest of an order of which ``points_before`` pay already; 0 for none.

    ``order_total`` is in minor units.
    """
    unit, multiple = terms.point_worth, terms.points_multiple
    left = order_total * terms.percent_max // 100 - int(points_before * unit)
    if left < 0 or unit == 0:
        return 0
    within = -(-Fraction(left + 1) // unit) - 1  # the last number whose worth is less than the next minor unit
    worth = int(within // multiple * multiple * unit)
    fewest = -(-Fraction(worth) // unit)
    points = -(-fewest // multiple) * multiple
    return points if points >= terms.points_min else 0


def spendable(terms: OrderTerms, available: int, order_total: int | None) -> int:
    """Return how many of ``available`` points may pay for a cart; None is a cart without money, of any share."""
    most = available if order_total is None else min(available, points_max(terms, order_total))
    points = most // terms.points_multiple * terms.points_multiple
    return points if points >= terms.points_min else 0
