"""What a preview suggests is what the merchant has, earns what it says, and reads in the shopper's language."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.activities import previewing
from app.activities.suggestions import ORDER_TRIED_MAX, PACKAGING_TRIED_MAX, PRODUCTS_TRIED_MAX
from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.programme import service as programme
from tests import world
from tests.catalog.documents import GTIN, certificate, product
from tests.world import ago, basket, line

PLAIN = {"sku": "plain", "name": "Carrots", "certifications": [], "packaging": []}


def sold(**changes):
    """Return a product that comes in one kind of package and has no GTIN."""
    return product(**{"gtin": None, "packaging": []} | changes)


@pytest.fixture
def put(client, shop):
    def send(body, sku="A-1", headers=None):
        answer = client.put(f"/v1/products/{sku}", json=body, headers=headers or shop.live)
        assert answer.status_code in (200, 201), answer.text

    return send


@pytest.fixture
def preview(client, shop):
    def send(cart, language="en", headers=None):
        answer = client.post("/v1/previews", json=cart, headers=(headers or shop.live) | {"Accept-Language": language})
        assert answer.status_code == 200, answer.text
        return answer.json

    return send


def cart_of(*lines, **changes):
    body = basket(lines=list(lines), member=None, packaging=["NO_BAG", "REUSABLE_BOX"]) | changes
    return {name: value for name, value in body.items() if name != "id"}


def followed(cart, change):
    """Return the cart with a suggestion taken: lines are changed by their id."""
    by_id = {each["id"]: each for each in change.get("lines", ())}
    lines = [each | by_id.get(each["id"], {}) for each in cart["lines"]]
    return cart | {name: value for name, value in change.items() if name != "lines"} | {"lines": lines}


def test_a_certified_product_of_the_same_category_is_suggested(put, preview):
    put(sold(names={"en": "Organic carrots", "zh-CN": "有机胡萝卜"}), "bio")
    cart = cart_of(line(**PLAIN))
    [found] = preview(cart)["suggestions"]
    assert (found["change"], found["extra_points"]) == ({"lines": [{"id": "1", "sku": "bio"}]}, 20)
    assert found["text"] == "Choose “Organic carrots” instead of “Carrots” and earn 20 more points."
    assert found["impact"] == []
    [found] = preview(cart, "zh-CN")["suggestions"]
    assert found["text"] == "选择“有机胡萝卜”代替“Carrots”，可多得 20 分。"
    after = preview(followed(cart, found["change"]))
    assert after["points"]["awarded"] == preview(cart)["points"]["awarded"] + 20
    assert after["suggestions"] == []


@pytest.mark.parametrize(
    ("names", "language", "shown"),
    [
        ({"de": "Möhren", "en": "Carrots"}, "fr", "Carrots"),
        ({"de": "Möhren"}, "en", "Möhren"),
        ({"zh-Hans": "胡萝卜", "en": "Carrots"}, "zh-CN", "胡萝卜"),
        ({}, "en", "bio"),
    ],
)
def test_a_product_is_named_as_near_to_the_language_as_it_can_be(put, preview, names, language, shown):
    put(sold(names=names), "bio")
    [found] = preview(cart_of(line(**PLAIN)), language)["suggestions"]
    assert f"“{shown}”" in found["text"]


@pytest.mark.parametrize(
    ("changes", "line_changes"),
    [
        ({"category": "bakery"}, {}),
        ({"certificates": []}, {}),
        ({"certificates": [certificate(number=None)]}, {}),
        ({"certificates": [certificate(valid_to="2021-01-01")]}, {}),
        ({"certificates": [certificate(valid_from="2059-01-01")]}, {}),
        ({"certificates": [certificate(code="FSC", number="FSC-C000000")]}, {}),  # no rule pays for it
        ({}, {"sku": "bio"}),
        ({}, {"category": None}),
        ({}, {"serial": "S-1"}),
        ({}, {"certifications": [{"code": "CN_ORGANIC", "number": "1"}]}),
    ],
)
def test_what_would_not_earn_more_or_is_something_else_is_not_suggested(put, preview, changes, line_changes):
    put(sold() | changes, "bio")
    found = preview(cart_of(line(**PLAIN | line_changes)))["suggestions"]
    assert [each for each in found if "sku" in each["change"].get("lines", [{}])[0]] == []


def test_only_what_this_merchant_sells_in_this_mode_is_suggested(put, preview, shop, client):
    put(sold(), "bio", shop.test)
    put(sold(), "bio", world.make_shop("other-shop").live)
    put(sold(certificates=[]), "plain")
    assert preview(cart_of(line(**PLAIN)))["suggestions"] == []
    put(sold(), "bio")
    assert len(preview(cart_of(line(**PLAIN)))["suggestions"]) == 1
    client.delete("/v1/products/bio", headers=shop.live)
    assert preview(cart_of(line(**PLAIN)))["suggestions"] == []


def test_what_the_programme_does_not_accept_is_not_suggested(put, preview):
    put(sold(), "bio")
    programme.change(programme.DEFAULTS | {"certificates_accepted": "verified"})
    assert preview(cart_of(line(**PLAIN)))["suggestions"] == []
    programme.change(programme.DEFAULTS | {"certificates_accepted": "registered"})
    assert len(preview(cart_of(line(**PLAIN)))["suggestions"]) == 1


def test_a_changed_line_names_what_the_other_product_is(put, preview):
    put(sold(gtin=GTIN, packaging=["REFILL"]), "bio")
    cart = cart_of(line(**PLAIN | {"gtin": "96385074", "packaging": ["UNPACKED"]}))
    found = [each for each in preview(cart)["suggestions"] if "lines" in each["change"]]
    # 20 for organic, less the 6 for sold loose, which this product is not
    assert [(each["change"]["lines"], each["extra_points"]) for each in found] == [
        ([{"id": "1", "sku": "bio", "gtin": "0" + GTIN, "packaging": []}], 14)
    ]


def test_a_refused_certificate_leads_to_one_that_counts(put, preview):
    put(sold(certificates=[]), "plain")
    put(sold(), "bio")
    cart = cart_of(line(**PLAIN | {"certifications": [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}]}))
    [found] = preview(cart)["suggestions"]
    assert found["change"] == {"lines": [{"id": "1", "sku": "bio"}]}
    assert found["extra_points"] == 20


def test_a_line_is_suggested_as_its_product_is_sold_too(put, preview):
    put(sold(certificates=[], packaging=["UNPACKED", "REFILL"]), "plain")
    cart = cart_of(line(**PLAIN | {"packaging": ["CONCENTRATE"]}))
    [found] = preview(cart)["suggestions"]
    assert found["change"] == {"lines": [{"id": "1", "packaging": ["UNPACKED"]}]}
    assert (found["extra_points"], found["text"]) == (6, "Choose “Carrots” as “Sold loose” and earn 6 more points.")
    assert preview(cart, "zh-CN")["suggestions"][0]["text"] == "“Carrots”选择“散装”，可多得 6 分。"
    assert preview(followed(cart, found["change"]))["suggestions"] == []
    put(sold(certificates=[], packaging=[]), "plain")
    assert preview(cart)["suggestions"] == []


def test_only_what_the_merchant_offers_is_suggested_for_the_order(client, shop, preview):
    cart = cart_of(line(sku=None), packaging=[])
    offered = [(["REUSABLE_BOX"], [["REUSABLE_BOX"]]), (["NO_CUTLERY"], []), ([], []),
               (None, [["REUSABLE_BOX"], ["NO_BAG"]])]  # fmt: skip
    for offers, suggested in offered:
        client.put("/v1/packaging-options", json={"offers": offers}, headers=shop.live)
        found = preview(cart)["suggestions"]
        assert [each["change"]["packaging"] for each in found] == suggested


def test_options_are_named_in_the_readers_language_and_one_point_is_one(preview):
    campaigns.save_campaign(
        {"key": "slim", "labels": {"en": "Slim"}, "starts_at": "2020-01-01T00:00:00Z",
         "rules": [{"key": "slim", "kind": "purchase", "scope": "activity", "labels": {"en": "Slim"},
                    "award": {"type": "fixed", "points": 1}, "match": {"packaging": ["SLIM_TAPE_45"]}}]},
        active_from=world.LONG_AGO,
    )  # fmt: skip
    cart = cart_of(line(sku=None))
    assert [each["text"] for each in preview(cart)["suggestions"]] == ["Choose “Slim tape” and earn 1 more point."]
    assert [each["text"] for each in preview(cart, "zh-CN")["suggestions"]] == ["选择“瘦身胶带”，可多得 1 分。"]


def test_every_option_has_a_name_in_chinese(shop):
    for code, option in catalog.reference().packaging.items():
        name = catalog.packaging_name(code, option.name, "zh-CN")
        assert any("\u4e00" <= character <= "\u9fff" for character in name), code
        assert catalog.packaging_name(code, option.name, "fr") == option.name


@pytest.mark.parametrize(
    ("when", "suggested"),
    [
        ("'NO_CUTLERY' in activity.packaging", [["NO_BAG", "REUSABLE_BOX", "NO_CUTLERY"]]),
        ("activity.packaging.exists(each, each == 'TAPELESS')", [["NO_BAG", "REUSABLE_BOX", "TAPELESS"]]),
        ("'NO_CUTLERY' in activity.packaging && activity.channel == 'kiosk'", []),
        ("activity.channel == 'NO_CUTLERY'", []),
    ],
)
def test_a_rule_whose_condition_reads_packaging_is_seen(preview, when, suggested):
    campaigns.save_campaign(
        {"key": "read", "labels": {"en": "Read"}, "starts_at": "2020-01-01T00:00:00Z",
         "rules": [{"key": "read", "kind": "purchase", "scope": "activity", "labels": {"en": "Read"},
                    "award": {"type": "fixed", "points": 7}, "when": when}]},
        active_from=world.LONG_AGO,
    )  # fmt: skip
    found = preview(cart_of(line(sku=None)))["suggestions"]
    assert [each["change"]["packaging"] for each in found] == suggested
    assert all(each["extra_points"] == 7 for each in found)


def test_a_rule_that_counts_options_is_met_by_any(preview):
    campaigns.save_campaign(
        {"key": "count", "labels": {"en": "Count"}, "starts_at": "2020-01-01T00:00:00Z",
         "rules": [{"key": "count", "kind": "purchase", "scope": "activity", "labels": {"en": "Count"},
                    "award": {"type": "fixed", "points": 7}, "when": "size(activity.packaging) >= 3"}]},
        active_from=world.LONG_AGO,
    )  # fmt: skip
    found = preview(cart_of(line(sku=None)))["suggestions"]
    assert 0 < len(found) <= ORDER_TRIED_MAX


def test_the_work_is_bounded_and_what_is_known_costs_no_query(put, preview, monkeypatch):
    for number in range(5):
        put(sold(category=f"c-{number}"), f"bio-{number}")
        put(sold(category=f"c-{number}", certificates=[], packaging=["UNPACKED"]), f"plain-{number}")
    lines = [
        line(**PLAIN | {"id": str(number), "sku": f"plain-{number % 5}", "category": f"c-{number % 5}",
                        "total": number})
        for number in range(200)
    ]  # fmt: skip
    counted = []
    real = campaigns.evaluate

    def evaluate(*given, **options):
        counted.append(1)
        return real(*given, **options)

    monkeypatch.setattr(previewing.campaigns, "evaluate", evaluate)
    found = preview(cart_of(*lines, packaging=[]))["suggestions"]
    assert len(counted) <= 1 + ORDER_TRIED_MAX + PACKAGING_TRIED_MAX + PRODUCTS_TRIED_MAX
    assert len(found) == 5
    best = {each["change"]["lines"][0]["id"] for each in found if "lines" in each["change"]}
    assert best == {"199", "198"}  # the dearest lines first


LINES = st.lists(
    st.fixed_dictionaries(
        {
            "sku": st.sampled_from(["bio", "fair", "plain", "loose", "unknown", None]),
            "category": st.sampled_from(["produce", "bakery", None]), "quantity": st.integers(1, 9),
            "total": st.integers(0, 3000),
            "certifications": st.sampled_from([[], [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}],
                                               [{"code": "CN_ORGANIC", "number": None}]]),
            "packaging": st.sampled_from([[], ["UNPACKED"], ["REFILL"]]),
        }
    ),
    min_size=1, max_size=6,
).map(lambda found: [entry | {"id": str(number)} for number, entry in enumerate(found)])  # fmt: skip


@pytest.fixture
def assortment(put):
    put(sold(packaging=["REFILL"]), "bio")
    put(sold(category="bakery", certificates=[certificate(code="CN_ORGANIC", number="1")]), "fair")
    put(sold(certificates=[], packaging=[]), "plain")
    put(sold(certificates=[], packaging=["UNPACKED", "REFILL"]), "loose")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=LINES, packaging=st.sampled_from([[], ["NO_BAG"], ["REUSED_CARTON"]]))
def test_a_suggestion_that_is_followed_earns_what_it_says(lines, packaging, preview, assortment):
    cart = {"kind": "purchase", "currency": "EUR", "lines": lines, "packaging": packaging, "occurred_at": ago(hours=1)}
    before = preview(cart)
    for suggestion in before["suggestions"]:
        after = preview(followed(cart, suggestion["change"]))
        assert after["points"]["awarded"] - before["points"]["awarded"] == suggestion["extra_points"] > 0
        assert all(claim in after["impact"] for claim in suggestion["impact"])
        assert str(suggestion["extra_points"]) in suggestion["text"]
