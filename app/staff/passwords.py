"""Passwords (argon2id, RFC 9106) and one-time codes (TOTP, RFC 6238) of the staff."""

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from threading import BoundedSemaphore

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.fernet import Fernet
from flask import current_app

from app.core.secrets import derived_key

STEP_SECONDS = 30
STEPS_AROUND = 1
# OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_places = BoundedSemaphore(4)  # a flood of sign-ins must take neither all memory nor all processors
_NOBODY = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of ``password`` with its parameters and salt."""
    with _places:
        return _hasher.hash(password)


def check_password(password_hash: str | None, password: str) -> bool:
    """Return whether ``password`` is the one that was hashed; without a hash the work is the same and the answer no."""
    with _places:
        try:
            is_right = _hasher.verify(password_hash or _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return False
    return is_right and password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Return whether the hash was made with older parameters."""
    return _hasher.check_needs_rehash(password_hash)


def _fernet() -> Fernet:
    return Fernet(urlsafe_b64encode(derived_key(current_app.config["SECRET_KEY"], "staff-totp")))


def seal_secret(secret: str) -> bytes:
    """Return the TOTP secret as it is stored."""
    return _fernet().encrypt(secret.encode())


def open_secret(sealed: bytes) -> str:
    """Return the TOTP secret that was stored."""
    return _fernet().decrypt(sealed).decode()


def matching_step(secret: str, code: str, moment: datetime) -> int | None:
    """Return the time step that ``code`` belongs to, the present one or a neighbour; None where it is wrong."""
    present = int(moment.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    found = None
    for step in range(present - STEPS_AROUND, present + STEPS_AROUND + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found
