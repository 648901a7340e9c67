"""``Idempotency-Key``: the same key and body get the first answer again, and nothing is done twice.

An advisory transaction lock on (caller, route, key) tells a second request that the first still runs. The answer is
stored in the transaction of the work itself, so that both are kept or neither is; a 5xx is not kept. Where bodies hold
what the database must not tell, such as a voucher's code, ``sealed_idempotent`` keeps them encrypted.
"""

import functools
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Response, current_app, make_response, request
from sqlalchemy import Integer, LargeBinary, String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core.auth import current_principal
from app.core.clock import now
from app.core.database import db
from app.core.errors import BadRequest, Conflict, ProblemError, TooManyRequests, ValidationProblem, problem_response
from app.core.guarded_write import RowShape
from app.core.secrets import derived_key
from app.core.unit_of_work import savepoint, unit_of_work

KEY_LENGTH_MAX = 255
KEPT = timedelta(hours=48)
_NONCE_BYTES = 12
_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "description": "The same key and body get the first answer again, with `Idempotent-Replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX, "pattern": "^[\\x20-\\x7e]+$"},
    "example": "order-10023-hold",
}


class IdempotencyKeyRequired(BadRequest):
    """The route demands the header."""

    code, title = "idempotency_key_required", "This request needs an Idempotency-Key header"


class IdempotencyKeyReused(ValidationProblem):
    """The key came with another body before."""

    code, title = "idempotency_key_reused", "This Idempotency-Key was used with another request"


class IdempotencyInProgress(Conflict):
    """The first request with this key still runs."""

    code, title = "idempotency_in_progress", "The first request with this Idempotency-Key is still running"


class IdempotencyRecord(db.Model):  # type: ignore[name-defined,misc]
    """The first answer to a key; ``scope`` is a hash of caller, route and key."""

    __tablename__ = "idempotency_record"

    scope: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(Integer)
    content_type: Mapped[str] = mapped_column(String)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(db.DateTime(timezone=True), index=True)


def _answer(view: Callable[..., Any], args: Any, kwargs: Any) -> Response:
    """Return the view's answer, a refusal included; a refused request leaves nothing behind but its answer."""
    try:
        with savepoint():
            return make_response(view(*args, **kwargs))
    except ProblemError as refusal:
        if refusal.status >= 500:
            raise
        return problem_response(refusal)


class _Open:
    """Keeps a request's fingerprint and its answer as they are."""

    def fingerprint(self, body: bytes) -> bytes:
        """Return by what the body is known again."""
        return hashlib.sha256(body).digest()

    def seal(self, body: bytes, scope: bytes) -> bytes:
        """Return an answer as it is stored."""
        return body

    def unseal(self, stored: bytes, scope: bytes) -> bytes:
        """Return an answer as it was given."""
        return stored


class _Sealed(_Open):
    """Keeps them so that only who has the application's secret can read the one and try out the other."""

    def _key(self) -> bytes:
        return derived_key(current_app.config["SECRET_KEY"], "idempotency")

    def fingerprint(self, body: bytes) -> bytes:
        """Return by what the body is known again, to whom has the secret."""
        return hmac.digest(self._key(), body, hashlib.sha256)

    def seal(self, body: bytes, scope: bytes) -> bytes:
        """Return an answer encrypted for this scope."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key()).encrypt(nonce, body, scope)

    def unseal(self, stored: bytes, scope: bytes) -> bytes:
        """Return an answer of this scope decrypted."""
        return AESGCM(self._key()).decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], scope)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with its key: ``scope`` is a hash of caller, route and key, by which its answer is kept."""

    scope: bytes
    fingerprint: bytes
    keeper: _Open

    def kept(self, response: Response, moment: datetime) -> tuple[Any, ...]:
        """Return the row that keeps ``response``, as ``KEPT_ANSWER`` has it after the member."""
        body = self.keeper.seal(response.get_data(), self.scope)
        return self.scope, self.fingerprint, response.status_code, response.content_type, body, moment


# for a statement that does the work and keeps its answer at once: a key that was used breaks it
KEPT_ANSWER = RowShape("idempotency_record", (
    ("member_id", "uuid"), ("scope", "bytea"), ("fingerprint", "bytea"), ("status", "integer"),
    ("content_type", "text"), ("body", "bytea"), ("created_at", "timestamptz"),
), text="""into_idempotency_record AS (
  INSERT INTO idempotency_record (scope, fingerprint, status, content_type, body, created_at)
  SELECT given.scope, given.fingerprint, given.status, given.content_type, given.body, given.created_at
  FROM ({given}) AS given)""")  # fmt: skip


def sealed_request() -> KeyedRequest:
    """Return the request as ``sealed_idempotent`` knows it; raise IdempotencyKeyRequired, and BadRequest."""
    return _keyed_request(_Sealed())


def _keyed_request(keeper: _Open) -> KeyedRequest:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise IdempotencyKeyRequired
    if len(key) > KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise BadRequest(f"Idempotency-Key: at most {KEY_LENGTH_MAX} printable ASCII characters.")
    caller = current_principal()
    route = f"{request.method} {request.path}"
    scope = hashlib.sha256(f"{caller.kind}\n{caller.id}\n{caller.live}\n{route}\n{key}".encode()).digest()
    return KeyedRequest(scope, keeper.fingerprint(request.get_data()), keeper)


def demands_key(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document that the view, which sees to it itself, demands ``Idempotency-Key``."""
    docs = dict(getattr(view, "_apidoc", {}))
    docs["manual_doc"] = dict(docs.get("manual_doc", {})) | {"parameters": [_HEADER]}
    view.__dict__["_apidoc"] = docs
    view.__dict__["idempotent"] = True
    return view


def idempotent(view: Callable[..., Any]) -> Callable[..., Any]:
    """Demand ``Idempotency-Key`` of this route; stands outside ``arguments`` and inside ``transactional``."""
    return _keeping(view, _Open())


def sealed_idempotent(view: Callable[..., Any]) -> Callable[..., Any]:
    """Do as ``idempotent`` where bodies hold a secret: what is kept of them tells nothing to who has the database."""
    return _keeping(view, _Sealed())


def _keeping(view: Callable[..., Any], keeper: _Open) -> Callable[..., Any]:
    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Response:
        asked = _keyed_request(keeper)
        scope = asked.scope
        with unit_of_work() as session:
            lock = int.from_bytes(scope[:8], "big", signed=True)
            if not session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
                raise IdempotencyInProgress
            kept = session.get(IdempotencyRecord, scope)
            if kept is not None:
                if kept.fingerprint != asked.fingerprint:
                    raise IdempotencyKeyReused([{"pointer": "", "detail": "The body differs from the first one."}])
                headers = {"Idempotent-Replayed": "true", "Cache-Control": "no-store"}
                body = keeper.unseal(bytes(kept.body), scope)
                return Response(body, kept.status, headers, content_type=kept.content_type)
            response = _answer(view, args, kwargs)
            if response.status_code < 500 and response.status_code != TooManyRequests.status:
                names = [column.key for column in IdempotencyRecord.__table__.columns]
                session.add(IdempotencyRecord(**dict(zip(names, asked.kept(response, now()), strict=True))))
            return response

    return demands_key(wrapper)


def forget_old_keys(moment: datetime) -> int:
    """Delete the answers kept longer than 48 hours at ``moment``; return how many."""
    with unit_of_work() as session:
        result = session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.created_at < moment - KEPT))
        return int(result.rowcount)  # type: ignore[attr-defined]
