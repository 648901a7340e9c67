"""Codes that people read out and type: Crockford's base32 with a check symbol (https://www.crockford.com/base32.html).

Case, spaces and hyphens don't matter; I and L are read as 1, O as 0. The check symbol is the number modulo 37, so one
wrong symbol or two swapped ones are noticed. Codes whose check symbol would not be one of the 32 are not made: what we
print holds letters and digits alone.
"""

import hashlib
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TEXT_LENGTH_MAX = 60
_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)}
_LOOK_ALIKES = str.maketrans({"I": "1", "L": "1", "O": "0", " ": None, "-": None})
_MODULUS = 37


def _check_value(symbols: str) -> int:
    value = 0
    for symbol in symbols:
        value = (value * 32 + _VALUES[symbol]) % _MODULUS
    return value


def make_code(length: int) -> str:
    """Return a new random code of ``length`` symbols and its check symbol."""
    return code_from_bytes(secrets.token_bytes(32), length)


def code_from_bytes(raw: bytes, length: int) -> str:
    """Return the one code of ``length`` symbols, at most 40, and its check symbol that ``raw`` stands for."""
    while True:
        raw = hashlib.sha256(raw).digest()
        number = int.from_bytes(raw, "big")
        symbols = "".join(ALPHABET[(number >> (5 * place)) % 32] for place in range(length))
        check = _check_value(symbols)
        if check < len(ALPHABET):
            return symbols + ALPHABET[check]


def bare_code(text: str) -> str | None:
    """Return the symbols that ``text`` spells, whether or not the last checks the others; None: it spells none."""
    if not text.isascii() or len(text) > TEXT_LENGTH_MAX:
        return None
    code = text.upper().translate(_LOOK_ALIKES)
    return code if len(code) >= 2 and all(symbol in _VALUES for symbol in code) else None


def normalise_code(text: str) -> str | None:
    """Return the code that ``text`` spells, None where it spells none or the check symbol is wrong."""
    code = bare_code(text)
    return code if code is not None and _check_value(code[:-1]) == _VALUES[code[-1]] else None


def format_code(code: str, group: int = 3) -> str:
    """Return ``code`` with a hyphen after each ``group`` symbols, as people read it."""
    return "-".join(code[start : start + group] for start in range(0, len(code), group))
