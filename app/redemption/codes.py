"""Codes of vouchers: made, read as people type them, found by their HMAC and kept encrypted.

Ours are 13 random symbols and a check symbol of ``core.codes``; a partner's are whatever the partner printed. A code is
found by an HMAC and shown to its owner out of its cipher; the keys of both are drawn from ``SECRET_KEY``, so whoever
has the database alone can neither read a code nor try one out. The HMAC of a partner's code names the merchant and the
world, live or test, too: two merchants may print the same, and a file may be tried out before it is in earnest.
"""

import functools
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import current_app

from app.core.codes import bare_code, format_code, make_code, normalise_code
from app.core.secrets import derived_key

SYMBOLS = 13
LENGTH = SYMBOLS + 1  # with the check symbol
GROUP = 5
PARTNER_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 100
_ASCII_GAPS = {ord(symbol): None for symbol in map(chr, range(128)) if symbol.isspace() or symbol == "-"}
_NONCE_BYTES = 12  # at random: safe for 2^32 codes by one key (NIST SP 800-38D, 8.3)


def make_voucher_code() -> str:
    """Return a new code of ours: 13 symbols of 5 random bits each, and the check symbol."""
    return make_code(SYMBOLS)


def show_own(code: str) -> str:
    """Return a code of ours in groups, as people read it."""
    return format_code(code, GROUP)


def spell_own(text: str) -> str | None:
    """Return the code of ours that ``text`` spells; None where it spells none, or its check symbol is wrong."""
    code = normalise_code(text)
    return code if code is not None and len(code) == LENGTH else None


def looks_own(text: str) -> bool:
    """Return whether ``text`` has the form of a code of ours, whatever its check symbol."""
    code = bare_code(text)
    return code is not None and len(code) == LENGTH


def spell_partner(text: str) -> str | None:
    """Return the one spelling of a partner's code: capitals, without blanks and hyphens; None where it can be none.

    That is one with nothing left, with more than 64 characters, or with a character that can't be printed.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    if text.isascii():  # what almost all are: its compatible forms are itself
        code = text.upper().translate(_ASCII_GAPS)
    else:
        # twice, because a capital may have a compatible form that the small letter had not
        capitals = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
        code = "".join(symbol for symbol in capitals if not symbol.isspace() and unicodedata.category(symbol) != "Pd")
    return code if 1 <= len(code) <= PARTNER_LENGTH_MAX and code.isprintable() else None


@functools.lru_cache(maxsize=8)
def _hash_key(secret: str) -> bytes:
    return derived_key(secret, "voucher-code")


@functools.lru_cache(maxsize=8)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(derived_key(secret, "voucher-code-cipher"))


def hash_own(code: str) -> bytes:
    """Return the HMAC by which a code of ours, spelled, is found."""
    return hmac.digest(_hash_key(current_app.config["SECRET_KEY"]), b"own\x00" + code.encode(), hashlib.sha256)


def hash_partner(code: str, merchant_id: UUID | None, live: bool) -> bytes:
    """Return the HMAC by which a spelled code of that partner's, None the programme's own, is found."""
    return partner_hasher(merchant_id, live)(code)


def partner_hasher(merchant_id: UUID | None, live: bool) -> Callable[[str], bytes]:
    """Return the function that gives the HMAC of each of a partner's spelled codes: a million of them take seconds."""
    key = _hash_key(current_app.config["SECRET_KEY"])
    scope = b"partner\x00" + (merchant_id.bytes if merchant_id else bytes(16)) + (b"\x01" if live else b"\x00")
    return lambda code: hmac.digest(key, scope + code.encode(), hashlib.sha256)


def encrypt(code: str, about: bytes) -> bytes:
    """Return ``code`` encrypted; it is read again with the same ``about`` alone: what row it belongs to."""
    return encrypter(about)(code)


def encrypter(about: bytes) -> Callable[[str], bytes]:
    """Return the function that encrypts each of many codes as ``encrypt`` does."""
    seal = _cipher(current_app.config["SECRET_KEY"]).encrypt

    def encrypt_one(code: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + seal(nonce, code.encode(), about)

    return encrypt_one


def decrypt(cipher: bytes, about: bytes) -> str:
    """Return the code in ``cipher``; raise ValueError where it belongs to another row or key, or was changed."""
    nonce, encrypted = cipher[:_NONCE_BYTES], cipher[_NONCE_BYTES:]
    try:
        return _cipher(current_app.config["SECRET_KEY"]).decrypt(nonce, encrypted, about).decode()
    except InvalidTag as error:
        raise ValueError("this code was encrypted for another row, or by another key") from error


def about_voucher(voucher_id: UUID) -> bytes:
    """Return what the cipher of a voucher's code is bound to."""
    return b"voucher\x00" + voucher_id.bytes


def about_pool(reward_id: UUID) -> bytes:
    """Return what the ciphers of the codes that were imported for a reward are bound to."""
    return b"pool\x00" + reward_id.bytes
