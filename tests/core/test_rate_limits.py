from contextlib import closing

import pytest
import redis
import time_machine

from app.core.ids import new_id
from app.core.rate_limits import body_field, client_network, token_holder
from app.core.tokens import issue_access_token
from tests.world import bearer

ADA = {"channel": "email", "address": "ada@example.org"}


def ask(client, body=ADA, remote="192.0.2.1"):
    return client.post("/v1/auth/codes", json=body, environ_overrides={"REMOTE_ADDR": remote})


def test_the_sixth_code_for_one_address_from_one_network_waits(client):
    with time_machine.travel("2026-11-23T09:00:00Z", tick=False) as clock:
        for number in range(5):
            answer = ask(client)
            assert answer.status_code == 202
            assert answer.headers["RateLimit"] == f'"members.request_code";r={4 - number};t=601'
        answer = ask(client, ADA | {"address": " ADA@Example.org"})
        assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["RateLimit"] == '"members.request_code";r=0;t=601'
        assert answer.headers["RateLimit-Policy"] == '"members.request_code";q=5;w=600'
        assert answer.headers["Retry-After"] == "601"
        assert ask(client, ADA | {"address": "bob@example.org"}).status_code == 202
        assert ask(client, remote="192.0.2.2").status_code == 202
        clock.shift(601)
        assert ask(client).status_code == 202


def test_one_address_gets_sixty_codes_a_day_whoever_asks(client):
    answers = [ask(client, remote=f"192.0.2.{number}").status_code for number in range(61)]
    assert answers == [202] * 60 + [429]


def test_a_strangers_wrong_codes_are_counted_for_the_stranger(client):
    def guess(remote):
        body = {"address": "ada@example.org", "code": "000000"}
        return client.post("/v1/auth/tokens", json=body, environ_overrides={"REMOTE_ADDR": remote}).status_code

    assert [guess("192.0.2.1") for _ in range(21)] == [401] * 20 + [429]
    assert guess("192.0.2.2") == 401


def test_one_network_asks_for_so_many_addresses(client):
    answers = [ask(client, ADA | {"address": f"a{number}@example.org"}).status_code for number in range(61)]
    assert answers == [202] * 60 + [429]
    assert ask(client, ADA | {"address": "z@example.org"}, remote="192.0.2.2").status_code == 202


def test_what_redis_holds_names_nobody(client, app):
    ask(client)
    keys = [key.decode() for key in app.extensions["redis"].keys("*LIMIT*")]
    assert keys
    assert not [key for key in keys if "example" in key or "192.0.2" in key]


@pytest.mark.parametrize("body", [b"[" * 3000, b'{"address": 7}', b'{"address": "nobody"}', b"\xff", b"", b"7"])
def test_a_body_that_names_nobody_counts_for_its_network(app, body):
    by = body_field("address", lambda text: text)
    with app.test_request_context("/", method="POST", data=body, environ_base={"REMOTE_ADDR": "192.0.2.7"}):
        assert by() == ("address:nobody" if b"nobody" in body else "192.0.2.7")


def test_a_request_is_told_by_whom_its_token_was_issued_to_if_it_is_ours(app):
    def told_by(headers):
        with app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.7"}):
            return token_holder()

    subject = new_id()
    first, second = (issue_access_token("member", subject, new_id(), True)[0] for _ in range(2))
    assert first != second
    assert told_by(bearer(first)) == told_by(bearer(second)) == f"member:{subject}"
    forged = first.rsplit(".", 1)[0] + "." + second.rsplit(".", 1)[1]  # so that nobody uses up another's allowance
    assert {told_by(headers) for headers in ({}, bearer(forged), bearer("gp_live_x"))} == {"192.0.2.7"}


def test_a_hostile_body_is_refused_as_ever(client):
    answer = client.post("/v1/auth/codes", data=b"[" * 3000, content_type="application/json")
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("remote", "network"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7")],
)
def test_one_ipv6_customer_is_one_network(app, remote, network):
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": remote}):
        assert client_network() == network


def test_limits_go_on_in_memory_while_redis_is_gone(app, make_app):
    lonely = make_app(redis_url="redis://127.0.0.1:9/0")
    with closing(redis.Redis(port=9)) as gone, pytest.raises(redis.ConnectionError):
        gone.ping()
    client = lonely.test_client()
    assert [ask(client).status_code for _ in range(6)] == [202] * 5 + [429]


def test_limits_can_be_switched_off(app, make_app):
    client = make_app(rate_limits=False).test_client()
    answers = [ask(client) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {202}
    assert "RateLimit" not in answers[0].headers


def test_a_route_without_limits_has_no_such_fields(client):
    assert "RateLimit" not in client.get("/livez").headers
