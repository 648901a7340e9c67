"""Blueprints: flask-smorest's documentation with our own strict reading of bodies and queries.

The OpenAPI document comes from the same schemas that validate; every operation lists the problems it can answer.
"""

import functools
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Flask, Response, request
from werkzeug.formparser import FormDataParser

from app.core import errors, schemas, strict_json
from app.core.errors import ProblemError

BODY_BYTES_MAX = 1024 * 1024
BATCH_BYTES_MAX = 8 * 1024 * 1024
FORM_BYTES_MAX = 16 * 1024  # what stands around the file in a form
_F = TypeVar("_F", bound=Callable[..., Any])


def read_json(bytes_max: int = BODY_BYTES_MAX, standalone: str = "") -> Any:
    """Return the request's body, strictly read; raise the problem for a wrong type, length or text.

    See ``strict_json.loads`` for ``standalone``.
    """
    if request.mimetype != "application/json":
        raise errors.UnsupportedMediaType
    return strict_json.loads(read_body(bytes_max), standalone)


def read_csv(bytes_max: int = BATCH_BYTES_MAX) -> bytes:
    """Return the request's body, declared as CSV, as it was sent; raise the problem for a wrong type or length."""
    if request.mimetype != "text/csv":
        raise errors.UnsupportedMediaType("The body must be text/csv.")
    return read_body(bytes_max)


def read_body(bytes_max: int) -> bytes:
    """Return the request's body as it came; raise PayloadTooLarge beyond ``bytes_max``, whatever length it claims."""
    if (request.content_length or 0) > bytes_max:
        raise errors.PayloadTooLarge(f"At most {bytes_max} bytes.")
    # a body that does not say how long it is is cut at the limit of reading: one byte more than may be there
    request.max_content_length = bytes_max + 1
    raw = request.get_data()
    if len(raw) > bytes_max:
        raise errors.PayloadTooLarge(f"At most {bytes_max} bytes.")
    return raw


def read_file(name: str, bytes_max: int) -> bytes:
    """Return the one file of a multipart form, its field ``name``; raise ValidationProblem, PayloadTooLarge."""
    whole = read_body(bytes_max + FORM_BYTES_MAX)
    parser = FormDataParser(lambda *_, **__: BytesIO(), max_form_parts=10)  # no file on disk, whatever comes
    _, form, found = parser.parse(BytesIO(whole), request.mimetype, len(whole), request.mimetype_params)
    files = found.getlist(name)
    if [*form, *found] != [name] or len(files) != 1:
        raise errors.ValidationProblem([{"pointer": f"/{name}", "detail": f"Send one file, as {name!r}."}])
    raw: bytes = files[0].read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise errors.PayloadTooLarge(f"At most {bytes_max} bytes.")
    return raw


def read_optional_json() -> Any:
    """Return the request's body as ``read_json`` does, an empty object where none was sent."""
    request.max_content_length = BODY_BYTES_MAX + 1
    return read_json() if request.get_data() else {}


class _Parser:
    """What flask-smorest asks of webargs, without its guessing: strict JSON, or a query of single values."""

    DEFAULT_VALIDATION_STATUS = 422

    def use_args(
        self,
        schema: ma.Schema | type[ma.Schema],
        *,
        location: str = "json",
        bytes_max: int = BODY_BYTES_MAX,
        standalone: str = "",
    ) -> Callable[[_F], _F]:
        """Give the view what ``location`` holds, read by ``schema``, as its next positional argument."""
        instance = schema() if isinstance(schema, type) else schema

        def decorate(view: _F) -> _F:
            @functools.wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                if location == "query":
                    value: Any = {}
                    for name, values in request.args.lists():
                        if len(values) > 1:
                            raise errors.ValidationProblem(
                                [{"pointer": strict_json.pointer(name), "detail": "stands here more than once"}]
                            )
                        value[name] = values[0]
                else:
                    value = read_json(bytes_max, standalone)
                return view(*args, schemas.load(instance, value), **kwargs)

            return wrapper  # type: ignore[return-value]

        return decorate


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A room's routes; see ``problems`` for the errors an operation documents beside the common ones."""

    ARGUMENTS_PARSER = _Parser()

    if TYPE_CHECKING:  # flask-smorest has no types of its own
        route: Callable[..., Callable[[_F], _F]]
        arguments: Callable[..., Callable[[_F], _F]]
        response: Callable[..., Callable[[_F], _F]]
        alt_response: Callable[..., Callable[[_F], _F]]
        doc: Callable[..., Callable[[_F], _F]]

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._prepare_doc_cbks.append(self._prepare_problem_docs)

    @staticmethod
    def problems(*kinds: type[ProblemError]) -> Callable[[_F], _F]:
        """Document that the operation answers these problems."""

        def decorate(view: _F) -> _F:
            view._apidoc = dict(getattr(view, "_apidoc", {})) | {"problems": kinds}  # type: ignore[attr-defined]
            return view

        return decorate

    @staticmethod
    def _prepare_problem_docs(doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
        kinds: list[type[ProblemError]] = [*info.get("problems", ()), errors.ServiceUnavailable, ProblemError]
        if info.get("manual_doc", {}).get("security") != []:
            kinds += [errors.Unauthorized, errors.Forbidden, errors.TooManyRequests]
        has_body = "requestBody" in doc or "requestBody" in info.get("manual_doc", {})
        if has_body:
            kinds += [errors.MalformedJson, errors.UnsupportedMediaType, errors.PayloadTooLarge]
        if has_body or doc.get("parameters"):
            kinds.append(errors.ValidationProblem)
        responses = doc.setdefault("responses", {})
        by_status: dict[int, list[type[ProblemError]]] = {}
        for kind in kinds:
            by_status.setdefault(kind.status, []).append(kind)
        for status, group in by_status.items():
            examples = {
                kind.code: {
                    "value": kind([{"pointer": "/id", "detail": "…"}]).to_problem()
                    if issubclass(kind, errors.ValidationProblem)
                    else kind().to_problem()
                }
                for kind in group
            }
            responses[status] = {
                "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in group),
                "content": {"application/problem+json": {"schema": schemas.ProblemSchema, "examples": examples}},
            }
        return doc


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return ``value``, already shaped as the contract says, as a JSON response."""
    response = Response(strict_json.dumps(value), status=status, mimetype="application/json")
    if headers:
        response.headers.update(headers)
    return response


def private_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return personal data as JSON that nobody on the way may store."""
    return json_response(value, status, {"Cache-Control": "no-store"} | (headers or {}))


def make_api(app: Flask) -> flask_smorest.Api:
    """Return the API object that gathers the blueprints of ``app`` into one OpenAPI 3.1 document."""
    app.config |= {
        "API_TITLE": "Greenpoints",
        "API_VERSION": "v1",
        "OPENAPI_VERSION": "3.1.0",
    }
    api = flask_smorest.Api(app)
    api.register_field(schemas.Timestamp, "string", "date-time")
    schemes = {
        "member": ("JWT", "A shopper's access token from `POST /v1/auth/tokens`."),
        "staff": ("JWT", "A staff access token from `POST /v1/admin/auth/tokens`."),
        "merchant": ("gp_live_… or gp_test_…", "A merchant's API key."),
    }
    for name, (form, description) in schemes.items():
        api.spec.components.security_scheme(
            name, {"type": "http", "scheme": "bearer", "bearerFormat": form, "description": description}
        )
    return api
