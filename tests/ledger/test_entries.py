"""The history: newest first, in pages that neither repeat nor miss, each line with the balances after it."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask.testing import FlaskClient

from app.core.clock import now
from app.members import service as members
from tests.ledger.conftest import GiveAward, NewMember, point_award, settle

START = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def member(new_member: NewMember, give: GiveAward) -> UUID:
    """A member with 25 entries."""
    member_id = new_member()
    for number in range(1, 13):
        give(member_id, point_award(number), point_award(100 + number, datetime(2999, 1, 1, tzinfo=UTC)))
    give(member_id, point_award(13))
    return member_id


def signed_in(member_id: UUID) -> dict[str, str]:
    return {"Authorization": f"Bearer {members.start_session(member_id, now()).access_token}"}


def read(client: FlaskClient, member_id: UUID, query: str = "") -> Any:
    return client.get(f"/v1/me/wallet/entries{query}", headers=signed_in(member_id))


@pytest.mark.parametrize("limit", [1, 7, 12, 24, 25, 26, 100])
def test_pages_follow_each_other_without_gap_or_overlap(client: FlaskClient, member: UUID, limit: int) -> None:
    seqs: list[int] = []
    cursor = ""
    for _ in range(26):
        answer = read(client, member, f"?limit={limit}{cursor}").json
        assert 0 < len(answer["data"]) <= limit
        seqs += [entry["seq"] for entry in answer["data"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seqs == list(range(25, 0, -1))


def test_a_page_does_not_shift_when_points_come_in_meanwhile(
    client: FlaskClient, member: UUID, give: GiveAward
) -> None:
    first = read(client, member, "?limit=10").json
    give(member, point_award(99))
    second = read(client, member, f"?limit=10&cursor={first['next_cursor']}").json
    assert [entry["seq"] for entry in first["data"] + second["data"]] == list(range(25, 5, -1))


def test_balances_chain(client: FlaskClient, member: UUID) -> None:
    data = read(client, member, "?limit=100").json["data"][::-1]
    balances = dict.fromkeys(("pending", "available", "held", "debt"), 0)
    for entry in data:
        if entry["from"] in balances:
            balances[entry["from"]] -= entry["points"]
        if entry["to"] in balances:
            balances[entry["to"]] += entry["points"]
        assert entry["balances"] == balances
    assert balances == {"pending": sum(range(101, 113)), "available": sum(range(1, 14)), "held": 0, "debt": 0}


def test_a_line_tells_what_caused_it(client: FlaskClient, new_member: NewMember, give: GiveAward) -> None:
    with time_machine.travel(START, tick=False):
        member_id = new_member()
        give(member_id, point_award(45, START + timedelta(days=2)))
    with time_machine.travel(START + timedelta(days=3), tick=False):
        settle(member_id, now())
        matured, awarded = read(client, member_id).json["data"]
    assert awarded["activity_id"]
    assert {key: awarded[key] for key in ("kind", "points", "from", "to", "reason")} == {
        "kind": "award", "points": 45, "from": "issued", "to": "pending", "reason": "a-rule",
    }  # fmt: skip
    assert matured | {"seq": 2, "reason": None, "balances": {}} == {
        "seq": 2, "kind": "mature", "points": 45, "from": "pending", "to": "available", "reason": None,
        "activity_id": None, "balances": {}, "why": "Points became available.", "hold": None, "posting": "mature:2",
        "reverses": None,
        "effective_at": "2026-05-06T12:00:00Z", "recorded_at": "2026-05-07T12:00:00Z",
    }  # fmt: skip


def test_a_history_without_entries_is_empty(client: FlaskClient, new_member: NewMember) -> None:
    assert read(client, new_member()).json == {"data": [], "next_cursor": None}


def test_a_cursor_that_was_changed_or_is_another_member_s_is_refused(
    client: FlaskClient, member: UUID, new_member: NewMember
) -> None:
    cursor = read(client, member, "?limit=1").json["next_cursor"]
    forged = base64.urlsafe_b64encode(b"[99]").decode()
    for caller, sent in ((member, cursor[:-1]), (member, forged), (new_member(), cursor)):
        answer = read(client, caller, f"?cursor={sent}")
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("?limit=0", "/limit"), ("?limit=101", "/limit"), ("?limit=ten", "/limit"), ("?limit=-1", "/limit"),
     ("?limit=1&limit=2", "/limit"), ("?page=2", "/page"), ("?limit=1.0", "/limit"), ("?cursor=", "/cursor")],
)  # fmt: skip
def test_a_query_that_does_not_fit_is_told_with_its_pointer(
    client: FlaskClient, member: UUID, query: str, pointer: str
) -> None:
    answer = read(client, member, query)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


def test_wallet_and_history_are_nobody_else_s_to_keep(client: FlaskClient, member: UUID) -> None:
    for path in ("/v1/me/wallet", "/v1/me/wallet/entries"):
        answer = client.get(path, headers=signed_in(member))
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert client.get(path).status_code == 401
