"""What merchants and staff do to the same products at the same moment: real threads over HTTP."""

from collections import Counter

import pytest

from tests import world
from tests.catalog.documents import certificate, product
from tests.concurrency.racing import at_once
from tests.world import basket, line

ROUNDS = 5


@pytest.fixture
def put(app, shop):
    """A function that returns a call that names a product."""
    return lambda body, sku="A-1": lambda: app.test_client().put(f"/v1/products/{sku}", json=body, headers=shop.live)


def test_a_new_product_named_many_times_at_once_is_made_once(put, query):
    for number in range(ROUNDS):
        answers = at_once([put(product(category=f"c-{each}"), f"A-{number}") for each in range(6)])
        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 5}
    [(rows, versions)] = query("SELECT count(*), sum(version) FROM product")
    assert (rows, versions) == (ROUNDS, 6 * ROUNDS)


def test_batches_in_opposite_orders_do_not_lock_each_other_out(app, shop):
    skus = [f"A-{number}" for number in range(100)]

    def batch(order, category):
        body = {"products": [product(sku=sku, gtin=None, category=category) for sku in order]}
        return lambda: app.test_client().post("/v1/products/batch", json=body, headers=shop.live)

    answers = at_once([batch(skus, "a"), batch(skus[::-1], "b"), batch(skus, "c"), batch(skus[::-1], "d")])
    assert [answer.status_code for answer in answers] == [200] * 4
    results = [result["status"] for answer in answers for result in answer.json["results"]]
    assert Counter(results) == {201: 100, 200: 300}


def test_a_certificate_that_changes_while_staff_verify_it_is_never_verified_as_what_they_did_not_see(
    app, shop, put, query
):
    editor = world.make_staff("editor")
    for number in range(ROUNDS):
        product_id = put(product(certificates=[certificate(number=f"DE-ÖKO-{number:03}")]))().json["id"]
        address = f"/v1/admin/products/{product_id}"
        seen = app.test_client().get(address, headers=editor.headers)
        headers = editor.headers | {"If-Match": seen.headers["ETag"]}
        verify = f"{address}/certificates/EU_ORGANIC/verify"
        verified, changed = at_once(
            [
                lambda verify=verify, headers=headers: app.test_client().post(verify, headers=headers),
                put(product(certificates=[certificate(number=f"FR-BIO-{number:02}")])),
            ]
        )
        assert (verified.status_code, changed.status_code) in {(200, 200), (412, 200)}
        assert query("SELECT number, verification FROM product_certificate") == [(f"FR-BIO-{number:02}", "unverified")]


def test_purchases_while_a_product_changes_are_judged_by_what_was_there_before_or_after(app, shop, put):
    [customer] = world.make_customers(shop, 1)
    put(product())()

    def buy(number):
        body = basket(customer.ref, id=f"order-{number}", lines=[line(certifications=[])])
        return lambda: app.test_client().post("/v1/activities", json=body, headers=shop.live)

    calls = [put(product(certificates=[])), *(buy(number) for number in range(6))]
    _, *bought = at_once(calls)
    assert {answer.status_code for answer in bought} == {201}
    after = buy("after")().json
    assert [miss["code"] for miss in after["missed"] if miss["rule"] == "organic"] == ["certificate_missing"]
