"""The replay gets through a busy server, keeps each household's order and accounts for every answer."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.demo.errors import ReplayFailed
from app.demo.outcomes import Outcomes
from app.demo.replay import BatchClient, replay

Answer = tuple[int, dict[str, str], Any]
Respond = Callable[[list[dict[str, Any]]], Answer]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _activity(points: int = 0, available_at: str = "2026-12-07T12:00:00Z") -> dict[str, Any]:
    awards = [{"campaign": "c", "points": points, "available_at": available_at}] if points else []
    return {"points": {"awarded": points}, "awards": awards, "impact": []}


def _taken(bodies: list[dict[str, Any]], points: int = 1) -> Answer:
    results = [
        {"index": index, "status": 201, "activity": _activity(points), "problem": None} for index in range(len(bodies))
    ]
    return 200, {}, {"results": results}


def _body(number: int, household: int) -> dict[str, Any]:
    return {"id": f"basket-{number}", "member": {"ref": f"household-{household}"}, "lines": [{"id": "1"}]}


@contextmanager
def _server(respond: Respond) -> Iterator[str]:
    """Serve ``respond`` over HTTP; it may raise ConnectionError to drop the connection unanswered."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, headers, answer = respond(body["activities"])
            except ConnectionError:
                self.close_connection = True
                return
            raw = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _replay(base_url: str, bodies: list[dict[str, Any]], **keywords: Any) -> Outcomes:
    return replay(bodies, base_url, "gp_live_x", lambda _: None, **keywords)


def test_each_household_arrives_in_order_and_on_one_connection_at_a_time() -> None:
    seen: list[dict[str, Any]] = []
    lock = threading.Lock()

    def respond(bodies: list[dict[str, Any]]) -> Answer:
        with lock:
            seen.extend(bodies)
        return _taken(bodies)

    bodies = [_body(number, number % 7) for number in range(200)]
    with _server(respond) as base_url:
        outcomes = _replay(base_url, bodies, batch_size=9)
    assert (outcomes.read, outcomes.awarded, outcomes.points) == (200, 200, 200)
    for household in range(7):
        ref = f"household-{household}"
        numbers = [int(body["id"].split("-")[1]) for body in seen if body["member"]["ref"] == ref]
        assert numbers == list(range(household, 200, 7))


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    answers: list[Answer] = [(503, {"Retry-After": "0"}, {}), (429, {"Retry-After": "0"}, {})]

    def respond(bodies: list[dict[str, Any]]) -> Answer:
        return answers.pop() if answers else _taken(bodies)

    with _server(respond) as base_url:
        assert _replay(base_url, [_body(1, 1)]).awarded == 1


def test_only_the_busy_ones_of_a_batch_are_sent_again() -> None:
    sizes: list[int] = []

    def respond(bodies: list[dict[str, Any]]) -> Answer:
        sizes.append(len(bodies))
        status, headers, answer = _taken(bodies)
        if len(sizes) == 1:
            answer["results"][1] = {"index": 1, "status": 503, "activity": None, "problem": {"code": "busy"}}
        return status, headers, answer

    with _server(respond) as base_url:
        outcomes = _replay(base_url, [_body(n, 1) for n in range(3)])
    assert sizes == [3, 1]
    assert (outcomes.read, outcomes.awarded, outcomes.refused.total()) == (3, 3, 0)


def test_a_broken_connection_is_opened_again() -> None:
    broken = [True]

    def respond(bodies: list[dict[str, Any]]) -> Answer:
        if broken:
            broken.pop()
            raise ConnectionError
        return _taken(bodies)

    with _server(respond) as base_url:
        assert _replay(base_url, [_body(1, 1)]).awarded == 1


def test_a_wrong_key_ends_the_replay_with_the_servers_words() -> None:
    with (
        _server(lambda _: (401, {}, {"code": "unauthorized"})) as base_url,
        pytest.raises(ReplayFailed, match="unauthorized"),
    ):
        _replay(base_url, [_body(n, n) for n in range(50)], batch_size=5)


def test_a_server_that_stays_away_is_named_after_eight_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.demo.replay.RETRY_SECONDS_MAX", 0.001)
    with _server(_taken) as base_url:
        gone = base_url
    with pytest.raises(ReplayFailed, match="8 attempts"):
        BatchClient(gone, "gp_live_x").send([_body(1, 1)])


def test_an_error_while_reading_baskets_stops_at_once() -> None:
    def baskets() -> Iterator[dict[str, Any]]:
        yield _body(1, 1)
        raise KeyboardInterrupt

    with _server(_taken) as base_url, pytest.raises(KeyboardInterrupt):
        replay(baskets(), base_url, "gp_live_x", lambda _: None)


def test_every_answer_falls_into_one_class() -> None:
    outcomes = Outcomes()
    body = _body(1, 1)
    outcomes.add(body, 201, _activity(5), "", NOW)
    outcomes.add(body, 200, _activity(7, "2026-11-01T00:00:00Z"), "", NOW)
    outcomes.add(body, 201, _activity(0), "", NOW)
    outcomes.add(body, 422, None, "too_old", NOW)
    outcomes.add({**body, "lines": []}, 422, None, "validation_failed", NOW)
    assert outcomes.read == outcomes.awarded + outcomes.accepted + outcomes.refused.total() == 5
    assert (outcomes.awarded, outcomes.accepted, outcomes.replayed) == (2, 1, 1)
    assert dict(outcomes.refused) == {"too_old": 1, "no_line_left": 1}
    assert (outcomes.points, outcomes.points_new, outcomes.awarded_new, outcomes.points_pending) == (12, 5, 1, 5)
    assert dict(outcomes.by_member) == {"household-1": 12}


def test_a_claim_of_nothing_is_counted_as_such() -> None:
    outcomes = Outcomes()
    answer = _activity(1)
    answer["impact"] = [
        {"metric": "g_co2e_avoided", "value": 21, "subject": "NO_BAG"},
        {"metric": None, "value": 0, "subject": "UNPACKED", "code": "no_factor"},
    ]
    outcomes.add(_body(1, 1), 201, answer, "", NOW)
    assert dict(outcomes.impact) == {"g_co2e_avoided": 21}
    assert dict(outcomes.unclaimed) == {"UNPACKED": 1}


def test_merging_adds_every_sum() -> None:
    left, right, total = Outcomes(), Outcomes(), Outcomes()
    for outcomes in (left, right):
        outcomes.add(_body(1, 1), 201, _activity(5), "", NOW)
        outcomes.add(_body(2, 1), 422, None, "too_old", NOW)
    total.merge(left)
    total.merge(right)
    assert total.sample == "basket-1"
    assert (total.read, total.awarded, total.points, total.by_member["household-1"], total.refused["too_old"]) == (
        4, 2, 10, 10, 2,
    )  # fmt: skip
