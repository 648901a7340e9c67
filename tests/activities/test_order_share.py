"""What goes back of an order's payment: parts in any order make the whole, to the point and the cent."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.activities.order_share import Payment, refund_of, share_of
from app.activities.remaining import Returned

lines = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 9)), min_size=1, max_size=4)
worths = st.fractions(min_value=0, max_value=5, max_denominator=20)


def as_lines(pairs: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"id": str(n), "total": total, "quantity": quantity} for n, (total, quantity) in enumerate(pairs)]


@given(data=st.data(), pairs=lines, point_worth=worths, beside=st.integers(-2000, 2000), is_named=st.booleans())
def test_parts_in_any_order_come_to_exactly_the_whole(
    data: st.DataObject, pairs: list[tuple[int, int]], point_worth: Fraction, beside: int, is_named: bool
) -> None:
    bought = as_lines(pairs)
    goods = sum(line["total"] for line in bought)
    order_total = max(0, goods + beside) if is_named else None
    total = goods if order_total is None else order_total
    most = int(total / point_worth) if point_worth else 500
    paid = [data.draw(st.integers(1, max(1, most)), label="points") for _ in range(data.draw(st.integers(1, 3)))]
    pieces = data.draw(st.permutations([line["id"] for line in bought for _ in range(line["quantity"])]))
    back, money, came = [0] * len(paid), 0, dict.fromkeys((line["id"] for line in bought), 0)
    for number, piece in enumerate(pieces, 1):
        came[piece] += 1
        payments = [Payment(points, done, point_worth) for points, done in zip(paid, back, strict=True)]
        share = share_of(bought, Returned(came, number == len(pieces)), order_total)
        refund = refund_of(payments, total, share, money)
        assert refund.money >= 0
        assert refund.worth >= 0
        assert min(refund.points) >= 0
        back = [done + points for done, points in zip(back, refund.points, strict=True)]
        money += refund.money
    assert back == paid
    assert money == max(0, total - sum(int(points * point_worth) for points in paid))


@given(goods=st.integers(1, 10_000), points=st.integers(1, 10_000), part=st.integers(1, 9))
def test_points_and_money_are_what_the_goods_were_worth(goods: int, points: int, part: int) -> None:
    """Where a point is a cent, so that nothing is rounded twice."""
    points = min(points, goods)
    share = Fraction(part, 10)
    refund = refund_of([Payment(points, 0, Fraction(1))], goods, share, 0)
    assert abs(refund.worth + refund.money - round(share * goods)) <= (1 if points == goods else 0)


@pytest.mark.parametrize(
    ("returned", "order_total", "share"),
    [
        ({"1": 1}, None, Fraction(599, 3198)),
        ({"1": 2}, None, Fraction(1198, 3198)),
        ({"1": 1, "2": 3}, None, Fraction(599 + 1200, 3198)),
        ({"1": 2}, 3998, Fraction(1198, 3998)),  # 8.00 of it were paid for something beside the lines
        ({"1": 2}, 2000, Fraction(1198, 3198)),  # a discount that no line tells: each line has its share of it
    ],
)
def test_share_is_what_was_paid_for_what_came_back(
    returned: dict[str, int], order_total: int | None, share: Fraction
) -> None:
    bought = as_lines([(0, 1), (1198, 2), (2000, 5)])
    assert share_of(bought, Returned(returned), order_total) == share


def test_of_a_free_order_nothing_comes_back_before_all_of_it() -> None:
    bought = as_lines([(0, 2)])
    assert share_of(bought, Returned({"0": 1}), None) == 0
    assert share_of(bought, Returned({"0": 2}, is_whole=True), None) == 1


def test_an_order_paid_with_points_alone_gives_no_money_back() -> None:
    held = Payment(167, 0, Fraction(3, 10))  # 50.1 cents for an order of 50
    first = refund_of([held], 50, Fraction(1, 3), 0)
    assert (first.points, first.worth, first.money) == ([56], 16, 0)
    rest = refund_of([Payment(167, 56, Fraction(3, 10))], 50, Fraction(1), 0)
    assert (rest.points, rest.worth, rest.money) == ([111], 34, 0)
