"""GTINs: one spelling for all lengths, the check digit, and numbers that only mean something within one shop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.gtin import is_restricted, normalise_gtin
from tests.answers import assert_problem
from tests.world import basket, line


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("4006381333931", "04006381333931"),
        ("04006381333931", "04006381333931"),
        ("036000291452", "00036000291452"),
        ("96385074", "00000096385074"),
        ("00000000", "00000000000000"),
        ("4006381333932", None),
        ("96385075", None),
        ("400638133393", None),
        ("123", None),
        ("", None),
        ("4006381333931 ", None),
        ("4006381333931\n", None),
        ("40-06381333931", None),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", None),
    ],
)
def test_all_lengths_come_to_fourteen_digits_and_a_wrong_check_digit_to_nothing(text, normal):
    assert normalise_gtin(text) == normal


def _with_check_digit(digits):
    """By the definition: from the right, three times each first and once each second digit come to a multiple of 10."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


@given(
    digits=st.sampled_from([7, 11, 12, 13]).flatmap(lambda size: st.text("0123456789", min_size=size, max_size=size))
)
def test_every_number_with_its_check_digit_is_one_and_with_another_none(digits):
    right = _with_check_digit(digits)
    assert normalise_gtin(right) == right.zfill(14)
    wrong = digits + str((int(right[-1]) + 1) % 10)
    assert normalise_gtin(wrong) is None


@pytest.mark.parametrize(
    ("text", "restricted"),
    [
        ("2000000000008", True), ("0200000000009", True), ("0400000000007", True), ("02012345", True),
        ("20123451", True), ("4006381333931", False), ("96385074", False), ("036000291452", False),
    ],
)  # fmt: skip
def test_numbers_that_shops_give_out_for_themselves_are_known(text, restricted):
    digits = _with_check_digit(text[:-1])
    assert is_restricted(normalise_gtin(digits)) is restricted


def test_a_line_with_a_wrong_check_digit_is_refused_where_it_stands(client, shop, customer):
    lines = [line(gtin="4006381333931"), line(id="2", gtin="4006381333932"), line(id="3", gtin="123")]
    answer = client.post("/v1/activities", json=basket(customer.ref, lines=lines[:2]), headers=shop.live)
    assert_problem(answer, 422, "validation_failed", "/lines/1/gtin")
    assert "check digit" in answer.json["errors"][0]["detail"]
    answer = client.post("/v1/activities", json=basket(customer.ref, lines=lines), headers=shop.live)
    assert {fault["pointer"] for fault in answer.json["errors"]} == {"/lines/1/gtin", "/lines/2/gtin"}
    for gtin in ("96385074", "036000291452", "4006381333931", "04006381333931", None):
        body = basket(customer.ref, id=f"order-{gtin}", lines=[line(gtin=gtin)])
        assert client.post("/v1/activities", json=body, headers=shop.live).status_code == 201
