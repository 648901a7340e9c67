"""Access tokens: JWTs signed with Ed25519, by keys that a ``kid`` names.

The library takes a token without ``exp``, ``jti`` or ``type``, and without ``iss`` and ``aud`` unless it is told which;
here every claim is demanded, and each kind of caller has an audience of its own. The last key by name signs, all of
them verify, so that a key is rotated by adding one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import flask_jwt_extended as jwt_extension
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from flask import Flask, current_app
from flask_jwt_extended.exceptions import JWTExtendedException

from app.core.auth import Principal, register_authenticator
from app.core.errors import Unauthorized
from app.core.secrets import write_private
from config import Settings, SettingsError

ALGORITHM = "EdDSA"
KINDS = ("member", "staff")
MODES = {"live": True, "test": False}
_PREFIX = "ey"
_EXTENSION = "access_tokens"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says; ``session_id`` is the family of refresh tokens that it came with."""

    kind: str
    subject: UUID
    session_id: UUID
    live: bool


TokenAuthenticator = Callable[[Claims], Principal]


@dataclass(frozen=True, slots=True)
class _Keys:
    private: dict[str, Ed25519PrivateKey]
    authenticators: dict[str, TokenAuthenticator]

    @property
    def signing_kid(self) -> str:
        return max(self.private)


def audience_of(kind: str) -> str:
    """Return the audience of the tokens of that kind of caller."""
    return f"greenpoints:{kind}"


def _load_keys(settings: Settings) -> dict[str, Ed25519PrivateKey]:
    folder = settings.jwt_keys_dir
    if not settings.is_production and not any(folder.glob("*.pem")):
        made = Ed25519PrivateKey.generate()
        write_private(folder / "development.pem", made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {path.stem: _load_key(path) for path in sorted(folder.glob("*.pem"))}


def _load_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError) as error:
        raise SettingsError([f"JWT_KEYS_DIR: {path.name} can't be read as a private key without a password"]) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError([f"JWT_KEYS_DIR: {path.name} is not an Ed25519 key"])
    return key


def register_tokens(app: Flask, settings: Settings) -> None:
    """Let ``app`` issue and check access tokens; raise SettingsError for a key that is none.

    Rooms then name who checks the tokens of their kind of caller.
    """
    keys = _Keys(_load_keys(settings), {})
    app.extensions[_EXTENSION] = keys
    app.config |= {
        "JWT_ALGORITHM": ALGORITHM,
        "JWT_DECODE_ALGORITHMS": [ALGORITHM],
        "JWT_ENCODE_ISSUER": settings.jwt_issuer,
        "JWT_DECODE_ISSUER": settings.jwt_issuer,
        "JWT_DECODE_AUDIENCE": [audience_of(kind) for kind in KINDS],
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=settings.access_token_seconds),
        "JWT_TOKEN_LOCATION": ["headers"],
    }
    manager = jwt_extension.JWTManager(app)

    @manager.encode_key_loader
    def signing_key(identity: str) -> Ed25519PrivateKey:
        return keys.private[keys.signing_kid]

    @manager.decode_key_loader
    def verifying_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
        key = keys.private.get(header.get("kid", ""))
        if key is None:
            raise jwt.InvalidKeyError("no such key")
        return key.public_key()

    register_authenticator(app, _PREFIX, authenticate)


def register_token_authenticator(app: Flask, kind: str, authenticator: TokenAuthenticator) -> None:
    """Let ``authenticator`` say who stands behind a verified token of ``kind``, or raise Unauthorized."""
    cast(_Keys, app.extensions[_EXTENSION]).authenticators[kind] = authenticator


def issue_access_token(kind: str, subject: UUID, session_id: UUID, live: bool) -> tuple[str, int]:
    """Return a new access token and the seconds it lives."""
    keys: _Keys = current_app.extensions[_EXTENSION]
    token = jwt_extension.create_access_token(
        str(subject),
        additional_claims={
            "type": kind,
            "aud": audience_of(kind),
            "sid": str(session_id),
            "mode": "live" if live else "test",
        },
        additional_headers={"kid": keys.signing_kid},
    )
    settings: Settings = current_app.config["SETTINGS"]
    return token, settings.access_token_seconds


def read_access_token(token: str) -> Claims:
    """Return what ``token`` says; raise Unauthorized unless it is ours, in its time and complete."""
    try:
        return _complete(jwt_extension.decode_token(token))
    except (jwt.PyJWTError, JWTExtendedException, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unauthorized("The access token is not valid.") from error


def _complete(claims: dict[str, Any]) -> Claims:
    """Return the claims that we demand; raise KeyError, TypeError or ValueError where one is missing or odd."""
    kind = claims["type"]
    if kind not in KINDS or claims["aud"] != audience_of(kind):
        raise ValueError("type and aud don't belong together")
    if not isinstance(claims["jti"], str) or not claims["jti"]:
        raise ValueError("jti")
    if type(claims["iat"]) is not int or type(claims["exp"]) is not int:
        raise ValueError("iat, exp")
    return Claims(kind, _uuid(claims["sub"]), _uuid(claims["sid"]), MODES[claims["mode"]])


def _uuid(text: Any) -> UUID:
    if not isinstance(text, str):
        raise TypeError("not a UUID")
    return UUID(text)


def authenticate(token: str) -> Principal:
    """Return who holds ``token``: its kind's own authenticator has the last word."""
    claims = read_access_token(token)
    keys: _Keys = current_app.extensions[_EXTENSION]
    authenticator = keys.authenticators.get(claims.kind)
    if authenticator is None:
        raise Unauthorized("The access token is not valid.")
    return authenticator(claims)
