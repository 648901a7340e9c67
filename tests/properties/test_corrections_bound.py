"""Corrections under limits and budgets, whatever the rules: never topped up, and all comes back with the last piece."""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.activities import returns
from app.activities.errors import ActivityClosed
from app.activities.service import Accepted, Source, report_many
from app.campaigns import service as campaigns
from app.core.cache import bump
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.members import service as members
from app.merchants.service import MerchantPrincipal
from tests.corrections import faults
from tests.properties.shopping import START, Shopper, open_shop

EXAMPLES = 300 if os.environ.get("TEST_PROFILE") == "long" else 12
quick = hypothesis_settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
CATEGORIES = ["produce", "toys"]
few = st.integers(1, 60)
awards = st.one_of(
    st.builds(lambda points: {"type": "fixed", "points": points}, few),
    st.builds(lambda points: {"type": "per_unit", "points": points}, few),
    st.builds(lambda points: {"type": "per_amount", "points": points, "per": 300, "currency": "EUR"}, few),
    st.builds(lambda factor: {"type": "multiplier", "factor": factor}, st.sampled_from(["1.5", "2", "3.25"])),
    st.just({"type": "expression", "expression": "double(activity.total) / 700.0"}),
)
conditions = st.sampled_from([
    None, None, "activity.total > 900", "activity.total <= 900", "activity.line_count != 2",
])  # fmt: skip
limits = st.lists(
    st.builds(
        lambda unit, by, per, amount: {"unit": unit, "by": by, "per": per, "amount": amount},
        st.sampled_from(["points", "points", "count"]),
        st.sampled_from(["member", "household", "merchant", "campaign", "device", "station"]),
        st.sampled_from(["day", "campaign"]),
        st.integers(1, 4) | st.integers(20, 120),
    ),
    max_size=2,
    unique_by=lambda limit: (limit["unit"], limit["by"], limit["per"]),
)
stackings = st.none() | st.fixed_dictionaries(
    {"group": st.sampled_from(["g", "h"]), "mode": st.sampled_from(["sum", "best", "exclusive"])}
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a campaign of up to four rules, with a budget or without."""
    rules = []
    for number in range(draw(st.integers(1, 4))):
        matched = draw(st.sampled_from([{}, {"categories": ["produce"]}, {"categories": CATEGORIES}]))
        rules.append({
            "key": f"r{number}", "labels": {"en": "Rule"}, "kind": "purchase", "match": matched,
            "scope": draw(st.sampled_from(["line", "activity"])), "award": draw(awards), "when": draw(conditions),
            "minimum": draw(st.none() | st.integers(2, 30)), "maximum": draw(st.none() | st.integers(30, 90)),
            "priority": draw(st.none() | st.integers(0, 2)), "stacking": draw(stackings), "limits": draw(limits),
            "pending": draw(st.sampled_from([None, {"days": 14}, {"until": "completed"}])),
        })  # fmt: skip
    budget = draw(st.none() | st.integers(10, 300))
    return {"rules": rules, "budget": None if budget is None else {"points": budget}}


@st.composite
def baskets(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a basket of up to three lines; a total is not always whole for each piece."""
    lines = [
        {"id": str(number), "quantity": draw(st.integers(1, 5)), "total": draw(st.integers(0, 2000)),
         "category": draw(st.sampled_from(CATEGORIES))}
        for number in range(draw(st.integers(1, 3)))
    ]  # fmt: skip
    places = {"device": draw(st.sampled_from([None, "till-1"])), "station": draw(st.sampled_from([None, "s-1"]))}
    return {"kind": "purchase", "currency": "EUR", "lines": lines, "packaging": [], **places}


# what is done: buy, revise or return some of an order; by whom, which order, which line, how many
steps = st.tuples(
    st.sampled_from(["buy", "buy", "revise", "return", "return", "return"]), st.integers(0, 1), st.integers(0, 20),
    st.integers(0, 2), st.integers(1, 5),
)  # fmt: skip


class Round:
    """Two members of one household, who buy, change and give back while one or two campaigns run."""

    numbers = itertools.count(1)

    def __init__(self, shop: MerchantPrincipal, drawn: Sequence[Mapping[str, Any]]) -> None:
        self.shop, self.keys = shop, [f"c{next(self.numbers)}" for _ in drawn]
        self.shoppers = [Shopper(shop), Shopper(shop)]
        first, second = (shopper.member_id for shopper in self.shoppers)
        members.create_household(first, None, now())
        members.join_household(second, members.invite_into_household(first, now()).code, now())
        for key, document in zip(self.keys, drawn, strict=True):
            named = {"key": key, "labels": {"en": key}, "starts_at": "2020-01-01T00:00:00Z"}
            campaigns.save_campaign({**named, **document}, active_from=START)
        self.orders: list[tuple[Shopper, int, int, dict[str, int]]] = []

    def buy(self, who: int, basket: Mapping[str, Any]) -> None:
        number = len(self.orders)
        left = {line["id"]: line["quantity"] for line in basket["lines"]}
        self.orders.append((self.shoppers[who], number, 1, left))
        self.report(self.shoppers[who].order(number, basket))

    def report(self, body: Mapping[str, Any]) -> None:
        [result] = report_many(Source(self.shop), [body])
        assert isinstance(result, Accepted | ActivityClosed), result

    def revise(self, place: int, basket: Mapping[str, Any]) -> None:
        shopper, number, revision, left = self.orders[place]
        if left.get("closed"):
            return
        bought = {line["id"]: line["quantity"] for line in basket["lines"]}
        self.orders[place] = shopper, number, revision + 1, bought
        self.report(shopper.order(number, basket) | {"revision": revision + 1})

    def give_back(self, place: int, line: int, quantity: int) -> None:
        shopper, number, _, left = self.orders[place]
        quantity = min(quantity, left.get(str(line), 0))
        if quantity:
            left |= {str(line): left[str(line)] - quantity, "closed": 1}
            self.take_back(shopper, number, {"lines": [{"id": str(line), "quantity": quantity}]})

    def take_back(self, shopper: Shopper, number: int, body: Mapping[str, Any]) -> None:
        """Return something; whoever did not buy it neither gains nor loses."""
        [other] = [each for each in self.shoppers if each is not shopper]
        before, version = shopper.wallet(), other.wallet().version
        booked = returns.return_one(self.shop, {"id": str(new_id()), "activity": shopper.name(number), **body})
        after = shopper.wallet()
        taken = booked.shown["reversed"]["points"]
        assert after.lifetime["reversed"] - before.lifetime["reversed"] == taken >= 0
        assert after.lifetime["issued"] == before.lifetime["issued"]
        assert other.wallet().version == version

    def give_all_back(self) -> None:
        for shopper, number, _, left in self.orders:
            if any(quantity for line, quantity in left.items() if line != "closed"):
                self.take_back(shopper, number, {})

    def used(self) -> dict[str, int]:
        """Return what is used of the limits and budgets of these campaigns."""
        counted = {}
        for name, query in (
            ("members", "SELECT sum(used) FROM member_limit_usage WHERE campaign_id = ANY(:ids)"),
            ("shared", "SELECT sum(used) FROM shared_limit_usage WHERE campaign_id = ANY(:ids)"),
            ("budgets", "SELECT sum(share - remaining) FROM budget_slot WHERE live AND campaign_id = ANY(:ids)"),
        ):
            ids = list(db.session.scalars(db.text("SELECT campaign_id FROM campaign WHERE key = ANY(:keys)"),
                                          {"keys": self.keys}))  # fmt: skip
            counted[name] = int(db.session.scalar(db.text(query), {"ids": ids}) or 0)
        db.session.rollback()
        return counted

    def close(self) -> None:
        """End the campaigns, so that the next ones pay alone."""
        with unit_of_work() as session:
            session.execute(db.text("UPDATE campaign SET state = 'ended' WHERE key = ANY(:keys)"), {"keys": self.keys})
            bump("campaigns")


@pytest.fixture
def shop(app: Flask) -> MerchantPrincipal:
    return open_shop()


def test_all_that_was_taken_of_limits_and_budgets_comes_back(shop: MerchantPrincipal) -> None:
    @quick
    @given(
        st.lists(documents(), min_size=1, max_size=2),
        st.lists(baskets(), min_size=1, max_size=4),
        st.lists(steps, min_size=2, max_size=10),
    )
    def run(drawn: list[Any], sold: list[Any], taken: list[Any]) -> None:
        with time_machine.travel(START, tick=False):
            played = Round(shop, drawn)
            played.buy(0, sold[0])
            for kind, who, place, line, quantity in taken:
                if kind == "buy":
                    played.buy(who, sold[place % len(sold)])
                elif kind == "revise":
                    played.revise(place % len(played.orders), sold[quantity % len(sold)])
                else:
                    played.give_back(place % len(played.orders), line, quantity)
            assert [fault for fault in faults() if not fault.startswith("ledger")] == []
            played.give_all_back()
            assert played.used() == {"members": 0, "shared": 0, "budgets": 0}
            for shopper in played.shoppers:
                wallet = shopper.wallet()
                assert (wallet.pending, wallet.available, wallet.debt) == (0, 0, 0)
                assert wallet.lifetime["issued"] == wallet.lifetime["reversed"]
                assert shopper.days() == shopper.impact() == {}
            played.close()

    run()
    assert faults() == []
