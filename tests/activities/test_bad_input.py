"""What must not get past the door: each gets its problem with the right pointer, and writes nothing."""

import itertools
import json
from dataclasses import dataclass
from datetime import timedelta

import pytest

from app.core.clock import now
from tests import world
from tests.answers import assert_problem, check_problem
from tests.world import ago, basket, line

JSON = "application/json"


@dataclass(frozen=True)
class Bad:
    """A bad activity: what to put where in a good one, as raw JSON, and the problem that answers it."""

    name: str
    place: tuple
    raw: str
    pointer: str | None = None
    status: int = 422
    code: str = "validation_failed"

    @property
    def expected_pointer(self):
        return pointer_of(self.place) if self.pointer is None else self.pointer


def pointer_of(place):
    return "".join(f"/{part}" for part in place)


def bad(name, place, value, pointer=None, **expected):
    return Bad(name, place, json.dumps(value), pointer, **expected)


QUANTITY = ("lines", 0, "quantity")
TOTAL = ("lines", 0, "total")
CERTIFICATE = ("lines", 0, "certifications", 0, "code")

# what the reader of the text itself refuses
UNREADABLE = [
    Bad("NaN", QUANTITY, "NaN"),
    Bad("Infinity", TOTAL, "Infinity"),
    Bad("minus Infinity", TOTAL, "-Infinity"),
    Bad("1e400", TOTAL, "1e400"),
    Bad("-1e400 where nobody looks", ("metadata",), '{"a": -1e400}', "/metadata/a"),
    Bad("2^63", TOTAL, str(2**63)),
    Bad("2^64", TOTAL, str(2**64)),
    Bad("2^53", ("metadata",), f'{{"a": {2**53}}}', "/metadata/a"),
    Bad("-2^63", TOTAL, str(-(2**63))),
    Bad("a number of 5000 digits", TOTAL, "9" * 5000),
    Bad("a key twice", ("metadata",), '{"a": 1, "a": 1}', "/metadata/a"),
    Bad("a key twice, once escaped", ("metadata",), '{"a": 1, "\\u0061": 2}', "/metadata/a"),
    Bad(
        "a line's key twice", ("lines", 0), '{"id": "1", "total": 5, "quantity": 1, "quantity": 9}', "/lines/0/quantity"
    ),
    Bad("a key of a lone surrogate twice", ("metadata",), '{"\\ud800": 1, "\\ud800": 2}', "/metadata"),
    Bad("NUL", ("lines", 0, "name"), '"a\\u0000b"'),
    Bad("NUL in a key", ("metadata",), '{"a\\u0000": 1}', "/metadata"),
    Bad("a lone high surrogate", ("lines", 0, "name"), '"\\ud800"'),
    Bad("a lone low surrogate", ("receipt",), '"x\\udc00"'),
    Bad("a surrogate pair the wrong way round", ("receipt",), '"\\ude00\\ud83d"'),
]

# what the schema refuses
UNFIT = [
    bad("true as a number", QUANTITY, True),
    bad("true as money", TOTAL, True),
    bad("a text as a number", QUANTITY, "2"),
    bad("a fraction", QUANTITY, 2.5),
    bad("a whole float", QUANTITY, 2.0),
    bad("an exponent", QUANTITY, 1e2),
    bad("null quantity", QUANTITY, None),
    bad("negative quantity", QUANTITY, -1),
    bad("quantity 0", QUANTITY, 0),
    bad("quantity 10001", QUANTITY, 10_001),
    bad("negative total", TOTAL, -1),
    bad("negative unit price", ("lines", 0, "unit_price"), -1),
    bad("total over 10^9", TOTAL, 10**9 + 1),
    bad("negative weight", ("lines", 0, "weight_g"), -1),
    bad("0 pieces", ("lines", 0, "pieces"), 0),
    bad("201 lines", ("lines",), [line(id=str(number)) for number in range(201)]),
    bad("two lines of one id", ("lines",), [line(), line()], "/lines/1/id"),
    bad("no lines", ("lines",), []),
    bad("lines as an object", ("lines",), {"0": line()}),
    bad("a line that is none", ("lines", 0), 7),
    bad("a line that is null", ("lines", 0), None),
    bad("a line without price", ("lines", 0), {"id": "1"}, "/lines/0/total"),
    bad("a line without id", ("lines", 0), {"total": 5}, "/lines/0/id"),
    bad("an empty line id", ("lines", 0, "id"), ""),
    bad("an unknown field", ("colour",), "green"),
    bad("an unknown field of a line", ("lines", 0, "colour"), "green"),
    bad("an unknown field of a certificate", ("lines", 0, "certifications", 0, "colour"), "green"),
    bad("an unknown field of the member", ("member", "name"), "Ada"),
    bad("an unknown kind", ("kind",), "theft"),
    bad("an unknown currency", ("currency",), "EUX"),
    bad("a currency in lower case", ("currency",), "eur"),
    bad("no currency", ("currency",), None),
    bad("an unknown grade", ("evidence",), "certain"),
    bad("evidence beyond the key's", ("evidence",), "serialised"),
    bad("a member by nothing", ("member",), {}),
    bad("a member by two things", ("member",), {"ref": "a", "code": "b"}),
    bad("a member by a text", ("member",), "customer-1"),
    bad("a member's id that is none", ("member",), {"id": "1"}, "/member/id"),
    bad("a member's id with a newline", ("member",), {"id": "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e1\n"}, "/member/id"),
    bad("a reference with a space", ("member",), {"ref": "a b"}, "/member/ref"),
    bad("a reference of 65", ("member",), {"ref": "a" * 65}, "/member/ref"),
    bad("an id with a slash", ("id",), "a/b"),
    bad("an id with a newline", ("id",), "a\n"),
    bad("an id of 65", ("id",), "a" * 65),
    bad("an empty id", ("id",), ""),
    bad("an id as a number", ("id",), 5),
    bad("a revision 0", ("revision",), 0),
    bad("a GTIN of 9 digits", ("lines", 0, "gtin"), "123456789"),
    bad("a GTIN of other digits", ("lines", 0, "gtin"), "١٢٣٤٥٦٧٨"),
    bad("a region that is none", ("region",), "Berlin"),
    bad("completed as 1", ("completed",), 1),
    bad("completed as a text", ("completed",), "true"),
    bad("nested metadata", ("metadata",), {"a": {"b": 1}}, "/metadata/a"),
    bad("metadata as a list", ("metadata",), []),
    bad("51 entries of metadata", ("metadata",), {str(number): 1 for number in range(51)}),
    bad("21 options", ("packaging",), ["NO_BAG"] * 21),
    bad("an option that is none", ("packaging", 0), 7),
]  # fmt: skip

