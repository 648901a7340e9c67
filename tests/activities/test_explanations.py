"""What an answer says: what paid and what did not, in the reader's language, and what was avoided."""

import pytest

from app.campaigns.service import save_campaign
from tests import world
from tests.world import BASKET_POINTS, ago, basket, line


@pytest.fixture
def report(client, shop):
    """A function that reports an activity and returns what it earned."""

    def send(body, language=None, headers=None):
        headers = (headers or shop.live) | ({"Accept-Language": language} if language else {})
        answer = client.post("/v1/activities", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json

    return send


def paid(answer):
    """Return the points of each rule that paid."""
    found = {}
    for award in answer["awards"]:
        found[award["rule"]] = found.get(award["rule"], 0) + award["points"]
    return found


def missed(answer):
    return {miss["rule"]: miss["code"] for miss in answer["missed"]}


def impact(answer):
    return {(claim["subject"], claim["metric"]): claim for claim in answer["impact"]}


def test_every_rule_for_the_kind_either_paid_or_says_why_not(report, customer):
    answer = report(basket(customer.ref))
    assert paid(answer) == BASKET_POINTS
    assert missed(answer) == {"reusable-box": "condition_not_met"}
    assert answer["points"] == {"awarded": 39, "available": 19, "pending": 20, "paid_debt": 0}


def test_an_award_names_its_line_certificate_terms_and_reason(report, customer, client, shop):
    body = basket(customer.ref)
    awards = {award["rule"]: award for award in report(body)["awards"]}
    organic, bag = awards["organic"], awards["no-bag"]
    assert (organic["campaign"], organic["version"], organic["line"]) == ("certified-products", 1, "1")
    assert organic["points"] == organic["desired_points"] == 20
    assert organic["certificate"] == {"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}
    assert organic["reasons"] == [{"code": "matched", "detail": "This earned “Organic”."}]
    assert organic["available_at"] > body["occurred_at"]
    assert organic["expires_at"].endswith("T23:59:59Z")
    assert (bag["line"], bag["certificate"]) == (None, None)
    assert (bag["available_at"], bag["expires_at"]) == (body["occurred_at"], None)


def test_points_are_shared_among_the_lines_that_earned_them(report, customer):
    lines = [line(id=str(number), quantity=number, total=999, certifications=[]) for number in (1, 2, 3)]
    answer = report(basket(customer.ref, lines=lines))
    by_line = {(award["rule"], award["line"]): award["points"] for award in answer["awards"]}
    assert [by_line["loose", str(number)] for number in (1, 2, 3)] == [3, 6, 9]
    # 29.97 euros are 29 points: 9.99 each, the whole points first, the rest to the earlier lines
    assert [by_line["produce-euro", str(number)] for number in (1, 2, 3)] == [10, 10, 9]


def test_points_that_wait_for_completion_say_so(report, customer):
    boxed = {"packaging": ["REUSABLE_BOX"], "lines": [line(certifications=[], packaging=[], category=None)]}
    open_, done = (
        report(basket(customer.ref, id=str(completed), completed=completed, **boxed)) for completed in (False, True)
    )
    assert open_["points"] == {"awarded": 15, "available": 0, "pending": 15, "paid_debt": 0}
    assert (open_["awards"][0]["available_at"], open_["awards"][0]["expires_at"]) == (None, None)
    assert done["points"] == {"awarded": 15, "available": 15, "pending": 0, "paid_debt": 0}
    assert done["awards"][0]["expires_at"] is not None


def test_a_certificate_without_its_number_earns_nothing(report, customer):
    for number, certificate in enumerate([{"code": "EU_ORGANIC"}, {"code": "EU_ORGANIC", "number": None}]):
        answer = report(basket(customer.ref, id=f"order-{number}", lines=[line(certifications=[certificate])]))
        assert missed(answer)["organic"] == "certificate_missing"
        assert "organic" not in paid(answer)


@pytest.mark.parametrize(
    ("change", "rule", "code"),
    [
        ({"lines": [line(certifications=[])]}, "organic", "certificate_missing"),
        ({"lines": [line(certifications=[{"code": "FSC", "number": "1"}])]}, "organic", "certificate_missing"),
        ({"lines": [line(packaging=["REFILL"])]}, "loose", "condition_not_met"),
        ({"packaging": []}, "no-bag", "condition_not_met"),
        ({"lines": [line(total=499)]}, "produce-euro", "condition_not_met"),
        ({"currency": "CHF"}, "produce-euro", "currency_differs"),
    ],
)
def test_a_rule_that_did_not_pay_says_why(change, rule, code, report, customer):
    answer = report(basket(customer.ref) | change)
    assert missed(answer)[rule] == code
    assert rule not in paid(answer)
    [miss] = [miss for miss in answer["missed"] if miss["rule"] == rule]
    assert miss.keys() == {"campaign", "rule", "code", "detail", "next_step"}
    assert miss["detail"]


def test_weak_evidence_and_times_without_a_campaign_are_told(report, programme):
    photo = world.make_shop("photo-shop", max_evidence="photo")
    [customer] = world.make_customers(photo, 1)
    late = {"starts_at": "2099-01-01T00:00:00Z", "key": "next-century"}
    save_campaign(world.CAMPAIGNS[1] | late, active_from=world.LONG_AGO)
    bottles = {"kind": "recycling", "packaging": [], "lines": [{"id": "1", "material": "PET", "weight_g": 1000}]}
    answer = report(basket(customer.ref, **bottles), headers=photo.live)
    assert missed(answer) == {"bottle-gram": "evidence_too_weak"}
    answer = report(basket(customer.ref, id="order-2"), headers=photo.live)
    assert [miss["code"] for miss in answer["missed"] if miss["campaign"] == "next-century"] == [
        "outside_schedule"] * 3  # fmt: skip


def test_bottles_brought_back_earn_by_weight_and_count_as_recycled(report, customer):
    bottles = {"kind": "recycling", "packaging": [], "currency": None}
    weighed = report(basket(customer.ref, **bottles, lines=[{"id": "1", "material": "PET", "weight_g": 1000}]))
    assert paid(weighed) == {"bottle-gram": 10}
    claims = impact(weighed)
    assert claims["PET", "g_recycled"]["value"] == 1000
    assert (claims["PET", "g_co2e_avoided"]["value"], claims["PET", "g_co2e_avoided"]["low"]) == (1150, 805)
    assert claims["PET", "g_co2e_avoided"]["factor"]
    unweighed = report(basket(customer.ref, id="2", **bottles, lines=[{"id": "1", "material": "HDPE", "pieces": 4}]))
    claims = impact(unweighed)
    assert claims["HDPE", "items_recycled"]["value"] == 4
    assert (claims["HDPE", None]["code"], claims["HDPE", None]["value"]) == ("no_weight", 0)


def test_impact_is_claimed_by_a_named_factor_or_not_at_all(report, customer, client, shopper):
    answer = report(basket(customer.ref, packaging=["NO_BAG", "REUSABLE_BOX", "TAPELESS"]))
    claims = impact(answer)
    box = claims["REUSABLE_BOX", "g_packaging_avoided"]
    assert (box["value"], box["low"], box["high"]) == (329, 164, 494)
    assert box["factor"]
    for subject in ("UNPACKED", "TAPELESS"):
        claim = claims[subject, None]
        assert (claim["code"], claim["factor"]) == ("no_factor", None)
        assert claim["value"] == claim["low"] == claim["high"] == 0


def test_what_never_comes_with_a_purchase_earns_and_claims_nothing(report, customer):
    for kind in ("packaging_return", "trade_in", "repair", "learning", "custom"):
        answer = report({"id": kind, "kind": kind, "occurred_at": ago(hours=1), "member": {"ref": customer.ref}})
        assert (answer["points"]["awarded"], answer["awards"], answer["missed"], answer["impact"]) == (0, [], [], [])


ENGLISH, CHINESE = "This earned “Organic”.", "已获得“规则 organic”。"
LANGUAGES = [
    (None, ENGLISH),
    ("zh-CN", CHINESE),
    ("zh", CHINESE),
    ("zh-Hans-CN", CHINESE),
    ("de, zh;q=0.5", CHINESE),
    ("en;q=0.1, zh-CN;q=0.9", CHINESE),
    ("zh-CN;q=0.1, en-GB;q=0.9", ENGLISH),
    ("zh;q=0, fr", ENGLISH),
    ("de", ENGLISH),
    ("*", ENGLISH),
    ("", ENGLISH),
    ("zh-CN;q=nonsense, ;;;", ENGLISH),
]


def test_the_sentences_are_in_the_readers_language(report, customer, client, shop, subtests):
    """Codes are stored, so that one report reads differently to each who asks."""
    report(basket(customer.ref), "zh-CN")
    for language, sentence in LANGUAGES:
        with subtests.test(str(language)):
            headers = shop.live | ({} if language is None else {"Accept-Language": language})
            answer = client.get("/v1/activities/order-1", headers=headers).json
            [organic] = [award for award in answer["awards"] if award["rule"] == "organic"]
            assert organic["reasons"] == [{"code": "matched", "detail": sentence}]
            [miss] = answer["missed"]
            assert ("查看" in miss["next_step"]) is (sentence is CHINESE)


def test_the_shoppers_own_list_speaks_their_language_too(report, customer, client, shopper):
    report(basket(customer.ref))
    headers = shopper(customer.member_id) | {"Accept-Language": "zh-CN"}
    [activity] = client.get("/v1/me/activities", headers=headers).json["data"]
    assert CHINESE in {award["reasons"][0]["detail"] for award in activity["awards"]}
