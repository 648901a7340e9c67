from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import select

from app.core.database import db
from app.members import service
from app.members.errors import AliasTaken
from app.members.models import Member, MemberAlias
from tests.members.conftest import bearer

MOMENT = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def patch(client, sign_in):
    """A function that changes one's own profile by HTTP; Ada's, if nobody is named."""
    tokens = {}

    def change(body, address="ada@example.org"):
        if address not in tokens:
            tokens[address] = sign_in(address)["access_token"]
        return client.patch("/v1/me", json=body, headers=bearer(tokens[address]))

    return change


def test_a_new_profile_holds_what_is_known_and_no_more(sign_in):
    member = sign_in()["member"]
    assert {name: member[name] for name in ("alias", "locale", "region", "time_zone", "birth_date", "consents")} == {
        "alias": None, "locale": "en", "region": None, "time_zone": None, "birth_date": None,
        "consents": {"leaderboard": False, "score": False},
    }  # fmt: skip


def test_a_change_touches_what_it_names(patch):
    whole = {
        "alias": "Green Ada", "locale": "zh-Hans-CN", "region": "DE-BE", "time_zone": "Europe/Berlin",
        "birth_date": "1990-04-30", "consents": {"leaderboard": True},
    }  # fmt: skip
    answer = patch(whole)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json | whole | {"consents": {"leaderboard": True, "score": False}} == answer.json
    assert patch({"region": "FR"}).json == answer.json | {"region": "FR"}
    assert patch({}).json == answer.json | {"region": "FR"}
    cleared = patch({"alias": None, "region": None, "time_zone": None, "birth_date": None}).json
    assert [cleared[name] for name in ("alias", "region", "time_zone", "birth_date")] == [None] * 4


def test_a_consent_keeps_its_moment_until_it_is_withdrawn(app):
    member_id = service.enrol_member(moment=MOMENT).member_id
    service.change_profile(member_id, {"consents": {"score": True}}, MOMENT)
    service.change_profile(member_id, {"consents": {"score": True}}, MOMENT.replace(hour=12))
    assert db.session.get(Member, member_id).score_consent_at == MOMENT
    assert service.change_profile(member_id, {"consents": {"score": False}}, MOMENT).has_score_consent is False


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"locale": "english"}, "/locale"),
        ({"locale": "DE"}, "/locale"),
        ({"locale": "de_DE"}, "/locale"),
        ({"locale": "de\n"}, "/locale"),
        ({"locale": None}, "/locale"),
        ({"region": "Berlin"}, "/region"),
        ({"region": "de"}, "/region"),
        ({"region": "DE-BERLIN"}, "/region"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"time_zone": ""}, "/time_zone"),
        ({"birth_date": "2099-01-01"}, "/birth_date"),
        ({"birth_date": "1899-12-31"}, "/birth_date"),
        ({"birth_date": "1990-02-30"}, "/birth_date"),
        ({"birth_date": "19900430"}, "/birth_date"),
        ({"birth_date": 19900430}, "/birth_date"),
        ({"birth_date": "1990-W18-1"}, "/birth_date"),
        ({"alias": "ab"}, "/alias"),
        ({"alias": "a" * 25}, "/alias"),
        ({"alias": " Ada"}, "/alias"),
        ({"alias": "Ada  Green"}, "/alias"),
        ({"alias": "<b>Ada</b>"}, "/alias"),
        ({"alias": "Ada\u202egreen"}, "/alias"),
        ({"alias": "Ad\u200ba"}, "/alias"),
        ({"alias": "..."}, "/alias"),
        ({"alias": 123}, "/alias"),
        ({"consents": {"leaderboard": "yes"}}, "/consents/leaderboard"),
        ({"consents": {"leaderboard": 1}}, "/consents/leaderboard"),
        ({"consents": {"marketing": True}}, "/consents/marketing"),
        ({"consents": None}, "/consents"),
        ({"code": "7ZK3QF92M"}, "/code"),
        ({"tier": "forest"}, "/tier"),
        ({"id": "x"}, "/id"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(patch, body, pointer):
    answer = patch(body | {"region": "FR"} if "region" not in body else body)
    assert answer.status_code == 422, answer.json
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert patch({}).json["region"] is None


@pytest.mark.parametrize("other", ["green ada", "GREEN-ADA", "Green.Ada", "ＧＲＥＥＮ ＡＤＡ", "GreenAda"])
def test_nobody_else_can_take_an_alias_that_looks_the_same(patch, other):
    assert patch({"alias": "Green Ada"}).status_code == 200
    answer = patch({"alias": other, "region": "FR"}, "bob@example.org")
    assert (answer.status_code, answer.json["code"]) == (409, "alias_taken")
    assert patch({}, "bob@example.org").json["region"] is None
    assert patch({"alias": other}).json["alias"] == other


def test_an_alias_that_was_given_up_is_free(patch):
    patch({"alias": "Green Ada"})
    patch({"alias": "Blue Ada"})
    assert patch({"alias": "Green Ada"}, "bob@example.org").status_code == 200
    patch({"alias": None})
    assert patch({"alias": "Blue Ada"}, "bob@example.org").status_code == 200
    assert db.session.scalars(select(MemberAlias.alias_key)).all() == ["blueada"]


def test_one_alias_wanted_at_once_goes_to_one(app):
    members = service.enrol_many(6, moment=MOMENT)
    start = Barrier(6)

    def attempt(member):
        with app.app_context():
            start.wait()
            try:
                service.change_profile(member.member_id, {"alias": "Green Ada"}, MOMENT)
            except AliasTaken:
                return False
            return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(attempt, members)) == 1
    assert len(db.session.scalars(select(Member.alias).where(Member.alias.is_not(None))).all()) == 1


@pytest.mark.parametrize(("header", "locale"), [("de-DE,de;q=0.9", "de-DE"), ("xx-nonsense-1", "en"), ("*", "en")])
def test_a_new_member_speaks_the_language_of_the_app(client, ask, header, locale):
    body = {"address": "ada@example.org", "code": ask()}
    answer = client.post("/v1/auth/tokens", json=body, headers={"Accept-Language": header})
    assert answer.json["member"]["locale"] == locale
