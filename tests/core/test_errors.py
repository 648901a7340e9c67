"""Every error answers as a problem; what nobody expected is told without its cause."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import Conflict, ProblemError, ValidationProblem
from tests.core.conftest import MakeApp

SECRET = "gp_live_secret lovelace@example.org"


def lost() -> OperationalError:
    return OperationalError("SELECT 1", {}, psycopg.OperationalError(SECRET), connection_invalidated=True)


RAISED: dict[str, Any] = {
    "conflict": lambda: Conflict("Not now.", points=3),
    "invalid": lambda: ValidationProblem([{"pointer": "/a", "detail": "No."}]),
    "pool": lambda: PoolTimeout(SECRET),
    "lost": lost,
    "value": lambda: ValueError(SECRET),
    "unreachable": lambda: OperationalError("SELECT 1", {}, psycopg.OperationalError(SECRET)),
    "locked": lambda: psycopg.errors.LockNotAvailable(SECRET),
    "broken": lambda: ProgrammingError("SELECT 1", {}, psycopg.errors.UndefinedTable(SECRET)),
}


@pytest.fixture
def failing(app: Flask, make_app: MakeApp) -> Iterator[FlaskClient]:
    """A client of an application with a route that raises what its path names, or aborts with a status."""
    made = make_app()

    def fail(name: str) -> str:
        if name.isdigit():
            abort(int(name))
        raise RAISED[name]()

    made.add_url_rule("/fail/<name>", "fail", fail)
    return made.test_client()


def test_a_problem_has_the_shape_of_the_standard(failing: FlaskClient) -> None:
    answer = failing.get("/fail/conflict", headers={"X-Request-Id": "r-1"})
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, answer.json) == (
        409,
        {
            "type": "urn:greenpoints:problem:conflict", "title": "Conflict", "status": 409, "detail": "Not now.",
            "code": "conflict", "instance": "urn:greenpoints:request:r-1", "points": 3,
        },
    )  # fmt: skip


def test_a_validation_problem_names_the_places(failing: FlaskClient) -> None:
    answer = failing.get("/fail/invalid")
    assert (answer.status_code, answer.json["errors"]) == (422, [{"pointer": "/a", "detail": "No."}])


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("pool", 503, "service_unavailable"), ("lost", 503, "service_unavailable"),
        ("unreachable", 503, "service_unavailable"), ("locked", 503, "service_unavailable"),
        ("value", 500, "internal_error"),
        ("broken", 500, "internal_error"), ("400", 400, "bad_request"), ("401", 401, "unauthorized"),
        ("404", 404, "not_found"), ("413", 413, "payload_too_large"),
        ("429", 429, "too_many_requests"), ("500", 500, "internal_server_error"),
    ],
)  # fmt: skip
def test_what_nobody_expected_is_a_problem_without_its_cause(
    failing: FlaskClient, name: str, status: int, code: str
) -> None:
    answer = failing.get(f"/fail/{name}")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["code"] == code
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert "lovelace" not in answer.text
    assert "secret" not in answer.text
    if status == 503:
        assert int(answer.headers["Retry-After"]) > 0


def test_no_such_path_and_a_wrong_method_are_problems(failing: FlaskClient) -> None:
    assert failing.get("/nowhere").json["code"] == "not_found"
    wrong = failing.delete("/livez")
    assert (wrong.status_code, wrong.json["code"]) == (405, "method_not_allowed")
    assert {"GET", "HEAD", "OPTIONS"} == {method.strip() for method in wrong.headers["Allow"].split(",")}


def kinds(base: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in kinds(ProblemError) if kind.__module__.startswith("app.")],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_every_problem_has_a_status_a_code_and_a_title_of_its_own(kind: type[ProblemError]) -> None:
    assert 400 <= kind.status <= 503
    assert kind.code.replace("_", "").isalnum()
    assert kind.code == kind.code.lower()
    assert kind.title[0].isupper()
    same = [other for other in kinds(ProblemError) if other.code == kind.code and other.__module__.startswith("app.")]
    # a sign-in code that is wrong is no valid credential; a claim or voucher code that is mistyped is a bad payload
    assert {other.status for other in same} == ({401, 422} if kind.code == "invalid_code" else {kind.status})
