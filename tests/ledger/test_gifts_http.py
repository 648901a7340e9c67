"""Gifts: points from one shopper to another, by the code that the other shows."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.ids import new_id
from app.members import service as members
from tests.answers import assert_problem
from tests.ledger.conftest import GiveAward, NewMember, account_of, differences, point_award
from tests.world import make_shop

Shopper = Callable[[UUID], dict[str, str]]


@pytest.fixture
def giver(new_member: NewMember, give: GiveAward) -> UUID:
    member_id = new_member()
    give(member_id, point_award(100))
    return member_id


@pytest.fixture
def friend(new_member: NewMember) -> members.MemberFacts:
    return members.get_member(new_member())


def gift(client: FlaskClient, headers: dict[str, str], body: dict[str, Any], key: str = "") -> TestResponse:
    return client.post("/v1/me/gifts", json=body, headers=headers | {"Idempotency-Key": key or str(new_id())})


def test_a_gift_moves_points_and_both_see_why(
    client: FlaskClient, giver: UUID, friend: members.MemberFacts, shopper: Shopper
) -> None:
    body = {"member_code": friend.code.lower(), "points": 30, "message": "Happy birthday"}
    answer = gift(client, shopper(giver), body, "a-key")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert (answer.json["points"], answer.json["available"], answer.json["message"]) == (30, 70, "Happy birthday")
    again = gift(client, shopper(giver), body, "a-key")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (answer.json, "true")
    assert_problem(gift(client, shopper(giver), body | {"points": 31}, "a-key"), 422, "idempotency_key_reused")
    assert (account_of(giver).available, account_of(giver).spent) == (70, 30)
    assert account_of(friend.member_id).available == 30
    line = client.get("/v1/me/wallet/entries", headers=shopper(friend.member_id)).json["data"][0]
    assert (line["kind"], line["points"], line["reason"]) == ("gift", 30, "Happy birthday")
    assert differences() == []


@pytest.mark.parametrize("points", [0, -5, 0.5, 10**12 + 1, True])
def test_a_gift_of_no_points_is_refused(
    client: FlaskClient, giver: UUID, friend: members.MemberFacts, shopper: Shopper, points: Any
) -> None:
    body = {"member_code": friend.code, "points": points}
    assert_problem(gift(client, shopper(giver), body), 422, "invalid_points", "/points")
    assert account_of(giver).version == 1


def test_each_refusal_has_its_own_code_and_changes_nothing(
    client: FlaskClient, giver: UUID, friend: members.MemberFacts, shopper: Shopper
) -> None:
    headers, own = shopper(giver), members.get_member(giver).code
    fake = members.enrol_member(live=False, moment=now())
    for code, points, status, problem in (
        (own, 1, 422, "gift_to_oneself"), (friend.code, 101, 409, "insufficient_points"),
        ("nonsense", 1, 404, "member_not_found"), (fake.code, 1, 404, "member_not_found"),
    ):  # fmt: skip
        assert_problem(gift(client, headers, {"member_code": code, "points": points}), status, problem)
    sent = {"member_code": friend.code, "points": 1}
    assert_problem(client.post("/v1/me/gifts", json=sent, headers=headers), 400, "idempotency_key_required")
    assert_problem(gift(client, headers, sent | {"message": "x" * 201}), 422, "validation_failed", "/message")
    assert_problem(gift(client, make_shop().live, sent), 403, "forbidden")
    assert (account_of(giver).version, account_of(friend.member_id).version) == (1, 0)
