"""Sessions: one a sign-in, with short access tokens and a refresh token that is replaced each time it is used.

A refresh token names its session and generation under a keyed tag, and carries a random part of which only the hash is
stored. So an older token of the session is told from one made up: using an older one means that two hold the session,
and ends it for both.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app

from app.core.auth import Principal
from app.core.clock import now
from app.core.errors import Unauthorized
from app.core.ids import new_id
from app.core.secrets import derived_key
from app.core.tokens import Claims, issue_access_token
from app.core.unit_of_work import unit_of_work
from app.members import queries
from app.members.errors import InvalidRefreshToken, MemberNotActive, MemberNotFound
from app.members.models import MemberSession

REFRESH_PREFIX = "gpr_"
_RANDOM_BYTES = 32
_TAG_BYTES = 16
_LENGTH = 16 + 16 + 4 + _RANDOM_BYTES + _TAG_BYTES


@dataclass(frozen=True, kw_only=True)
class MemberPrincipal(Principal):
    """A signed-in shopper, and the session it is signed in by."""

    session_id: UUID


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a device needs to call as a shopper; ``expires_in`` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


def _tag(content: bytes) -> bytes:
    key = derived_key(current_app.config["SECRET_KEY"], "refresh-token")
    return hmac.new(key, content, hashlib.sha256).digest()[:_TAG_BYTES]


def _make_refresh_token(member_id: UUID, session_id: UUID, generation: int) -> str:
    content = member_id.bytes + session_id.bytes + generation.to_bytes(4, "big") + secrets.token_bytes(_RANDOM_BYTES)
    return REFRESH_PREFIX + base64.urlsafe_b64encode(content + _tag(content)).decode().rstrip("=")


def _read_refresh_token(token: str) -> tuple[UUID, UUID, int]:
    """Return whose, of which session and generation ``token`` is; raise InvalidRefreshToken where we never made it."""
    try:
        encoded = token.removeprefix(REFRESH_PREFIX).encode("ascii")
        raw = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidRefreshToken from error
    content, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
    if not token.startswith(REFRESH_PREFIX) or len(raw) != _LENGTH or not hmac.compare_digest(tag, _tag(content)):
        raise InvalidRefreshToken
    return UUID(bytes=raw[:16]), UUID(bytes=raw[16:32]), int.from_bytes(raw[32:36], "big")


def _hash(refresh_token: str) -> bytes:
    return hashlib.sha256(refresh_token.encode()).digest()


def start_session(member_id: UUID, moment: datetime) -> TokenPair:
    """Sign the member in on one device; raise MemberNotFound, or MemberNotActive."""
    with unit_of_work() as session:
        member = queries.find_member(session, member_id)
        if member is None:
            raise MemberNotFound
        if member.status != "active":
            raise MemberNotActive
        session_id = new_id()
        refresh_token = _make_refresh_token(member_id, session_id, 1)
        life = timedelta(days=current_app.config["SETTINGS"].refresh_token_days)
        session.add(
            MemberSession(
                member_id=member_id, session_id=session_id, generation=1, refresh_hash=_hash(refresh_token),
                created_at=moment, refreshed_at=moment, expires_at=moment + life,
            )
        )  # fmt: skip
        session.flush()
        access_token, seconds = issue_access_token("member", member_id, session_id, member.live)
        return TokenPair(access_token, refresh_token, seconds)


def refresh_session(refresh_token: str, moment: datetime) -> TokenPair:
    """Return new tokens for the newest refresh token of a living session; an older one ends the session.

    Raises InvalidRefreshToken. Two uses of one token at once follow each other: the second is the use of an older one.
    """
    member_id, session_id, generation = _read_refresh_token(refresh_token)
    with unit_of_work() as session:
        kept = queries.lock_session(session, member_id, session_id)
        if kept is None or kept.revoked_at is not None or kept.expires_at <= moment:
            raise InvalidRefreshToken
        is_newest = generation == kept.generation
        if not is_newest or not hmac.compare_digest(bytes(kept.refresh_hash), _hash(refresh_token)):
            _revoke(kept, "reuse", moment)
            raise InvalidRefreshToken
        member = queries.find_member(session, member_id)
        if member is None or member.status != "active":
            raise InvalidRefreshToken
        following = _make_refresh_token(member_id, session_id, generation + 1)
        kept.generation, kept.refresh_hash, kept.refreshed_at = generation + 1, _hash(following), moment
        session.flush()
        access_token, seconds = issue_access_token("member", member_id, session_id, member.live)
        return TokenPair(access_token, following, seconds)


def _revoke(kept: MemberSession, reason: str, moment: datetime) -> None:
    kept.revoked_at, kept.revoked_reason = moment, reason


def end_session(member_id: UUID, session_id: UUID, moment: datetime) -> None:
    """Sign out: the session's refresh token and its access tokens stop at once."""
    with unit_of_work() as session:
        kept = queries.lock_session(session, member_id, session_id)
        if kept is not None and kept.revoked_at is None:
            _revoke(kept, "sign_out", moment)


def authenticate(claims: Claims) -> MemberPrincipal:
    """Return the shopper of a verified token; raise Unauthorized where the session or the membership has ended."""
    if not queries.is_session_active(claims.subject, claims.session_id, claims.live, now()):
        raise Unauthorized("The session has ended; sign in again.")
    return MemberPrincipal(kind="member", id=claims.subject, live=claims.live, session_id=claims.session_id)


def forget_old(moment: datetime) -> dict[str, Any]:
    """Delete the sessions, sign-in codes and invites that ended a day before ``moment``; return how many of each."""
    with unit_of_work() as session:
        return queries.delete_ended(session, moment - timedelta(days=1))
