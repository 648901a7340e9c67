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


@pytest.fixture
def document(app):
    """The document, served by the application in a context that knows nothing of the test's."""
    return schemathesis.openapi.from_wsgi(
        "/openapi.json", lambda environ, start: contextvars.Context().run(app, environ, start)
    )


EXAMPLES = 300 if os.environ.get("TEST_PROFILE") == "long" else 6
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def ask_all(operations, mode, headers, subtests):
    """Ask each operation a few requests that fit its schema, or a few that don't."""
    for found in operations:
        operation = found.ok()

        @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        with subtests.test(operation.label):
            ask()


@pytest.fixture(params=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def mode(request):
    return request.param


def test_requests_of_merchants_are_answered_as_documented(mode, document, shop, subtests):
    found = document.include(path_regex="^/v1/(activities|previews|reconciliations|returns)")
    ask_all(found.get_all_operations(), mode, shop.live, subtests)


def test_requests_of_shoppers_who_declare_are_answered_as_documented(mode, document, customer, shopper, subtests):
    found = document.include(path_regex="^/v1/me/(activities|evidence)")
    ask_all(found.get_all_operations(), mode, shopper(customer.member_id), subtests)


def test_requests_of_staff_who_review_are_answered_as_documented(mode, document, programme, subtests):
    found = document.include(path_regex="^/v1/admin/(reviews|evidence)")
    ask_all(found.get_all_operations(), mode, world.make_staff("admin").headers, subtests)
