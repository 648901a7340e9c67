"""What a shopper sees of the impact of their activities, and staff of it and of the factors."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.core.ids import new_id
from app.impact import service
from app.impact.service import ImpactLine, ImpactSubject
from app.programme import service as programme
from tests import world
from tests.answers import assert_problem
from tests.impact.conftest import Edit
from tests.impact.test_booking import CHEAPER_BAG, NO_BAG, insert

PATH = "/v1/me/impact"
Shopper = Callable[[UUID], dict[str, str]]


@pytest.fixture
def read(client: FlaskClient, customer: world.Customer, shopper: Shopper) -> Callable[..., Any]:
    """A function that reads the customer's impact."""
    headers = shopper(customer.member_id)

    def get(query: str = "", **more: str) -> Any:
        answer = client.get(f"{PATH}?{query}", headers=headers | more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json

    return get


def recycling(ref: str, **weights: int) -> dict[str, Any]:
    lines = [{"id": code, "material": code, "weight_g": grams} for code, grams in weights.items()]
    return {"id": f"drop-{new_id()}", "kind": "recycling", "occurred_at": world.AN_HOUR_AGO, "member": {"ref": ref},
            "lines": lines}  # fmt: skip


def report(client: FlaskClient, shop: world.Shop, body: dict[str, Any]) -> None:
    answer = client.post("/v1/activities", json=body, headers=shop.live)
    assert answer.status_code == 201, answer.text


def book(member_id: UUID, subject: ImpactSubject, occurred_at: datetime) -> None:
    insert(service.entry_rows(member_id, new_id(), service.claim_impact(subject), occurred_at, occurred_at))


def bag(member_id: UUID, *moments: str) -> None:
    for moment in moments:
        book(member_id, ImpactSubject("purchase", ("NO_BAG",)), datetime.fromisoformat(moment).astimezone(UTC))


def values(totals: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(t["metric"], t["method"]): (t["value"], t["low"], t["high"]) for t in totals}


def test_nothing_done_is_nothing_avoided(read: Callable[..., Any]) -> None:
    answer = read()
    assert answer.pop("as_of")
    assert answer == {
        "totals": [], "months": [], "factors": [], "equivalent": None, "from": None, "to": None, "time_zone": "UTC",
    }  # fmt: skip


def test_methods_stand_apart_each_with_its_factors_and_warnings(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, read: Callable[..., Any]
) -> None:
    report(client, shop, world.basket(customer.ref))
    report(client, shop, recycling(customer.ref, PET=500, ALUMINIUM=1000, CORRUGATED=2000))
    answer = read()
    month = world.AN_HOUR_AGO[:7]
    expected = {
        ("g_co2e_avoided", "warm"): (575, 402, 748),
        ("g_co2e_avoided", "desnz"): (8120 + 200, 5684, 10556 + 400),
        ("g_co2e_avoided", "retailer_claim"): (21, 0, 42),
        ("g_recycled", "measured"): (3500, 3500, 3500),
    }
    assert values(answer["totals"]) == expected
    assert [(found["month"], values(found["totals"])) for found in answer["months"]] == [(month, expected)]
    factors = {factor["id"]: factor for factor in answer["factors"]}
    for total in answer["totals"]:
        assert all(factors[factor_id]["method"] == total["method"] for factor_id in total["factors"])
    (weak,) = [total for total in answer["totals"] if total["method"] == "retailer_claim"]
    assert weak["notes"] == ["weak"]
    factor = factors[weak["factors"][0]]
    factor.pop("id")
    assert factor == {
        "subject_kind": "packaging", "subject": "NO_BAG", "metric": "g_co2e_avoided", "unit": "use", "value": 21,
        "low": 0, "high": 42, "method": "retailer_claim", "source": "retailer claim 2019 (derived)", "year": 2019,
        "region": "CN", "baseline": "single-use plastic bag", "note": "weak", "version": 1, "is_default": True,
    }  # fmt: skip
    assert sorted(factor["subject"] for factor in answer["factors"]) == ["ALUMINIUM", "CORRUGATED", "NO_BAG", "PET"]


def test_pieces_of_typical_weight_are_said_to_be_an_estimate(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, read: Callable[..., Any]
) -> None:
    body = recycling(customer.ref, PET=0)
    body["lines"] = [{"id": "1", "material": "PET", "pieces": 3}]
    report(client, shop, body)
    notes = {total["metric"]: total["notes"] for total in read()["totals"]}
    estimated = "estimated from pieces of typical weight (weak)"
    assert notes == {
        "items_recycled": [], "g_recycled": [estimated],
        "g_co2e_avoided": sorted([estimated, "lowest of the published values"]),
    }  # fmt: skip


def test_the_equivalent_is_of_one_method_and_names_its_own_source(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, read: Callable[..., Any]
) -> None:
    report(client, shop, recycling(customer.ref, PET=400, ALUMINIUM=60))  # 460 g by the one, 487 by the other
    equivalent = read()["equivalent"]
    assert equivalent["text"] == "As much as an average car emits over 1 km."
    assert (equivalent["amount"], equivalent["of"], equivalent["per_unit"], equivalent["method"]) == (
        1, 487, 249, "desnz",
    )  # fmt: skip
    assert "EPA-420-F-23-014" in equivalent["source"]
    assert (equivalent["year"], equivalent["region"]) == (2023, "US")
    assert read(**{"Accept-Language": "zh-Hans-CN"})["equivalent"]["text"] == "相当于一辆普通汽车行驶 1 公里的排放量。"


def test_the_equivalent_speaks_the_member_s_language_unless_another_is_asked_for(
    client: FlaskClient, shop: world.Shop, customer: world.Customer, read: Callable[..., Any], shopper: Shopper
) -> None:
    report(client, shop, recycling(customer.ref, ALUMINIUM=1000))
    client.patch("/v1/me", json={"locale": "zh-CN"}, headers=shopper(customer.member_id))
    assert "公里" in read()["equivalent"]["text"]
    assert "km" in read(**{"Accept-Language": "en-GB,zh;q=0.5"})["equivalent"]["text"]


def test_months_begin_at_midnight_in_the_programme_s_zone(customer: world.Customer, read: Callable[..., Any]) -> None:
    programme.change({**programme.DEFAULTS, "time_zone": "America/New_York"})
    bag(
        customer.member_id,
        "2025-11-01T03:59:59Z",  # still October, in summer time
        "2025-11-01T04:00:00Z",
        "2025-12-01T04:59:59Z",  # still November, in winter time
        "2025-12-01T05:00:00Z",
        "2024-03-01T04:59:59Z",  # leap day
    )  # fmt: skip
    answer = read()
    assert answer["time_zone"] == "America/New_York"
    assert [(found["month"], found["totals"][0]["value"]) for found in answer["months"]] == [
        ("2024-02", 21), ("2025-10", 21), ("2025-11", 42), ("2025-12", 21),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "months"),
    [
        ("from=2025-11", ["2025-11", "2025-12"]), ("to=2025-10", ["2025-09", "2025-10"]),
        ("from=2025-10&to=2025-11", ["2025-10", "2025-11"]), ("from=2025-12&to=2025-12", ["2025-12"]),
        ("from=2026-02", []), ("to=2025-08", []), ("from=1970-01&to=9999-12", [f"2025-{m:02}" for m in range(9, 13)]),
    ],
)  # fmt: skip
def test_bounds_are_months_both_included(
    customer: world.Customer, read: Callable[..., Any], query: str, months: list[str]
) -> None:
    bag(customer.member_id, *[f"2025-{month:02}-15T12:00:00Z" for month in (9, 10, 11, 12)])
    answer = read(query)
    assert [found["month"] for found in answer["months"]] == months
    assert sum(total["value"] for total in answer["totals"]) == 21 * len(months)
    asked = dict(part.split("=") for part in query.split("&"))
    assert (answer["from"], answer["to"]) == (asked.get("from"), asked.get("to"))


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=2026-13", "/from"), ("to=2026-1", "/to"), ("from=", "/from"), ("from=2026-02&to=2026-01", "/to"),
        ("month=2026-01", "/month"), ("from=2026-01&from=2026-02", "/from"), ("from=0001-01", "/from"),
        ("to=2026-01-01", "/to"), ("from=%00", "/from"),
    ],
)  # fmt: skip
def test_bounds_that_are_no_months_are_refused(
    client: FlaskClient, customer: world.Customer, shopper: Shopper, query: str, pointer: str
) -> None:
    answer = client.get(f"{PATH}?{query}", headers=shopper(customer.member_id))
    assert_problem(answer, 422, "validation_failed", pointer)


