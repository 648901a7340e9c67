"""Self-declared activities: once each, a few a day, by the rules that take such evidence; their points wait."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import psycopg
import pytest

from app.campaigns.schemas import KINDS
from app.campaigns.service import save_campaign
from app.core.clock import now
from app.core.ids import new_id
from app.ledger.service import Verification, verify
from app.merchants import service as merchants
from app.merchants.errors import MerchantKeyTaken, MerchantNotFound
from app.programme.schemas import DECLARABLE_KINDS
from tests import world
from tests.activities.declaring import (
    CAMPAIGN,
    CUP,
    DECLARE,
    PROVEN,
    RIDE,
    Shopper,
    change_programme,
    declared,
    load_habits,
    rule_of,
)
from tests.activities.pictures import jpeg
from tests.answers import assert_problem
from tests.world import LONG_AGO, ago

MEASURED = ("receipt", "device", "station", "channel", "evidence", "member", "revision", "completed", "metadata")


@pytest.fixture(autouse=True)
def habits(programme):
    load_habits()


@pytest.fixture
def sign_in(client, shop, shopper):
    """A function that enrols a shopper and signs them in."""

    def enrol(live=True):
        member = world.make_customers(shop, 1, live=live)[0]
        return Shopper(client, member.member_id, shopper(member.member_id))

    return enrol


@pytest.fixture
def me(sign_in):
    return sign_in()


@pytest.fixture
def query(settings):
    def run(statement, *values):
        with psycopg.connect(settings.database_owner_url) as connection:
            return connection.execute(statement, values).fetchall()

    return run


def test_what_is_declared_is_awarded_and_waits_for_its_review(me, query):
    answer = me.declare()
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.json["external_id"], answer.json["status"]) == ("cup-1", "in_review")
    assert answer.json["points"] == {"awarded": CUP, "available": 0, "pending": CUP, "paid_debt": 0}
    [award] = answer.json["awards"]
    assert (award["rule"], award["available_at"], award["expires_at"]) == ("cup", None, None)
    assert answer.json["review"]["state"] == "open"
    assert answer.json["review"]["detail"]
    assert (me.wallet["available"], me.wallet["pending"], me.wallet["maturing"]) == (0, CUP, [])
    assert me.activity(answer) == answer.json
    assert me.get(DECLARE)["data"] == [answer.json]
    [(kind, state, points, reasons)] = query("SELECT kind, state, points, reasons FROM review")
    assert (kind, state, points, reasons) == ("self_declared", "open", CUP, ["self_declared"])


def test_it_occurred_now_unless_it_says_when(me):
    answer = me.declare({key: value for key, value in declared().items() if key != "occurred_at"})
    assert answer.status_code == 201, answer.text
    assert abs(datetime.fromisoformat(answer.json["occurred_at"]) - now()) < timedelta(minutes=1)


def test_the_same_again_is_the_same_and_other_content_is_refused(me, writes_nothing):
    first = me.declare()
    with writes_nothing():
        again = me.declare()
        other = me.declare(declared(category="ride"))
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json == first.json
    assert_problem(other, 409, "activity_id_reused")


def test_the_same_without_a_time_is_the_same_later(me, time_machine):
    body = {key: value for key, value in declared().items() if key != "occurred_at"}
    first = me.declare(body)
    time_machine.move_to(now() + timedelta(minutes=5))
    again = me.declare(body)
    assert (again.status_code, again.json["occurred_at"]) == (200, first.json["occurred_at"])


def test_an_id_is_its_member_s_own(me, sign_in):
    other = sign_in()
    assert me.declare().status_code == other.declare().status_code == 201
    assert [each["external_id"] for each in other.get(DECLARE)["data"]] == ["cup-1"]
    longest = "x" * 64
    answer = me.declare(declared(longest))
    assert (answer.status_code, answer.json["external_id"]) == (201, longest)


def test_the_grade_of_evidence_decides_what_earns(me):
    for name, category in (("1", "seen"), ("2", "proven")):
        weak = me.declare(declared(name, category))
        assert (weak.status_code, weak.json["points"]["awarded"], weak.json["awards"]) == (201, 0, [])
        assert {"evidence_too_weak"} == {each["code"] for each in weak.json["missed"] if each["rule"] == category}
    shown = me.declare(declared("3", "proven", evidence_ids=[me.upload(jpeg())]))
    assert shown.json["points"] == {"awarded": PROVEN, "available": 0, "pending": PROVEN, "paid_debt": 0}


def test_a_reused_picture_is_a_reason_to_look_closer(me, sign_in, query):
    other = sign_in()
    first = other.upload(jpeg())
    other.declare(declared("1", "proven", evidence_ids=[first]))
    copy = me.upload(jpeg(quality=60))
    answer = me.declare(declared("1", "proven", evidence_ids=[copy]))
    assert (answer.status_code, answer.json["status"]) == (201, "in_review")
    reasons = query("SELECT reasons FROM review WHERE member_id = %s", me.member_id)
    assert reasons == [(["self_declared", "picture_reused"],)]
    assert (me.wallet["available"], me.wallet["pending"]) == (0, PROVEN)


@pytest.mark.parametrize("whose", ["another's", "nobody's"])
def test_evidence_must_be_one_s_own(me, sign_in, writes_nothing, whose):
    evidence_id = sign_in().upload(jpeg()) if whose == "another's" else str(new_id())
    with writes_nothing():
        answer = me.declare(declared(evidence_ids=[evidence_id]))
    assert_problem(answer, 404, "evidence_not_found", "/evidence_ids/0")


def test_evidence_is_cited_once(me, writes_nothing):
    evidence_id = me.upload(jpeg())
    body = declared(evidence_ids=[evidence_id])
    assert me.declare(body).status_code == 201
    assert me.declare(body).status_code == 200
    with writes_nothing():
        assert_problem(me.declare(declared("other", evidence_ids=[evidence_id])), 409, "evidence_used")
    twice = declared("twice", evidence_ids=[me.upload(jpeg(2))] * 2)
    assert_problem(me.declare(twice), 422, "validation_failed", "/evidence_ids")


@pytest.mark.parametrize("name", MEASURED)
def test_what_only_others_can_say_is_no_field_of_a_declaration(me, name):
    assert_problem(me.declare(declared() | {name: "x"}), 422, "validation_failed", f"/{name}")


@pytest.mark.parametrize("name", ["serial", "sku"])
def test_nor_of_its_lines(me, name):
    """A receipt or a serial number is the first one's who names it: that must not be somebody who has shown nothing."""
    body = declared(lines=[{"id": "1", "category": "own-cup", name: "X-1"}])
    assert_problem(me.declare(body), 422, "validation_failed", f"/lines/0/{name}")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "purchase", "lines": [{"id": "1", "total": 5}], "currency": "EUR"}, "/kind"),
        ({"kind": "trade_in"}, "/kind"), ({"kind": "learning"}, "/kind"), ({"kind": "nonsense"}, "/kind"),
        ({"id": "with space"}, "/id"), ({"id": None}, "/id"), ({"id": "x" * 65}, "/id"),
        ({"occurred_at": ago(days=31)}, "/occurred_at"), ({"occurred_at": ago(hours=-1)}, "/occurred_at"),
        ({"occurred_at": None}, "/occurred_at"), ({"occurred_at": "yesterday"}, "/occurred_at"),
        ({"lines": [{"id": "1", "quantity": 1.5}]}, "/lines/0/quantity"),
        ({"lines": [{"id": "1"}, {"id": "1"}]}, "/lines/1/id"),
        ({"packaging": ["NONSENSE"]}, "/packaging/0"),
        ({"evidence_ids": "x"}, "/evidence_ids"), ({"evidence_ids": ["x"]}, "/evidence_ids/0"),
        ({"evidence_ids": [str(new_id()) for _ in range(4)]}, "/evidence_ids"), ({"note": "x" * 501}, "/note"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_told_where(me, changes, pointer, writes_nothing):
    with writes_nothing():
        assert_problem(me.declare(declared() | changes), 422, "validation_failed", pointer)


@pytest.mark.parametrize("body", [[], "text", None, 1])
def test_a_body_that_is_no_object_is_refused(me, client, body):
    answer = client.post(DECLARE, data=json.dumps(body), content_type="application/json", headers=me.headers)
    assert_problem(answer, 422, "validation_failed")


def test_exclusive_packaging_is_a_conflict(me):
    assert_problem(me.declare(declared(packaging=["REUSABLE_BOX", "RECYCLED_CARTON"])), 422, "packaging_conflict")


def test_the_programme_says_which_kinds_may_be_declared(me):
    assert set(DECLARABLE_KINDS) <= set(KINDS)
    change_programme(self_declared_kinds=["purchase"])
    assert_problem(me.declare(), 422, "validation_failed", "/kind")
    bought = declared(kind="purchase", currency="EUR", lines=[{"id": "1", "quantity": 1, "total": 100}])
    assert me.declare(bought).status_code == 201


def test_five_a_day_and_the_next_day_again(me, writes_nothing, time_machine, shopper):
    time_machine.move_to(datetime(2026, 11, 23, 9, tzinfo=UTC))
    me = Shopper(me.client, me.member_id, shopper(me.member_id))
    bodies = [declared(f"cup-{number}", occurred_at="2026-11-22T09:00:00Z") for number in range(6)]
    assert [me.declare(body).status_code for body in bodies] == [201] * 5 + [409]
    with writes_nothing():
        refused = me.declare(bodies[5])
    assert_problem(refused, 409, "self_declared_limit")
    assert refused.json["next_at"] == "2026-11-24T00:00:00Z"
    assert me.declare(bodies[0]).status_code == 200, "a repetition is none more"
    time_machine.move_to(datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC))
    me = Shopper(me.client, me.member_id, shopper(me.member_id))
    assert me.declare(bodies[5]).status_code == 409
    time_machine.move_to(datetime(2026, 11, 24, tzinfo=UTC))
    assert me.declare(bodies[5]).status_code == 201


