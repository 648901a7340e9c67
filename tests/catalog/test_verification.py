"""Staff look certificates up; what a merchant changes afterwards waits to be looked up again."""

import pytest

from tests import world
from tests.answers import assert_problem
from tests.catalog.documents import GTIN, certificate, product


@pytest.fixture
def editor(shop):
    return world.make_staff("editor")


@pytest.fixture
def put(client, shop):
    """A function that names a product and returns its id."""

    def send(body, sku="A-1", headers=None):
        answer = client.put(f"/v1/products/{sku}", json=body, headers=headers or shop.live)
        assert answer.status_code in (200, 201), answer.text
        return answer.json["id"]

    return send


@pytest.fixture
def read(client, editor):
    """A function that returns a product as staff see it, and its tag."""

    def send(product_id):
        answer = client.get(f"/v1/admin/products/{product_id}", headers=editor.headers)
        assert answer.status_code == 200, answer.text
        return answer.json, answer.headers["ETag"]

    return send


@pytest.fixture
def check(client, editor, read):
    """A function that verifies or rejects a certificate in the state that staff see."""

    def send(product_id, verb="verify", body=None, code="EU_ORGANIC", tag=None, headers=None):
        tag = read(product_id)[1] if tag is None else tag
        if body is None:
            body = {"reason": "Looked it up"}
        address = f"/v1/admin/products/{product_id}/certificates/{code}/{verb}"
        return client.post(address, json=body, headers=(headers or editor.headers) | {"If-Match": tag})

    return send


def of_merchant(client, shop, sku="A-1"):
    return client.get(f"/v1/products/{sku}", headers=shop.live).json["certificates"]


def test_what_staff_verify_is_shown_to_both_and_audited(client, shop, put, read, check, editor):
    product_id = put(product())
    before, tag = read(product_id)
    assert before["merchant"] == {"id": str(shop.merchant_id), "key": shop.key}
    answer = check(product_id)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] != tag
    [held] = answer.json["certificates"]
    assert (held["verification"], held["reason"]) == ("verified", "Looked it up")
    assert held["checked_by"] == str(editor.staff_id)
    assert held["verified_at"] == held["checked_at"] is not None
    [seen] = of_merchant(client, shop)
    assert (seen["verification"], seen["verified_at"]) == ("verified", held["verified_at"])
    admin = world.make_staff("admin")
    entry = client.get("/v1/admin/audit", headers=admin.headers).json["data"][0]
    assert (entry["action"], entry["staff"]["id"]) == ("product_certificate.verified", str(editor.staff_id))
    assert (entry["before"]["verification"], entry["after"]["verification"]) == ("unverified", "verified")


def test_a_state_that_has_changed_since_is_not_verified(put, read, check, client, editor):
    product_id = put(product())
    tag = read(product_id)[1]
    put(product(certificates=[certificate(number="DE-ÖKO-002")]))
    assert_problem(check(product_id, tag=tag), 412, "precondition_failed")
    address = f"/v1/admin/products/{product_id}/certificates/EU_ORGANIC/verify"
    assert_problem(client.post(address, headers=editor.headers), 428, "precondition_required")
    assert check(product_id).json["certificates"][0]["number"] == "DE-ÖKO-002"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "DE-ÖKO-002"}, {"number": None}, {"holder": "Somebody else"}, {"valid_from": "2021-01-01"},
        {"valid_to": "2058-12-31"}, {"valid_to": None}, {"link": None}, {"number": "DE-ÖKO-001 "},
    ],
)  # fmt: skip
def test_any_change_of_a_verified_certificate_drops_the_verification(client, shop, put, check, changes):
    check(put(product()))
    put(product(category="roots", names={"en": "Roots"}))
    assert of_merchant(client, shop)[0]["verification"] == "verified"
    put(product(certificates=[certificate(**changes)]))
    [held] = of_merchant(client, shop)
    assert (held["verification"], held["verified_at"], held["reason"]) == ("unverified", None, None)
    admin = world.make_staff("admin")
    newest = client.get("/v1/admin/audit", headers=admin.headers).json["data"][0]
    assert (newest["action"], newest["staff"]) == ("product_certificate.changed", None)
    assert newest["after"]["merchant"] == shop.key


def test_a_grade_that_changes_drops_it_too(client, shop, put, check):
    green = certificate(code="CN_GREEN_FOOD", number="GF 320583", grade="A")
    check(put(product(certificates=[green])), code="CN_GREEN_FOOD")
    put(product(certificates=[green | {"grade": "AA"}]))
    assert of_merchant(client, shop)[0]["verification"] == "unverified"


def test_a_verified_certificate_that_was_taken_off_comes_back_unverified(client, shop, put, check):
    check(put(product()))
    put(product(certificates=[]))
    put(product())
    assert of_merchant(client, shop)[0]["verification"] == "unverified"


