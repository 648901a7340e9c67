import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from sqlalchemy import func, select

from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.members import service
from app.members.errors import InvalidCode
from app.members.models import Member, MemberAddress, MemberSession, SignInCode
from app.members.service.sign_in import TRIES_MAX, window_length
from tests.members.conftest import bearer, wrong

ADA = "ada@example.org"
MOMENT = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(MOMENT, tick=False) as traveller:
        yield traveller


def guess(client, code, address=ADA):
    return client.post("/v1/auth/tokens", json={"address": address, "code": code})


def count(model):
    return db.session.scalar(select(func.count()).select_from(model))


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_code"), answer.json
    assert "WWW-Authenticate" in answer.headers


def test_the_first_sign_in_enrols_and_the_second_finds_the_member(client, sign_in):
    first, second = sign_in(), sign_in()
    assert (first["created"], second["created"]) == (True, False)
    assert first["member"] == second["member"]
    assert first["expires_in"] == 900
    answer = client.get("/v1/me", headers=bearer(first["access_token"]))
    assert answer.json == first["member"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_one_person_is_known_however_the_address_is_written(client, ask, mailbox):
    ask("ada@example.org")
    client.post("/v1/auth/codes", json={"channel": "email", "address": " Ada@EXAMPLE.org "})
    code = mailbox("ada@example.org")[-1]["code"]
    assert guess(client, code, "ADA@example.ORG").status_code == 200
    assert count(MemberAddress) == 1


def test_a_phone_number_gets_a_text_message(client, mailbox):
    client.post("/v1/auth/codes", json={"channel": "sms", "address": "+49 (30) 123-456"})
    (message,) = mailbox("+4930123456")
    assert message["channel"] == "sms"
    assert guess(client, message["code"], "+4930123456").json["created"] is True


def test_a_code_has_six_digits_and_is_stored_as_a_keyed_hash_alone(ask):
    code = ask()
    assert re.fullmatch("[0-9]{6}", code)
    row = db.session.scalars(select(SignInCode)).one()
    assert len(row.code_hash) == 32
    assert code.encode() not in bytes(row.code_hash)


def test_a_code_is_used_once(client, ask):
    code = ask()
    assert guess(client, code).status_code == 200
    refused(guess(client, code))


def test_a_code_lives_ten_minutes(client, ask, clock):
    code = ask()
    clock.shift(timedelta(minutes=10) - timedelta(seconds=1))
    kept = ask("bob@example.org")
    assert guess(client, code).status_code == 200
    clock.shift(timedelta(minutes=10))
    refused(guess(client, kept, "bob@example.org"))


def test_a_new_code_voids_the_one_before(client, ask):
    first, second = ask(), ask()
    if first != second:
        refused(guess(client, first))
    assert guess(client, second).status_code == 200


def test_a_code_is_good_for_its_own_address_alone(client, ask):
    code = ask()
    ask("bob@example.org")
    if code != ask("bob@example.org"):
        refused(guess(client, code, "bob@example.org"))


def test_after_five_wrong_tries_the_right_code_is_refused_too(client, ask):
    code = ask()
    for _ in range(TRIES_MAX):
        refused(guess(client, wrong(code)))
    refused(guess(client, code))
    assert count(Member) == 0


def test_four_wrong_tries_do_no_harm(client, ask):
    code = ask()
    for _ in range(TRIES_MAX - 1):
        refused(guess(client, wrong(code)))
    assert guess(client, code).status_code == 200


def test_a_resend_brings_no_new_tries_and_no_longer_wait(client, ask, mailbox, clock):
    code = ask()
    for _ in range(3):
        refused(guess(client, wrong(code)))
    clock.shift(timedelta(minutes=5))
    code = ask()
    for _ in range(2):
        refused(guess(client, wrong(code)))
    refused(guess(client, code))
    clock.shift(timedelta(minutes=6))  # the first code is over, the second is not
    assert ask() is None
    assert "after 2026-11-23T09:15:00Z" in mailbox(ADA)[-1]["text"]
    refused(guess(client, code))
    clock.shift(timedelta(minutes=4))
    assert guess(client, ask()).status_code == 200


def test_the_wait_doubles_with_each_five_failures_up_to_an_hour(client, ask, clock):
    minutes = [window_length(failures) // timedelta(minutes=1) for failures in (0, 4, 5, 9, 10, 15, 1000)]
    assert minutes == [10, 10, 20, 20, 40, 60, 60]
    for wait in (10, 20, 40):
        code = ask()
        for _ in range(TRIES_MAX):
            refused(guess(client, wrong(code)))
        clock.shift(timedelta(minutes=wait) - timedelta(seconds=1))
        assert ask() is None
        clock.shift(timedelta(seconds=1))
    assert guess(client, ask()).status_code == 200
    assert db.session.scalars(select(SignInCode.failures)).one() == 0


def test_a_patient_guesser_gets_about_five_tries_an_hour(app):
    tries = 0
    for step in range(24 * 6):
        moment = MOMENT + step * timedelta(minutes=10)
        service.request_code(ADA, moment)
        for _ in range(TRIES_MAX + 1):
            with pytest.raises(InvalidCode):
                service.sign_in(ADA, "no code", moment)
        tries = db.session.scalars(select(SignInCode.failures)).one()
        db.session.rollback()
    assert 5 * 24 <= tries + 10 <= 5 * 24 + 20


@pytest.mark.parametrize("thread_count", [16])
def test_guesses_made_at_once_are_no_more_than_five(app, thread_count):
    moment = datetime.now(UTC)
    service.request_code(ADA, moment)
    start = Barrier(thread_count)

    def attempt(number):
        with app.app_context():
            start.wait()
            with pytest.raises(InvalidCode):
                service.sign_in(ADA, "no code", moment)

    with ThreadPoolExecutor(thread_count) as threads:
        list(threads.map(attempt, range(thread_count)))
    row = db.session.scalars(select(SignInCode)).one()
    assert (row.tries, row.failures) == (TRIES_MAX, TRIES_MAX)


def test_the_right_code_used_at_once_from_many_threads_signs_in_once(app, mailbox):
    moment = datetime.now(UTC)
    service.request_code(ADA, moment)
    code = mailbox(ADA)[-1]["code"]
    start = Barrier(5)

    def attempt(number):
        with app.app_context():
            start.wait()
            try:
                return service.sign_in(ADA, code, moment)
            except InvalidCode:
                return None

    with ThreadPoolExecutor(5) as threads:
        results = list(threads.map(attempt, range(5)))
    assert len([result for result in results if result]) == 1
    assert (count(Member), count(MemberSession)) == (1, 1)


def test_a_wrong_try_stays_counted_although_the_request_is_refused(client, ask):
    refused(guess(client, wrong(ask())))
    assert db.session.scalars(select(SignInCode.tries)).one() == 1


def test_a_suspended_member_is_told_so_after_the_right_code_alone(client, sign_in, ask):
    sign_in()
    with unit_of_work() as session:
        session.scalars(select(Member)).one().status = "suspended"
    code = ask()
    refused(guess(client, wrong(code)))
    answer = guess(client, code)
    assert (answer.status_code, answer.json["code"]) == (403, "member_not_active")
    refused(guess(client, code))


def test_known_and_unknown_addresses_are_answered_alike(client, sign_in, mailbox):
    sign_in()
    answers = [
        client.post("/v1/auth/codes", json={"channel": "email", "address": address})
        for address in (ADA, "nobody@example.org")
    ]
    shown = [
        (answer.status_code, answer.data, sorted(set(answer.headers.keys()) - {"X-Request-Id"})) for answer in answers
    ]
    assert shown[0] == shown[1]
    texts = [re.sub("[0-9]{6}", "", mailbox(address)[-1]["text"]) for address in (ADA, "nobody@example.org")]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("channel", "address", "pointer"),
    [
        ("email", "ada", "/address"),
        ("email", "ada@", "/address"),
        ("email", "ada@localhost", "/address"),
        ("email", "a" * 65 + "@example.org", "/address"),
        ("email", "ada@example.org\r\nBcc: eve@example.org", "/address"),
        ("email", "ada@ex\u0000ample.org", "/address"),
        ("email", "+4930123456", "/address"),
        ("sms", "ada@example.org", "/address"),
        ("sms", "030123456", "/address"),
        ("sms", "+49", "/address"),
        ("sms", "+٤٩٣٠١٢٣٤٥٦", "/address"),
        ("pigeon", "ada@example.org", "/channel"),
        ("email", 7, "/address"),
        ("email", "", "/address"),
    ],
)
def test_what_is_no_address_is_refused_and_nothing_is_stored(client, channel, address, pointer):
    answer = client.post("/v1/auth/codes", json={"channel": channel, "address": address})
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert count(SignInCode) == 0


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "１２３４５６", "123456\n", 123456, None, ""])
def test_what_is_no_code_is_refused_without_costing_a_try(client, ask, code):
    ask()
    answer = guess(client, code)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/code"
    assert db.session.scalars(select(SignInCode.tries)).one() == 0


def test_domains_are_compared_in_ascii():
    from app.members.addresses import normalise_address

    assert normalise_address("ada@bücher.example") == normalise_address("ADA@XN--BCHER-KVA.example")
    assert normalise_address("Ada.L+x@Example.org") == ("email", "ada.l+x@example.org")
    assert normalise_address("+49 30.123-456") == ("sms", "+4930123456")


def test_old_codes_and_sessions_are_forgotten_a_day_after_their_end(sign_in, clock):
    sign_in()
    nothing = {"sessions": 0, "sign_in_codes": 0, "household_invites": 0}
    assert service.forget_old(MOMENT + timedelta(hours=24)) == nothing
    assert service.forget_old(MOMENT + timedelta(days=2)) == nothing | {"sign_in_codes": 1}
    assert service.forget_old(MOMENT + timedelta(days=62)) == nothing | {"sessions": 1}
