"""What several people do to one campaign at the same moment: real threads over HTTP, each with its own connection."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.campaigns.service import save_campaign
from tests import world
from tests.campaigns.conftest import PATH, Desk, desk
from tests.campaigns.documents import campaign_document, rule_document

__all__ = ["desk"]
ROUNDS = 5
Request = Callable[[], TestResponse]


def changed(points: int) -> dict[str, Any]:
    return campaign_document(rule_document(award={"type": "fixed", "points": points}))


def at_once(requests: Sequence[Request]) -> list[TestResponse]:
    """Send these requests at the same moment and return the answers in their order."""
    start = threading.Barrier(len(requests))

    def send(request: Request) -> TestResponse:
        start.wait(10)
        return request()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(send, requests))


def statuses(answers: Sequence[TestResponse]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def another(app: Flask, desk: Desk) -> Desk:
    """The same people with a client of their own for another thread."""
    return Desk(app.test_client(), desk.editor, desk.second_editor, desk.approver, desk.admin)


def sender(app: Flask, desk: Desk, verb: str, etag: str, by: world.Staff | None = None, **body: Any) -> Request:
    here = another(app, desk)
    return lambda: here.act(verb, by=by, etag=etag, **body)


def writer(app: Flask, desk: Desk, points: int, etag: str, by: world.Staff | None = None) -> Request:
    here = another(app, desk)
    return lambda: here.put(changed(points), etag=etag, by=by)


def test_of_changes_of_one_state_one_is_made(app: Flask, desk: Desk) -> None:
    desk.create(changed(10))
    for number in range(1, ROUNDS + 1):
        etag = desk.etag()
        answers = at_once([writer(app, desk, number * 100 + place, etag) for place in range(4)])
        assert statuses(answers) == {200: 1, 412: 3}
        [done] = [answer for answer in answers if answer.status_code == 200]
        assert desk.get().json["document"] == done.json["document"]
        assert desk.get().headers["ETag"] == done.headers["ETag"]
    assert [version["version"] for version in desk.versions()] == list(range(ROUNDS + 1, 0, -1))


def test_an_approval_and_a_change_do_not_both_happen(app: Flask, desk: Desk) -> None:
    """Whichever comes first, nothing is approved that the approver has not seen."""
    for number in range(ROUNDS):
        desk.client.post(PATH, json=changed(10) | {"key": f"k{number}"}, headers=desk.editor.headers)
        key = f"k{number}"
        desk.run("submit", key=key)
        etag, first, second = desk.etag(key), another(app, desk), another(app, desk)
        approved, put = at_once(
            [
                lambda key=key, etag=etag, here=first: here.act("approve", key=key, etag=etag),
                lambda key=key, etag=etag, here=second: here.put(changed(1000) | {"key": key}, key=key, etag=etag),
            ]
        )
        assert sorted([approved.status_code, put.status_code]) == [200, 412]
        shown = desk.get(key).json
        wanted = ("approved", 1) if approved.status_code == 200 else ("draft", 2)
        assert (shown["state"], shown["version"]) == wanted
        assert all(version["approved_by"] is None for version in desk.versions(key) if version["version"] == 2)


def test_a_step_taken_twice_at_once_is_taken_once(app: Flask, desk: Desk) -> None:
    desk.create()
    for verb in ("submit", "approve", "activate", "pause", "activate", "end", "archive"):
        etag = desk.etag()
        answers = at_once([sender(app, desk, verb, etag) for _ in range(4)])
        assert statuses(answers) == {200: 1, 412: 3}, verb
    assert [entry["action"] for entry in desk.audit()] == [
        f"campaign.{verb}"
        for verb in ("created", "submitted", "approved", "activated", "paused", "activated", "ended", "archived")
    ]


def test_a_pause_and_an_end_do_not_both_happen_of_one_state(app: Flask, desk: Desk) -> None:
    for number in range(ROUNDS):
        key = f"k{number}"
        save_campaign(changed(10) | {"key": key})
        etag, first, second = desk.etag(key), another(app, desk), another(app, desk)
        paused, ended = at_once(
            [
                lambda key=key, etag=etag, here=first: here.act("pause", key=key, etag=etag),
                lambda key=key, etag=etag, here=second: here.act("end", key=key, etag=etag),
            ]
        )
        assert sorted([paused.status_code, ended.status_code]) == [200, 412]
        assert desk.get(key).json["state"] == ("paused" if paused.status_code == 200 else "ended")


def test_of_campaigns_of_one_key_one_is_made(app: Flask, desk: Desk) -> None:
    for number in range(ROUNDS):
        document = changed(10) | {"key": f"k{number}"}
        people = [another(app, desk) for _ in range(4)]
        answers = at_once([lambda here=here, document=document: here.create(document) for here in people])
        assert statuses(answers) == {201: 1, 409: 3}
        assert {answer.json["code"] for answer in answers if answer.status_code == 409} == {"campaign_key_taken"}


def test_a_trusted_import_and_a_creation_of_one_key_follow_each_other(app: Flask, desk: Desk) -> None:
    for number in range(ROUNDS):
        key = f"k{number}"
        here = another(app, desk)
        start = threading.Barrier(2)

        def save(key: str = key, start: threading.Barrier = start) -> UUID:
            with app.app_context():
                start.wait(10)
                return save_campaign(changed(11) | {"key": key})

        def create(key: str = key, here: Desk = here, start: threading.Barrier = start) -> TestResponse:
            start.wait(10)
            return here.create(changed(10) | {"key": key})

        with ThreadPoolExecutor(2) as threads:
            saved, created = threads.submit(save), threads.submit(create)
            assert saved.result(20)
            status = created.result(20).status_code
        shown = desk.get(key).json
        assert (shown["state"], shown["document"]["rules"][0]["award"]["points"]) == ("active", 11)
        assert (status, shown["version"], shown["in_force_version"]) in ((201, 2, 2), (409, 1, 1))


@pytest.mark.parametrize("people", [2, 6])
def test_trusted_imports_of_one_document_make_one_version(app: Flask, desk: Desk, people: int) -> None:
    start = threading.Barrier(people)

    def save(_: int) -> UUID:
        with app.app_context():
            start.wait(10)
            return save_campaign(changed(11))

    with ThreadPoolExecutor(people) as threads:
        assert len(set(threads.map(save, range(people)))) == 1
    assert [version["version"] for version in desk.versions()] == [1]


def test_changes_of_many_campaigns_at_once_do_not_wait_for_each_other_in_a_circle(app: Flask, desk: Desk) -> None:
    keys = [f"k{number}" for number in range(6)]
    for key in keys:
        save_campaign(changed(10) | {"key": key})
    requests: list[Request] = []
    for key in keys:
        here, etag = another(app, desk), desk.etag(key)
        requests.append(lambda here=here, key=key, etag=etag: here.act("pause", key=key, etag=etag))
    assert statuses(at_once(requests)) == {200: len(keys)}
    assert {desk.get(key).json["state"] for key in keys} == {"paused"}
