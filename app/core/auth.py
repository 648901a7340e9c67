"""Who is asking: one decorator a kind of caller, and the registry of those who can check a credential.

A room registers an authenticator in the composition root. Every route carries ``public``, ``member_only``,
``merchant_only`` or ``staff_only``; a test walks the routes and refuses one that carries none.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from flask import Flask, current_app, g, request

from app.core.errors import Forbidden, Unauthorized

TOKEN_LENGTH_MAX = 4096
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Principal:
    """An authenticated caller; ``grants`` are a merchant key's scopes or a staff account's roles.

    ``live`` tells live data from test data: neither sees the other.
    """

    kind: str
    id: UUID
    live: bool
    grants: frozenset[str] = frozenset()


Authenticator = Callable[[str], Principal]


def register_authenticator(app: Flask, prefix: str, authenticator: Authenticator) -> None:
    """Let ``authenticator`` check the bearer tokens that start with ``prefix``; the longest matching prefix wins.

    It returns the caller or raises Unauthorized.
    """
    registry: dict[str, Authenticator] = app.extensions.setdefault("authenticators", {})
    registry[prefix] = authenticator
    app.extensions["authenticators"] = dict(sorted(registry.items(), key=lambda item: -len(item[0])))


def bearer_token() -> str:
    """Return the request's bearer token; raise Unauthorized where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LENGTH_MAX:
        raise Unauthorized("Send Authorization: Bearer with a token or key.")
    return token


def _authenticate() -> Principal:
    token = bearer_token()
    for prefix, authenticator in current_app.extensions["authenticators"].items():
        if token.startswith(prefix):
            return cast(Principal, authenticator(token))
    raise Unauthorized()


def current_principal() -> Principal:
    """Return the caller of this request."""
    return cast(Principal, g.principal)


def _guard(kind: str, *grants: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    def decorate(view: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(view)
        def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            principal = _authenticate()
            if principal.kind != kind:
                raise Forbidden(f"This route is for a {kind}, not for a {principal.kind}.")
            if grants and principal.grants.isdisjoint(grants):
                raise Forbidden(f"These credentials lack {' or '.join(map(repr, grants))}.")
            g.principal = principal
            return view(*args, **kwargs)

        _mark(wrapper, kind)
        return wrapper

    return decorate


def _mark(view: Any, access: str) -> None:
    view.__dict__["access"] = access
    docs = dict(getattr(view, "_apidoc", {}))
    docs["manual_doc"] = dict(docs.get("manual_doc", {})) | {"security": [] if access == "public" else [{access: []}]}
    view._apidoc = docs


def public(view: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let anybody call this route."""
    _mark(view, "public")
    return view


def member_only(view: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let signed-in shoppers call this route."""
    return _guard("member")(view)


def merchant_only(scope: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let a merchant's key with ``scope`` call this route."""
    return _guard("merchant", scope)


def staff_only(*roles: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let signed-in staff with one of ``roles`` call this route."""
    return _guard("staff", *roles)
