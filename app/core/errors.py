"""Errors as RFC 9457 problem details, each with a stable ``code``; they are raised, never returned."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import psycopg
import structlog
from flask import Flask, Response, g, has_request_context, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

FAULTS_MAX = 100
log = structlog.get_logger()


class ProblemError(Exception):
    """Base of every expected error; subclasses set ``status``, ``code`` and ``title``.

    One that ``keeps_work`` lets the unit of work commit before it goes on: a wrong guess must stay counted.
    """

    status = 500
    code = "internal_error"
    title = "Internal error"
    keeps_work = False

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = dict(headers or {})
        self.errors = errors
        self.extra = extra

    def to_problem(self) -> dict[str, Any]:
        """Return the problem object of this error."""
        problem: dict[str, Any] = {
            "type": f"urn:greenpoints:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if has_request_context():
            problem["instance"] = f"urn:greenpoints:request:{g.get('request_id', '')}"
        if self.errors is not None:
            problem["errors"] = self.errors
        return problem | self.extra


class BadRequest(ProblemError):
    """The request itself can't be read."""

    status, code, title = 400, "bad_request", "Bad request"


class MalformedJson(BadRequest):
    """The body is not JSON."""

    code, title = "malformed_json", "The body is not valid JSON"


class InvalidCursor(BadRequest):
    """A cursor was changed, or belongs to another list or caller."""

    code, title = "invalid_cursor", "The cursor is not valid for this list"


class Unauthorized(ProblemError):
    """No valid credentials."""

    status, code, title = 401, "unauthorized", "Valid credentials are needed"

    def __init__(self, detail: str = "", **keywords: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, **keywords)


class Forbidden(ProblemError):
    """Valid credentials of the wrong kind."""

    status, code, title = 403, "forbidden", "These credentials may not do this"


class NotFound(ProblemError):
    """Absent, or another's."""

    status, code, title = 404, "not_found", "Not found"


class Conflict(ProblemError):
    """A business conflict."""

    status, code, title = 409, "conflict", "Conflict"


class PayloadTooLarge(ProblemError):
    """The body is over its limit."""

    status, code, title = 413, "payload_too_large", "The body is too large"


class UnsupportedMediaType(ProblemError):
    """The body is not declared as what the route reads: JSON, unless it says otherwise."""

    status, code, title = 415, "unsupported_media_type", "The body must be application/json"


class ValidationProblem(ProblemError):
    """The payload breaks the contract; ``errors`` names each place by its JSON pointer, the first hundred of them."""

    status, code, title = 422, "validation_failed", "The request does not fit the contract"

    def __init__(self, errors: list[dict[str, str]], **keywords: Any) -> None:
        super().__init__(errors[0]["detail"] if errors else "", errors=errors[:FAULTS_MAX], **keywords)


class TooManyRequests(ProblemError):
    """A limit was reached; ``Retry-After`` says for how long."""

    status, code, title = 429, "too_many_requests", "Too many requests"


class ServiceUnavailable(ProblemError):
    """The database or a neighbour is busy or gone for the moment."""

    status, code, title = 503, "service_unavailable", "Try again shortly"

    def __init__(self, detail: str = "", **keywords: Any) -> None:
        super().__init__(detail, headers={"Retry-After": "1"}, **keywords)


def problem_response(error: ProblemError) -> Response:
    """Return ``error`` as an application/problem+json response."""
    response = Response(orjson.dumps(error.to_problem()), status=error.status, mimetype="application/problem+json")
    response.headers.update(error.headers)
    return response


def _from_http(error: HTTPException) -> ProblemError:
    status = error.code or 500
    known = {
        kind.status: kind
        for kind in (
            BadRequest,
            Unauthorized,
            Forbidden,
            NotFound,
            PayloadTooLarge,
            UnsupportedMediaType,
            TooManyRequests,
        )
    }
    problem = known.get(status, ProblemError)(error.description or "")
    if type(problem) is ProblemError:
        phrase = HTTPStatus(status).phrase
        problem.status, problem.title, problem.code = status, phrase, phrase.lower().replace(" ", "_")
    kept = {"Allow", "Retry-After", "WWW-Authenticate"}
    problem.headers.update({name: value for name, value in error.get_headers() if name in kept})
    return problem


def register_error_handlers(app: Flask) -> None:
    """Answer every error of ``app`` as a problem; an unexpected one is logged, and told without its cause."""

    @app.errorhandler(ProblemError)
    def expected(error: ProblemError) -> Response:
        return problem_response(error)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return problem_response(_from_http(error))

    @app.errorhandler(PoolTimeout)
    def exhausted(error: PoolTimeout) -> Response:
        log.warning("pool_exhausted")
        return problem_response(ServiceUnavailable("All database connections are busy."))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        original = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(original, psycopg.OperationalError):  # gone, shutting down, busy or locked: not of our making
            log.warning("database_unavailable", error=type(original).__name__, sqlstate=original.sqlstate)
            return problem_response(ServiceUnavailable("The database is not reachable, or busy."))
        log.error("unexpected_error", endpoint=request.endpoint if request else None, exc_info=error)
        return problem_response(ProblemError("Something went wrong on our side; the request id finds it in our logs."))
