"""Sign in by a code that is sent to an address.

A code has six digits and lives ten minutes; an address has one at a time, and five tries in all until the last of its
codes is over: a new code brings no new tries. Where they are used up no code is sent, so that asking again does not
prolong the wait; and each five failures without a sign-in between double the next wait, up to an hour, so that a
patient guesser gets 120 tries a day instead of 720. Known and unknown addresses take the same way: the first sign-in
enrols.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app

from app.core.clock import format_time
from app.core.secrets import derived_key
from app.core.unit_of_work import unit_of_work
from app.members import queries
from app.members.addresses import normalise_address
from app.members.delivery import Message, send_after_commit
from app.members.errors import InvalidCode, SignInNotAllowed
from app.members.service.enrolment import MemberFacts, enrol_member, get_member
from app.members.service.sessions import TokenPair, start_session

CODE_LIFE = timedelta(minutes=10)
TRIES_MAX = 5
WAIT_MAX = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A shopper that has just signed in."""

    member: MemberFacts
    tokens: TokenPair
    is_new: bool


def window_length(failures: int) -> timedelta:
    """Return how long the next five tries must last, after so many failures since the last sign-in."""
    doublings: int = min(failures // TRIES_MAX, 10)
    return min(CODE_LIFE * (1 << doublings), WAIT_MAX)


def _hash_code(address: str, code: str) -> bytes:
    key = derived_key(current_app.config["SECRET_KEY"], "sign-in-code")
    return hmac.new(key, f"{address}\x00{code}".encode(), hashlib.sha256).digest()


def request_code(address: str, moment: datetime) -> None:
    """Send a new code to ``address``, or word of the wait where its tries are used up; the code before is void.

    Raises ValidationProblem where it is no address. Locks the address's row.
    """
    channel, address = normalise_address(address)
    with unit_of_work() as session:
        row = queries.lock_sign_in_code(session, channel, address, moment)
        if row.window_ends_at <= moment:
            row.tries = 0
            row.window_ends_at = moment + window_length(row.failures)
        if row.tries >= TRIES_MAX:
            row.code_hash = None
            send_after_commit(_wait_message(channel, address, row.window_ends_at))
            return
        code = f"{secrets.randbelow(10**6):06}"
        row.code_hash = _hash_code(address, code)
        row.code_expires_at = moment + CODE_LIFE
        row.window_ends_at = max(row.window_ends_at, row.code_expires_at)
        send_after_commit(_code_message(channel, address, code))


def _code_message(channel: str, address: str, code: str) -> Message:
    minutes = int(CODE_LIFE.total_seconds() // 60)
    text = f"{code} is your Greenpoints code. It is good for {minutes} minutes. We never ask you for it."
    return Message(channel, address, "Your sign-in code", text, code)


def _wait_message(channel: str, address: str, until: datetime) -> Message:
    text = f"Too many wrong codes were tried. For your safety, please ask for a new one after {format_time(until)}."
    return Message(channel, address, "Sign-in is paused", text)


def sign_in(address: str, code: str, moment: datetime, *, locale: str = "en") -> SignIn:
    """Use the code of ``address`` up and return the shopper, enrolled now if there was none, with a new session.

    Raises InvalidCode, with the try counted; SignInNotAllowed, with the code used up.
    """
    channel, address = normalise_address(address)
    with unit_of_work() as session:
        wanted = queries.count_try(session, channel, address, moment, TRIES_MAX)
        if wanted is None or not hmac.compare_digest(wanted, _hash_code(address, code)):
            raise InvalidCode
        row = queries.lock_sign_in_code(session, channel, address, moment)
        row.code_hash, row.tries, row.failures = None, 0, 0
        session.flush()
        member_id = queries.find_address(session, channel, address, live=True)
        if member_id is not None:
            member = get_member(member_id)
            if member.status != "active":
                raise SignInNotAllowed
        else:
            member = enrol_member(locale=locale, address=address, channel=channel, moment=moment)
        return SignIn(member, start_session(member.member_id, moment), is_new=member_id is None)
