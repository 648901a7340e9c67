import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median
from threading import Barrier

import pyotp
import pytest
import time_machine
from sqlalchemy import select

from app.core.database import db
from app.core.ids import new_id
from app.core.tokens import issue_access_token
from app.core.unit_of_work import unit_of_work
from app.members import service as members
from app.staff import passwords, service
from app.staff.errors import EmailTaken, InvalidCredentials
from app.staff.models import StaffAccount

MOMENT = datetime(2026, 11, 23, 9, tzinfo=UTC)
PASSWORD = "a long pass phrase"
EMAIL = "ada@example.org"


@pytest.fixture
def secret(app):
    return service.create_staff(email="Ada@Example.org", name="Ada", password=PASSWORD, roles=["admin"], moment=MOMENT)[
        1
    ]


def otp(secret, moment=MOMENT):
    return pyotp.TOTP(secret).at(moment)


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06}"


def account():
    db.session.rollback()
    return db.session.scalars(select(StaffAccount)).one()


def refused(secret, moment, *, email=EMAIL, password=PASSWORD, code=None):
    with pytest.raises(InvalidCredentials):
        service.verify(email, password, code or otp(secret, moment), moment)


def test_password_and_code_open_the_door_once(client, secret):
    with time_machine.travel(MOMENT, tick=False):
        body = {"email": " ADA@example.org", "password": PASSWORD, "otp": otp(secret)}
        answer = client.post("/v1/admin/auth/tokens", json=body)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert set(answer.json) == {"access_token", "expires_in"}
        again = client.post("/v1/admin/auth/tokens", json=body)
        assert (again.status_code, again.json["code"]) == (401, "invalid_credentials")


def test_whatever_is_wrong_is_answered_alike(client, secret):
    with time_machine.travel(MOMENT, tick=False):
        good = {"email": EMAIL, "password": PASSWORD, "otp": otp(secret)}
        answers = [
            client.post("/v1/admin/auth/tokens", json=good | changes)
            for changes in ({"email": "bob@example.org"}, {"password": "another phrase"}, {"otp": wrong(good["otp"])})
        ]
        service.disable_staff(EMAIL)
        answers.append(client.post("/v1/admin/auth/tokens", json=good))
    shown = {
        (answer.status_code, answer.json["code"], answer.json["detail"], answer.headers["WWW-Authenticate"])
        for answer in answers
    }
    assert shown == {(401, "invalid_credentials", "These credentials are not valid", "Bearer")}


def test_an_unknown_account_costs_the_same_time(secret):
    def seconds(email):
        started = time.perf_counter()
        refused(secret, MOMENT, email=email, password="another phrase")
        return time.perf_counter() - started

    known = median(seconds(EMAIL) for _ in range(4))
    unknown = median(seconds("nobody@example.org") for _ in range(4))
    assert 0.4 < unknown / known < 2.5


def test_a_code_is_good_half_a_minute_around_its_time(secret):
    service.verify(EMAIL, PASSWORD, otp(secret, MOMENT - timedelta(seconds=30)), MOMENT)
    service.verify(EMAIL, PASSWORD, otp(secret, MOMENT + timedelta(seconds=30)), MOMENT)
    refused(secret, MOMENT, code=otp(secret, MOMENT))  # older than the one that was used
    refused(secret, MOMENT, code=otp(secret, MOMENT + timedelta(seconds=60)))


def test_one_code_used_at_once_opens_the_door_once(app, secret):
    start = Barrier(4)

    def attempt(number):
        with app.app_context():
            start.wait()
            try:
                service.verify(EMAIL, PASSWORD, otp(secret), MOMENT)
            except InvalidCredentials:
                return False
            return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(attempt, range(4))) == 1


def test_after_five_failures_even_the_right_credentials_wait(secret):
    for _ in range(service.FREE_ATTEMPTS):
        refused(secret, MOMENT, password="another phrase")
    assert account().locked_until == MOMENT + timedelta(seconds=30)
    later = MOMENT + timedelta(seconds=29)
    refused(secret, later)
    assert account().failed_attempts == service.FREE_ATTEMPTS
    later += timedelta(seconds=1)
    service.verify(EMAIL, PASSWORD, otp(secret, later), later)
    assert (account().failed_attempts, account().locked_until) == (0, None)


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(secret):
    moment, waits = MOMENT, []
    for _ in range(service.FREE_ATTEMPTS - 1):
        refused(secret, moment, password="another phrase")
    for _ in range(7):
        refused(secret, moment, password="another phrase")
        waits.append((account().locked_until - moment).total_seconds())
        moment = account().locked_until
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_a_wrong_code_with_the_right_password_counts_too(secret):
    for _ in range(service.FREE_ATTEMPTS):
        refused(secret, MOMENT, code=wrong(otp(secret)))
    refused(secret, MOMENT)


