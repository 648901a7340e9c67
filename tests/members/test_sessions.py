import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from sqlalchemy import select, update

from app.core.database import db
from app.core.ids import new_id
from app.core.tokens import issue_access_token
from app.core.unit_of_work import unit_of_work
from app.members import service
from app.members.errors import InvalidRefreshToken, MemberNotActive, MemberNotFound
from app.members.models import Member, MemberSession
from tests.members.conftest import bearer

MOMENT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def refresh(client, token):
    return client.post("/v1/auth/refresh", json={"refresh_token": token})


def me(client, token):
    return client.get("/v1/me", headers=bearer(token)).status_code


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_refresh_token"), answer.json


def the_session():
    db.session.rollback()
    return db.session.scalars(select(MemberSession)).one()


def test_a_refresh_token_is_replaced_each_time_it_is_used(client, sign_in):
    first = sign_in()
    second = refresh(client, first["refresh_token"])
    assert second.status_code == 200
    assert second.headers["Cache-Control"] == "no-store"
    assert set(second.json) == {"access_token", "refresh_token", "expires_in"}
    assert second.json["refresh_token"] != first["refresh_token"]
    third = refresh(client, second.json["refresh_token"]).json
    assert me(client, third["access_token"]) == me(client, first["access_token"]) == 200


def test_using_an_older_refresh_token_ends_the_session_for_both(client, sign_in):
    stolen = sign_in()
    kept = refresh(client, stolen["refresh_token"]).json
    refused(refresh(client, stolen["refresh_token"]))
    refused(refresh(client, kept["refresh_token"]))
    assert me(client, kept["access_token"]) == me(client, stolen["access_token"]) == 401
    assert the_session().revoked_reason == "reuse"


def test_a_session_that_ends_leaves_the_others_alone(client, sign_in):
    phone, tablet = sign_in(), sign_in()
    refresh(client, phone["refresh_token"])
    refused(refresh(client, phone["refresh_token"]))
    assert me(client, tablet["access_token"]) == 200
    assert refresh(client, tablet["refresh_token"]).status_code == 200


def test_two_uses_of_one_token_at_once_never_leave_two_living_tokens(app):
    for _ in range(5):
        member = service.enrol_member(moment=MOMENT)
        token = service.start_session(member.member_id, MOMENT).refresh_token
        start = Barrier(4)

        def attempt(number, token=token, start=start):
            with app.app_context():
                start.wait()
                try:
                    return service.refresh_session(token, MOMENT)
                except InvalidRefreshToken:
                    return None

        with ThreadPoolExecutor(4) as threads:
            pairs = [pair for pair in threads.map(attempt, range(4)) if pair]
        assert len(pairs) == 1
        with pytest.raises(InvalidRefreshToken):
            service.refresh_session(pairs[0].refresh_token, MOMENT)


def test_signing_out_stops_both_tokens_at_once(client, sign_in):
    tokens = sign_in()
    answer = client.post("/v1/auth/logout", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.data) == (204, b"")
    assert me(client, tokens["access_token"]) == 401
    refused(refresh(client, tokens["refresh_token"]))
    assert the_session().revoked_reason == "sign_out"
    assert client.post("/v1/auth/logout", headers=bearer(tokens["access_token"])).status_code == 401


def test_a_made_up_token_ends_nobodys_session(client, sign_in):
    token = sign_in()["refresh_token"]
    raw = bytearray(base64.urlsafe_b64decode(token.removeprefix("gpr_") + "=="))
    for place in (0, 20, 33, 40, 80):
        changed = bytearray(raw)
        changed[place] ^= 1
        refused(refresh(client, "gpr_" + base64.urlsafe_b64encode(changed).decode().rstrip("=")))
    refused(refresh(client, token.removeprefix("gpr_")))
    assert the_session().revoked_at is None
    assert refresh(client, token).status_code == 200


@pytest.mark.parametrize("token", ["x", "gpr_", "gpr_====", "gpr_\u2603", "gpr_" + "A" * 112, "eyJ.x.y", "gpr_ A"])
def test_what_is_no_refresh_token_is_refused(client, token):
    refused(refresh(client, token))


def test_the_token_itself_is_not_stored(sign_in):
    token = sign_in()["refresh_token"]
    kept = the_session()
    assert len(kept.refresh_hash) == 32
    assert base64.urlsafe_b64decode(token.removeprefix("gpr_") + "==")[36:68] not in bytes(kept.refresh_hash)


def test_a_session_ends_with_its_time_however_often_it_is_refreshed(app):
    member = service.enrol_member(moment=MOMENT)
    pair = service.start_session(member.member_id, MOMENT)
    for day in range(1, 60, 7):
        pair = service.refresh_session(pair.refresh_token, MOMENT + timedelta(days=day))
    with pytest.raises(InvalidRefreshToken):
        service.refresh_session(pair.refresh_token, MOMENT + timedelta(days=60))


def test_an_access_token_lives_fifteen_minutes(client, sign_in):
    with time_machine.travel(MOMENT, tick=False) as clock:
        token = sign_in()["access_token"]
        clock.shift(timedelta(minutes=15) - timedelta(seconds=1))
        assert me(client, token) == 200
        clock.shift(timedelta(seconds=1))
        assert me(client, token) == 401


def test_a_suspended_member_is_out_at_once(client, sign_in):
    tokens = sign_in()
    with unit_of_work() as session:
        session.execute(update(Member).values(status="suspended"))
    assert me(client, tokens["access_token"]) == 401
    refused(refresh(client, tokens["refresh_token"]))
    with pytest.raises(MemberNotActive):
        service.start_session(db.session.scalars(select(Member.member_id)).one(), MOMENT)


def test_nobody_has_no_session(app):
    with pytest.raises(MemberNotFound):
        service.start_session(new_id(), MOMENT)


def test_a_token_of_another_mode_session_or_member_is_refused(client, app):
    moment = datetime.now(UTC)
    ada, bob = service.enrol_many(2, moment=moment)
    service.start_session(ada.member_id, moment)
    session_id = the_session().session_id
    assert me(client, issue_access_token("member", ada.member_id, session_id, True)[0]) == 200
    assert me(client, issue_access_token("member", ada.member_id, session_id, False)[0]) == 401
    assert me(client, issue_access_token("member", ada.member_id, new_id(), True)[0]) == 401
    assert me(client, issue_access_token("member", bob.member_id, session_id, True)[0]) == 401


def test_a_test_member_has_a_test_session(client, app):
    moment = datetime.now(UTC)
    member = service.enrol_member(live=False, moment=moment)
    pair = service.start_session(member.member_id, moment)
    assert me(client, pair.access_token) == 200