def test_the_day_is_the_programme_s_also_when_its_clocks_change(me, time_machine, shopper):
    """25 October 2026 has 25 hours in Berlin: it begins at 22:00 UTC and ends at 23:00 UTC."""
    change_programme(time_zone="Europe/Berlin", self_declared_activities_max_daily=1)
    days = [
        (datetime(2026, 10, 24, 21, 59, tzinfo=UTC), 201, "2026-10-24T22:00:00Z"),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), 201, "2026-10-25T23:00:00Z"),
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), 409, "2026-10-25T23:00:00Z"),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), 201, "2026-10-26T23:00:00Z"),
    ]
    for number, (moment, status, next_at) in enumerate(days):
        time_machine.move_to(moment)
        me = Shopper(me.client, me.member_id, shopper(me.member_id))
        occurred_at = "2026-10-24T12:00:00Z"
        assert me.declare(declared(f"cup-{number}", occurred_at=occurred_at)).status_code == status
        refused = me.declare(declared(f"more-{number}", occurred_at=occurred_at))
        assert refused.json["next_at"] == next_at


def test_none_may_be_declared_where_the_programme_says_none(me):
    change_programme(self_declared_activities_max_daily=0)
    assert_problem(me.declare(), 409, "self_declared_limit")


def test_points_beyond_the_day_s_are_cut_and_it_is_said_why(me):
    change_programme(self_declared_points_max_daily=CUP + 4)
    me.declare(declared("1"))
    cut = me.declare(declared("2", "ride"))
    assert cut.json["points"]["awarded"] == 4
    [award] = cut.json["awards"]
    assert (award["points"], award["desired_points"]) == (4, RIDE)
    assert [reason["code"] for reason in award["reasons"]] == ["matched", "limit_reached_declared"]
    assert award["reasons"][1]["detail"]
    nothing = me.declare(declared("3"))
    assert (nothing.status_code, nothing.json["points"]["awarded"]) == (201, 0)
    [missed] = [each for each in nothing.json["missed"] if each["rule"] == "cup"]
    assert (missed["code"], bool(missed["next_step"])) == ("limit_reached_declared", True)