def test_what_was_taken_back_is_seen_no_more(customer: world.Customer, read: Callable[..., Any]) -> None:
    activity_id, moment = new_id(), datetime(2026, 5, 1, tzinfo=UTC)
    claimed = service.claim_impact(ImpactSubject("recycling", (), (ImpactLine("1", material="PET", weight_g=500),)))
    insert(service.entry_rows(customer.member_id, activity_id, claimed, moment, moment))
    standing = service.booked(customer.member_id, activity_id)
    insert(service.difference_rows(customer.member_id, activity_id, standing, service.Impact(), moment, moment))
    answer = read()
    assert (answer["totals"], answer["months"], answer["factors"]) == ([], [], [])


def test_each_sees_their_own(client: FlaskClient, shop: world.Shop, customer: world.Customer, shopper: Shopper) -> None:
    (other,) = world.make_customers(shop, 1)
    bag(customer.member_id, "2026-05-01T12:00:00Z")
    assert client.get(PATH, headers=shopper(other.member_id)).json["totals"] == []


def test_staff_see_a_member_s_impact_as_the_member_does(
    client: FlaskClient, customer: world.Customer, read: Callable[..., Any]
) -> None:
    bag(customer.member_id, "2026-05-01T12:00:00Z")
    viewer, own = world.make_staff("viewer"), read()
    answer = client.get(f"/v1/admin/members/{customer.member_id}/impact?from=2026-05", headers=viewer.headers)
    assert answer.status_code == 200
    assert {name: answer.json[name] for name in ("totals", "months", "factors", "equivalent")} == {
        name: own[name] for name in ("totals", "months", "factors", "equivalent")
    }
    unknown = client.get(f"/v1/admin/members/{new_id()}/impact", headers=viewer.headers)
    assert_problem(unknown, 404, "member_not_found")


