"""What tests ask of answers, whatever the route."""

from typing import Any

from werkzeug.test import TestResponse

PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "instance"}


def assert_problem(response: TestResponse, status: int, code: str, pointer: str | None = None) -> None:
    """Check an answer to be the problem that is expected, and to be declared as one."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json", response.text
    check_problem(response.json, status, code, pointer)


def check_problem(problem: Any, status: int, code: str, pointer: str | None = None) -> None:
    """Check a problem, by itself or within a batch; where ``pointer`` is given it names that one place."""
    assert problem.keys() >= PROBLEM_FIELDS
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["title"]
    assert problem["detail"]
    if pointer is not None:
        assert {error["pointer"] for error in problem["errors"]} == {pointer}, problem
        assert all(error["detail"] for error in problem["errors"])
