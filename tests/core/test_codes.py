import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.codes import ALPHABET, code_from_bytes, format_code, make_code, normalise_code

codes = st.integers(1, 20).map(make_code)


@given(codes)
def test_a_made_code_is_read_back_from_every_way_people_write_it(code):
    assert set(code) <= set(ALPHABET)
    assert (
        normalise_code(code)
        == normalise_code(code.lower())
        == normalise_code(format_code(code))
        == normalise_code(f" {code} ")
        == code
    )
    assert normalise_code(code.replace("1", "l").replace("0", "o")) == code
    assert normalise_code(code.replace("1", "I").replace("0", "O")) == code


@given(codes, st.data())
def test_one_wrong_symbol_is_noticed(code, data):
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([symbol for symbol in ALPHABET if symbol != code[place]]))
    assert normalise_code(code[:place] + other + code[place + 1 :]) is None


@given(codes, st.data())
def test_two_neighbours_swapped_are_noticed(code, data):
    place = data.draw(st.integers(0, len(code) - 2))
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or normalise_code(swapped) is None


@pytest.mark.parametrize("text", ["", "A", "--", "A" * 61, "ſ1234", "12345u", "*~$=U", "１２３", "\x00\x00"])
def test_what_is_no_code_is_none(text):
    assert normalise_code(text) is None


@given(st.text())
def test_any_text_is_answered(text):
    code = normalise_code(text)
    assert code is None or set(code) <= set(ALPHABET)


def test_codes_are_grouped_for_reading():
    assert format_code("7ZK3QF92M") == "7ZK-3QF-92M"
    assert format_code("0123456789ABCD", 4) == "0123-4567-89AB-CD"


def test_the_same_bytes_make_the_same_code():
    assert code_from_bytes(b"a", 13) == code_from_bytes(b"a", 13) != code_from_bytes(b"b", 13)
    assert len(code_from_bytes(b"a", 40)) == 41
