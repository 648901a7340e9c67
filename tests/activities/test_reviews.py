"""Reviews: what was declared is looked at, once; approved, its points mature; rejected or too late, all goes back."""

from datetime import datetime, timedelta
from threading import Event

import psycopg
import pytest

from app.activities.evaluating import Source
from app.activities.intake import attempt_alone, read_report
from app.activities.review_words import REJECT_REASONS, sentence
from app.activities.reviews import close_overdue, open_review
from app.campaigns.service import save_campaign
from app.core.clock import now
from app.core.evidence import GRADES
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger.service import Verification, settle_due_accounts, verify
from app.merchants import service as merchants
from app.programme import service as programme
from app.staff import service as staff
from tests import world
from tests.activities.declaring import (
    BOTTLES,
    CAMPAIGN,
    CUP,
    DECLARE,
    EVIDENCE,
    MENDED,
    PROVEN,
    REVIEWS,
    RIDE,
    Desk,
    Shopper,
    bottles,
    change_programme,
    declared,
    load_habits,
    rule_of,
)
from tests.activities.pictures import jpeg
from tests.answers import assert_problem
from tests.world import AN_HOUR_AGO, LONG_AGO

KEPT_DAYS = 90


@pytest.fixture(autouse=True)
def habits(programme):
    load_habits()


@pytest.fixture
def sign_in(client, shop, shopper):
    def enrol(live=True):
        member = world.make_customers(shop, 1, live=live)[0]
        return Shopper(client, member.member_id, shopper(member.member_id))

    return enrol


@pytest.fixture
def me(sign_in):
    return sign_in()


@pytest.fixture
def again(shopper):
    """A function that signs a shopper in again, whose token is over."""
    return lambda me: Shopper(me.client, me.member_id, shopper(me.member_id))


@pytest.fixture
def desk(client):
    return Desk(client, world.make_staff("support"))


@pytest.fixture
def query(settings):
    def run(statement, *values):
        with psycopg.connect(settings.database_owner_url) as connection:
            return connection.execute(statement, values).fetchall()

    return run


@pytest.fixture(autouse=True)
def proven(app):
    """Whatever a test did, the books agree after it."""
    yield
    assert [str(difference) for difference in verify(Verification())] == []


def audit_of(client, review):
    path = f"/v1/admin/audit?object_kind=review&object_id={review['id']}"
    return client.get(path, headers=world.make_staff("admin").headers).json["data"]


def impact_of(query, answer):
    return query("SELECT coalesce(sum(value), 0)::int FROM impact_entry WHERE activity_id = %s", answer.json["id"])[0][
        0
    ]


def test_staff_see_what_was_declared_why_it_waits_and_the_pictures(client, me, desk):
    evidence_id = me.upload(jpeg())
    body = declared(category="proven", evidence_ids=[evidence_id], note="my own cup")
    answer = me.declare(body)
    [review] = desk.queue()
    assert review.keys() == {
        "id", "kind", "state", "reasons", "member_id", "points", "opened_at", "expires_at", "decided_by", "decided_at",
        "reason", "note", "declared", "activity", "evidence",
    }  # fmt: skip
    assert (review["kind"], review["state"], review["reasons"]) == ("self_declared", "open", ["self_declared"])
    assert (review["member_id"], review["points"]) == (str(me.member_id), PROVEN)
    assert review["declared"] == body | {"evidence": "photo"}
    assert (review["activity"]["id"], review["activity"]["external_id"]) == (answer.json["id"], body["id"])
    assert review["activity"]["awards"] == answer.json["awards"]
    occurred_at = datetime.fromisoformat(AN_HOUR_AGO)
    assert datetime.fromisoformat(review["expires_at"]) == occurred_at + timedelta(days=KEPT_DAYS)
    [picture] = review["evidence"]
    assert (picture["id"], picture["reused_of"]) == (evidence_id, None)
    assert client.get(picture["url"], headers=desk.staff.headers).content_type == "image/jpeg"
    assert desk.client.get(f"{REVIEWS}/{review['id']}", headers=desk.staff.headers).json == review


