"""Households over HTTP: make one, invite by code, join, leave; who sees what, and the limits."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import time_machine
from sqlalchemy import func, select, update

from app.core.clock import format_time, now
from app.core.codes import ALPHABET, format_code, make_code
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.members import service
from app.members.errors import InvalidInviteCode, MemberNotActive, MemberNotFound
from app.members.models import Household, HouseholdInvite, Member
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem

START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # the 30 days go over a change of the clocks in most zones
HOME = "/v1/me/household"
JOIN = f"{HOME}/join"
INVITES = f"{HOME}/invites"
MEMBERSHIP = f"{HOME}/membership"


class Person:
    """A member who calls as a shopper; a token lives fifteen minutes."""

    def __init__(self, client, member):
        self.client, self.member = client, member
        self.sign_in()

    def sign_in(self):
        self.headers = world.bearer(service.start_session(self.member.member_id, now()).access_token)

    def call(self, method, path=HOME, body=None, **more):
        return self.client.open(path, method=method, json=body, headers=self.headers, **more)

    def create(self, name="Garden Street 5"):
        answer = self.call("POST", HOME, {"name": name})
        assert answer.status_code == 201, answer.text
        return answer.json

    def invite(self):
        answer = self.call("POST", INVITES)
        assert answer.status_code == 201, answer.text
        return answer.json["code"]

    def join(self, code, **more):
        return self.call("POST", JOIN, {"code": code}, **more)

    def leave(self):
        answer = self.call("DELETE", MEMBERSHIP)
        assert (answer.status_code, answer.data) == (204, b""), answer.text


@pytest.fixture
def people(client):
    """A function that enrols so many members, live unless told otherwise."""

    def enrol(count, live=True):
        return [Person(client, member) for member in service.enrol_many(count, live=live, moment=now())]

    return enrol


@pytest.fixture
def couple(people):
    """Two who share a household."""
    ada, bob = people(2)
    ada.create()
    assert bob.join(ada.invite()).status_code == 200
    return ada, bob


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def mistyped(code):
    """Return ``code`` with another check symbol."""
    return code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % len(ALPHABET)]


def set_members_max(number):
    programme.change(programme.DEFAULTS | {"household_members_max": number})


def test_a_household_is_made_by_one_and_shown_to_them(people):
    [ada] = people(1)
    assert_problem(ada.call("GET"), 404, "household_not_found")
    answer = ada.call("POST", HOME, {"name": "Garden Street 5"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    shown = answer.json
    assert {name: shown[name] for name in ("name", "members_max", "open_invites")} == {
        "name": "Garden Street 5", "members_max": 8, "open_invites": 0,
    }  # fmt: skip
    assert shown["members"] == [
        {"name": "member", "code_ending": ada.member.code[-3:], "joined_at": shown["created_at"], "is_me": True}
    ]
    seen = ada.call("GET")
    assert (seen.json, seen.headers["Cache-Control"]) == (shown, "no-store")
    assert_problem(ada.call("POST", HOME, {"name": "Another"}), 409, "already_in_household")
    assert count(Household) == 1


def test_a_household_needs_no_name_and_can_get_another(couple):
    ada, bob = couple
    assert ada.call("PATCH", HOME, {"name": None}).json["name"] is None
    renamed = bob.call("PATCH", HOME, {"name": "Cafe\u0301 绿色之家 🌱"})
    assert (renamed.status_code, renamed.json["name"]) == (200, "Café 绿色之家 🌱")
    assert ada.call("GET").json["name"] == "Café 绿色之家 🌱"


def test_a_household_without_a_name_is_made(people):
    [ada] = people(1)
    answer = ada.call("POST", HOME, {})
    assert (answer.status_code, answer.json["name"]) == (201, None)


@pytest.mark.parametrize(
    "name",
    ["", " ", " Home", "Home ", "a" * 41, "Ho\u202eme", "Ho\u200bme", "Ho\nme", "\u3000", "Ho\u2028me", 7, [], True],
)
def test_a_name_that_does_not_fit_is_refused(people, writes_nothing, name):
    ada, bob = people(2)
    bob.create()
    with writes_nothing():
        assert_problem(ada.call("POST", HOME, {"name": name}), 422, "validation_failed", "/name")
        assert_problem(bob.call("PATCH", HOME, {"name": name}), 422, "validation_failed", "/name")
    assert bob.call("GET").json["name"] == "Garden Street 5"


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", HOME, {"name": "Home", "live": False}, "/live"),
        ("PATCH", HOME, {}, "/name"),
        ("PATCH", HOME, {"name": "Home", "members": []}, "/members"),
        ("POST", JOIN, {}, "/code"),
        ("POST", JOIN, {"code": None}, "/code"),
        ("POST", JOIN, {"code": 123456789012}, "/code"),
        ("POST", JOIN, {"code": ""}, "/code"),
        ("POST", JOIN, {"code": "A" * 61}, "/code"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(people, method, path, body, pointer):
    [ada] = people(1)
    assert_problem(ada.call(method, path, body), 422, "validation_failed", pointer)


def test_a_member_joins_by_the_code_however_it_is_written(people):
    ada, bob, eve = people(3)
    ada.create()
    code = ada.invite()
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", code)
    assert ada.call("GET").json["open_invites"] == 1
    answer = bob.join(code.lower().replace("-", " ").replace("1", "l").replace("0", "o"))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [(each["code_ending"], each["is_me"]) for each in answer.json["members"]] == [
        (ada.member.code[-3:], False), (bob.member.code[-3:], True),
    ]  # fmt: skip
    assert answer.json["open_invites"] == 0
    mine = ada.call("GET").json
    assert [each["is_me"] for each in mine["members"]] == [True, False]
    assert mine["id"] == answer.json["id"]
    assert eve.join(bob.invite()).status_code == 200
    assert_problem(bob.join(ada.invite()), 409, "already_in_household")


def test_what_others_see_names_nobody(people):
    ada, bob = people(2)
    ada.create()
    bob.join(ada.invite())
    service.change_profile(ada.member.member_id, {"alias": "Green Ada", "birth_date": START.date()}, now())
    eve = service.enrol_member(address="eve@example.org", moment=now())
    service.join_household(eve.member_id, ada.invite(), now())
    seen = bob.call("GET")
    assert [each["name"] for each in seen.json["members"]] == ["Green Ada", "member", "member"]
    assert all(each.keys() == {"name", "code_ending", "joined_at", "is_me"} for each in seen.json["members"])
    for told in (str(ada.member.member_id), str(eve.member_id), eve.code, ada.member.code, "example.org"):
        assert told not in seen.text


def test_other_rooms_and_staff_learn_the_household(couple, client):
    ada, bob = couple
    home = ada.call("GET").json["id"]
    support = world.make_staff("support").headers
    found = client.get(f"/v1/admin/members?code={bob.member.code}", headers=support).json["data"]
    assert [each["household_id"] for each in found] == [home]
    bob.leave()
    facts = service.list_members([ada.member.member_id, bob.member.member_id])
    assert [str(facts[each.member.member_id].household_id) for each in couple] == [home, "None"]
    found = client.get(f"/v1/admin/members?code={bob.member.code}", headers=support).json["data"]
    assert [each["household_id"] for each in found] == [None]


def test_the_code_itself_is_not_stored(people, settings):
    [ada] = people(1)
    ada.create()
    code = ada.invite().replace("-", "")
    [kept] = db.session.scalars(select(HouseholdInvite)).all()
    assert len(kept.code_hash) == 32
    with psycopg.connect(settings.database_owner_url) as connection:
        [(row,)] = connection.execute("SELECT household_invite::text FROM household_invite").fetchall()
    assert code not in row


@pytest.mark.parametrize(
    "text", ["x", "W2NC-F8KN-C6T-", "not a code", "ＷＷＷＷ", "7ZK3QF92M", "W2NC-F8KN-C6TU", "-" * 60]
)
def test_what_is_no_code_is_refused(people, text):
    [ada] = people(1)
    assert_problem(ada.join(text), 422, "invalid_invite_code", "/code")


def test_a_mistyped_code_is_noticed_before_anything_is_read(people):
    [ada] = people(1)
    ada.create()
    code = ada.invite().replace("-", "")
    nobody = new_id()  # whoever reads finds that there is no such member
    for wrong in (mistyped(code), code[1] + code[0] + code[2:], code[:-1]):
        if wrong != code:  # two symbols that are the same can't be swapped
            with pytest.raises(InvalidInviteCode):
                service.join_household(nobody, wrong, now())
    with pytest.raises(InvalidInviteCode):
        service.join_household(nobody, make_code(8), now())  # a good code, of another length
    with pytest.raises(MemberNotFound):
        service.join_household(nobody, code, now())


def test_an_unknown_a_used_an_old_a_withdrawn_and_a_test_code_look_the_same(people):
    with time_machine.travel(START, tick=False) as clock:
        ada, bob, eve = people(3)
        [tess] = people(1, live=False)
        ada.create()
        tess.create()
        old = ada.invite()
        clock.shift(timedelta(hours=24))
        for each in (ada, bob, eve, tess):
            each.sign_in()
        used, of_test = ada.invite(), tess.invite()
        assert bob.join(used).status_code == 200
        withdrawn = bob.invite()
        assert ada.call("DELETE", INVITES).status_code == 204
        unknown = format_code(make_code(11), 4)
        answers = [eve.join(code) for code in (unknown, used, old, withdrawn, of_test)]
    for answer in answers:
        assert_problem(answer, 404, "invite_not_found")
        assert answer.json | {"instance": ""} == answers[0].json | {"instance": ""}


def test_an_invite_is_good_for_24_hours(people):
    with time_machine.travel(START, tick=False) as clock:
        ada, bob, eve = people(3)
        ada.create()
        answer = ada.call("POST", INVITES)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        assert answer.json["expires_at"] == format_time(START + timedelta(hours=24))
        other = ada.invite()
        clock.shift(timedelta(hours=24) - timedelta(seconds=1))
        bob.sign_in()
        assert bob.join(answer.json["code"]).status_code == 200
        clock.shift(timedelta(seconds=1))
        eve.sign_in()
        assert_problem(eve.join(other), 404, "invite_not_found")


def test_five_invites_are_open_at_a_time_whoever_issues_them(couple):
    ada, bob = couple
    codes = [ada.invite() for _ in range(3)] + [bob.invite() for _ in range(2)]
    assert ada.call("GET").json["open_invites"] == 5
    assert_problem(ada.call("POST", INVITES), 409, "household_invite_limit")
    assert_problem(bob.call("POST", INVITES), 409, "household_invite_limit")
    assert len(set(codes)) == 5
    assert bob.call("DELETE", INVITES).status_code == 204
    assert ada.call("GET").json["open_invites"] == 0
    ada.invite()


def test_an_invite_that_is_over_makes_room_for_another(people):
    [ada] = people(1)
    service.create_household(ada.member.member_id, None, START)
    for _ in range(5):
        service.invite_into_household(ada.member.member_id, START)
    service.invite_into_household(ada.member.member_id, START + timedelta(hours=24))
    assert service.get_household(ada.member.member_id, START + timedelta(hours=24)).open_invites == 1
    assert count(HouseholdInvite) == 6
    assert service.forget_old(START + timedelta(hours=48, seconds=1))["household_invites"] == 5


def test_nobody_outside_a_household_can_do_what_its_members_can(people):
    [ada] = people(1)
    for method, path, body in (
        ("GET", HOME, None), ("PATCH", HOME, {"name": "Home"}), ("POST", INVITES, None), ("DELETE", INVITES, None),
        ("DELETE", MEMBERSHIP, None),
    ):  # fmt: skip
        assert_problem(ada.call(method, path, body), 404, "household_not_found")
    assert count(Household) == 0


def test_a_ninth_member_finds_no_room_and_the_invite_stays_good(people):
    ada, *others = people(9)
    ada.create()
    *invited, left_out = others
    for each in invited[:-1]:
        assert each.join(ada.invite()).status_code == 200
    first, second = ada.invite(), ada.invite()
    assert invited[-1].join(first).status_code == 200
    assert_problem(left_out.join(second), 409, "household_full")
    assert_problem(ada.call("POST", INVITES), 409, "household_full")
    assert len(ada.call("GET").json["members"]) == 8
    invited[0].leave()
    answer = left_out.join(second)
    assert (answer.status_code, len(answer.json["members"])) == (200, 8)


def test_the_programme_says_how_many_may_live_together(people):
    ada, bob, eve = people(3)
    ada.create()
    codes = [ada.invite(), ada.invite()]
    set_members_max(2)
    assert bob.join(codes[0]).json["members_max"] == 2
    assert_problem(eve.join(codes[1]), 409, "household_full")
    set_members_max(1)
    assert len(ada.call("GET").json["members"]) == 2  # nobody is sent away
    set_members_max(3)
    assert eve.join(codes[1]).status_code == 200


def test_who_leaves_is_gone_and_their_invites_with_them(couple, people):
    ada, bob = couple
    [eve] = people(1)
    of_ada, of_bob = ada.invite(), bob.invite()
    bob.leave()
    assert_problem(bob.call("GET"), 404, "household_not_found")
    assert_problem(bob.call("DELETE", MEMBERSHIP), 404, "household_not_found")
    assert_problem(eve.join(of_bob), 404, "invite_not_found")
    shown = eve.join(of_ada).json
    assert [each["code_ending"] for each in shown["members"]] == [ada.member.code[-3:], eve.member.code[-3:]]


def test_the_last_one_takes_the_household_and_its_invites_along(couple, people):
    ada, bob = couple
    [eve] = people(1)
    ada.leave()
    code = bob.invite()
    bob.leave()
    assert (count(Household), count(HouseholdInvite)) == (0, 0)
    assert_problem(eve.join(code), 404, "invite_not_found")


def test_who_left_waits_30_days_before_joining_or_making_one(people):
    ada, bob, eve = people(3)
    moment = START
    service.create_household(ada.member.member_id, None, moment)
    service.create_household(bob.member.member_id, None, moment)
    service.leave_household(bob.member.member_id, moment)
    again = START + timedelta(days=30)
    with time_machine.travel(again - timedelta(seconds=1), tick=False) as clock:
        for each in (ada, bob, eve):
            each.sign_in()
        code = ada.invite()
        for answer in (bob.join(code), bob.call("POST", HOME, {"name": "Home"})):
            assert_problem(answer, 409, "household_changed_recently")
            assert answer.json["again_at"] == format_time(again)
        clock.shift(timedelta(seconds=1))
        assert bob.join(code).status_code == 200
        bob.leave()  # leaving is always possible
        later = bob.call("POST", HOME, {"name": "Home"})
        assert later.json["again_at"] == format_time(again + timedelta(days=30))
        assert eve.call("POST", HOME, {"name": "Home"}).status_code == 201


def test_the_wait_is_told_before_a_code_is_looked_up(people):
    """So that somebody who may not join learns nothing of codes."""
    [ada] = people(1)
    ada.create()
    ada.leave()
    assert_problem(ada.join(make_code(11)), 409, "household_changed_recently")
    [bob] = people(1)
    bob.create()
    assert_problem(bob.join(make_code(11)), 409, "already_in_household")


def test_test_members_live_with_test_members(people):
    ada, bob = people(2, live=False)
    ada.create()
    assert bob.join(ada.invite()).status_code == 200
    assert db.session.scalars(select(Household.live)).all() == [False]


def test_a_suspended_member_enters_nothing_and_can_be_taken_out(couple):
    ada, bob = couple
    code = ada.invite()
    [eve] = service.enrol_many(1, moment=now())
    with unit_of_work() as session:
        suspended = (bob.member.member_id, eve.member_id)
        session.execute(update(Member).where(Member.member_id.in_(suspended)).values(status="suspended"))
    with pytest.raises(MemberNotActive):
        service.join_household(eve.member_id, code, now())
    service.leave_household(bob.member.member_id, now())
    assert len(ada.call("GET").json["members"]) == 1


def test_nobody_is_closed_while_in_a_household(couple, settings):
    """Whoever closes a membership takes the member out first: the database sees to it."""
    ada, _ = couple
    closing = "UPDATE member SET status = 'closed' WHERE member_id = %s"
    with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.CheckViolation, match="closed_in_no_household"):
            connection.execute(closing, [ada.member.member_id])
        service.leave_household(ada.member.member_id, now())
        assert connection.execute(closing, [ada.member.member_id]).rowcount == 1


def test_guesses_are_counted_for_the_guesser_whatever_the_token_or_network(people):
    ada, bob = people(2)
    ada.create()
    good = ada.invite()
    guesses = [bob.join(make_code(11), environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"}) for number in range(19)]
    assert {answer.status_code for answer in guesses} == {404}
    mistakes = [bob.join("nonsense", environ_overrides={"REMOTE_ADDR": "192.0.2.90"}) for _ in range(30)]
    assert {answer.status_code for answer in mistakes} == {422}  # these tell nothing and cost nothing
    bob.sign_in()  # another token
    assert bob.join(make_code(11)).status_code == 404
    refused = bob.join(good, environ_overrides={"REMOTE_ADDR": "192.0.2.99"})
    assert_problem(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) > 0
    [eve] = people(1)
    assert eve.join(good).status_code == 200
