"""Causes: verified by proof, given to with points, matched by sponsors up to a budget, paid out by finance."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.core.clock import format_time, now
from app.core.projector import drain, rebuild
from app.ledger import service as ledger
from app.redemption.cause_schemas import CAUSE
from tests import world
from tests.answers import assert_problem

REASON = {"reason": "looked at"}


@pytest.fixture(autouse=True)
def balanced(app):
    yield
    assert list(ledger.verify(ledger.Verification())) == []


@pytest.fixture
def staff(app):
    """Headers of staff, by role."""
    return {role: world.make_staff(role).headers for role in ("editor", "approver", "finance", "viewer")}


@pytest.fixture
def step(client, staff):
    """A function that takes a step with a cause as the one who may, with the ETag that is in force."""

    def send(name: str, role: str, body: Any = None, any_id: str = "river-trees"):
        path = f"/v1/admin/causes/{any_id}"
        seen = client.get(path, headers=staff["viewer"]).headers["ETag"]
        return client.post(f"{path}/{name}", json=body, headers=staff[role] | {"If-Match": seen})

    return send


@pytest.fixture
def cause(client, staff, step, programme):
    """The id of a cause that is published and verified."""
    made = client.post("/v1/admin/causes", json=CAUSE, headers=staff["editor"])
    assert made.status_code == 201, made.text
    assert step("publish", "editor").status_code == 200
    assert step("verify", "approver", REASON).status_code == 200
    return made.json["id"]


@pytest.fixture
def rich(shop):
    """A member with 1,000 points."""
    [member] = world.make_customers(shop, 1)
    fill(member.member_id, 1000)
    return member


def fill(member_id: UUID, points: int) -> None:
    ledger.adjust_points(member_id, points, key=f"adjust:{member_id}", actor="test", reason="test", fingerprint=b"1",
                         moment=now())  # fmt: skip


@pytest.fixture
def give(client, shopper):
    def send(member, cause_id, points, key="gift-1", headers=None):
        headers = (headers or shopper(member.member_id)) | {"Idempotency-Key": key}
        return client.post("/v1/donations", json={"cause_id": cause_id, "points": points}, headers=headers)

    return send


def test_only_a_verified_cause_is_shown_and_given_to(client, staff, step, give, rich):
    made = client.post("/v1/admin/causes", json=CAUSE, headers=staff["editor"]).json
    for name in ("publish", "withdraw", "publish"):
        assert client.get("/v1/causes").json["data"] == []
        assert_problem(client.get("/v1/causes/river-trees"), 404, "cause_not_found")
        assert_problem(give(rich, made["id"], 10, f"key-{name}"), 409, "cause_not_verified")
        assert step(name, "editor").status_code == 200
    assert step("verify", "approver", REASON).status_code == 200
    [shown] = client.get("/v1/causes", headers={"Accept-Language": "zh"}).json["data"]
    assert (shown["id"], shown["name"], shown["total"]["points"]) == (made["id"], "河岸植树", 0)
    assert "proof_url" not in shown
    assert step("unverify", "approver", REASON).status_code == 200
    assert client.get("/v1/causes").json["data"] == []


def test_who_describes_a_cause_does_not_verify_it_and_there_must_be_proof(client, staff, step):
    client.post("/v1/admin/causes", json=CAUSE | {"proof_url": None}, headers=staff["editor"])
    assert_problem(step("verify", "editor", REASON), 403, "forbidden")
    assert_problem(step("verify", "approver", REASON), 409, "proof_needed")


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        ({"goal_points": 5}, True),
        ({"descriptions": {"en": "Other words"}}, True),
        ({"registration_number": "VR 99"}, False),
        ({"proof_url": "https://example.org/other"}, False),
        ({"names": {"en": "Somebody else"}}, False),
    ],
)
def test_a_change_of_who_it_is_takes_the_verification_back(change, is_kept, client, staff, cause):
    path = f"/v1/admin/causes/{cause}"
    seen = client.get(path, headers=staff["viewer"]).headers["ETag"]
    changed = client.put(path, json=CAUSE | change, headers=staff["editor"] | {"If-Match": seen})
    assert (changed.json["verified_at"] is not None) is is_kept
    assert_problem(
        client.put(path, json=CAUSE, headers=staff["editor"] | {"If-Match": seen}), 412, "precondition_failed"
    )


def test_a_donation_spends_points_and_counts_in_public_and_a_repetition_does_not(
    client, cause, give, rich, shopper, writes_nothing
):
    headers = shopper(rich.member_id)
    first = give(rich, cause, 100, headers=headers)
    assert first.status_code == 201
    assert first.json["cause"]["name"] == "Trees for the river"
    assert (first.json["points"], first.json["matched_points"], first.json["sponsor"]) == (100, 0, None)
    with writes_nothing():
        again = give(rich, cause, 100, headers=headers)
        assert (again.status_code, again.json) == (201, first.json)
    assert client.get("/v1/me/wallet", headers=headers).json["available"] == 900
    assert client.get("/v1/donations", headers=headers).json["data"] == [first.json]
    assert client.get(f"/v1/donations/{first.json['id']}", headers=headers).json == first.json
    drain()
    total = {"donations": 1, "points": 100, "matched_points": 0}
    assert client.get("/v1/causes/river-trees").json["total"] == total
    rebuild("cause_totals")
    assert client.get("/v1/causes/river-trees").json["total"] == total


def test_too_few_points_debt_and_nonsense_are_refused(client, cause, give, rich, shopper, shop, writes_nothing):
    headers = shopper(rich.member_id)
    answer = give(rich, cause, 1001, "a", headers)
    assert_problem(answer, 409, "insufficient_points")
    assert_problem(give(rich, cause, 0, "b", headers), 422, "validation_failed", "/points")
    unknown = "019a5f3e-0000-7000-8000-000000000000"
    assert_problem(give(rich, unknown, 1, "c", headers), 404, "cause_not_found", "/cause_id")
    [other] = world.make_customers(shop, 1)
    stranger = shopper(other.member_id)
    mine = give(rich, cause, 5, "d", headers).json["id"]
    assert_problem(client.get(f"/v1/donations/{mine}", headers=stranger), 404, "donation_not_found")


def test_a_sponsor_adds_to_donations_until_the_budget_is_gone(client, cause, give, rich, staff, shopper):
    promise = {"merchant": "corner-shop", "sponsor": "Corner Shop", "percent": 50, "budget_points": 60,
               "starts_at": "2026-01-01T00:00:00Z"}  # fmt: skip
    path = f"/v1/admin/causes/{cause}/matches"
    assert_problem(client.post(path, json=promise, headers=staff["editor"]), 403, "forbidden")
    made = client.post(path, json=promise, headers=staff["finance"])
    assert made.status_code == 201
    headers = shopper(rich.member_id)
    matched = [give(rich, cause, 99, f"key-{number}", headers).json["matched_points"] for number in range(3)]
    assert matched == [49, 11, 0]
    assert client.get("/v1/causes/river-trees").json["match"] is None
    lower = client.put(f"{path}/{made.json['id']}", json=promise | {"budget_points": 59}, headers=staff["finance"])
    assert_problem(lower, 409, "match_below_matched")
    more = client.put(f"{path}/{made.json['id']}", json=promise | {"budget_points": 70}, headers=staff["finance"])
    assert more.json["matched_points"] == 60
    assert client.get("/v1/causes/river-trees").json["match"]["points_left"] == 10


def test_many_at_once_never_draw_more_than_the_sponsor_promised(client, app, cause, staff, shop, shopper, give):
    promise = {"sponsor": "Corner Shop", "percent": 100, "budget_points": 105, "starts_at": "2026-01-01T00:00:00Z"}
    client.post(f"/v1/admin/causes/{cause}/matches", json=promise, headers=staff["finance"])
    members = world.make_customers(shop, 16)
    headers = {}
    for member in members:
        fill(member.member_id, 10)
        headers[member.member_id] = shopper(member.member_id)

    def donate(member):
        body = {"cause_id": cause, "points": 10}
        sent = headers[member.member_id] | {"Idempotency-Key": "one"}
        return app.test_client().post("/v1/donations", json=body, headers=sent)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(donate, members))
    assert [answer.status_code for answer in answers] == [201] * 16
    assert sum(answer.json["matched_points"] for answer in answers) == 105


def test_finance_pays_out_what_no_payout_covers_once(client, cause, give, rich, staff, shopper):
    headers = shopper(rich.member_id)
    path = f"/v1/admin/causes/{cause}"
    body = {"up_to": format_time(now() + timedelta(days=1)), "amount": 300, "currency": "EUR", "reference": "SEPA 1"}
    assert_problem(client.post(f"{path}/payouts", json=body, headers=staff["finance"]), 409, "nothing_to_pay_out")
    give(rich, cause, 100, "a", headers)
    give(rich, cause, 200, "b", headers)
    assert_problem(client.post(f"{path}/payouts", json=body, headers=staff["editor"]), 403, "forbidden")
    paid = client.post(f"{path}/payouts", json=body, headers=staff["finance"])
    assert (paid.json["points"], paid.json["donations"], paid.json["amount"]) == (300, 2, 300)
    assert_problem(client.post(f"{path}/payouts", json=body, headers=staff["finance"]), 409, "nothing_to_pay_out")
    give(rich, cause, 50, "c", headers)
    report = client.get(f"{path}/report", headers=staff["viewer"]).json
    assert (report["donations"], report["points"], report["paid_out_points"], report["due_points"]) == (3, 350, 300, 50)
    assert [payout["reference"] for payout in report["payouts"]] == ["SEPA 1"]
    empty = client.get(f"{path}/report?from=2020-01-01&to=2020-01-31", headers=staff["viewer"]).json
    assert (empty["donations"], empty["due_points"], empty["payouts"]) == (0, 0, [])


def test_test_members_give_without_counting(client, cause, give, shop, shopper, staff):
    [tester] = world.make_customers(shop, 1, live=False)
    fill(tester.member_id, 10)
    assert give(tester, cause, 10).status_code == 201
    drain()
    assert client.get("/v1/causes/river-trees").json["total"]["points"] == 0
    assert client.get(f"/v1/admin/causes/{cause}/report", headers=staff["viewer"]).json["donations"] == 0


def test_another_cause_cant_have_the_same_key_or_registration(client, staff, cause):
    for change in ({"registration_number": "VR 2"}, {"key": "other"}):
        assert_problem(
            client.post("/v1/admin/causes", json=CAUSE | change, headers=staff["editor"]), 409, "cause_key_taken"
        )


def test_what_is_archived_stays_as_it_is(client, staff, step, cause, give, rich):
    assert step("archive", "editor").status_code == 200
    assert_problem(step("publish", "editor"), 409, "cause_closed")
    assert_problem(give(rich, cause, 1), 409, "cause_not_verified")
    assert client.get(f"/v1/admin/causes/{cause}/report", headers=staff["viewer"]).status_code == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"names": {}}, "/names"),
        ({"website": "http://example.org"}, "/website"),
        ({"registration_country": "de"}, "/registration_country"),
        ({"goal_points": 0}, "/goal_points"),
        ({"key": "A b"}, "/key"),
        ({"stories": [{"titles": {"en": "x"}, "published_at": "2026-01-01T00:00:00Z"}]}, "/stories/0/texts"),
    ],
)
def test_bad_input_is_named(change, pointer, client, staff):
    assert_problem(
        client.post("/v1/admin/causes", json=CAUSE | change, headers=staff["editor"]), 422, "validation_failed", pointer
    )