def test_of_a_reused_picture_staff_see_both(client, me, desk, sign_in):
    other = sign_in()
    first = other.upload(jpeg())
    earlier = other.declare(declared(evidence_ids=[first]))
    later = me.declare(declared(evidence_ids=[me.upload(jpeg(quality=50))]))
    review = desk.review_of(later)
    assert review["reasons"] == ["self_declared", "picture_reused"]
    assert review["evidence"][0]["reused_of"] == {
        "id": first, "url": f"/v1/admin/evidence/{first}", "member_id": str(other.member_id),
        "activity_id": earlier.json["id"],
    }  # fmt: skip
    for url in (review["evidence"][0]["url"], review["evidence"][0]["reused_of"]["url"]):
        assert client.get(url, headers=desk.staff.headers).status_code == 200
    assert desk.review_of(earlier)["reasons"] == ["self_declared"]
    assert client.get(f"{EVIDENCE}/{first}", headers=me.headers).status_code == 404, "its shopper does not"


def test_approved_its_points_are_available_by_their_rule_s_own_terms(client, me, desk, again, time_machine):
    answers = {
        category: me.declare(declared(category, category, kind="repair" if category == "mended" else "custom"))
        for category in ("own-cup", "ride", "mended")
    }
    assert me.wallet["pending"] == CUP + RIDE + MENDED
    reviews = {category: desk.review_of(answer) for category, answer in answers.items()}
    decided = {category: desk.approve(review) for category, review in reviews.items()}
    assert {answer.status_code for answer in decided.values()} == {200}
    for category, answer in decided.items():
        assert (answer.json["state"], answer.json["decided_by"]) == ("approved", str(desk.staff.staff_id))
        shown = me.activity(answers[category])
        assert (shown["status"], shown["review"]) == (
            "accepted", {"state": "approved", "reason": None, "detail": None},
        )  # fmt: skip
    assert (me.wallet["available"], me.wallet["pending"]) == (CUP + MENDED, RIDE)
    [maturing] = me.wallet["maturing"]
    occurred_at = datetime.fromisoformat(AN_HOUR_AGO)
    assert datetime.fromisoformat(maturing["available_at"]) == occurred_at + timedelta(days=14)
    [expiring] = me.wallet["expiring"]
    assert expiring["points"] == CUP
    time_machine.move_to(occurred_at + timedelta(days=14, seconds=1))
    me = again(me)
    assert (me.wallet["available"], me.wallet["pending"]) == (CUP + MENDED + RIDE, 0)
    settle_due_accounts(now())
    assert me.wallet["available"] == CUP + MENDED + RIDE


def test_approved_after_its_rule_s_days_they_are_available_then_and_not_before(me, desk, again, time_machine):
    answer = me.declare(declared(category="ride"))
    decided_at = now() + timedelta(days=20)
    time_machine.move_to(decided_at, tick=False)
    me, desk = again(me), Desk(desk.client, world.make_staff("approver"))
    assert desk.approve(desk.review_of(answer)).status_code == 200
    assert me.wallet["available"] == RIDE
    before = me.get(f"/v1/me/wallet?at={(decided_at - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}")
    assert (before["available"], before["pending"]) == (0, RIDE)


def test_rejected_everything_goes_back_and_its_shopper_is_told_why(client, me, desk, query):
    answer = me.declare(bottles())
    booked = impact_of(query, answer)
    review = desk.review_of(answer)
    decided = desk.reject(review, "picture_does_not_show_it", note="A paper cup")
    assert decided.status_code == 200, decided.text
    assert (decided.json["state"], decided.json["reason"], decided.json["note"]) == (
        "rejected", "picture_does_not_show_it", "A paper cup",
    )  # fmt: skip
    assert (me.wallet["available"], me.wallet["pending"], me.wallet["debt"]) == (0, 0, 0)
    assert me.wallet["lifetime"]["reversed"] == BOTTLES
    shown = me.activity(answer)
    assert shown["status"] == "rejected"
    assert shown["review"] == {
        "state": "rejected", "reason": "picture_does_not_show_it", "detail": "The picture shows something else.",
    }  # fmt: skip
    assert shown["returned"]["points"] == BOTTLES
    assert "A paper cup" not in str(shown), "the note is for staff alone"
    assert me.get(DECLARE)["data"] == [shown]
    lines = me.get("/v1/me/wallet/entries")["data"]
    assert "A review did not accept this: its points were taken back." in str(lines)
    headers = me.headers | {"Accept-Language": "zh-Hans-CN"}
    chinese = client.get(f"{DECLARE}/{answer.json['id']}", headers=headers).json
    assert chinese["review"]["detail"] == sentence("picture_does_not_show_it", "zh-CN") != shown["review"]["detail"]
    assert booked != 0
    assert impact_of(query, answer) == 0


