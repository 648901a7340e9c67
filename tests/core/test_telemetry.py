"""Request ids, log lines that name nobody, and metrics that stay small."""

import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.core import telemetry
from app.core.clock import now
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.members import service as members
from tests.core.conftest import MakeApp

ReadLog = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def read_log(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadLog]:
    """A function that returns what was logged since the test began; each line is JSON."""
    stream = io.StringIO()
    factory = structlog.WriteLoggerFactory(stream)
    with monkeypatch.context() as patched:
        patched.setattr(structlog, "WriteLoggerFactory", lambda _: factory)
        telemetry.configure_logging("INFO")
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    telemetry.configure_logging("INFO")


@pytest.mark.parametrize("sent", ["a", "A-b_c.d:1", "x" * 64])
def test_a_request_id_is_echoed(client: FlaskClient, sent: str) -> None:
    assert client.get("/livez", headers={"X-Request-Id": sent}).headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", [None, "", "x" * 65, "a b", "a\tb", "ä", "a/b", "<script>", "a%0Ab"])
def test_a_request_id_is_made_where_none_or_a_malformed_one_came(client: FlaskClient, sent: str | None) -> None:
    answer = client.get("/livez", headers={} if sent is None else {"X-Request-Id": sent})
    assert uuid.UUID(answer.headers["X-Request-Id"]).version == 7


def test_a_request_is_one_line(client: FlaskClient, read_log: ReadLog) -> None:
    client.get("/v1/me/wallet?cursor=secret", headers={"X-Request-Id": "r-7"})
    [line] = read_log()
    assert line["ms"] >= 0
    assert line["timestamp"].endswith("Z")
    kept = {key: line[key] for key in line if key not in ("ms", "timestamp")}
    assert kept == {
        "event": "request", "level": "info", "request_id": "r-7", "method": "GET", "route": "/v1/me/wallet",
        "status": 401,
    }  # fmt: skip


def test_health_and_metrics_are_not_logged(client: FlaskClient, read_log: ReadLog) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        client.get(path)
    assert read_log() == []


def test_a_log_names_nobody(client: FlaskClient, read_log: ReadLog) -> None:
    """A sign-in with a wrong and a right code, a refused token, a path with a customer's reference."""
    address = "ada.lovelace@example.org"
    client.post("/v1/auth/codes", json={"channel": "email", "address": address})
    client.post("/v1/auth/tokens", json={"address": address, "code": "123456"})
    token = members.start_session(members.enrol_member(moment=now()).member_id, now()).access_token
    client.get("/v1/me/wallet", headers={"Authorization": f"Bearer {token}"})
    client.get("/v1/me/wallet", headers={"Authorization": f"Bearer {token}x"})
    client.put("/v1/customers/customer-nobody-else", json={"member_code": "ABCD1234"})
    client.get("/v1/customers/customer-nobody-else/nothing?who=lovelace")
    logged = json.dumps(read_log())
    assert logged.count('"event": "request"') == 6
    for secret in ("lovelace", "123456", token[:20], "nobody-else", "ABCD1234"):
        assert secret not in logged


def test_an_unexpected_error_is_logged_without_the_values_it_was_about(
    app: Flask, make_app: MakeApp, read_log: ReadLog
) -> None:
    other = make_app()

    def fail(name: str) -> str:
        address = f"{name}@example.org"
        with unit_of_work() as session:
            row = {"n": address}
            session.execute(text("INSERT INTO config_version (name, version) VALUES (:n, 1)"), row)
            session.execute(text("INSERT INTO config_version (name, version) VALUES (:n, 1)"), row)
        return address

    other.add_url_rule("/fail/<name>", "fail", fail)
    answer = other.test_client().get("/fail/lovelace", headers={"X-Request-Id": "r-8"})
    assert (answer.status_code, answer.json["instance"]) == (500, "urn:greenpoints:request:r-8")
    error, request = read_log()
    assert (error["event"], error["endpoint"], request["route"]) == ("unexpected_error", "fail", "/fail/<name>")
    assert error["request_id"] == request["request_id"] == "r-8"
    assert error["exception"][0]["exc_type"] == "IntegrityError"
    assert any(frame["name"] == "fail" for frame in error["exception"][0]["frames"])
    assert "lovelace" not in json.dumps([error, request])


def test_a_made_up_method_is_not_a_series_of_its_own(client: FlaskClient) -> None:
    for number in range(5):
        client.open("/livez", method=f"MADEUP{number}")
    metrics = client.get("/metrics").text
    assert "MADEUP" not in metrics
    assert 'method="other"' in metrics


def test_a_path_is_not_a_series_of_its_own(client: FlaskClient) -> None:
    client.get("/nowhere/lovelace")
    client.get("/v1/customers/customer-nobody-else")
    metrics = client.get("/metrics").text
    assert "lovelace" not in metrics
    assert "nobody-else" not in metrics
    assert 'greenpoints_http_requests_total{endpoint="none",method="GET",status="404"}' in metrics


def test_the_database_is_reached_by_its_own_name(app: Flask) -> None:
    assert db.session.scalar(text("SELECT current_setting('application_name')")) == "greenpoints"
