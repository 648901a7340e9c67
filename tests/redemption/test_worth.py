"""What a voucher takes off a cart."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.redemption.worth import Value, Worth, counts, worth_of


def line(number: int = 1, total: int = 1000, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number), "sku": f"A-{number}", "category": "produce", "quantity": 1, "total": total,
        "certifications": [],
    } | changes  # fmt: skip


CERTIFIED = line(1, 1000, certifications=["EU_ORGANIC"])
PLAIN = line(2, 3000, category="household", quantity=2)
CART = [CERTIFIED, PLAIN]


@pytest.mark.parametrize(
    ("terms", "counted"),
    [
        ({}, ["1", "2"]),
        ({"certified_only": True}, ["1"]),
        ({"categories": ["household", "garden"]}, ["2"]),
        ({"skus": ["A-2"]}, ["2"]),
        ({"skus": [], "categories": None, "certified_only": False}, ["1", "2"]),
        ({"skus": ["A-2"], "categories": ["produce"]}, []),
        ({"skus": ["A-1"], "certified_only": True}, ["1"]),
    ],
)
def test_a_line_counts_if_it_is_all_that_the_terms_ask_for(terms: dict[str, Any], counted: list[str]) -> None:
    assert [each["id"] for each in CART if counts(terms, each)] == counted


def test_a_line_without_an_article_is_none_of_those_that_are_named() -> None:
    assert not counts({"skus": ["A-1"]}, line(sku=None))
    assert not counts({"categories": ["produce"]}, line(category=None))


@pytest.mark.parametrize(
    ("value", "terms", "worth"),
    [
        (Value(left=500), {}, Worth(500, (("1", 125), ("2", 375)))),
        (Value(left=9000), {}, Worth(4000, (("1", 1000), ("2", 3000)))),
        (Value(left=500), {"certified_only": True}, Worth(500, (("1", 500),))),
        (Value(left=5000), {"scope": "line"}, Worth(3000, (("2", 3000),))),
        (Value(left=500), {"scope": "line"}, Worth(500, (("1", 500),))),  # as much of each: the first
        (Value(percent=10), {}, Worth(400, (("1", 100), ("2", 300)))),
        (Value(percent=100), {}, Worth(4000, (("1", 1000), ("2", 3000)))),
        (Value(percent=10), {"scope": "line"}, Worth(300, (("2", 300),))),
        (Value(), {"categories": ["household"]}, Worth(1500, (("2", 1500),))),
        (Value(), {"skus": ["A-1", "A-2"]}, Worth(1500, (("2", 1500),))),  # one unit of the dearest
        (Value(), {}, Worth(0, reason="nothing_eligible")),
        (Value(left=500), {"skus": ["A-9"]}, Worth(0, reason="nothing_eligible")),
        (Value(left=500), {"minimum_spend": 4000}, Worth(500, (("1", 125), ("2", 375)))),
        (Value(left=500), {"minimum_spend": 4001}, Worth(0, reason="below_minimum_spend", missing=1)),
        (Value(left=500), {"minimum_spend": 1500, "certified_only": True},
         Worth(0, reason="below_minimum_spend", missing=500)),
    ],
)  # fmt: skip
def test_what_a_voucher_is_worth(value: Value, terms: dict[str, Any], worth: Worth) -> None:
    assert worth_of(value, terms, CART) == worth


def test_a_percentage_is_rounded_down_once_for_all_that_counts() -> None:
    lines = [line(number, 333) for number in range(1, 4)]
    assert worth_of(Value(percent=10), {}, lines) == Worth(99, (("1", 33), ("2", 33), ("3", 33)))
    assert worth_of(Value(percent=1), {}, [line(1, 99)]) == Worth(0, reason="nothing_eligible")


def test_an_amount_asked_for_is_shared_too() -> None:
    assert worth_of(Value(left=500), {}, CART, at_most=200) == Worth(200, (("1", 50), ("2", 150)))
    assert worth_of(Value(left=500), {}, CART, at_most=900).amount == 500


def test_what_costs_nothing_or_is_not_there_is_worth_nothing() -> None:
    nothing = Worth(0, reason="nothing_eligible")
    assert worth_of(Value(left=500), {}, []) == worth_of(Value(left=500), {}, [line(total=0)]) == nothing


values = st.one_of(
    st.integers(1, 10**9).map(lambda left: Value(left=left)),
    st.integers(1, 100).map(lambda percent: Value(percent=percent)),
    st.just(Value()),
)
lines_ = st.lists(
    st.fixed_dictionaries(
        {
            "sku": st.sampled_from([None, "A", "B"]),
            "category": st.sampled_from([None, "x", "y"]),
            "quantity": st.integers(1, 10_000),
            "total": st.integers(0, 10**9),
            "certifications": st.sampled_from([[], ["EU_ORGANIC"]]),
        }
    ),
    max_size=8,
).map(lambda found: [each | {"id": str(number)} for number, each in enumerate(found)])
terms_ = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.sampled_from(["whole", "line"]),
        "certified_only": st.booleans(),
        "minimum_spend": st.one_of(st.none(), st.integers(0, 10**9)),
        "categories": st.sampled_from([None, [], ["x"]]),
        "skus": st.sampled_from([None, ["A"], ["A", "B"]]),
    },
)


@given(values, terms_, lines_)
def test_never_more_than_the_value_and_never_more_than_a_line_costs(
    value: Value, terms: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    worth = worth_of(value, terms, lines)
    by_id = {each["id"]: each for each in lines}
    assert sum(part for _, part in worth.lines) == worth.amount
    assert all(0 < part <= by_id[name]["total"] and counts(terms, by_id[name]) for name, part in worth.lines)
    assert (worth.amount == 0) is (worth.reason is not None)
    if value.left is not None:
        assert worth.amount <= value.left
    if terms.get("scope") == "line" or (value.left is None and value.percent is None):
        assert len(worth.lines) <= 1