def test_rejected_what_it_took_of_limits_and_budgets_is_free_again(me, desk, query):
    limits = [{"unit": "count", "by": "member", "per": "campaign", "amount": 1}]
    bounded = {"key": "bounded", "rules": [rule_of("once", 30, "once", limits=limits)], "budget": {"points": 30}}
    save_campaign(CAMPAIGN | bounded, active_from=LONG_AGO)
    first = me.declare(declared("1", "once"))
    assert first.json["points"]["awarded"] == 30
    assert me.declare(declared("2", "once")).json["points"]["awarded"] == 0
    desk.reject(desk.review_of(first))
    assert me.declare(declared("3", "once")).json["points"]["awarded"] == 30


def test_a_rejected_declaration_counts_for_its_day_all_the_same(me, desk):
    change_programme(self_declared_activities_max_daily=1)
    answer = me.declare()
    desk.reject(desk.review_of(answer))
    assert_problem(me.declare(declared("2")), 409, "self_declared_limit")
    replayed = me.declare()
    assert (replayed.status_code, replayed.json["status"]) == (200, "rejected")


def test_a_review_is_decided_once(me, desk):
    answer = me.declare()
    review = desk.review_of(answer)
    assert desk.approve(review).status_code == 200
    for repeated in (desk.approve(review), desk.reject(review)):
        assert_problem(repeated, 409, "review_closed")
        assert repeated.json["review_state"] == "approved"
    assert me.wallet["available"] == CUP
    other = desk.review_of(me.declare(declared("2")))
    assert desk.reject(other).status_code == 200
    for repeated in (desk.approve(other), desk.reject(other)):
        assert_problem(repeated, 409, "review_closed")
    assert me.wallet["available"] == CUP


def test_each_decision_is_audited(client, me, desk):
    approved, rejected = desk.review_of(me.declare()), desk.review_of(me.declare(declared("2")))
    desk.approve(approved)
    desk.reject(rejected, "duplicate")
    for review, state, reason in ((approved, "approved", None), (rejected, "rejected", "duplicate")):
        [entry] = audit_of(client, review)
        assert (entry["action"], entry["staff"]["id"]) == (f"review.{state}", str(desk.staff.staff_id))
        assert (entry["before"]["state"], entry["after"]["state"]) == ("open", state)
        assert entry["after"]["reason"] == reason
        assert entry["after"]["activity_id"] == review["activity"]["id"]


def test_a_decision_that_fails_leaves_all_as_it_was(me, desk, writes_nothing, monkeypatch):
    review = desk.review_of(me.declare())

    def fail(*_, **__):
        raise RuntimeError("the audit log is full")

    with monkeypatch.context() as patched, writes_nothing():
        patched.setattr(staff, "record_audit", fail)
        assert desk.approve(review).status_code == desk.reject(review).status_code == 500
    assert (me.wallet["available"], me.wallet["pending"]) == (0, CUP)
    assert desk.approve(review).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "editor", "finance", "authority"])
def test_who_may_look_and_who_may_decide(client, me, desk, role):
    review = desk.review_of(me.declare())
    onlooker = Desk(client, world.make_staff(role))
    assert onlooker.queue() == [review]
    assert onlooker.approve(review).status_code == onlooker.reject(review).status_code == 403
    for headers in (me.headers, {}):
        assert client.get(REVIEWS, headers=headers).status_code in (401, 403)
        assert client.post(f"{REVIEWS}/{review['id']}/approve", headers=headers).status_code in (401, 403)
    for role_that_may in ("approver", "admin"):
        decider = Desk(client, world.make_staff(role_that_may))
        assert decider.approve(desk.review_of(me.declare(declared(role_that_may)))).status_code == 200