def test_guesses_made_at_once_are_no_more_than_five(app, secret, monkeypatch):
    checked = []
    check = passwords.check_password
    monkeypatch.setattr(
        passwords, "check_password", lambda hashed, password: checked.append(hashed) or check(hashed, password)
    )
    start = Barrier(12)

    def attempt(number):
        with app.app_context():
            start.wait()
            refused(secret, MOMENT, password=f"guess number {number}")

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(attempt, range(12)))
    assert len(checked) == 12
    assert len([hashed for hashed in checked if hashed is not None]) == service.FREE_ATTEMPTS
    assert account().failed_attempts == service.FREE_ATTEMPTS


def test_neither_password_nor_secret_is_stored_in_the_clear(secret):
    kept = account()
    assert kept.password_hash.startswith("$argon2id$")
    assert secret.encode() not in bytes(kept.totp_secret)
    assert kept.email == EMAIL


def test_a_hash_of_older_parameters_is_renewed_at_the_next_sign_in(secret):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with unit_of_work() as session:
        session.scalars(select(StaffAccount)).one().password_hash = weak
    service.verify(EMAIL, PASSWORD, otp(secret), MOMENT)
    assert not passwords.needs_rehash(account().password_hash)
    later = MOMENT + timedelta(minutes=1)
    service.verify(EMAIL, PASSWORD, otp(secret, later), later)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"otp": "12345"}, "/otp"),
        ({"otp": "１２３４５６"}, "/otp"),
        ({"otp": 123456}, "/otp"),
        ({"password": ""}, "/password"),
        ({"password": "x" * 201}, "/password"),
        ({"email": None}, "/email"),
        ({"remember": True}, "/remember"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(client, secret, changes, pointer):
    body = {"email": EMAIL, "password": PASSWORD, "otp": "123456"} | changes
    answer = client.post("/v1/admin/auth/tokens", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert account().failed_attempts == 0


def test_a_nul_in_an_email_is_refused(client, secret):
    answer = client.post("/v1/admin/auth/tokens", json={"email": "a\x00", "password": PASSWORD, "otp": "123456"})
    assert answer.status_code == 422


def test_accounts_that_do_not_fit_are_not_opened(secret):
    good = {"email": "bob@example.org", "name": "Bob", "password": PASSWORD, "roles": ["viewer"], "moment": MOMENT}
    with pytest.raises(EmailTaken):
        service.create_staff(**good | {"email": "ADA@example.org"})
    for changes in ({"roles": []}, {"roles": ["owner"]}, {"password": "short"}, {"password": "x" * 201}):
        with pytest.raises(ValueError, match=r"roles|password"):
            service.create_staff(**good | changes)
    assert account().email == EMAIL


def test_roles_are_those_of_now_and_everybody_may_view(secret):
    claims = type("Claims", (), {"subject": account().staff_id})
    assert service.authenticate(claims).grants == {"admin", "viewer"}
    with unit_of_work() as session:
        session.scalars(select(StaffAccount)).one().roles = ["finance"]
    assert service.authenticate(claims).grants == {"finance", "viewer"}


def test_a_disabled_accounts_token_stops_at_once(client, secret):
    token, _ = service.issue_token(account().staff_id)
    path = f"/v1/admin/merchants/{new_id()}/keys/{new_id()}"
    headers = {"Authorization": f"Bearer {token}"}
    assert client.delete(path, headers=headers).status_code == 404
    assert service.disable_staff("ADA@example.org") is True
    assert client.delete(path, headers=headers).status_code == 401
    assert service.disable_staff("nobody@example.org") is False


def test_staff_and_shoppers_do_not_open_each_others_doors(client, secret):
    token, _ = service.issue_token(account().staff_id)
    for path in ("/v1/me", "/v1/me/wallet"):
        answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    member = members.enrol_member(moment=datetime.now(UTC))
    pair = members.start_session(member.member_id, datetime.now(UTC))
    path = f"/v1/admin/merchants/{new_id()}/keys/{new_id()}"
    answer = client.delete(path, headers={"Authorization": f"Bearer {pair.access_token}"})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    for subject in (member.member_id, new_id()):
        forged, _ = issue_access_token("staff", subject, new_id(), True)
        assert client.delete(path, headers={"Authorization": f"Bearer {forged}"}).status_code == 401


def test_the_command_opens_and_closes_an_account(app):
    runner = app.test_cli_runner()
    options = ["staff", "create", "--email", EMAIL, "--name", "Ada", "--role", "viewer", "--password", PASSWORD]
    made = runner.invoke(args=options)
    assert made.exit_code == 0, made.output
    secret = made.output.split()[1]
    assert f"secret={secret}" in made.output
    service.verify(EMAIL, PASSWORD, otp(secret), MOMENT)
    again = runner.invoke(args=options)
    assert again.exit_code == 1
    assert "There is an account with this e-mail address" in again.output
    assert runner.invoke(args=["staff", "disable", "--email", EMAIL]).exit_code == 0
    refused(secret, MOMENT + timedelta(minutes=1))
    assert runner.invoke(args=["staff", "disable", "--email", "nobody@example.org"]).exit_code == 1