def test_the_bound_is_of_all_rules_of_one_activity_together(me):
    change_programme(self_declared_points_max_daily=CUP + 1)
    both = declared(lines=[{"id": "1", "category": "own-cup"}, {"id": "2", "category": "ride"}])
    answer = me.declare(both)
    assert answer.json["points"]["awarded"] == CUP + 1
    assert sorted(award["points"] for award in answer.json["awards"]) == [1, CUP]


def test_merchants_are_not_bound_by_it(client, me, shop, sign_in):
    change_programme(self_declared_points_max_daily=0)
    member = world.make_customers(shop, 1)[0]
    body = declared() | {"member": {"ref": member.ref}}
    assert client.post("/v1/activities", json=body, headers=shop.live).json["points"]["awarded"] == CUP


def test_declarations_at_once_keep_to_the_day_s_bounds(app, me, query):
    change_programme(self_declared_activities_max_daily=4, self_declared_points_max_daily=3 * CUP + 1)
    barrier = Barrier(8)

    def send(number):
        barrier.wait(10)
        body = declared(f"cup-{number}")
        return app.test_client().post(DECLARE, json=body, headers=me.headers).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(send, range(8)))
    assert sorted(statuses) == [201] * 4 + [409] * 4
    assert query("SELECT sum(points) FROM review") == [(3 * CUP + 1,)]
    assert me.wallet["pending"] == 3 * CUP + 1
    assert list(verify(Verification())) == []