YESTERDAY = now() - timedelta(days=1)
TIMES = [
    bad("a naive time", ("occurred_at",), f"{YESTERDAY:%Y-%m-%dT%H:%M:%S}"),
    bad("a date", ("occurred_at",), f"{YESTERDAY:%Y-%m-%d}"),
    bad("a time as a number", ("occurred_at",), int(YESTERDAY.timestamp())),
    bad("a time of no calendar", ("occurred_at",), "2026-02-30T09:12:00Z"),
    bad("a week's date", ("occurred_at",), f"{YESTERDAY:%G-W%V-%uT%H:%M:%SZ}"),
    bad("a time without colons", ("occurred_at",), f"{YESTERDAY:%Y-%m-%dT%H%M%S.000Z}"),
    bad("a time without seconds", ("occurred_at",), f"{YESTERDAY:%Y-%m-%dT%H:%M+00:00}"),
    bad("an offset with seconds", ("occurred_at",), f"{YESTERDAY:%Y-%m-%dT%H:%M:%S+00:00:30}"),
    bad("a fraction after a comma", ("occurred_at",), f"{YESTERDAY:%Y-%m-%dT%H:%M:%S,5Z}"),
    bad("digits of another script", ("occurred_at",), f"{YESTERDAY:%Y-%m-%dT%H:%M:%SZ}".replace("2", "٢")),
    bad("the end of time", ("occurred_at",), "9999-12-31T23:59:59Z"),
    bad("the beginning of time", ("occurred_at",), "0001-01-01T00:00:00Z"),
    bad("beyond the beginning of time", ("occurred_at",), "0001-01-01T00:00:00+14:00"),
    bad("beyond the end of time", ("occurred_at",), "9999-12-31T23:59:59-14:00"),
]

# what the reference data refuses
UNKNOWN = [
    bad("an unknown certificate", CERTIFICATE, "EU_ORGANIK"),
    bad("an unknown option", ("packaging", 0), "NO_BAGS"),
    bad("an unknown option of a line", ("lines", 0, "packaging", 0), "UNPAKED"),
    bad("an option of a line for the order", ("packaging", 0), "UNPACKED"),
    bad("an option of the order for a line", ("lines", 0, "packaging", 0), "NO_BAG"),
    bad("an unknown material", ("lines", 0, "material"), "UNOBTAINIUM"),
    bad("boxes that exclude each other", ("packaging",), ["NO_BAG", "REUSABLE_BOX", "RECYCLED_CARTON"],
        "/packaging/2", code="packaging_conflict"),
    bad("packs that exclude each other", ("lines", 0, "packaging"), ["UNPACKED", "REFILL"],
        "/lines/0/packaging/1", code="packaging_conflict"),
]  # fmt: skip
NOBODY = [
    bad("a code of nobody", ("member",), {"code": "00000000"}, "/member/code", status=404, code="member_not_found"),
    bad("a code that is none", ("member",), {"code": "☃"}, "/member/code", status=404, code="member_not_found"),
    bad("an id of nobody", ("member",), {"id": "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10"}, "/member/id", status=404,
        code="member_not_found"),
]  # fmt: skip
RELATIVE_TIMES = [("too old", {"days": 30, "minutes": 1}), ("ahead", {"minutes": -6})]