def test_a_rejection_says_why_by_a_code_there_is(me, desk, writes_nothing):
    review = desk.review_of(me.declare())
    path, headers = f"{REVIEWS}/{review['id']}/reject", desk.staff.headers
    with writes_nothing():
        for body, pointer in (
            ({}, "/reason"), ({"reason": "because"}, "/reason"), ({"reason": "not_reviewed"}, "/reason"),
            ({"reason": "open"}, "/reason"), ({"reason": "other", "note": ""}, "/note"),
            ({"reason": "other", "note": "x" * 501}, "/note"), ({"reason": "other", "more": 1}, "/more"),
        ):  # fmt: skip
            assert_problem(
                desk.client.post(path, json=body, headers=headers), 422, "validation_failed", pointer
            )  # fmt: skip
    for reason in REJECT_REASONS:
        assert sentence(reason, "en") != sentence(reason, "zh-CN")
        assert sentence(reason, "de") == sentence(reason, "en")


def test_an_unknown_review_is_not_found(desk):
    unknown = {"id": str(new_id())}
    assert_problem(desk.approve(unknown), 404, "review_not_found")
    assert_problem(desk.reject(unknown), 404, "review_not_found")
    answer = desk.client.get(f"{REVIEWS}/{unknown['id']}", headers=desk.staff.headers)
    assert_problem(answer, 404, "review_not_found")


