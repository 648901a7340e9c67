"""Addresses that shoppers sign in with, in the one spelling by which they are compared. Pure."""

import re

from app.core.errors import ValidationProblem

ADDRESS_LENGTH_MAX = 254  # RFC 5321
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)  # E.164
_PHONE_DECORATION = str.maketrans("", "", " -.()/")


def channel_of(address: str) -> str:
    """Return the channel that an address of this form is reached by."""
    return "email" if "@" in address else "sms"


def normalise_address(address: str) -> tuple[str, str]:
    """Return the channel and the one spelling of ``address``; raise ValidationProblem where it is none.

    An e-mail address is compared in lower case, its domain in ASCII; a phone number is E.164.
    """
    channel = channel_of(address)
    found = _email(address) if channel == "email" else _phone(address)
    if found is None or len(found) > ADDRESS_LENGTH_MAX:
        wanted = "an e-mail address" if channel == "email" else "a phone number with its country, such as +4930123456"
        raise ValidationProblem([{"pointer": "/address", "detail": f"Not {wanted}."}])
    return channel, found


def _email(address: str) -> str | None:
    local, _, domain = address.strip().rpartition("@")
    try:
        domain = domain.lower().encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    if len(local) > 64 or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return None
    return f"{local.lower()}@{domain}"


def _phone(address: str) -> str | None:
    number = address.strip().translate(_PHONE_DECORATION)
    return number if _PHONE.fullmatch(number) else None
