"""How many points may pay for an order: the arithmetic, against trying every number of points."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.order_terms import OrderTerms, points_max, spendable

TERMS = st.builds(
    OrderTerms,
    points_min=st.sampled_from([1, 5, 50]),
    points_multiple=st.sampled_from([1, 7, 10]),
    percent_max=st.sampled_from([1, 30, 50, 99, 100]),
    point_worth=st.fractions(min_value=0, max_value=30, max_denominator=12),
)
MANY = 4000  # more points than any total below is worth, unless a point is worth next to nothing


def tried(terms: OrderTerms, order_total: int, points_before: int) -> int:
    """The fewest points of the greatest worth within the share that keep to multiple and minimum, by trying all."""
    left = order_total * terms.percent_max // 100 - int(points_before * terms.point_worth)
    fitting = [
        (int(points * terms.point_worth), -points)
        for points in range(0, MANY, terms.points_multiple)
        if int(points * terms.point_worth) <= left
    ]
    most = -max(fitting)[1] if fitting and terms.point_worth else 0
    return most if most >= terms.points_min else 0


@given(terms=TERMS, order_total=st.integers(0, 200), points_before=st.integers(0, 40))
def test_most_points_are_those_that_trying_finds(terms: OrderTerms, order_total: int, points_before: int) -> None:
    assert points_max(terms, order_total, points_before) == tried(terms, order_total, points_before)


@given(terms=TERMS, order_total=st.integers(0, 200), available=st.integers(0, 500))
def test_what_can_be_spent_keeps_to_every_rule(terms: OrderTerms, order_total: int, available: int) -> None:
    points = spendable(terms, available, order_total)
    assert points <= min(available, points_max(terms, order_total))
    assert points == 0 or (points >= terms.points_min and points % terms.points_multiple == 0)


@pytest.mark.parametrize(
    ("points_min", "multiple", "percent", "worth", "total", "most"),
    [
        (1, 1, 100, Fraction(1), 4990, 4990),
        (1, 1, 50, Fraction(1), 999, 499),
        (1, 1, 100, Fraction(3, 10), 50, 167),  # 166 points are worth 49 cents, 169 no more than 167
        (1, 100, 100, Fraction(1), 4990, 4900),
        (500, 100, 10, Fraction(1), 4990, 0),
        (1, 1, 100, Fraction(0), 4990, 0),
        (1, 1, 100, Fraction(2), 1, 0),
    ],
)
def test_most_points_by_hand(
    points_min: int, multiple: int, percent: int, worth: Fraction, total: int, most: int
) -> None:
    assert points_max(OrderTerms(points_min, multiple, percent, worth), total) == most


def test_a_cart_without_money_has_no_share() -> None:
    terms = OrderTerms(50, 20, 30, Fraction(1))
    assert [terms.least, spendable(terms, 130, None), spendable(terms, 59, None)] == [60, 120, 0]
