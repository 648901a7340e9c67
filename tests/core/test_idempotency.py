"""The same key does its work once: over a blueprint of the test's own, with real requests and real threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, Response, request
from sqlalchemy import func, select

from app.core import idempotency
from app.core.api import private_json
from app.core.auth import Principal, current_principal, member_only, register_authenticator
from app.core.cache import ConfigVersion
from app.core.clock import now
from app.core.database import db
from app.core.errors import Conflict, ServiceUnavailable, TooManyRequests
from app.core.idempotency import IdempotencyRecord, forget_old_keys, idempotent, sealed_idempotent
from app.core.unit_of_work import after_commit, transactional
from tests.conftest import OutsideClient
from tests.core.conftest import MakeApp

pytestmark = pytest.mark.usefixtures("app")


class Work:
    """What the test's route does, and how often it was done."""

    def __init__(self) -> None:
        self.count = 0
        self.committed = 0
        self.then: Callable[[], Response | None] = lambda: None

    def commit(self) -> None:
        self.committed += 1

    def __call__(self) -> Response:
        self.count += 1
        db.session.add(ConfigVersion(name=f"work-{self.count}", version=1))
        after_commit(self.commit)
        return self.then() or private_json({"count": self.count, "sent": request.get_json()}, 201)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def idempotent_app(make_app: MakeApp, work: Work) -> Iterator[Flask]:
    """An application with two routes that demand a key; the token ``who-1`` is member 1."""
    app = make_app()
    app.test_client_class = OutsideClient
    view = member_only(transactional(idempotent(lambda **_: work())))
    for name in ("one", "two"):
        app.add_url_rule(f"/{name}/<int:number>", name, view, methods=["POST", "PUT"])
    sealed = member_only(transactional(sealed_idempotent(lambda **_: work())))
    app.add_url_rule("/sealed/<int:number>", "sealed", sealed, methods=["POST"])
    register_authenticator(app, "who-", lambda token: Principal("member", UUID(int=int(token[4:])), live=True))
    with app.app_context():
        yield app


Send = Callable[..., Any]


@pytest.fixture
def send(idempotent_app: Flask) -> Send:
    """A function that sends a request with a key and returns the answer."""
    client = idempotent_app.test_client()

    def post(key: str | None = "k", body: Any = 1, path: str = "/one/1", who: int = 1, method: str = "POST") -> Any:
        headers = {"Authorization": f"Bearer who-{who}"} | ({} if key is None else {"Idempotency-Key": key})
        return client.open(path, method=method, json=body, headers=headers)

    return post


def works() -> int:
    with db.engine.connect() as connection:
        return connection.scalar(select(func.count()).where(ConfigVersion.name.like("work-%"))) or 0


def test_without_a_key_nothing_is_done(send: Send, work: Work) -> None:
    answer = send(key=None)
    assert (answer.status_code, answer.json["code"], work.count) == (400, "idempotency_key_required", 0)


@pytest.mark.parametrize("key", ["x" * 256, "sch\u00f6n", "tab\there"])
def test_a_key_that_is_none_is_refused(send: Send, work: Work, key: str) -> None:
    answer = send(key=key)
    assert (answer.status_code, work.count) == (400, 0)


def test_the_same_request_again_gets_the_first_answer(send: Send, work: Work) -> None:
    first, again = send(), send()
    assert (first.status_code, again.status_code, work.count, works()) == (201, 201, 1, 1)
    assert first.data == again.data
    assert again.content_type == first.content_type
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-store"


def test_a_sealed_answer_is_given_again_and_its_row_tells_nothing(send: Send, work: Work) -> None:
    body = {"code": "7ZK3Q-F92MX"}
    first, again = send(path="/sealed/1", body=body), send(path="/sealed/1", body=body)
    assert (first.status_code, again.status_code, work.count) == (201, 201, 1)
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert send(path="/sealed/1", body={"code": "other"}).json["code"] == "idempotency_key_reused"
    [kept] = db.session.scalars(select(IdempotencyRecord)).all()
    assert b"7ZK3Q" in first.data
    assert b"7ZK3Q" not in bytes(kept.body)
    db.session.rollback()
    send(path="/one/1", body=body)
    fingerprints = {bytes(each) for each in db.session.scalars(select(IdempotencyRecord.fingerprint))}
    assert len(fingerprints) == 2, "the open one, of the same body, could be tried out"