def test_the_queue_is_paged_from_the_oldest_and_filtered(client, me, desk, sign_in):
    other, tester = sign_in(), sign_in(live=False)
    mine = [me.declare(declared(f"m{number}")).json["id"] for number in range(4)]
    others = [other.declare(declared(f"o{number}")).json["id"] for number in range(3)]
    tested = tester.declare().json["id"]
    ids = lambda **filters: [each["activity"]["id"] for each in desk.queue(**filters)]  # noqa: E731 - said five times
    assert ids() == mine + others
    assert ids(mode="test") == [tested]
    assert ids(member_id=str(other.member_id)) == others
    assert (ids(kind="self_declared"), ids(kind="recycling")) == (mine + others, [])
    approved, rejected = desk.queue()[1], desk.queue()[5]
    desk.approve(approved)
    desk.reject(rejected)
    assert ids(state="approved") == [mine[1]]
    assert ids(state="rejected") == [others[1]]
    assert ids(state="open") == [mine[0], *mine[2:], others[0], others[2]]
    assert ids(state="expired") == []
    seen, cursor = [], None
    while True:
        given = {"limit": 3, "state": "open"} | ({"cursor": cursor} if cursor else {})
        page = client.get(REVIEWS, query_string=given, headers=desk.staff.headers).json
        seen += [each["activity"]["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        foreign = client.get(
            REVIEWS, query_string=given | {"cursor": cursor}, headers=world.make_staff("support").headers
        )
        assert_problem(foreign, 400, "invalid_cursor")
    assert seen == ids(state="open")
    for query in ({"state": "x"}, {"mode": "x"}, {"member_id": "x"}, {"limit": 0}):
        answer = client.get(REVIEWS, query_string=query, headers=desk.staff.headers)
        assert_problem(answer, 422, "validation_failed", f"/{next(iter(query))}")


def test_what_nobody_has_looked_at_is_over_when_its_points_are_void(client, me, desk, query, again, time_machine):
    answer = me.declare(bottles())
    booked = impact_of(query, answer)
    assert booked != 0
    over = datetime.fromisoformat(AN_HOUR_AGO) + timedelta(days=KEPT_DAYS)
    time_machine.move_to(over - timedelta(seconds=1), tick=False)
    assert (again(me).wallet["pending"], close_overdue(Event())) == (BOTTLES, 0)
    time_machine.move_to(over, tick=False)
    me, desk = again(me), Desk(client, world.make_staff("support"))
    assert (me.wallet["pending"], me.wallet["lifetime"]["expired"]) == (0, BOTTLES)
    [review] = desk.queue(state="expired")
    assert desk.queue(state="open") == []
    assert (review["state"], review["decided_at"], impact_of(query, answer)) == ("expired", None, booked)
    for refused in (desk.approve(review), desk.reject(review)):
        assert_problem(refused, 409, "review_closed")
        assert refused.json["review_state"] == "expired"
    shown = me.activity(answer)
    assert (shown["status"], shown["review"]["state"], shown["review"]["reason"]) == (
        "rejected", "expired", "not_reviewed",
    )  # fmt: skip
    assert shown["review"]["detail"]
    assert close_overdue(Event()) == 1
    assert close_overdue(Event()) == 0
    assert impact_of(query, answer) == 0
    [review] = desk.queue(state="expired")
    assert (review["state"], review["decided_by"]) == ("expired", None)
    assert review["decided_at"] is not None
    assert me.wallet["lifetime"]["expired"] == BOTTLES, "its points were void already: none is taken back twice"


def test_an_approval_just_before_the_end_saves_the_points(client, me, again, time_machine):
    answer = me.declare()
    over = datetime.fromisoformat(AN_HOUR_AGO) + timedelta(days=KEPT_DAYS)
    time_machine.move_to(over - timedelta(seconds=1), tick=False)
    desk = Desk(client, world.make_staff("support"))
    assert desk.approve(desk.review_of(answer)).status_code == 200
    time_machine.move_to(over + timedelta(days=1), tick=False)
    assert close_overdue(Event()) == 0
    assert again(me).wallet["available"] == CUP


def test_what_earned_nothing_is_reviewed_for_its_impact(me, desk, query):
    change_programme(self_declared_points_max_daily=0)
    answer = me.declare(bottles())
    assert answer.json["points"]["awarded"] == 0
    review = desk.review_of(answer)
    assert (review["points"], impact_of(query, answer) != 0) == (0, True)
    assert desk.reject(review).status_code == 200
    assert impact_of(query, answer) == 0
    other = desk.review_of(me.declare(declared("2", "nothing")))
    assert desk.approve(other).status_code == 200


def test_staff_see_how_reviews_ended_among_a_member_s_activities(client, me, desk):
    answer = me.declare()
    desk.reject(desk.review_of(answer), "implausible")
    path = f"/v1/admin/members/{me.member_id}/activities"
    [shown] = client.get(path, headers=desk.staff.headers).json["data"]
    assert (shown["status"], shown["review"]["reason"]) == ("rejected", "implausible")


def test_activities_of_merchants_have_no_review(client, me, shop, shopper):
    member = world.make_customers(shop, 1)[0]
    client.post("/v1/activities", json=declared() | {"member": {"ref": member.ref}}, headers=shop.live)
    [shown] = client.get(DECLARE, headers=shopper(member.member_id)).json["data"]
    assert shown["status"] == "accepted"
    assert "review" not in shown


def test_reviews_are_for_other_rooms_too(client, shop, shopper, desk):
    """A station's report that is not plausible waits in the same queue, although it says that it is complete."""
    member = world.make_customers(shop, 1)[0]
    source = Source(merchants.principal_of(shop.merchant_id, True, "photo"), waits_for_review=True)
    for name in ("1", "2"):
        body = bottles(name) | {"completed": True, "member": {"ref": member.ref}}
        with unit_of_work():
            accepted = attempt_alone(source, read_report(0, body))
            open_review(accepted, live=True, kind="recycling", reasons=["weight_does_not_fit"], moment=now())
    me = Shopper(client, member.member_id, shopper(member.member_id))
    assert (me.wallet["available"], me.wallet["pending"]) == (0, 2 * BOTTLES)
    approved, rejected = desk.queue(kind="recycling")
    assert (approved["reasons"], approved["evidence"]) == (["weight_does_not_fit"], [])
    assert desk.approve(approved).json["activity"]["external_id"] == "1"
    assert desk.reject(rejected, "implausible").status_code == 200
    assert (me.wallet["available"], me.wallet["pending"]) == (BOTTLES, 0)


def test_grades_and_settings_are_as_the_tests_take_them():
    assert GRADES[:2] == ("self_declared", "photo")
    assert programme.current().completion_days_max == KEPT_DAYS