def with_raw(body, case):
    """Return ``body`` as JSON with the case's raw text at its place."""
    body = json.loads(json.dumps(body))
    *way, last = case.place
    inner = body
    for part in way:
        inner = inner[part]
    marker = "the place of the bad value"
    inner[last] = marker
    return json.dumps(body).replace(f'"{marker}"', case.raw)


@pytest.fixture
def post(client, shop):
    """A function that posts raw text as the shop."""

    def send(path, raw, headers=None, content_type=JSON):
        return client.post(path, data=raw, headers=shop.live | (headers or {}), content_type=content_type)

    return send


@pytest.mark.parametrize(
    "cases", [UNREADABLE, UNFIT, TIMES, UNKNOWN, NOBODY], ids=["unreadable", "unfit", "times", "unknown", "nobody"]
)
def test_an_activity_that_breaks_the_contract_is_refused_with_its_pointer(
    cases, post, customer, writes_nothing, subtests
):
    for case in cases:
        with subtests.test(case.name), writes_nothing():
            answer = post("/v1/activities", with_raw(basket(customer.ref), case))
            assert_problem(answer, case.status, case.code, case.expected_pointer)


@pytest.mark.parametrize(
    "cases", [UNREADABLE, UNFIT, TIMES, UNKNOWN, NOBODY], ids=["unreadable", "unfit", "times", "unknown", "nobody"]
)
def test_a_cart_that_breaks_the_contract_is_refused_with_its_pointer(cases, post, customer, writes_nothing, subtests):
    cart = {name: value for name, value in basket(customer.ref).items() if name != "id"}
    for case in cases:
        if case.place != ("id",):
            with subtests.test(case.name), writes_nothing():
                answer = post("/v1/previews", with_raw(cart, case))
                assert_problem(answer, case.status, case.code, case.expected_pointer)


def test_times_beyond_the_bounds_are_refused(post, customer, writes_nothing, subtests):
    for (name, span), path in itertools.product(RELATIVE_TIMES, ["/v1/activities", "/v1/previews"]):
        with subtests.test(f"{name} {path}"), writes_nothing():
            body = basket(customer.ref, occurred_at=ago(**span))
            if path == "/v1/previews":
                del body["id"]
            assert_problem(post(path, json.dumps(body)), 422, "validation_failed", "/occurred_at")


def test_times_within_the_bounds_are_taken_however_they_are_written(post, customer, subtests):
    times = [ago(days=29, hours=23), ago(minutes=-4)]
    times += [f"{YESTERDAY:{form}}" for form in (
        "%Y-%m-%d %H:%M:%SZ", "%Y-%m-%dt%H:%M:%Sz", "%Y-%m-%dT%H:%M:%S-05:30", "%Y-%m-%dT%H:%M:%S.123456789Z",
    )]  # fmt: skip
    for number, occurred_at in enumerate(times):
        with subtests.test(occurred_at):
            body = basket(customer.ref, id=f"order-{number}", occurred_at=occurred_at)
            assert post("/v1/activities", json.dumps(body)).status_code == 201


def test_the_faults_of_one_body_are_told_up_to_a_hundred(post, customer):
    answer = post("/v1/activities", json.dumps(basket(customer.ref, lines=[{}] * 200)))
    assert len(answer.json["errors"]) == 100


def test_the_length_of_a_list_is_told_before_its_items_are_read(post, customer):
    answer = post("/v1/activities", json.dumps(basket(customer.ref, lines=[{}] * 10_000)))
    assert_problem(answer, 422, "validation_failed", "/lines")


def test_each_bad_item_of_a_batch_is_refused_alone(post, customer, subtests):
    """The neighbours of a bad item are awarded, whatever is wrong with it."""
    numbers = itertools.count()
    everything = [*UNREADABLE, *UNFIT, *TIMES, *UNKNOWN, *NOBODY]
    for first in range(0, len(everything), 20):
        cases, items = everything[first : first + 20], []
        for case in cases:
            good = basket(customer.ref, id=f"good-{next(numbers)}")
            items += [json.dumps(good), with_raw(basket(customer.ref, id=f"bad-{next(numbers)}"), case)]
        answer = post("/v1/activities/batch", '{"activities": [' + ",".join(items) + "]}")
        assert answer.status_code == 200, answer.text
        results = answer.json["results"]
        assert [result["index"] for result in results] == list(range(len(items)))
        for case, good, refused in zip(cases, results[0::2], results[1::2], strict=True):
            with subtests.test(case.name):
                assert (good["status"], good["problem"]) == (201, None)
                assert good["activity"]["points"]["awarded"] == world.BASKET_AWARDED
                assert (refused["status"], refused["activity"]) == (case.status, None)
                check_problem(refused["problem"], case.status, case.code, case.expected_pointer)
