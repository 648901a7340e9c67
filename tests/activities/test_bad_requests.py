"""Requests that are wrong before their content is: too long, no JSON, the wrong caller, a changed cursor."""

import io
import json
from datetime import timedelta

import pytest

from app.core.api import BATCH_BYTES_MAX, BODY_BYTES_MAX
from app.core.clock import now
from app.merchants.service import revoke_key, rotate_key
from tests import world
from tests.answers import assert_problem
from tests.world import basket, bearer

JSON = "application/json"
WRITES = ("/v1/activities", "/v1/activities/batch", "/v1/previews")
DEEP = 100_000


def cart(ref):
    return {name: value for name, value in basket(ref).items() if name != "id"}


def good_body(path, ref):
    if path == "/v1/activities/batch":
        return {"activities": [basket(ref)]}
    return cart(ref) if path == "/v1/previews" else basket(ref)


def padded(body, length):
    """Return ``body`` as JSON of exactly ``length`` bytes."""
    return json.dumps(body).encode().ljust(length)


@pytest.fixture
def post(client, shop):
    """A function that posts bytes as the shop."""

    def send(path, raw, content_type=JSON, **keywords):
        return client.post(path, data=raw, headers=shop.live, content_type=content_type, **keywords)

    return send


LIMITS = {"/v1/activities": BODY_BYTES_MAX, "/v1/previews": BODY_BYTES_MAX, "/v1/activities/batch": BATCH_BYTES_MAX}


def test_a_body_may_be_as_long_as_its_limit_and_not_one_byte_longer(post, customer, writes_nothing, subtests):
    for path, bytes_max in LIMITS.items():
        with subtests.test(path):
            with writes_nothing():
                answer = post(path, padded(good_body(path, customer.ref), bytes_max + 1))
                assert_problem(answer, 413, "payload_too_large")
            answer = post(path, padded(good_body(path, customer.ref), bytes_max))
            assert answer.status_code == (201 if path == "/v1/activities" else 200)


def test_a_body_that_does_not_say_how_long_it_is_is_bounded_too(client, shop, customer, writes_nothing, subtests):
    for path, bytes_max in LIMITS.items():
        with subtests.test(path), writes_nothing():
            answer = client.post(
                path,
                input_stream=io.BytesIO(padded(good_body(path, customer.ref), bytes_max + 1)),
                headers=shop.live | {"Transfer-Encoding": "chunked"},
                content_type=JSON,
                environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
            )
            assert_problem(answer, 413, "payload_too_large")


NO_JSON = {
    "nothing": b"",
    "half an object": b'{"id": "1"',
    "two values": b"{} {}",
    "a word": b"nul",
    "single quotes": b"{'id': 1}",
    "a comma too many": b'{"id": 1,}',
    "a comment": b'{"id": 1} // one',
    "a number with a leading zero": b'{"id": 01}',
    "a line break in a text": b'{"id": "a\nb"}',
    "a raw NUL in a text": b'{"id": "a\x00b"}',
    "no UTF-8": b'{"id": "\xff"}',
    "an overlong NUL": b'{"id": "\xc0\x80"}',
    "an encoded surrogate": b'{"id": "\xed\xa0\x80"}',
    "a character cut short": b'{"id": "\xe2\x82',
    "UTF-16": '{"id": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"id": 1}',
}
NO_OBJECT = {"a list": b"[]", "a number": b"1", "a text": b'"x"', "null": b"null", "true": b"true", "NaN": b"NaN"}
TOO_DEEP = {
    "lists": b"[" * DEEP + b"]" * DEEP,
    "lists without an end": b"[" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in metadata": b'{"metadata": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep in a batch": b'{"activities": [' + b"[" * DEEP + b"]" * DEEP + b"]}",
}


@pytest.mark.parametrize("path", WRITES)
def test_what_is_no_json_object_is_refused(path, post, writes_nothing, subtests):
    for name, raw in NO_JSON.items():
        with subtests.test(name), writes_nothing():
            assert_problem(post(path, raw), 400, "malformed_json")
    for name, raw in (NO_OBJECT | TOO_DEEP).items():
        with subtests.test(name), writes_nothing():
            assert_problem(post(path, raw), 422, "validation_failed", "")


def test_nesting_that_can_just_be_read_is_refused_where_it_stands(post, customer, writes_nothing, subtests):
    """Neither the reader nor what follows it may give up on a depth between the two."""
    for depth in (65, 200, 400, 900, 950, 990):
        with subtests.test(str(depth)), writes_nothing():
            raw = json.dumps(basket(customer.ref))[:-1].encode() + b', "metadata": ' + b'{"a":' * depth + b"1"
            answer = post("/v1/activities", raw + b"}" * depth + b"}")
            assert answer.status_code == 422
            assert answer.json["code"] == "validation_failed"


