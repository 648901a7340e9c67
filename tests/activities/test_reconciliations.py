"""A merchant's list compared with what is stored; and that the documented recipe makes the stored digest."""

import copy
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from app.activities.reading import digest_of
from app.core.database import db
from tests import world
from tests.answers import assert_problem

PATH = "/v1/reconciliations"
DOCUMENT = Path(__file__).parents[2] / "docs" / "integrating.md"
NOTHING = {"missing": [], "different": []}
ZEROS = "0" * 64
Watch = Callable[[], AbstractContextManager[None]]


def recipes() -> list[str]:
    """Return the commands of the document that make a digest of what they read."""
    return re.findall(r"^ *digest_of\(\) \{ (.+); \}", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def digest_by(recipe: str, body: Any, **form: Any) -> str:
    """Return what a recipe says of a body that is written down as ``form`` says, by a shell."""
    command = recipe.replace("python3", shlex.quote(sys.executable))
    sent = json.dumps(body, **form).encode()
    done = subprocess.run(["sh", "-c", command], input=sent, capture_output=True, check=True)
    return done.stdout.decode().split()[0]


def report(client: FlaskClient, shop: world.Shop, body: Any) -> None:
    assert client.post("/v1/activities", json=body, headers=shop.live).status_code in (201, 202)


def reconcile(client: FlaskClient, headers: dict[str, str], *activities: dict[str, Any]) -> Any:
    answer = client.post(PATH, json={"activities": activities}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json


def stored_digest(client: FlaskClient, shop: world.Shop, external_id: str) -> str:
    """Return the digest that is stored of an activity, by asking with one that it does not have."""
    [known] = reconcile(client, shop.live, {"id": external_id, "digest": ZEROS})["activities"]["different"]
    digest: str = known["digest"]
    return digest


def awkward(ref: str) -> dict[str, Any]:
    """Return an order with all that a writer of JSON can write in several ways, but for fractions."""
    metadata = {
        "ö": "Ökologisch – „grün“ 绿色 🌱", "z": 'quote " backslash \\ slash /', "a": "tab\tline\nbell\x07",
        "big": 2**53 - 1, "less": -1, "none": None, "yes": True, "\u2028": "\u2029",
    }  # fmt: skip
    return world.basket(ref, metadata=metadata, lines=[world.line(name="Möhren \u00e9 e\u0301"), world.line(id="2")])


def test_what_is_stored_as_the_merchant_says_is_not_named(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, writes_nothing: Watch
) -> None:
    report(client, shop, world.basket(customer.ref, id="order-1"))
    report(client, shop, world.basket("nobody", id="order-2", revision=3))
    digests = {number: stored_digest(client, shop, f"order-{number}") for number in (1, 2)}
    assert digests[1] != digests[2]
    with writes_nothing():
        answer = client.post(PATH, headers=shop.live, json={"activities": [
            {"id": "order-3", "digest": digests[1]},
            {"id": "order-1", "revision": 1, "digest": digests[1]},
            {"id": "order-2", "digest": digests[1]},
            {"id": "order-0"},
        ]})  # fmt: skip
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json["activities"] == {
        "missing": ["order-3", "order-0"], "different": [{"id": "order-2", "revision": 3, "digest": digests[2]}],
    }  # fmt: skip


def test_what_the_merchant_leaves_out_is_not_compared(
    client: FlaskClient, shop: world.Shop, customer: world.Customer
) -> None:
    report(client, shop, world.basket(customer.ref, id="order-1", revision=2))
    digest = stored_digest(client, shop, "order-1")
    same = [{}, {"revision": 2, "digest": None}, {"revision": None, "digest": digest}]
    assert [reconcile(client, shop.live, {"id": "order-1"} | said)["activities"] for said in same] == [NOTHING] * 3
    for said in ({"revision": 1}, {"revision": 3, "digest": digest}, {"revision": 2, "digest": ZEROS}):
        found = reconcile(client, shop.live, {"id": "order-1"} | said)["activities"]
        assert found == {"missing": [], "different": [{"id": "order-1", "revision": 2, "digest": digest}]}


def test_another_merchants_and_the_other_modes_are_missing(
    client: FlaskClient, shop: world.Shop, customer: world.Customer
) -> None:
    report(client, shop, world.basket(customer.ref, id="order-1"))
    other = world.make_shop("other-shop")
    for headers in (shop.test, other.live, other.test):
        assert reconcile(client, headers, {"id": "order-1"})["activities"]["missing"] == ["order-1"]


def test_returns_are_compared_beside_activities_and_are_no_activities(
    client: FlaskClient, shop: world.Shop, customer: world.Customer
) -> None:
    report(client, shop, world.basket(customer.ref, id="a-1"))
    body = {"id": "r-1", "activity": "a-1", "lines": [{"id": "1", "quantity": 1}]}
    assert client.post("/v1/returns", json=body, headers=shop.live).status_code == 201
    digest = digest_by(recipes()[0], body)
    asked = {
        "activities": [{"id": "r-1"}, {"id": "a-1"}],
        "returns": [{"id": "a-1"}, {"id": "r-1", "digest": digest}, {"id": "r-2", "digest": digest}],
    }
    found = client.post(PATH, json=asked, headers=shop.live).json
    assert found == {
        "activities": {"missing": ["r-1"], "different": []}, "returns": {"missing": ["a-1", "r-2"], "different": []},
    }  # fmt: skip
    asked["returns"] = [{"id": "r-1", "digest": ZEROS}]
    assert client.post(PATH, json=asked, headers=shop.live).json["returns"] == {
        "missing": [], "different": [{"id": "r-1", "digest": digest}],
    }  # fmt: skip
    for headers in (shop.test, world.make_shop("other-shop").live):
        assert client.post(PATH, json=asked, headers=headers).json["returns"]["missing"] == ["r-1"]


def test_a_claimed_activity_and_a_new_revision_are_told_as_they_are_now(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, shopper: Callable[[UUID], dict[str, str]]
) -> None:
    receipt, order = world.basket("nobody", id="a-1"), world.basket(customer.ref, id="a-2")
    code = client.post("/v1/activities", json=receipt, headers=shop.live).json["claim_code"]
    claimed = client.post("/v1/me/claims", json={"code": code}, headers=shopper(customer.member_id))
    assert claimed.status_code == 201, claimed.text
    report(client, shop, order)
    changed = order | {"revision": 2, "packaging": []}
    report(client, shop, changed)
    digests = {name: digest_by(recipes()[0], body) for name, body in {"a-1": receipt, "a-2": changed}.items()}
    said = [{"id": name, "digest": digest} for name, digest in digests.items()]
    assert reconcile(client, shop.live, *said)["activities"] == NOTHING
    old = reconcile(client, shop.live, {"id": "a-2", "revision": 1, "digest": digest_by(recipes()[0], order)})
    assert old["activities"]["different"] == [{"id": "a-2", "revision": 2, "digest": digests["a-2"]}]


def test_an_id_of_ours_is_no_id_of_the_merchants(
    client: FlaskClient, shop: world.Shop, customer: world.Customer
) -> None:
    ours = client.post("/v1/activities", json=world.basket(customer.ref), headers=shop.live).json["id"]
    assert reconcile(client, shop.live, {"id": ours})["activities"]["missing"] == [ours]


def test_a_thousand_take_one_select(client: FlaskClient, shop: world.Shop, customer: world.Customer) -> None:
    report(client, shop, world.basket(customer.ref, id="order-7"))
    statements: list[str] = []

    def note(_1: Any, _2: Any, statement: str, *_3: Any) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    named = [{"id": f"order-{number}", "digest": ZEROS} for number in range(1000)]
    try:
        found = client.post(PATH, json={"activities": named, "returns": named}, headers=shop.live).json
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert (len(found["activities"]["missing"]), len(found["returns"]["missing"])) == (999, 1000)
    assert [known["id"] for known in found["activities"]["different"]] == ["order-7"]
    assert len([statement for statement in statements if "registry" in statement]) == len(statements) == 1


@pytest.mark.parametrize(
    ("returns", "pointer"),
    [
        ([{"id": "a", "revision": 1}], "/returns/0/revision"),
        ([{"id": "a"}, {"id": "a"}], "/returns/1/id"),
        ([{"id": f"r-{number}"} for number in range(1001)], "/returns"),
    ],
)
def test_a_list_of_returns_that_does_not_fit_is_refused(
    client: FlaskClient, shop: world.Shop, returns: Any, pointer: str
) -> None:
    answer = client.post(PATH, json={"activities": [{"id": "a"}], "returns": returns}, headers=shop.live)
    assert_problem(answer, 422, "validation_failed", pointer)


@pytest.mark.parametrize(
    ("activities", "pointer"),
    [
        ([{"digest": ZEROS}], "/activities/0/id"),
        ([{"id": "a b"}], "/activities/0/id"),
        ([{"id": "a", "digest": ZEROS[:-1]}], "/activities/0/digest"),
        ([{"id": "a", "digest": "A" * 64}], "/activities/0/digest"),
        ([{"id": "a", "digest": ZEROS + "\n"}], "/activities/0/digest"),
        ([{"id": "a", "revision": 0}], "/activities/0/revision"),
        ([{"id": "a", "revision": "1"}], "/activities/0/revision"),
        ([{"id": "a", "kind": "purchase"}], "/activities/0/kind"),
        ([{"id": "a"}, {"id": "b"}, {"id": "a"}], "/activities/2/id"),
        ([{"id": f"o-{number}"} for number in range(1001)], "/activities"),
        ("order-1", "/activities"),
        (None, "/activities"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(
    client: FlaskClient, shop: world.Shop, activities: Any, pointer: str
) -> None:
    answer = client.post(PATH, json={"activities": activities}, headers=shop.live)
    assert_problem(answer, 422, "validation_failed", pointer)


def test_the_document_has_a_recipe_for_python_and_one_for_jq() -> None:
    assert [recipe.split()[0] for recipe in recipes()] == ["python3", "jq"]


@pytest.mark.parametrize("number", [0, 1], ids=["python", "jq"])
def test_the_recipes_make_the_stored_digest_however_the_body_was_written(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, number: int
) -> None:
    recipe = recipes()[number]
    if not shutil.which("jq") and number == 1:
        pytest.skip("there is no jq here")
    for body in (awkward(customer.ref), world.basket(customer.ref, id="order-2")):
        report(client, shop, body)
        stored = stored_digest(client, shop, body["id"])
        assert digest_by(recipe, body) == digest_by(recipe, body, ensure_ascii=False, indent=3) == stored
        turned = dict(reversed(list(copy.deepcopy(body).items())))
        assert digest_by(recipe, turned) == stored
        assert digest_by(recipe, body | {"metadata": {"a": "b"}}) != stored


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
)


@given(st.dictionaries(_TEXT, _ANYTHING))
def test_what_the_recipe_writes_is_what_is_stored_of_anything_but_fractions(body: dict[str, Any]) -> None:
    written = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(written).digest() == digest_of(body)


def test_one_of_a_batch_has_the_digest_of_its_own_body(
    client: FlaskClient, shop: world.Shop, customer: world.Customer
) -> None:
    body = awkward(customer.ref)
    client.post("/v1/activities/batch", json={"activities": [world.basket("nobody", id="x"), body]}, headers=shop.live)
    assert stored_digest(client, shop, body["id"]) == digest_by(recipes()[0], body)


def test_the_digest_of_the_document_is_that_of_its_order() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    [order, digest] = re.findall(r"printf '%s' '(\{.+\})' \| digest_of +# ([0-9a-f]{64})", text)[0]
    assert digest_by(recipes()[0], json.loads(order)) == digest
