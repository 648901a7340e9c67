"""Requests made from our own OpenAPI document, to the routes of ledger and settlement, and the audit log."""

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

from tests import world

EXAMPLES = 300 if os.environ.get("TEST_PROFILE") == "long" else 2
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def test_generated_requests_are_answered_as_documented(
    mode: GenerationMode, app: Flask, shop: world.Shop, customer: world.Customer, shopper: Any, subtests: Any
) -> None:
    document = schemathesis.openapi.from_wsgi(
        "/openapi.json", lambda environ, start: contextvars.Context().run(app, environ, start)
    )
    callers = {
        "^/v1/holds": shop.live,
        "^/v1/test/members": shop.test,
        "^/v1/statements": shop.live,
        "^/v1/admin/statements": world.make_staff("finance").headers,
        "^/v1/me/(gifts|pay-codes|holds)": shopper(customer.member_id),
        "^/v1/admin/(members|adjustments|audit|ledger)": world.make_staff("admin", "approver").headers,
    }
    for paths, headers in callers.items():
        for found in document.include(path_regex=paths).get_all_operations():
            operation = found.ok()

            with subtests.test(operation.label):
                ask(operation, mode, headers)


def ask(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> None:
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    each()
