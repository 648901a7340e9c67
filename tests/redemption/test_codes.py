"""Codes of vouchers: made, read as typed, hashed and encrypted."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.codes import ALPHABET
from app.core.ids import new_id
from app.redemption import codes

ONE, OTHER = new_id(), new_id()
own = st.builds(codes.make_voucher_code)


@given(own)
def test_ours_has_thirteen_symbols_and_a_check_symbol_and_is_read_however_it_is_typed(code):
    assert len(code) == 14
    assert set(code) <= set(ALPHABET)
    shown = codes.show_own(code)
    assert shown.count("-") == 2
    typed = shown.lower().replace("1", "l").replace("0", "o").replace("-", " ")
    assert codes.spell_own(shown) == codes.spell_own(typed) == code


@given(own, st.data())
def test_one_wrong_symbol_of_ours_is_found(code, data):
    place = data.draw(st.integers(0, 13))
    other = data.draw(st.sampled_from([symbol for symbol in ALPHABET if symbol != code[place]]))
    assert codes.spell_own(code[:place] + other + code[place + 1 :]) is None


def test_a_code_of_another_length_is_not_ours():
    assert codes.spell_own("7ZK3QF92M") is None
    assert codes.spell_own("0" * 14) == "0" * 14
    assert codes.spell_own("0" * 13) is None


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [
        ("save-10-abc", "SAVE10ABC"),
        (" Save 10\tabc ", "SAVE10ABC"),
        ("ｓａｖｅ１０", "SAVE10"),
        ("SAVE‑10–x", "SAVE10X"),
        ("straße", "STRASSE"),
        ("0O1l", "0O1L"),  # nobody knows what the partner's look-alikes mean
        ("绿色-10", "绿色10"),
    ],
)
def test_a_partners_code_has_one_spelling(typed, spelled):
    assert codes.spell_partner(typed) == spelled
    assert codes.spell_partner(spelled) == spelled


@pytest.mark.parametrize("text", ["", " - ", "A" * 65, "A" * 101, "A\x00B", "A\u200bB", "A\ud800"])
def test_what_no_partner_prints_is_no_code(text):
    assert codes.spell_partner(text) is None


@given(st.text())
def test_any_text_is_answered_and_spelled_the_same_again(text):
    spelled = codes.spell_partner(text)
    assert spelled is None or codes.spell_partner(spelled) == spelled
    assert codes.spell_own(text) is None or len(codes.spell_own(text)) == 14


@pytest.fixture
def _secret(app):
    """The keys come from the application's secret."""


@pytest.mark.usefixtures("_secret")
def test_a_hash_tells_codes_partners_and_worlds_apart():
    hashes = {
        codes.hash_own("A"),
        codes.hash_own("B"),
        codes.hash_partner("A", None, True),
        codes.hash_partner("A", None, False),
        codes.hash_partner("A", ONE, True),
        codes.hash_partner("A", OTHER, True),
    }
    assert len(hashes) == 6
    assert all(len(each) == 32 for each in hashes)
    assert codes.hash_own("A") == codes.hash_own("A")


@pytest.mark.usefixtures("_secret")
def test_a_cipher_is_read_for_its_own_row_alone():
    code = codes.make_voucher_code()
    cipher = codes.encrypt(code, codes.about_voucher(ONE))
    assert code.encode() not in cipher
    assert cipher != codes.encrypt(code, codes.about_voucher(ONE))
    assert codes.decrypt(cipher, codes.about_voucher(ONE)) == code
    for stranger in (codes.about_voucher(OTHER), codes.about_pool(ONE)):
        with pytest.raises(ValueError, match="another row"):
            codes.decrypt(cipher, stranger)
    with pytest.raises(ValueError, match="another row"):
        codes.decrypt(cipher[:-1] + bytes([cipher[-1] ^ 1]), codes.about_voucher(ONE))


def test_another_secret_neither_finds_nor_reads_a_code(app, monkeypatch):
    code = codes.make_voucher_code()
    cipher, found = codes.encrypt(code, b"row"), codes.hash_own(code)
    monkeypatch.setitem(app.config, "SECRET_KEY", os.urandom(32).hex())
    assert codes.hash_own(code) != found
    with pytest.raises(ValueError, match="another key"):
        codes.decrypt(cipher, b"row")