def test_a_rejected_one_stays_rejected_whatever_its_merchant_does_but_for_another_number(client, shop, put, check):
    product_id = put(product())
    answer = check(product_id, "reject", {"reason": "Not in the register"})
    assert answer.json["certificates"][0]["verification"] == "rejected"
    [held] = of_merchant(client, shop)
    assert (held["verification"], held["reason"], held["verified_at"]) == ("rejected", "Not in the register", None)
    put(product(certificates=[certificate(holder="Somebody else", number=" de-öko-001")]))
    assert of_merchant(client, shop)[0]["verification"] == "rejected"
    put(product(certificates=[]))
    assert of_merchant(client, shop) == []
    put(product())
    assert of_merchant(client, shop)[0]["verification"] == "rejected"
    client.delete("/v1/products/A-1", headers=shop.live)
    put(product())
    assert of_merchant(client, shop)[0]["verification"] == "rejected"
    put(product(certificates=[certificate(number="DE-ÖKO-002")]))
    assert of_merchant(client, shop)[0]["verification"] == "unverified"


def test_staff_can_change_their_mind(put, check):
    product_id = put(product())
    for verb, state in (("reject", "rejected"), ("verify", "verified"), ("reject", "rejected")):
        assert check(product_id, verb).json["certificates"][0]["verification"] == state


def test_what_is_not_there_or_has_no_number_is_not_verified(put, check, shop):
    product_id = put(product(certificates=[certificate(number=None)]))
    assert_problem(check(product_id), 409, "certificate_without_number")
    assert_problem(check(product_id, code="FSC"), 404, "certificate_not_found")
    assert check(product_id, "reject").status_code == 200
    nobody = "019ab0c2-7f32-7d5a-9c74-8b4d0a3f6e32"
    assert_problem(check(nobody, tag='"1"'), 404, "product_not_found")
    assert_problem(check(product_id, "reject", {}), 422, "validation_failed", "/reason")
    taken_off = put(product(certificates=[]))
    assert_problem(check(taken_off), 404, "certificate_not_found")


def test_what_a_merchants_certificate_says_is_the_merchants_to_say(put, check):
    product_id = put(product())
    found = {"reason": "Looked it up", "number": "DE-ÖKO-002"}
    assert_problem(check(product_id, body=found), 422, "validation_failed", "/number")


def test_who_may_look_and_who_may_verify(client, put, check, shop):
    product_id = put(product())
    for role, status in (("support", 403), ("finance", 403), ("approver", 200), ("admin", 200), ("editor", 200)):
        headers = world.make_staff(role).headers
        assert client.get(f"/v1/admin/products/{product_id}", headers=headers).status_code == 200
        assert check(product_id, headers=headers).status_code == status, role


def test_staff_find_products_by_what_they_ask(client, put, check, shop, editor):
    other = world.make_shop("other-shop")
    fair = certificate(code="FAIRTRADE", number="FLO 1")
    ids = {
        "verified": put(product(), "A-1"),
        "waits": put(product(gtin=None, certificates=[certificate(), fair]), "A-2"),
        "label": put(product(gtin=None, certificates=[certificate(number=None)]), "A-3"),
        "test": put(product(), "A-1", shop.test),
        "other": put(product(gtin=None), "A-1", other.live),
        "rejected": put(product(gtin=None, certificates=[fair]), "A-5"),
        "gone": put(product(), "A-6"),
    }
    check(ids["verified"])
    check(ids["rejected"], "reject", code="FAIRTRADE")
    client.delete("/v1/products/A-6", headers=shop.live)
    names = {product_id: name for name, product_id in ids.items()}

    def found(**query):
        answer = client.get("/v1/admin/products", query_string=query, headers=editor.headers)
        assert answer.status_code == 200, answer.text
        return [names[entry["id"]] for entry in answer.json["data"]]

    everything = ["rejected", "other", "test", "label", "waits", "verified"]
    assert found() == everything
    assert found(merchant=other.key) == found(merchant=str(other.merchant_id)) == ["other"]
    assert found(merchant="nobody") == []
    assert found(mode="test") == ["test"]
    assert found(gtin=GTIN) == ["test", "verified"]
    assert found(certification="FAIRTRADE") == ["rejected", "waits"]
    assert found(verification="unverified") == ["other", "test", "waits"]
    assert found(verification="verified") == ["verified"]
    assert found(verification="rejected", certification="FAIRTRADE") == ["rejected"]
    assert found(verification="unverified", certification="FAIRTRADE", merchant=shop.key) == ["waits"]
    first = client.get("/v1/admin/products?limit=4", headers=editor.headers).json
    rest = client.get(f"/v1/admin/products?limit=4&cursor={first['next_cursor']}", headers=editor.headers).json
    assert [names[entry["id"]] for entry in first["data"] + rest["data"]] == everything
    stolen = client.get(f"/v1/admin/products?cursor={first['next_cursor']}&mode=live", headers=editor.headers)
    assert_problem(stolen, 400, "invalid_cursor")
    assert client.get(f"/v1/admin/products/{ids['gone']}", headers=editor.headers).json["withdrawn_at"] is not None
