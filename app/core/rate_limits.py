"""Rate limits of single routes, counted in Redis; while Redis is gone, in the memory of each process.

A route declares its limits with ``limited``; ``register_rate_limits`` puts them into force once all routes are there.
They are checked before anything else of the request. Whom a limit is about stands in Redis as a keyed hash.
"""

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import redis
from flask import Flask, Response, current_app, request
from flask_limiter import Limiter

from app.core import strict_json
from app.core.auth import bearer_token
from app.core.errors import ProblemError, Unauthorized
from app.core.secrets import derived_key
from app.core.tokens import read_access_token
from config import Settings

_F = TypeVar("_F", bound=Callable[..., Any])
_BODY_BYTES_MAX = 4096


def client_network() -> str:
    """Return the network the request comes from: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


def body_field(name: str, spelling: Callable[[str], str]) -> Callable[[], str]:
    """Return a function that tells whom a request is about by a text in its body, in the one ``spelling`` of it.

    A body that says nothing there is told by its network: it will be refused anyway.
    """

    def subject() -> str:
        try:
            body = (
                strict_json.loads(request.get_data()) if 0 < (request.content_length or 0) <= _BODY_BYTES_MAX else None
            )
            value = body.get(name) if isinstance(body, dict) else None
            return f"{name}:{spelling(value)}" if isinstance(value, str) else client_network()
        except ProblemError:
            return client_network()

    return subject


def token_holder() -> str:
    """Return whom the request's access token was issued to, whichever token it is of theirs.

    A request whose token is missing or not ours is told by its network: it will be refused anyway.
    """
    try:
        claims = read_access_token(bearer_token())
    except Unauthorized:
        return client_network()
    return f"{claims.kind}:{claims.subject}"


def from_network(subject: Callable[[], str]) -> Callable[[], str]:
    """Return a function that tells ``subject`` as one network asks about it.

    So a stranger's requests use up the stranger's own allowance, and don't lock the person out whom they are about.
    """
    return lambda: f"{subject()} from {client_network()}"


def limited(
    rate: str, by: Callable[[], str] = client_network, *, status: int | Collection[int] | None = None
) -> Callable[[_F], _F]:
    """Limit a route to ``rate``, such as "5 per 10 minutes", for each subject that ``by`` tells; outermost but one.

    Where ``status`` is given, only answers of that status, or of one of those, count.
    """

    def decorate(view: _F) -> _F:
        view.__dict__["rate_limits"] = [*view.__dict__.get("rate_limits", []), (rate, by, status)]
        return view

    return decorate


def _counts(status: int | Collection[int] | None) -> Callable[[Response], bool] | None:
    if status is None:
        return None
    counted = {status} if isinstance(status, int) else set(status)
    return lambda response: response.status_code in counted


def _hashed(subject: Callable[[], str]) -> Callable[[], str]:
    def key() -> str:
        secret = derived_key(current_app.config["SECRET_KEY"], "rate-limits")
        return hmac.new(secret, subject().encode(), hashlib.sha256).hexdigest()[:32]

    return key


def register_rate_limits(app: Flask, settings: Settings) -> None:
    """Put the limits of the routes of ``app`` into force, unless the settings switch them off."""
    if not settings.rate_limits:
        return
    limiter = Limiter(
        client_network,
        storage_uri="redis://",
        storage_options={"connection_pool": app.extensions["redis"].connection_pool},
        strategy="moving-window",
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # they are logged; only memory is left to fail by then
        headers_enabled=False,
    )
    endpoints = {endpoint for endpoint, view in app.view_functions.items() if hasattr(view, "rate_limits")}
    for endpoint in endpoints:
        limited_view: Any = app.view_functions[endpoint]
        for rate, by, status in app.view_functions[endpoint].__dict__["rate_limits"]:
            limited_view = limiter.limit(rate, key_func=_hashed(by), deduct_when=_counts(status))(limited_view)
        app.view_functions[endpoint] = limited_view
    limiter.init_app(app)
    # these views check for themselves; the hook before each request of all others would cost it 50 µs for nothing
    app.before_request_funcs[None].remove(limiter._check_request_limit)
    app.extensions["rate_limiter"] = limiter

    @app.after_request
    def tell(response: Response) -> Response:
        """Name the limit that is nearest, in the fields of draft-ietf-httpapi-ratelimit-headers."""
        limits = limiter.current_limits if request.endpoint in endpoints else None
        if not limits:
            return response
        try:
            current = min(limits, key=lambda limit: (not limit.breached, limit.remaining))
            seconds = max(1, current.reset_at - int(time.time()))
            remaining = 0 if current.breached else current.remaining
        except redis.RedisError:  # gone since the limit was checked: the answer stands without these fields
            return response
        policy = f'"{request.endpoint}"'
        response.headers["RateLimit-Policy"] = f"{policy};q={current.limit.amount};w={current.limit.get_expiry()}"
        response.headers["RateLimit"] = f"{policy};r={remaining};t={seconds}"
        if current.breached:
            response.headers["Retry-After"] = str(seconds)
        return response