@pytest.mark.parametrize(
    ("batch", "pointer"),
    [
        ({}, "/activities"),
        ({"activities": []}, "/activities"),
        ({"activities": None}, "/activities"),
        ({"activities": {"0": {}}}, "/activities"),
        ({"activities": [{}] * 501}, "/activities"),
        ({"activities": [{}], "atomic": True}, "/atomic"),
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(batch, pointer, post, writes_nothing):
    with writes_nothing():
        assert_problem(post("/v1/activities/batch", json.dumps(batch)), 422, "validation_failed", pointer)


def test_a_batch_with_its_list_twice_is_refused_as_a_whole(post, customer, writes_nothing):
    items = json.dumps([basket(customer.ref)])
    with writes_nothing():
        answer = post("/v1/activities/batch", f'{{"activities": {items}, "activities": {items}}}')
        assert_problem(answer, 422, "validation_failed", "/activities")


def test_items_that_are_no_objects_are_refused_alone(post, customer):
    answer = post("/v1/activities/batch", json.dumps({"activities": [None, 1, "x", [], True, basket(customer.ref)]}))
    assert [result["status"] for result in answer.json["results"]] == [422] * 5 + [201]


@pytest.mark.parametrize("path", WRITES)
def test_only_json_is_read(path, post, customer, writes_nothing, subtests):
    body = json.dumps(good_body(path, customer.ref))
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "", "json",
                         "application/merge-patch+json", "multipart/form-data; boundary=x"):  # fmt: skip
        with subtests.test(content_type), writes_nothing():
            assert_problem(post(path, body, content_type), 415, "unsupported_media_type")
    assert post(path, body, "Application/JSON; charset=utf-8").status_code in (200, 201)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/activities", {"POST"}),
        ("DELETE", "/v1/activities", {"POST"}),
        ("PUT", "/v1/activities/batch", {"POST"}),
        ("DELETE", "/v1/activities/order-1", {"GET"}),
        ("PATCH", "/v1/previews", {"POST"}),
        ("POST", "/v1/customers/a", {"GET", "PUT", "DELETE"}),
        ("POST", "/v1/me/wallet", {"GET"}),
        ("POST", "/livez", {"GET"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(method, path, allowed, client, shop, writes_nothing):
    with writes_nothing():
        answer = client.open(path, method=method, headers=shop.live, json={})
    assert_problem(answer, 405, "method_not_allowed")
    assert allowed <= set(answer.headers["Allow"].split(", "))
    assert method not in answer.headers["Allow"]


def test_a_path_of_nothing_is_a_problem_too(client, shop):
    for path in ("/", "/v1", "/v1/nothing", "/v1/me/activities/no-uuid", "/v2/activities"):
        assert_problem(client.get(path, headers=shop.live), 404, "not_found")


@pytest.mark.parametrize("any_id", ["%00", "a%00b", "%ED%A0%80", "%FF", "a" * 5000, "a%20b", "☃", "null", "%0a"])
def test_an_id_of_nothing_that_was_reported_is_not_found(any_id, client, shop):
    assert_problem(client.get(f"/v1/activities/{any_id}", headers=shop.live), 404, "activity_not_found")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic Z3A6bGl2ZQ=="},
        {"Authorization": "gp_live_abc"},
        bearer("gp_live_abc"),
        bearer("gp_test_"),
        bearer("gp_"),
        bearer("gp_live_" + "a" * 10_000),
        bearer("gp_live_ü"),
        bearer("ey.ey.ey"),
        bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."),
        bearer("x"),
    ],
    ids=str,
)
def test_without_good_credentials_nothing_is_read(headers, client, customer, writes_nothing, subtests):
    for path in WRITES:
        with subtests.test(path), writes_nothing():
            answer = client.post(path, json=good_body(path, customer.ref), headers=headers)
            assert_problem(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_is_good_for_nothing_at_once(client, shop, customer, writes_nothing):
    assert client.post("/v1/activities", json=basket(customer.ref), headers=shop.live).status_code == 201
    revoke_key(shop.merchant_id, shop.live_key_id, now())
    with writes_nothing():
        for path in WRITES:
            answer = client.post(path, json=good_body(path, customer.ref), headers=shop.live)
            assert_problem(answer, 401, "unauthorized")
        assert_problem(client.get("/v1/activities/order-1", headers=shop.live), 401, "unauthorized")


def test_a_rotated_key_ends_with_its_overlap(client, shop, customer, time_machine):
    time_machine.move_to(now(), tick=False)
    _, following = rotate_key(shop.merchant_id, shop.live_key_id, overlap=timedelta(hours=1), moment=now())
    for headers in (shop.live, bearer(following)):
        assert client.post("/v1/previews", json=cart(customer.ref), headers=headers).status_code == 200
    time_machine.shift(timedelta(hours=1))
    assert_problem(client.post("/v1/previews", json=cart(customer.ref), headers=shop.live), 401, "unauthorized")
    assert client.post("/v1/previews", json=cart(customer.ref), headers=bearer(following)).status_code == 200


def test_a_shopper_is_no_merchant_and_a_merchant_no_shopper(client, shop, customer, shopper, writes_nothing, subtests):
    headers = shopper(customer.member_id)
    for path in WRITES:
        with subtests.test(path), writes_nothing():
            answer = client.post(path, json=good_body(path, customer.ref), headers=headers)
            assert_problem(answer, 403, "forbidden")
    assert_problem(client.get("/v1/activities/order-1", headers=headers), 403, "forbidden")
    for path in ("/v1/me", "/v1/me/wallet", "/v1/me/wallet/entries", "/v1/me/activities"):
        with subtests.test(path):
            assert_problem(client.get(path, headers=shop.live), 403, "forbidden")


def test_a_key_does_what_its_scopes_say_and_no_more(client, programme, writes_nothing):
    narrow = world.make_shop("narrow-shop", scopes=["previews"])
    [customer] = world.make_customers(narrow, 1)
    assert client.post("/v1/previews", json=cart(customer.ref), headers=narrow.live).status_code == 200
    with writes_nothing():
        for answer in (
            client.post("/v1/activities", json=basket(customer.ref), headers=narrow.live),
            client.post("/v1/activities/batch", json={"activities": [basket(customer.ref)]}, headers=narrow.live),
            client.get(f"/v1/customers/{customer.ref}", headers=narrow.live),
            client.put("/v1/customers/x", json={"member_code": customer.code}, headers=narrow.live),
        ):
            assert_problem(answer, 403, "forbidden")


@pytest.fixture
def pages(client, shop, customer, shopper):
    """A function that returns a page of one of the shopper's lists, each of which goes on."""
    items = [basket(customer.ref, id=f"order-{number}") for number in range(3)]
    client.post("/v1/activities/batch", json={"activities": items}, headers=shop.live)
    headers = shopper(customer.member_id)
    return lambda path, query, caller=None: client.get(path, query_string=query, headers=caller or headers)


LISTS = ("/v1/me/activities", "/v1/me/wallet/entries")
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize("path", LISTS)
def test_a_list_goes_on_from_its_cursor_to_its_end(path, pages):
    seen, cursor = [], {}
    while cursor is not None:
        page = pages(path, {"limit": 1} | cursor).json
        seen += [json.dumps(item) for item in page["data"]]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert len(seen) == len(set(seen)) == (3 if path == "/v1/me/activities" else 12)
    assert [json.loads(item) for item in seen] == pages(path, {"limit": 100}).json["data"]


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_that_was_changed_anywhere_is_refused(path, pages):
    cursor = pages(path, {"limit": 1}).json["next_cursor"]
    changed = [cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
               for place in range(len(cursor))]  # fmt: skip
    changed += [cursor[:-1] + last for last in BASE64 if last != cursor[-1]]
    changed += [cursor[:-1], cursor[:10], cursor + "A", cursor + "=", cursor + "!", "!" + cursor, cursor * 2]
    changed += [f" {cursor}", f"{cursor}\n", "A", "☃", "=", "null", "0"]
    for wrong in changed:
        assert_problem(pages(path, {"cursor": wrong}), 400, "invalid_cursor")


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_of_another_list_or_shopper_is_refused(path, pages, shop, shopper):
    cursor = pages(path, {"limit": 1}).json["next_cursor"]
    [other] = [each for each in LISTS if each != path]
    [stranger] = world.make_customers(shop, 1)
    assert_problem(pages(other, {"cursor": cursor}), 400, "invalid_cursor")
    assert_problem(pages(path, {"cursor": cursor}, shopper(stranger.member_id)), 400, "invalid_cursor")


@pytest.mark.parametrize("path", LISTS)
def test_a_query_that_breaks_the_contract_is_refused(path, pages, subtests):
    for limit in ("0", "101", "-1", "x", "", "1e2", "5.0", " 5", "+5", "٣", "9" * 5000, "true"):
        with subtests.test(limit[:10]):
            assert_problem(pages(path, {"limit": limit}), 422, "validation_failed", "/limit")
    assert_problem(pages(path, {"limit": ["1", "2"]}), 422, "validation_failed", "/limit")
    assert_problem(pages(path, {"offset": "1"}), 422, "validation_failed", "/offset")
    assert_problem(pages(path, {"cursor": ""}), 422, "validation_failed", "/cursor")
    assert_problem(pages(path, {"cursor": "A" * 1001}), 422, "validation_failed", "/cursor")