def test_the_same_declaration_at_once_is_one(app, me, query):
    evidence_id = me.upload(jpeg())
    barrier = Barrier(6)

    def send(_):
        barrier.wait(10)
        body = declared(evidence_ids=[evidence_id])
        return app.test_client().post(DECLARE, json=body, headers=me.headers)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(send, range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert query("SELECT count(*) FROM review") == [(1,)]
    assert me.wallet["pending"] == CUP


def test_a_picture_cited_at_once_by_two_activities_is_one_s(app, me):
    evidence_id = me.upload(jpeg())
    barrier = Barrier(2)

    def send(number):
        barrier.wait(10)
        body = declared(f"cup-{number}", evidence_ids=[evidence_id])
        return app.test_client().post(DECLARE, json=body, headers=me.headers).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(send, range(2))) == [201, 409]


def test_test_members_declare_test_data(sign_in, query):
    tester = sign_in(live=False)
    assert tester.declare().status_code == 201
    assert query("SELECT live FROM review") == [(False,)]
    assert query("SELECT live FROM activity_registry") == [(False,)]


def test_only_shoppers_declare(client, shop):
    for headers in (shop.live, world.make_staff("admin").headers, {}):
        assert client.post(DECLARE, json=declared(), headers=headers).status_code in (401, 403)


def test_the_programme_is_a_merchant_without_keys(shop):
    for live in (True, False):
        with pytest.raises(MerchantNotFound):
            merchants.issue_key(merchants.PROGRAMME_ID, live=live, moment=now())
    with pytest.raises(MerchantKeyTaken):
        merchants.create_merchant(
            key=merchants.PROGRAMME_KEY, name="x", time_zone="UTC", currency="EUR", moment=now()
        )  # fmt: skip
    merchants.load_reference()
    assert merchants.get_merchant(merchants.PROGRAMME_ID).key == merchants.PROGRAMME_KEY


def test_a_campaign_may_be_for_what_is_declared_alone(client, me, shop):
    rule = rule_of("mine", 3, "mine", when="merchant.key == 'self-declared'")
    save_campaign(CAMPAIGN | {"key": "own", "rules": [rule]}, active_from=LONG_AGO)
    assert me.declare(declared("1", "mine")).json["points"]["awarded"] == 3
    member = world.make_customers(shop, 1)[0]
    body = declared("1", "mine") | {"member": {"ref": member.ref}}
    assert client.post("/v1/activities", json=body, headers=shop.live).json["points"]["awarded"] == 0
