"""A purchase earns for a certificate only if it is known, well-formed and valid on the day."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event

from app.activities.reading import facts_of, facts_of_stored, kept_certificates
from app.activities.schemas import ActivitySchema
from app.catalog import memory
from app.catalog import service as catalog
from app.catalog.certificates import HeldCertificate, ProductFacts
from app.catalog.gtin import normalise_gtin
from app.core.database import AUTOCOMMIT, db
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.catalog.documents import GTIN, certificate, product
from tests.world import basket, line

STATED = {"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}


@pytest.fixture
def put(client, shop):
    """A function that names a product and returns its id."""

    def send(body, sku="A-1", headers=None):
        answer = client.put(f"/v1/products/{sku}", json=body, headers=headers or shop.live)
        assert answer.status_code in (200, 201), answer.text
        return answer.json["id"]

    return send


@pytest.fixture
def organic(client, shop, customer):
    """A function that reports one line and returns the award of the organic rule, or the code that says why not."""
    number = iter(range(1000))

    def send(*, occurred_at=None, headers=None, ref=None, **changes):
        body = basket(ref or customer.ref, id=f"order-{next(number)}", lines=[line(**changes)])
        if occurred_at is not None:
            body["occurred_at"] = occurred_at
        cart = {name: value for name, value in body.items() if name != "id"}
        before = client.post("/v1/previews", json=cart, headers=headers or shop.live)
        answer = client.post("/v1/activities", json=body, headers=headers or shop.live)
        assert (before.status_code, answer.status_code) == (200, 201), answer.text
        assert before.json["awards"] == answer.json["awards"]
        assert before.json["missed"] == answer.json["missed"]
        [found] = [award for award in answer.json["awards"] if award["rule"] == "organic"] or [
            miss["code"] for miss in answer.json["missed"] if miss["rule"] == "organic"
        ]
        return found

    return send


def accept(level):
    programme.change(programme.DEFAULTS | {"certificates_accepted": level})


@pytest.mark.parametrize(
    ("stated", "earns"),
    [
        ([STATED], True),
        ([{"code": "EU_ORGANIC"}], False),
        ([{"code": "EU_ORGANIC", "number": None}], False),
        ([{"code": "EU_ORGANIC", "number": "green"}], False),
        ([{"code": "EU_ORGANIC", "number": " "}], False),
        ([{"code": "EU_ORGANIC", "number": "eco"}, STATED], True),
        ([{"code": "CN_ORGANIC", "number": "applied for"}], False),
        ([{"code": "CN_ORGANIC", "number": "100OP1200001"}], True),
        ([], False),
    ],
)
def test_of_an_unknown_product_a_well_formed_number_counts(organic, stated, earns):
    found = organic(certifications=stated)
    if earns:
        assert found["certificate"] in stated
    else:
        assert found == "certificate_missing"


def test_a_word_on_the_package_is_no_certification(client, shop, customer):
    body = basket(customer.ref, lines=[line(certifications=[{"code": "green", "number": "1"}])])
    answer = client.post("/v1/activities", json=body, headers=shop.live)
    assert_problem(answer, 422, "validation_failed", "/lines/0/certifications/0/code")


def test_a_products_certificate_counts_although_the_line_does_not_state_it(organic, put):
    put(product())
    expected = {"code": "EU_ORGANIC", "number": "DE-ÖKO-001", "basis": "registered"}
    assert organic(certifications=[])["certificate"] == expected
    assert organic(certifications=[{"code": "EU_ORGANIC"}])["certificate"] == expected
    assert organic(certifications=[STATED | {"number": "de-öko-001"}])["certificate"] == expected
    assert organic(sku=None, gtin=GTIN, certifications=[])["certificate"] == expected
    assert organic(sku="other", gtin="0" + GTIN, certifications=[])["certificate"] == expected
    assert organic(sku=None, gtin=None, certifications=[]) == "certificate_missing"


def test_a_registered_product_is_the_last_word(organic, put):
    put(product(certificates=[]))
    assert organic(certifications=[STATED]) == "certificate_missing"
    put(product())
    assert organic(certifications=[STATED | {"number": "DE-ÖKO-002"}]) == "certificate_missing"
    assert organic(certifications=[{"code": "CN_ORGANIC", "number": "1"}])["certificate"]["code"] == "EU_ORGANIC"
    put(product(certificates=[certificate(number=None)]))
    assert organic(certifications=[STATED]) == "certificate_missing"
    assert organic(sku="A-2", certifications=[STATED])["certificate"] == STATED


def test_a_withdrawn_product_is_no_word_at_all(organic, put, client, shop):
    put(product(certificates=[]))
    assert organic(certifications=[STATED]) == "certificate_missing"
    client.delete("/v1/products/A-1", headers=shop.live)
    assert organic(certifications=[STATED])["certificate"] == STATED


def test_products_of_others_and_of_the_other_mode_say_nothing(organic, put, shop):
    other = world.make_shop("other-shop")
    put(product(certificates=[]), headers=other.live)
    put(product(certificates=[]), headers=shop.test)
    assert organic(certifications=[STATED])["certificate"] == STATED
    put(product(certificates=[certificate(valid_to="2021-01-01")]))
    assert organic(certifications=[STATED]) == "certificate_expired"
    [tester] = world.make_customers(shop, 1, live=False)
    assert organic(certifications=[STATED], headers=shop.test, ref=tester.ref) == "certificate_missing"


@pytest.mark.parametrize(
    ("occurred_at", "earns"),
    [
        ("2026-03-28T22:59:59Z", False),  # 28 March in Berlin, the day before it begins
        ("2026-03-28T23:00:00Z", True),
        ("2026-03-29T21:59:59Z", True),  # the day on which the clocks go forward is an hour shorter
        ("2026-03-29T22:00:00Z", False),
    ],
)
def test_the_day_is_that_of_the_programmes_zone(organic, put, occurred_at, earns):
    programme.change(programme.DEFAULTS | {"time_zone": "Europe/Berlin"})
    put(product(certificates=[certificate(valid_from="2026-03-29", valid_to="2026-03-29")]))
    moment = datetime.fromisoformat(occurred_at)
    with time_machine.travel(moment + timedelta(hours=1), tick=False):
        found = organic(occurred_at=occurred_at, certifications=[])
    assert (found != "certificate_expired") is earns
    assert moment.astimezone(ZoneInfo("Europe/Berlin")).day in (28, 29, 30)


def test_a_leap_day_and_an_open_end_are_days_like_others(organic, put):
    put(product(certificates=[certificate(valid_from="2028-02-29", valid_to="2028-02-29")]))
    for day, earns in (("2028-02-28", False), ("2028-02-29", True), ("2028-03-01", False)):
        with time_machine.travel(f"{day}T13:00:00Z", tick=False):
            found = organic(occurred_at=f"{day}T12:00:00Z", certifications=[])
            assert (found != "certificate_expired") is earns, day
    put(product(certificates=[certificate(valid_from=None, valid_to=None)]))
    assert organic(certifications=[])["certificate"]["number"] == "DE-ÖKO-001"


def test_when_it_was_bought_decides_not_when_it_is_reported(organic, put):
    put(product(certificates=[certificate(valid_to="2026-11-20")]))
    with time_machine.travel("2026-11-25T12:00:00Z", tick=False):
        assert organic(occurred_at="2026-11-20T12:00:00Z", certifications=[])["points"]
        assert organic(occurred_at="2026-11-21T12:00:00Z", certifications=[]) == "certificate_expired"


def test_what_the_programme_accepts(organic, put, client, shop):
    editor = world.make_staff("editor")
    product_id = put(product())
    accept("registered")
    assert organic(sku="unknown", certifications=[STATED]) == "certificate_missing"
    assert organic(certifications=[])["certificate"]["basis"] == "registered"
    accept("verified")
    assert organic(certifications=[STATED]) == "certificate_missing"
    address = f"/v1/admin/products/{product_id}"
    tag = client.get(address, headers=editor.headers).headers["ETag"]
    verified = client.post(f"{address}/certificates/EU_ORGANIC/verify", headers=editor.headers | {"If-Match": tag})
    assert verified.status_code == 200, verified.text
    assert organic(certifications=[])["certificate"]["basis"] == "verified"
    put(product(certificates=[certificate(holder="Somebody else")]))
    assert organic(certifications=[STATED]) == "certificate_missing"
    accept("stated")
    assert organic(sku="unknown", certifications=[STATED])["certificate"] == STATED


def test_a_rejected_certificate_earns_nothing_in_any_mode(organic, put, client):
    editor = world.make_staff("editor")
    product_id = put(product())
    address = f"/v1/admin/products/{product_id}"
    headers = editor.headers | {"If-Match": client.get(address, headers=editor.headers).headers["ETag"]}
    client.post(f"{address}/certificates/EU_ORGANIC/reject", json={"reason": "No"}, headers=headers)
    for level in ("stated", "registered", "verified"):
        accept(level)
        assert organic(certifications=[STATED]) == "certificate_missing"


def test_why_is_told_in_the_readers_language(client, shop, customer, put):
    put(product(certificates=[certificate(valid_to="2021-01-01")]))
    for language, words in (("en", "not valid on that day"), ("zh-CN", "当日无效")):
        body = basket(customer.ref, id=f"order-{language}", lines=[line(certifications=[])])
        answer = client.post("/v1/activities", json=body, headers=shop.live | {"Accept-Language": language}).json
        [miss] = [miss for miss in answer["missed"] if miss["rule"] == "organic"]
        assert miss["code"] == "certificate_expired"
        assert words in miss["detail"]
        assert miss["next_step"]


def test_another_process_hears_of_a_change(organic, put, other_app, shop, customer):
    other = other_app.test_client()
    put(product())

    def reported(number):
        body = basket(customer.ref, id=f"other-{number}", lines=[line(certifications=[])])
        return {award["rule"] for award in other.post("/v1/activities", json=body, headers=shop.live).json["awards"]}

    assert "organic" in reported(1)
    with time_machine.travel(datetime.now(UTC), tick=True):
        put(product(certificates=[]))
    other_app.extensions["config_cache"].checked_at = 0.0  # half a second later
    assert "organic" not in reported(2)


def _queries(settings_app, act):
    """Return how many statements ``act`` sent that name products."""
    seen = []

    def note(connection, cursor, statement, *_):
        if "product" in statement:
            seen.append(statement)

    engine = db.engines[AUTOCOMMIT]
    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def test_known_products_and_lines_without_any_cost_no_query(app, put, shop):
    put(product(), "A-1")
    put(product(gtin="96385074"), "A-2")
    moment = datetime.now(UTC)
    lines = [
        {"sku": sku, "gtin": gtin} for sku, gtin in (("A-1", None), (None, "96385074"), ("no", GTIN), ("no", None))
    ]  # fmt: skip

    def look(found):
        return lambda: catalog.certificate_terms(shop.merchant_id, True, [([each], moment) for each in found])

    assert _queries(app, look([{"sku": None, "gtin": None}])) == 2  # whether the merchant has any, or anybody shared
    assert _queries(app, look(lines)) == 1
    assert _queries(app, look(lines)) == 0
    assert _queries(app, look([{"sku": None, "gtin": None}])) == 0
    terms = look(lines)()
    assert [each.products[0] is not None for each in terms] == [True, True, True, False]
    stranger = world.make_shop("other-shop")
    ask = lambda: catalog.certificate_terms(stranger.merchant_id, True, [(lines, moment)])  # noqa: E731
    assert _queries(app, ask) == 1
    assert _queries(app, ask) == 0
    assert ask() == [None]


def test_memory_is_bounded_and_answers_stay_right_beyond_it(put, shop, monkeypatch):
    monkeypatch.setattr(memory, "KEPT_MAX", 3)
    put(product(gtin=None))
    moment = datetime.now(UTC)
    lines = [{"sku": f"no-{number}", "gtin": None} for number in range(10)] + [{"sku": "A-1", "gtin": None}]
    for _ in range(2):
        [terms] = catalog.certificate_terms(shop.merchant_id, True, [(lines, moment)])
        assert [each is not None for each in terms.products] == [False] * 10 + [True]


def facts(body, *products, accepted="stated"):
    read = ActivitySchema().load(body)
    terms = catalog.CertificateTerms(date(2026, 5, 4), accepted, products) if products else None
    return read, facts_of(read, read["occurred_at"], "staff", terms)


def known(*held, is_own=True):
    rows = {each.code: each for each in held}
    return ProductFacts(None, is_own, (), rows)


def organic_held(**changes):
    return HeldCertificate("EU_ORGANIC", "DE-ÖKO-001", None, None, "unverified")._replace(**changes)


@pytest.mark.parametrize(
    ("stated", "held"),
    [
        ([STATED], None),
        ([{"code": "EU_ORGANIC"}], None),
        ([], None),
        ([], known(organic_held())),
        ([STATED], known()),
        ([STATED], known(organic_held(verification="verified"))),
        ([STATED], known(organic_held(number="DE-ÖKO-002"))),
        ([], known(organic_held(number=None), is_own=False)),
        ([STATED], known(organic_held(number=None), is_own=False)),
        ([{"code": "FSC", "number": "FSC-C000000"}], known(organic_held())),
    ],
)
def test_what_is_kept_makes_the_same_facts_again(stated, held):
    body = basket("customer", lines=[line(certifications=stated)])
    read, made = facts(body, held)
    again = facts_of_stored(body, read["occurred_at"], "staff", kept_certificates(made))
    for name in ("certifications", "certificates", "refused"):
        assert made["lines"][0].get(name, {}) == again["lines"][0].get(name, {}), name


def test_a_label_of_a_shared_product_earns_nothing_and_takes_nothing_away():
    body = basket("customer", lines=[line(certifications=[])])
    label = known(organic_held(number=None), is_own=False)
    assert facts(body, label)[1]["lines"][0]["refused"] == {"EU_ORGANIC": "certificate_missing"}
    body = basket("customer", lines=[line(certifications=[STATED])])
    assert facts(body, label)[1]["lines"][0]["certifications"] == ["EU_ORGANIC"]
    assert facts(body, label, accepted="registered")[1]["lines"][0]["certifications"] == []
    numbered = known(organic_held(verification="verified"), is_own=False)
    held = facts(basket("customer", lines=[line(certifications=[])]), numbered, accepted="verified")[1]["lines"][0]
    assert held["certificates"]["EU_ORGANIC"]["basis"] == "verified"


def test_a_gtin_is_looked_up_by_one_spelling():
    assert {normalise_gtin(text) for text in (GTIN, "0" + GTIN)} == {"0" + GTIN}