def test_the_key_with_another_body_is_refused_and_keeps_the_first_answer(send: Send, work: Work) -> None:
    first = send(body={"points": 1})
    other = send(body={"points": 2})
    assert (other.status_code, other.json["code"], work.count) == (422, "idempotency_key_reused", 1)
    assert send(body={"points": 1}).data == first.data


@pytest.mark.parametrize("other", [{"who": 2}, {"path": "/two/1"}, {"path": "/one/2"}, {"method": "PUT"}, {"key": "K"}])
def test_a_key_belongs_to_its_caller_route_and_spelling(send: Send, work: Work, other: dict[str, Any]) -> None:
    send()
    assert "Idempotent-Replayed" not in send(**other).headers
    assert work.count == 2


def test_a_second_request_while_the_first_runs_is_told_so(send: Send, work: Work) -> None:
    running, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        assert go_on.wait(10)

    work.then = wait  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send)
        assert running.wait(10)
        second = send()
        other = None
        try:
            assert (second.status_code, second.json["code"]) == (409, "idempotency_in_progress")
            work.then = lambda: None
            other = send(key="other")
        finally:
            go_on.set()
        assert first.result().status_code == 201
    assert other is not None
    assert other.status_code == 201
    third = send()
    assert (third.status_code, third.headers["Idempotent-Replayed"], works()) == (201, "true", 2)


def test_of_many_at_once_one_does_the_work(send: Send, work: Work) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(), range(24)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert works() == 1


def test_a_refusal_is_kept_and_leaves_nothing_else(send: Send, work: Work) -> None:
    def refuse() -> None:
        raise Conflict("Not enough points.")

    work.then = refuse  # type: ignore[assignment]
    first = send()
    work.then = lambda: None
    again = send()
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.data == first.data
    assert again.content_type == "application/problem+json"
    assert (work.count, work.committed, works()) == (1, 0, 0)


@pytest.mark.parametrize("error", [ServiceUnavailable, RuntimeError, TooManyRequests])
def test_what_may_pass_is_not_kept(send: Send, work: Work, error: type[Exception]) -> None:
    def fail() -> None:
        raise error

    work.then = fail  # type: ignore[assignment]
    assert send().status_code in (500, 503, 429)
    assert works() == 0
    work.then = lambda: None
    answer = send()
    assert (answer.status_code, works(), work.committed) == (201, 1, 1)
    assert "Idempotent-Replayed" not in answer.headers


def test_a_returned_5xx_is_not_kept_either(send: Send, work: Work) -> None:
    work.then = lambda: Response("{}", 502)
    assert send().status_code == 502
    work.then = lambda: None
    assert send().status_code == 201


def test_nobody_is_remembered_who_is_not_known(idempotent_app: Flask, work: Work) -> None:
    answer = idempotent_app.test_client().post("/one/1", json=1, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, work.count) == (401, 0)


def test_where_the_answer_can_not_be_kept_the_work_is_not_either(
    send: Send, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(idempotency, "now", broken)
    assert send().status_code == 500
    assert (works(), work.committed) == (0, 0)


def test_old_answers_are_forgotten_after_two_days(send: Send) -> None:
    send()
    assert forget_old_keys(now() + timedelta(hours=47)) == 0
    assert forget_old_keys(now() + timedelta(hours=49)) == 1
    assert db.session.scalar(select(func.count()).select_from(IdempotencyRecord)) == 0


def test_the_caller_is_known_inside(idempotent_app: Flask, send: Send, work: Work) -> None:
    work.then = lambda: private_json({"id": str(current_principal().id)})
    assert send(who=5).json == {"id": str(UUID(int=5))}
