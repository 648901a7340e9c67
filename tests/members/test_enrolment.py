import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.core.codes import format_code, normalise_code
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.ledger.models import Account
from app.members import service
from app.members.errors import AddressTaken, MemberNotFound
from app.members.models import Member, MemberCode
from app.members.service import enrolment

MOMENT = datetime(2026, 11, 23, 9, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("app")


def test_a_member_is_found_by_id_and_by_code_however_it_is_written():
    member = service.enrol_member(locale="de", region="DE-BE", time_zone="Europe/Berlin", moment=MOMENT)
    assert service.get_member(member.member_id) == member
    assert normalise_code(member.code) == member.code
    assert service.find_by_code(format_code(member.code).lower()) == member.member_id
    assert service.ids_by_code([member.code, "nonsense"]) == {member.code: member.member_id}
    assert service.list_members([member.member_id]) == {member.member_id: member}
    assert (member.tier, member.status, member.tags) == ("seed", "active", ())


def test_a_new_member_has_an_account_in_the_same_transaction():
    member = service.enrol_member(moment=MOMENT)
    assert db.session.get(Account, member.member_id) is not None


def test_an_enrolment_that_fails_in_a_hook_leaves_nothing(monkeypatch):
    def refuse(session, member_ids):
        raise RuntimeError("no account")

    monkeypatch.setattr(enrolment, "_hooks", [refuse])
    with pytest.raises(RuntimeError):
        service.enrol_member(moment=MOMENT)
    assert db.session.scalar(select(func.count()).select_from(Member)) == 0
    assert db.session.scalar(select(func.count()).select_from(MemberCode)) == 0


def test_a_hook_registered_twice_runs_once(monkeypatch):
    calls = []
    monkeypatch.setattr(enrolment, "_hooks", list(enrolment._hooks))

    def hook(session, member_ids):
        calls.append(list(member_ids))

    service.on_enrolled(hook)
    service.on_enrolled(hook)
    members = service.enrol_many(3, moment=MOMENT)
    assert calls == [[member.member_id for member in members]]


def test_test_members_are_not_seen_by_live_callers():
    member = service.enrol_member(live=False, moment=MOMENT)
    assert service.find_by_code(member.code) is None
    assert service.find_by_code(member.code, live=False) == member.member_id
    with pytest.raises(MemberNotFound):
        service.get_member(member.member_id)
    with pytest.raises(MemberNotFound):
        service.get_member(UUID(int=1))


def test_an_address_belongs_to_one_member_of_each_mode():
    service.enrol_member(address="Ada@Example.org", channel="email", moment=MOMENT)
    service.enrol_member(address="ada@example.org", live=False, moment=MOMENT)
    with pytest.raises(AddressTaken):
        service.enrol_member(address="ADA@EXAMPLE.ORG", moment=MOMENT)
    with pytest.raises(ValueError, match="by email"):
        service.enrol_member(address="bob@example.org", channel="sms", moment=MOMENT)
    assert db.session.scalar(select(func.count()).select_from(Member)) == 2


def test_codes_that_are_taken_are_drawn_again(monkeypatch):
    taken = service.enrol_member(moment=MOMENT).code
    drawn = iter([taken, "000000000"])
    monkeypatch.setattr(enrolment, "make_code", lambda length: next(drawn))
    assert service.enrol_member(moment=MOMENT).code == "000000000"


def test_the_demo_households_are_enrolled_in_two_seconds():
    started = time.perf_counter()
    members = service.enrol_many(2469, moment=MOMENT)
    seconds = time.perf_counter() - started
    assert len({member.code for member in members}) == 2469
    assert db.session.scalar(select(func.count()).select_from(Account)) == 2469
    assert seconds < 2


def test_enrolling_joins_the_callers_transaction():
    def fail_afterwards():
        with unit_of_work():
            service.enrol_member(moment=MOMENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_afterwards()
    assert db.session.scalar(select(func.count()).select_from(Member)) == 0
