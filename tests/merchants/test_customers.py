import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy

from app.core.codes import format_code
from app.core.database import db
from app.core.ids import new_id
from app.members import service as members
from app.merchants import service
from app.merchants.models import CustomerLink
from tests.merchants.conftest import bearer

PATH = "/v1/customers/customer-17850"


def put(client, key, code, path=PATH):
    return client.put(path, json={"member_code": code}, headers=bearer(key))


def test_a_customer_is_linked_read_and_forgotten(client, shop, member):
    answer = put(client, shop.key, member.code)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.json["ref"], answer.json["member_id"]) == ("customer-17850", str(member.member_id))
    read = client.get(PATH, headers=bearer(shop.key))
    assert (read.status_code, read.json, read.headers["Cache-Control"]) == (200, answer.json, "no-store")
    assert client.delete(PATH, headers=bearer(shop.key)).status_code == 204
    for method in (client.get, client.delete):
        gone = method(PATH, headers=bearer(shop.key))
        assert (gone.status_code, gone.json["code"]) == (404, "customer_not_found")


def test_linking_again_changes_nothing(client, shop, member):
    first = put(client, shop.key, member.code)
    again = put(client, shop.key, format_code(member.code).lower())
    assert (again.status_code, again.json) == (200, first.json)


def test_another_code_takes_the_place_of_the_first(client, shop, member, moment):
    put(client, shop.key, member.code)
    other = members.enrol_member(moment=moment)
    answer = put(client, shop.key, other.code)
    assert (answer.status_code, answer.json["member_id"]) == (200, str(other.member_id))


def test_a_code_of_nobody_links_nobody(client, shop, member):
    last = "0" if member.code[-1] != "0" else "1"
    for code in ("000000000", "nonsense", member.code[:-1] + last, "\u2603"):
        answer = put(client, shop.key, code)
        assert (answer.status_code, answer.json["code"]) == (404, "member_not_found")
    assert client.get(PATH, headers=bearer(shop.key)).status_code == 404


def test_live_and_test_see_nothing_of_each_other(client, shop, member, moment):
    fake = members.enrol_member(live=False, moment=moment)
    assert put(client, shop.test_key, member.code).status_code == 404
    assert put(client, shop.key, fake.code).status_code == 404
    assert put(client, shop.test_key, fake.code).status_code == 201
    assert client.get(PATH, headers=bearer(shop.key)).status_code == 404
    assert put(client, shop.key, member.code).status_code == 201
    client.delete(PATH, headers=bearer(shop.test_key))
    assert client.get(PATH, headers=bearer(shop.key)).status_code == 200


def test_merchants_see_nothing_of_each_other(client, shop, member, moment):
    other = service.create_merchant(key="other", name="Other", time_zone="UTC", currency="EUR", moment=moment)
    _, key = service.issue_key(other.merchant_id, live=True, moment=moment)
    put(client, shop.key, member.code)
    assert client.get(PATH, headers=bearer(key)).status_code == 404
    assert service.linked_members(shop.id, True, [member.member_id]) == {member.member_id}
    assert service.linked_members(other.merchant_id, True, [member.member_id]) == set()
    assert service.linked_members(shop.id, False, [member.member_id]) == set()


@pytest.mark.parametrize("ref", ["a b", "a%2Fb", "ä", "a" * 65, "a%0A", "a%00"])
def test_a_reference_that_does_not_fit_is_refused(client, shop, member, ref):
    answer = put(client, shop.key, member.code, f"/v1/customers/{ref}")
    assert answer.status_code in (404, 422)
    assert answer.mimetype == "application/problem+json"
    assert db.session.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(CustomerLink)) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"member_code": None},
        {"member_code": 7},
        {"member_code": "x" * 41},
        {"member_code": "7ZK3QF92M", "member_id": "x"},
    ],
)
def test_a_body_that_does_not_fit_is_refused(client, shop, body):
    assert client.put(PATH, json=body, headers=bearer(shop.key)).status_code == 422


def test_only_merchants_come_here(client, shop, member, member_token, staff_token):
    for token, expected in ((member_token, 403), (staff_token("admin"), 403)):
        answer = put(client, token, member.code)
        assert (answer.status_code, answer.json["code"]) == (expected, "forbidden")
    assert client.put(PATH, json={"member_code": member.code}).status_code == 401
    for header in ("Basic YTpi", "Bearer", "Bearer  ", "gp_live_x", "Bearer " + "x" * 5000):
        assert client.get(PATH, headers={"Authorization": header}).status_code == 401
    assert client.get("/v1/me", headers=bearer(shop.key)).status_code == 403


def test_one_reference_linked_at_once_is_linked_once(app, shop, moment):
    people = members.enrol_many(6, moment=moment)

    def attempt(person):
        with app.app_context():
            return service.link_customer(shop.id, True, "c-1", person.code, moment)[0].member_id

    with ThreadPoolExecutor(6) as threads:
        linked = list(threads.map(attempt, people))
    assert service.get_customer(shop.id, True, "c-1").member_id in linked


def test_the_demo_links_its_households_quickly(shop, moment):
    people = members.enrol_many(2469, moment=moment)
    links = [(f"customer-{number}", person.member_id) for number, person in enumerate(people)]
    started = time.perf_counter()
    service.link_customers(shop.id, True, links, moment)
    assert time.perf_counter() - started < 2
    found = service.ids_by_ref(shop.id, True, ["customer-0", "customer-2468", "nobody"])
    assert found == {"customer-0": people[0].member_id, "customer-2468": people[-1].member_id}
    later = moment + timedelta(days=1)
    service.link_customers(shop.id, True, links, later)
    assert service.get_customer(shop.id, True, "customer-7").linked_at == moment


def test_a_link_with_nobody_is_an_error(shop, moment):
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        service.link_customers(shop.id, True, [("c-1", new_id())], moment)
    service.link_customers(shop.id, True, [], moment)
    assert service.ids_by_ref(shop.id, True, []) == {}
