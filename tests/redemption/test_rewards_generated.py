"""Requests made from our own OpenAPI document for rewards: no server error, and every answer is one that it names."""

import contextvars
import os
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.redemption.service import offer_reward
from tests import world
from tests.redemption.desk import product_document, reward_document

EXAMPLES = 300 if os.environ.get("TEST_PROFILE") == "long" else 6
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def document(app: Flask) -> Any:
    """The document, served by the application in a context that knows nothing of the test's."""
    return schemathesis.openapi.from_wsgi(
        "/openapi.json", lambda environ, start: contextvars.Context().run(app, environ, start)
    )


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("who", ["staff", "shopper"])
def test_generated_requests_are_answered_as_documented(
    mode: Any, who: str, document: Any, customer: world.Customer, shopper: Any, subtests: Any
) -> None:
    """Each operation gets a few requests that fit its schema, and a few that don't."""
    offer_reward(product_document())
    offer_reward(reward_document(kind="voucher_pool"))
    paths = {"staff": "^/v1/admin/rewards", "shopper": "^/v1/(rewards|me/expiring)"}
    headers = world.make_staff("editor").headers if who == "staff" else shopper(customer.member_id)
    for found in document.include(path_regex=paths[who]).get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        with subtests.test(operation.label):
            ask()