def test_staff_see_every_version_of_a_factor(client: FlaskClient, programme: None, edit: Edit) -> None:
    service.load_reference(edit(NO_BAG, CHEAPER_BAG))
    answer = client.get("/v1/admin/impact/factors?subject=NO_BAG", headers=world.make_staff("viewer").headers)
    assert answer.status_code == 200
    (factor,) = answer.json["data"]
    assert [(v["version"], v["value"], v["method"], v["note"]) for v in factor["versions"]] == [
        (2, 18, "retailer_claim", "weak"), (1, 21, "retailer_claim", "weak"),
    ]  # fmt: skip
    assert (factor["source"], factor["region"], factor["unit"]) == ("retailer claim 2019 (derived)", "CN", "use")


def test_factors_come_page_by_page(client: FlaskClient, programme: None) -> None:
    headers, path = world.make_staff("viewer").headers, "/v1/admin/impact/factors?metric=g_co2e_avoided"
    whole = client.get(f"{path}&limit=100", headers=headers).json
    assert whole["next_cursor"] is None
    found, cursor = [], ""
    while True:
        page = client.get(f"{path}&limit=7{cursor}", headers=headers).json
        found += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == whole["data"]
    assert len(found) > 20
    foreign = client.get(f"/v1/admin/impact/factors?limit=7{cursor}", headers=headers)
    assert_problem(foreign, 400, "invalid_cursor")
