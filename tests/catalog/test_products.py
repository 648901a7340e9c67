"""Merchants name their products: upserted whole, each merchant's and mode's own, refused where they name nothing."""

import pytest
from sqlalchemy import select

from app.core.database import db
from app.staff.models import AuditEntry
from tests import world
from tests.answers import assert_problem, check_problem
from tests.catalog.documents import GTIN_14, certificate, product

DERIVED = {"id", "sku", "updated_at"}


@pytest.fixture
def put(client, shop):
    """A function that names a product."""
    return lambda body, sku="A-1", headers=None: client.put(
        f"/v1/products/{sku}", json=body, headers=headers or shop.live
    )


@pytest.fixture
def get(client, shop):
    return lambda sku="A-1", headers=None: client.get(f"/v1/products/{sku}", headers=headers or shop.live)


def stated(answer):
    """Return what was stated of an answer's product."""
    kept = {name: value for name, value in answer.items() if name not in DERIVED}
    found = {"verification", "verified_at", "reason"}
    kept["certificates"] = [
        {name: value for name, value in held.items() if name not in found} for held in kept["certificates"]
    ]
    return kept


def test_a_product_is_kept_as_it_was_sent(put, get):
    answer = put(product())
    assert answer.status_code == 201, answer.text
    assert stated(answer.json) == product(gtin=GTIN_14)
    assert answer.json["certificates"][0]["verification"] == "unverified"
    assert get().json == answer.json


def test_the_same_again_changes_nothing_and_less_takes_away(put, get):
    first = put(product()).json
    again = put(product())
    assert (again.status_code, again.json) == (200, first)
    changed = put({"names": {"de": "Möhren"}})
    assert changed.status_code == 200
    assert changed.json["updated_at"] > first["updated_at"]
    assert changed.json["id"] == first["id"]
    assert stated(changed.json) == {
        "gtin": None, "names": {"de": "Möhren"}, "category": None, "packaging": [], "certificates": [],
    }  # fmt: skip
    assert get().json == changed.json


def test_a_withdrawn_product_is_gone_until_it_is_named_again(put, get, client, shop):
    first = put(product()).json
    assert client.delete("/v1/products/A-1", headers=shop.live).status_code == 204
    assert_problem(get(), 404, "product_not_found")
    assert_problem(client.delete("/v1/products/A-1", headers=shop.live), 404, "product_not_found")
    assert client.get("/v1/products", headers=shop.live).json["data"] == []
    again = put(product())
    assert (again.status_code, again.json["id"]) == (201, first["id"])


def test_each_merchant_and_each_mode_has_its_own(put, get, client, shop):
    other = world.make_shop("other-shop")
    mine = put(product()).json
    for headers in (shop.test, other.live):
        assert_problem(get(headers=headers), 404, "product_not_found")
        made = put(product(category="bakery"), headers=headers)
        assert made.status_code == 201
        assert made.json["id"] != mine["id"]
    assert get().json == mine
    assert client.delete("/v1/products/A-1", headers=other.live).status_code == 204
    assert get().json == mine


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"gtin": "4006381333932"}, "/gtin"),
        ({"gtin": "40063813339"}, "/gtin"),
        ({"gtin": 4006381333931}, "/gtin"),
        ({"names": {"English": "Carrots"}}, "/names/English/key"),
        ({"names": {"en": ""}}, "/names/en/value"),
        ({"names": {f"a{chr(97 + n // 26)}{chr(97 + n % 26)}": "x" for n in range(51)}}, "/names"),
        ({"packaging": ["BOX"]}, "/packaging/0"),
        ({"packaging": ["UNPACKED", "REUSABLE_BOX"]}, "/packaging/1"),
        ({"certificates": [certificate(code="GREEN")]}, "/certificates/0/code"),
        ({"certificates": [certificate(), certificate(number="DE-ÖKO-002")]}, "/certificates/1/code"),
        ({"certificates": [certificate(number="applied for")]}, "/certificates/0/number"),
        ({"certificates": [certificate(code="FAIRTRADE", number="yes")]}, "/certificates/0/number"),
        ({"certificates": [certificate(grade="A")]}, "/certificates/0/grade"),
        ({"certificates": [certificate(code="CN_GREEN_FOOD", number="GF 1", grade="B")]}, "/certificates/0/grade"),
        ({"certificates": [certificate(valid_to="2019-12-31")]}, "/certificates/0/valid_to"),
        ({"certificates": [certificate(valid_to="2026-02-29")]}, "/certificates/0/valid_to"),
        ({"certificates": [certificate(valid_from="20260101")]}, "/certificates/0/valid_from"),
        ({"certificates": [certificate(link="http://certificates.example/1")]}, "/certificates/0/link"),
        ({"certificates": [certificate(link="https:///1")]}, "/certificates/0/link"),
        ({"certificates": [certificate(link="https://me:secret@certificates.example/")]}, "/certificates/0/link"),
        ({"certificates": [certificate(link="https://certificates.example:port/")]}, "/certificates/0/link"),
        ({"certificates": [certificate(link="https://certificates.example/a b")]}, "/certificates/0/link"),
        ({"certificates": [certificate(link="javascript:alert(1)")]}, "/certificates/0/link"),
        ({"certificates": [certificate(verified_at="2026-01-01T00:00:00Z")]}, "/certificates/0/verified_at"),
        ({"sku": "A-2"}, "/sku"),
        ({"price": 100}, "/price"),
    ],
)  # fmt: skip
def test_what_names_nothing_is_refused_where_it_stands(put, writes_nothing, changes, pointer):
    with writes_nothing():
        assert_problem(put(product(**changes)), 422, "validation_failed", pointer)


