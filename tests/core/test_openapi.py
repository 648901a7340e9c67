"""The OpenAPI document is valid, complete, and its examples fit the schemas that validate."""

import pytest
from marshmallow import Schema
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

PROBLEM = "application/problem+json"
UNDOCUMENTED = {"/openapi.json", "/docs", "/docs/<path:name>"}
NO_BODY = {"204"}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def operations(document):
    """Yield (method and path, operation) of all that can be called."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def bodies(document):
    """Yield (where, media type, its object) of every body that is sent or answered."""
    for name, operation in operations(document):
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} request", media, content
        for status, response in operation["responses"].items():
            for media, content in response.get("content", {}).items():
                yield f"{name} {status}", media, content


def examples_of(content):
    if "example" in content:
        return [content["example"]]
    return [example["value"] for example in content.get("examples", {}).values()]


def test_the_document_is_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_in_the_document(app, document):
    served = set()
    for rule in app.url_map.iter_rules():
        if rule.rule not in UNDOCUMENTED:
            path = "/".join(f"{{{part[1:-1].split(':')[-1]}}}" if part[:1] == "<" else part
                            for part in rule.rule.split("/"))  # fmt: skip
            served |= {f"{method} {path}" for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert {name for name, _ in operations(document)} == served


def test_every_operation_says_what_it_does_and_who_may(document):
    for name, operation in operations(document):
        assert operation["summary"].endswith("."), name
        assert operation["tags"], name
        assert "security" in operation, name
        assert set(document["components"]["securitySchemes"]) >= {key for use in operation["security"] for key in use}


def test_every_body_has_an_example(document):
    for name, operation in operations(document):
        done = [status for status in operation["responses"] if status.startswith("2")]
        assert done, name
        for status in done:
            assert status in NO_BODY or operation["responses"][status].get("content"), f"{name} {status}"
    assert [f"{where} {media}" for where, media, content in bodies(document) if not examples_of(content)] == []


def test_every_example_fits_its_schema_in_the_document(document):
    """As JSON Schema, which OpenAPI 3.1 is: what a client's generator sees."""
    faults = []
    for where, media, content in bodies(document):
        schema = {"components": document["components"]} | content["schema"]
        validator = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
        for example in examples_of(content):
            faults += [
                f"{where} {media}: {error.json_path} {error.message}" for error in validator.iter_errors(example)
            ]
    assert faults == []


def declared(app):
    """Yield (where, schema, example) as the routes declare them, which the document is made from."""
    for endpoint, view in app.view_functions.items():
        docs = getattr(view, "_apidoc", {})
        for parameter in docs.get("arguments", {}).get("parameters", []):
            if parameter["in"] == "json":
                yield f"{endpoint} request", parameter["schema"], parameter["example"]
        content = docs.get("manual_doc", {}).get("requestBody", {}).get("content", {})
        for body in content.values():
            yield f"{endpoint} request", body["schema"], body["example"]
        for status, answers in docs.get("response", {}).get("responses", {}).items():
            for answer in answers if isinstance(answers, list) else [answers]:
                if isinstance(answer, dict) and "example" in answer:
                    yield f"{endpoint} {status}", answer["schema"], answer["example"]


def test_every_example_fits_the_schema_that_reads_or_writes_it(app):
    """By the marshmallow schemas themselves: no unknown field, no missing one, each of its type."""
    found = {}
    count = 0
    for where, schema, example in declared(app):
        schema = schema() if isinstance(schema, type) else schema
        if isinstance(schema, Schema):
            count += 1
            faults = schema.validate(example)
            if faults:
                found[where] = faults
    assert found == {}
    assert count > 30


def test_every_problem_is_documented_with_its_code(document):
    for name, operation in operations(document):
        answers = {status: response for status, response in operation["responses"].items() if status[0] in "45"}
        assert {"500"} <= answers.keys(), name
        if operation["security"]:
            assert {"401", "403", "429"} <= answers.keys(), name
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= answers.keys(), name
        for status, response in answers.items():
            content = response.get("content", {})
            if PROBLEM in content:
                for code, example in content[PROBLEM]["examples"].items():
                    assert (example["value"]["code"], example["value"]["status"]) == (code, int(status)), name
            else:
                assert (name, status) == ("GET /readyz", "503")


def test_every_field_of_a_schema_has_a_type(document):
    untyped = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        if not {"type", "$ref", "anyOf", "allOf", "oneOf"} & shape.keys()
    ]
    assert untyped == []
