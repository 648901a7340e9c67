"""A small programme, shops, members and baskets, for tests that go through the whole of it.

What the campaigns pay, so that a test can name its expectation:

| rule | what | points | terms |
|---|---|---|---|
| organic | each unit of a line with an organic certificate | 10 | pending 14 days, expire after 12 months |
| loose | each unit of a line sold loose | 3 | available at once, expire after 1 month |
| no-bag | an order without a bag | 2 | available at once, never expire |
| reusable-box | a parcel in a reusable box | 15 | pending until completed, expire after 12 months |
| produce-euro | each euro of produce, where the line is 5 EUR or more | 1 | available at once, never expire |
| bottle-gram | each 100 g of PET brought back, staff's evidence | 1 | pending 14 days, never expire |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.campaigns.service import save_campaign
from app.catalog import service as catalog
from app.core.clock import format_time, now
from app.core.ids import new_id
from app.impact import service as impact
from app.members import service as members
from app.members.service import MemberFacts
from app.merchants import service as merchants
from app.staff import service as staff

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
YEAR = {"months": 12, "round_to": "month"}


def ago(**span: float) -> str:
    """Return the moment ``timedelta(**span)`` ago as the contract writes it."""
    return format_time((now() - timedelta(**span)).replace(microsecond=0))


AN_HOUR_AGO = ago(hours=1)  # one moment for the whole run, so that a body made twice is the same


def _rule(key: str, award: dict[str, Any], scope: str = "line", kind: str = "purchase", **more: Any) -> dict[str, Any]:
    name = key.replace("-", " ")
    labels = {"en": name.capitalize(), "zh-CN": f"规则 {name}"}
    return {"key": key, "kind": kind, "scope": scope, "award": award, "labels": labels} | more


def _campaign(key: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"key": key, "labels": {"en": key, "zh-CN": key}, "starts_at": format_time(LONG_AGO), "rules": rules}


CAMPAIGNS = (
    _campaign(
        "certified-products",
        [_rule("organic", {"type": "per_unit", "points": 10}, match={"certifications": ["EU_ORGANIC", "CN_ORGANIC"]},
               pending={"days": 14}, expiry=YEAR)],
    ),
    _campaign(
        "less-packaging",
        [
            _rule("loose", {"type": "per_unit", "points": 3}, match={"packaging": ["UNPACKED"]}, expiry={"months": 1}),
            _rule("no-bag", {"type": "fixed", "points": 2}, scope="activity", match={"packaging": ["NO_BAG"]}),
            _rule("reusable-box", {"type": "fixed", "points": 15}, scope="activity",
                  match={"packaging": ["REUSABLE_BOX"]}, pending={"until": "completed"}, expiry=YEAR),
        ],
    ),
    _campaign(
        "greens",
        [_rule("produce-euro", {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"},
               match={"categories": ["produce"]}, when="line.total >= 500")],
    ),
    _campaign(
        "bring-back",
        [_rule("bottle-gram", {"type": "per_weight", "points": 1, "per_g": 100}, kind="recycling",
               match={"materials": ["PET"]}, pending={"days": 14}, minimum_evidence="staff")],
    ),
)  # fmt: skip
BASKET_POINTS = {"organic": 20, "loose": 6, "no-bag": 2, "produce-euro": 11}  # of ``basket()`` as it is
BASKET_AWARDED = sum(BASKET_POINTS.values())


def load_programme() -> None:
    """Load the reference data and the campaigns, in force since 2020."""
    catalog.load_reference()
    impact.load_reference()
    merchants.load_reference()
    for campaign in CAMPAIGNS:
        save_campaign(campaign, active_from=LONG_AGO)


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a caller with ``token``."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Shop:
    """A merchant with a live and a test key, and the headers that send them."""

    merchant_id: UUID
    key: str
    live: dict[str, str]
    live_key_id: UUID
    test: dict[str, str]


def make_shop(key: str = "corner-shop", max_evidence: str = "staff", scopes: Sequence[str] = merchants.SCOPES) -> Shop:
    """Take in a merchant and issue its two keys."""
    moment = now()
    made = merchants.create_merchant(key=key, name=key, time_zone="Europe/Berlin", currency="EUR", moment=moment)
    keys = {
        live: merchants.issue_key(
            made.merchant_id, live=live, scopes=scopes, max_evidence=max_evidence, moment=moment
        )
        for live in (True, False)
    }  # fmt: skip
    return Shop(made.merchant_id, key, bearer(keys[True][1]), keys[True][0], bearer(keys[False][1]))


@dataclass(frozen=True)
class Customer:
    """A member and the reference under which a shop has linked them."""

    member_id: UUID
    code: str
    ref: str


def make_customers(shop: Shop, count: int, live: bool = True) -> list[Customer]:
    """Enrol ``count`` members and link them with ``shop``."""
    moment = now()
    enrolled: list[MemberFacts] = members.enrol_many(count, live=live, moment=moment)
    made = [Customer(member.member_id, member.code, f"customer-{member.code}") for member in enrolled]
    links = [(customer.ref, customer.member_id) for customer in made]
    merchants.link_customers(shop.merchant_id, live, links, moment)
    return made


@dataclass(frozen=True)
class Staff:
    """A member of staff, and the headers that send their token."""

    staff_id: UUID
    headers: dict[str, str]


def make_staff(*roles: str) -> Staff:
    """Open a staff account with these roles and sign it in."""
    email = f"{new_id()}@example.org"
    staff_id, _ = staff.create_staff(
        email=email, name="Ada", password="a long pass phrase", roles=roles, moment=now()
    )  # fmt: skip
    return Staff(staff_id, bearer(staff.issue_token(staff_id)[0]))


def line(**changes: Any) -> dict[str, Any]:
    """Return a line of two loose organic carrots, 11.98 EUR."""
    return {
        "id": "1", "sku": "A-1", "category": "produce", "quantity": 2, "total": 1198,
        "certifications": [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}], "packaging": ["UNPACKED"],
    } | changes  # fmt: skip


def basket(ref: str = "customer-1", **changes: Any) -> dict[str, Any]:
    """Return a purchase of one ``line()``, an hour before the run, no bag: it earns ``BASKET_AWARDED``."""
    return {
        "id": "order-1", "kind": "purchase", "occurred_at": AN_HOUR_AGO, "member": {"ref": ref}, "currency": "EUR",
        "lines": [line()], "packaging": ["NO_BAG"],
    } | changes  # fmt: skip