def test_a_sku_that_can_not_stand_in_a_path_is_refused(put, get):
    assert_problem(put(product(), sku="A 1"), 422, "validation_failed", "/sku")
    for sku in ("x" * 65, "A 1", "%00"):
        assert_problem(get(sku=sku), 404, "product_not_found")
    assert put(product(sku="A-1")).status_code == 201


def test_a_batch_says_of_each_item_what_became_of_it(client, shop, get):
    items = [
        product(sku="A-1"), product(), product(sku="A-2", gtin="1"), None, "A-3",
        product(sku="A-1", category="roots"), product(sku="A-4", certificates=[]),
    ]  # fmt: skip
    answer = client.post("/v1/products/batch", json={"products": items}, headers=shop.live)
    assert answer.status_code == 200, answer.text
    results = answer.json["results"]
    assert [result["index"] for result in results] == list(range(7))
    assert [result["status"] for result in results] == [201, 422, 422, 422, 422, 200, 201]
    check_problem(results[1]["problem"], 422, "validation_failed", "/sku")
    check_problem(results[2]["problem"], 422, "validation_failed", "/gtin")
    assert results[5]["product"] == get("A-1").json
    assert (results[0]["product"]["category"], results[5]["product"]["category"]) == ("produce", "roots")
    assert get("A-4").json["certificates"] == []
    again = client.post("/v1/products/batch", json={"products": items[-2:]}, headers=shop.live).json["results"]
    assert [result["product"] for result in again] == [results[5]["product"], results[6]["product"]]


def test_an_item_whose_text_is_broken_stands_alone(client, shop):
    body = b'{"products": [{"sku": "A-1", "names": {"en": "\\u0000"}}, {"sku": "A-2", "sku": "A-3"}, {"sku": "A-4"}]}'
    answer = client.post("/v1/products/batch", data=body, content_type="application/json", headers=shop.live)
    assert [result["status"] for result in answer.json["results"]] == [422, 422, 201]


def test_a_thousand_products_are_a_batch_and_one_more_is_too_many(client, shop):
    items = [product(sku=f"A-{number}") for number in range(1001)]
    answer = client.post("/v1/products/batch", json={"products": items}, headers=shop.live)
    assert_problem(answer, 422, "validation_failed", "/products")
    answer = client.post("/v1/products/batch", json={"products": items[:1000]}, headers=shop.live)
    assert {result["status"] for result in answer.json["results"]} == {201}


def test_products_are_listed_by_sku_a_page_at_a_time(client, shop, put):
    for number in range(5):
        put(product(category="roots" if number % 2 else "produce"), sku=f"A-{number}")
    put(product(), sku="Z", headers=shop.test)
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/products", query_string=query, headers=shop.live).json
        found += [entry["sku"] for entry in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        other = client.get("/v1/products", query_string={"cursor": cursor, "category": "roots"}, headers=shop.live)
        assert_problem(other, 400, "invalid_cursor")
    assert found == [f"A-{number}" for number in range(5)]
    roots = client.get("/v1/products?category=roots", headers=shop.live).json["data"]
    assert [entry["sku"] for entry in roots] == ["A-1", "A-3"]
    by_gtin = client.get(f"/v1/products?gtin={GTIN_14}", headers=shop.live).json["data"]
    assert len(by_gtin) == 5


def test_a_key_without_the_scope_is_refused(client, shop, put):
    other = world.make_shop("other-shop", scopes=["activities", "previews"])
    assert put(product(), headers=other.live).status_code == 403
    assert client.get("/v1/packaging-options", headers=other.live).status_code == 403


def test_what_a_merchant_offers_is_kept_by_mode_and_taken_back(client, shop):
    options = client.get("/v1/packaging-options", headers=shop.live).json
    assert options["offers"] is None
    assert len(options["options"]) == 19
    body = {"offers": ["REUSABLE_BOX", "NO_BAG", "NO_BAG"]}
    answer = client.put("/v1/packaging-options", json=body, headers=shop.live)
    assert answer.json["offers"] == ["NO_BAG", "REUSABLE_BOX"]
    assert client.get("/v1/packaging-options", headers=shop.live).json == answer.json
    assert client.get("/v1/packaging-options", headers=shop.test).json["offers"] is None
    for offers, place in ((["UNPACKED"], "/offers/0"), (["NO_BAG", "BOX"], "/offers/1"), ("NO_BAG", "/offers")):
        refused = client.put("/v1/packaging-options", json={"offers": offers}, headers=shop.live)
        assert_problem(refused, 422, "validation_failed", place)
    assert client.put("/v1/packaging-options", json={"offers": []}, headers=shop.live).json["offers"] == []
    assert client.put("/v1/packaging-options", json={"offers": None}, headers=shop.live).json["offers"] is None


def test_a_merchants_changes_of_unverified_certificates_are_no_business_of_the_audit(put):
    put(product())
    put(product(certificates=[certificate(number="DE-ÖKO-002")]))
    kinds = db.session.scalars(select(AuditEntry.object_kind)).all()
    assert "product" not in kinds
