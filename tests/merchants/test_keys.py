from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import event, select

from app.core.database import db
from app.core.errors import Unauthorized
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.merchants import service
from app.merchants.errors import KeyNotFound, MerchantKeyTaken, MerchantNotFound
from app.merchants.models import Merchant, MerchantKey
from tests.merchants.conftest import bearer


def status(client, key, path="/v1/customers/c-1"):
    return client.get(path, headers=bearer(key)).status_code


def test_a_key_says_who_calls_and_what_it_may_do(shop):
    live, test = service.authenticate(shop.key), service.authenticate(shop.test_key)
    assert (live.kind, live.id, live.live, live.key_id, live.merchant_key) == (
        "merchant", shop.id, True, shop.key_id, "shop",
    )  # fmt: skip
    assert live.grants == set(service.SCOPES)
    assert (live.max_evidence, live.default_evidence) == ("staff", "staff")
    assert test.live is False


def test_only_a_hash_of_the_key_is_kept(shop):
    assert shop.key.startswith("gp_live_")
    assert len(shop.key) == len("gp_live_") + 43
    kept = db.session.get(MerchantKey, shop.key_id)
    assert kept.last4 == shop.key[-4:]
    assert shop.key[8:].encode() not in bytes(kept.key_hash)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key + "x",
        lambda key: key[:-1],
        lambda key: key.swapcase(),
        lambda key: key.replace("live", "test"),
        lambda key: "gp_",
        lambda key: "x",
    ],
)
def test_any_other_key_is_refused(client, shop, change):
    answer = client.get("/v1/customers/c-1", headers=bearer(change(shop.key)))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_known_key_costs_no_query_and_an_unknown_one_none_either(app, shop):
    service.authenticate(shop.key)
    statements = []
    for engine in db.engines.values():
        event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for _ in range(20):
        service.authenticate(shop.key)
        with pytest.raises(Unauthorized):
            service.authenticate("gp_live_unknown")
    assert len([text for text in statements if "merchant_key" in text]) == 0
    assert len(statements) <= 1  # the versions of the configuration, twice a second


def test_a_revoked_key_is_refused_at_once(client, shop, moment):
    assert status(client, shop.key) == 404
    service.revoke_key(shop.id, shop.key_id, moment)
    assert status(client, shop.key) == 401
    assert status(client, shop.test_key) == 404
    with pytest.raises(KeyNotFound):
        service.revoke_key(shop.id, shop.key_id, moment)


def test_a_rotated_key_stays_good_for_the_overlap(client, shop, moment):
    second_id, second = service.rotate_key(shop.id, shop.key_id, overlap=timedelta(days=7), moment=moment)
    assert status(client, shop.key) == status(client, second) == 404
    made = db.session.get(MerchantKey, second_id)
    assert (made.live, made.scopes, made.expires_at) == (True, sorted(service.SCOPES), None)
    with time_machine.travel(moment + timedelta(days=7)):
        assert status(client, shop.key) == 401
        assert status(client, second) == 404
        with pytest.raises(KeyNotFound):
            service.rotate_key(shop.id, shop.key_id, overlap=timedelta(), moment=datetime.now(UTC))


def test_rotating_again_does_not_prolong_a_keys_life(shop, moment):
    service.rotate_key(shop.id, shop.key_id, overlap=timedelta(days=1), moment=moment)
    service.rotate_key(shop.id, shop.key_id, overlap=timedelta(days=30), moment=moment)
    assert db.session.get(MerchantKey, shop.key_id).expires_at == moment + timedelta(days=1)


def test_a_suspended_merchants_keys_are_refused(client, shop):
    from app.core import cache

    with unit_of_work() as session:
        session.get(Merchant, shop.id).status = "suspended"
        cache.bump("merchant_keys")
    assert status(client, shop.key) == 401


def test_a_key_without_the_scope_is_refused(client, shop, moment):
    _, narrow = service.issue_key(shop.id, live=True, scopes=["activities"], moment=moment)
    answer = client.get("/v1/customers/c-1", headers=bearer(narrow))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_what_there_is_none_of_is_refused(shop, moment):
    with pytest.raises(ValueError, match="scope"):
        service.issue_key(shop.id, live=True, scopes=["everything"], moment=moment)
    with pytest.raises(ValueError, match="grade"):
        service.issue_key(shop.id, live=True, max_evidence="certain", moment=moment)
    with pytest.raises(MerchantNotFound):
        service.issue_key(new_id(), live=True, moment=moment)
    with pytest.raises(KeyNotFound):
        service.revoke_key(new_id(), shop.key_id, moment)
    with pytest.raises(KeyNotFound):
        service.rotate_key(new_id(), shop.key_id, overlap=timedelta(), moment=moment)


def test_one_readable_name_wanted_at_once_goes_to_one_merchant(app, moment):
    def attempt(number):
        with app.app_context():
            try:
                service.create_merchant(key="shop", name="Shop", time_zone="UTC", currency="EUR", moment=moment)
            except MerchantKeyTaken:
                return False
            return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(attempt, range(6))) == 1
    found = service.find_merchant_by_key("shop")
    assert service.get_merchant(found.merchant_id) == found
    assert service.find_merchant_by_key("another") is None
    with pytest.raises(MerchantNotFound):
        service.get_merchant(new_id())


def test_an_admin_makes_a_key_that_is_shown_once_and_ends_it(client, shop, staff_token):
    admin = bearer(staff_token("admin"))
    path = f"/v1/admin/merchants/{shop.id}/keys"
    body = {"label": "web shop", "live": True, "scopes": ["customers", "activities", "customers"]}
    answer = client.post(path, json=body, headers=admin)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json
    assert (made["scopes"], made["max_evidence"], made["label"]) == (["activities", "customers"], "staff", "web shop")
    assert made["last4"] == made["key"][-4:]
    assert status(client, made["key"]) == 404
    assert client.delete(f"{path}/{made['key_id']}", headers=admin).status_code == 204
    assert status(client, made["key"]) == 401
    assert client.delete(f"{path}/{made['key_id']}", headers=admin).json["code"] == "key_not_found"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"live": "yes"}, "/live"),
        ({"label": ""}, "/label"),
        ({"max_evidence": "certain"}, "/max_evidence"),
        ({"merchant_id": "x"}, "/merchant_id"),
    ],
)
def test_a_key_that_does_not_fit_is_not_made(client, shop, staff_token, changes, pointer):
    body = {"label": "web shop", "live": True, "scopes": ["activities"]} | changes
    path = f"/v1/admin/merchants/{shop.id}/keys"
    answer = client.post(path, json=body, headers=bearer(staff_token("admin")))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert len(db.session.scalars(select(MerchantKey.key_id)).all()) == 2


def test_keys_are_for_admins_alone(client, shop, staff_token, member_token):
    path = f"/v1/admin/merchants/{shop.id}/keys"
    body = {"label": "web shop", "live": True, "scopes": ["activities"]}
    others = staff_token("viewer", "support", "editor", "approver", "finance", "authority")
    for token in (others, member_token, shop.key):
        assert client.post(path, json=body, headers=bearer(token)).status_code == 403
        assert client.delete(f"{path}/{shop.key_id}", headers=bearer(token)).status_code == 403
    assert client.post(path, json=body).status_code == 401
    answer = client.post(
        f"/v1/admin/merchants/{new_id()}/keys", json=body, headers=bearer(staff_token("admin", "viewer"))
    )
    assert (answer.status_code, answer.json["code"]) == (404, "merchant_not_found")
