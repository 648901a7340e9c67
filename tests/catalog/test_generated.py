"""Requests made from our own OpenAPI document: no server error, and every answer is one that the document names."""

import contextvars
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import world

EXAMPLES = 300 if os.environ.get("TEST_PROFILE") == "long" else 6
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def document(app):
    """The document, served by the application in a context that knows nothing of the test's."""
    return schemathesis.openapi.from_wsgi(
        "/openapi.json", lambda environ, start: contextvars.Context().run(app, environ, start)
    )


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize(
    "path", ["^/v1/(products|packaging-options)", "^/v1/admin/products"], ids=["merchant", "staff"]
)
def test_generated_requests_are_answered_as_documented(path, mode, document, shop, subtests):
    headers = world.make_staff("admin").headers if "admin" in path else shop.live
    for found in document.include(path_regex=path).get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck), deadline=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        with subtests.test(operation.label):
            ask()
