"""A month of real baskets, of whose lines 5 % come back: in the end as if these had never been bought.

The live world buys everything and gives the lines back, in random order, through the batches of the contract; the test
world of the same merchant buys what is kept. Without limits and budgets every account, all impact and every day is the
same. Some spend before anything comes back what they have in both worlds. The data says nothing of bags and boxes: who
did without is made up, so that there is impact that comes and goes.
"""

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.activities.service import Source, report_many
from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core.clock import format_time, now
from app.core.database import db
from app.core.errors import ProblemError
from app.core.ids import new_id
from app.core.projector import drain
from app.demo.baskets import Mover, Tally, Window, households, read_baskets
from app.demo.prepare import MERCHANT_KEY, campaign_documents, ref_of
from app.engagement.models import METRICS
from app.impact import service as impact
from app.ledger import service as ledger
from app.members import service as members
from app.merchants import service as merchants
from tests import world

DAYS = 30 if os.environ.get("TEST_PROFILE") == "long" else 2
SHARE = 0.05
SEED = 20261123
BATCH = 500
Basket = dict[str, Any]


def unbound(document: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign without what binds it, and without those that it holds out."""
    rules = [{**rule, "limits": []} for rule in document["rules"]]
    return {**document, "rules": rules, "budget": None, "holdout_percent": 0}


class World:
    """Everybody's members in one mode of the one merchant."""

    def __init__(self, shop: world.Shop, live: bool, numbers: list[int]) -> None:
        key = (shop.live if live else shop.test)["Authorization"].removeprefix("Bearer ")
        self.origin = Source(merchants.authenticate(key), is_age_bounded=False)
        enrolled = members.enrol_many(len(numbers), live=live, moment=now())
        self.members = {number: member.member_id for number, member in zip(numbers, enrolled, strict=True)}
        self.numbers = {member_id: number for number, member_id in self.members.items()}
        links = [(ref_of(number), member_id) for number, member_id in self.members.items()]
        merchants.link_customers(shop.merchant_id, live, links, now())

    def report(self, baskets: list[Basket]) -> None:
        for part in batched(baskets):
            results = report_many(self.origin, part)
            assert not [result for result in results if isinstance(result, ProblemError)]

    def rows(self, query: str) -> dict[Any, tuple[Any, ...]]:
        """Return what a query says of these members: the row after the member's id, by household and what is left."""
        db.session.rollback()
        found = db.session.execute(db.text(query), {"ids": list(self.members.values())})
        return {(self.numbers[row[0]], row[1]): tuple(row[2:]) for row in found if any(row[2:])}

    def accounts(self) -> dict[Any, tuple[Any, ...]]:
        return self.rows(
            "SELECT member_id, 1, pending, available, debt, issued - reversed FROM account WHERE member_id = ANY(:ids)"
        )

    def impact(self) -> dict[Any, tuple[Any, ...]]:
        return self.rows(
            "SELECT member_id, metric, sum(value), sum(low), sum(high) FROM impact_entry WHERE member_id = ANY(:ids)"
            " GROUP BY 1, 2"
        )

    def days(self) -> dict[Any, tuple[Any, ...]]:
        columns = ", ".join(("activities", "points", *METRICS))
        return self.rows(f"SELECT member_id, day, {columns} FROM member_day WHERE member_id = ANY(:ids)")


@pytest.fixture
def shop(app: Flask) -> world.Shop:
    catalog.load_reference()
    impact.load_reference()
    found = world.make_shop(MERCHANT_KEY)
    for document in campaign_documents():
        campaigns.save_campaign(unbound(document), min(datetime.fromisoformat(document["starts_at"]), now()))
    return found


def batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield ``items`` in batches."""
    waiting = iter(items)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def packed(place: int) -> dict[str, Any]:
    """Return how a basket was packed: every third without a bag, every fifth in a box, which is delivered later."""
    packaging = ["NO_BAG"] * (place % 3 == 0) + ["REUSABLE_BOX"] * (place % 5 == 0)
    return {"packaging": packaging, "completed": place % 5 > 0}


def lines_of(baskets: list[Basket]) -> list[tuple[str, str]]:
    return [(basket["id"], line["id"]) for basket in baskets for line in basket["lines"]]


def without(baskets: list[Basket], gone: set[tuple[str, str]]) -> Iterator[Basket]:
    """Yield the baskets without the lines that come back; one that would be empty then is left out."""
    for basket in baskets:
        kept = [line for line in basket["lines"] if (basket["id"], line["id"]) not in gone]
        if kept:
            yield {**basket, "lines": kept}


def give_back(client: FlaskClient, shop: world.Shop, gone: list[tuple[str, str]]) -> None:
    for part in batched(gone):
        items = [{"id": f"{basket}-{line}", "activity": basket, "lines": [{"id": line}]} for basket, line in part]
        answer = client.post("/v1/returns/batch", json={"returns": items}, headers=shop.live)
        assert {result["status"] for result in answer.json["results"]} == {201}, answer.text


def complete(client: FlaskClient, shop: world.Shop, baskets: list[Basket]) -> None:
    """Complete every tenth basket, in both worlds, where it is."""
    at = format_time(now())
    for basket in baskets[::10]:
        for headers, allowed in ((shop.live, {200}), (shop.test, {200, 404})):
            path = f"/v1/activities/{basket['id']}/complete"
            assert client.post(path, json={"occurred_at": at}, headers=headers).status_code in allowed


def spend_some(here: World, there: World, chance: random.Random) -> int:
    """Let every third spend, in both worlds, part of what is available in both; return how many points that is."""
    spent = 0
    for number, member_id in here.members.items():
        other_id = there.members[number]
        points = min(ledger.read_wallet(each).available for each in (member_id, other_id))
        if points and number % 3 == 0:
            points = chance.randint(1, points)
            spent += points
            for each in (member_id, other_id):
                _spend(each, points)
    return spent


def _spend(member_id: UUID, points: int) -> None:
    ledger.spend_points(
        member_id, points, key=f"spend:{new_id()}", actor="test", fingerprint=b"", moment=now()
    )  # fmt: skip


def differences(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, tuple[Any, Any]]:
    keys = one.keys() | other.keys()
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def test_what_came_back_might_as_well_not_have_been_bought(client: FlaskClient, shop: world.Shop) -> None:
    window = Window(DAYS, now() - timedelta(days=15))  # so long ago that all of it is available
    read = [each for each in read_baskets(Mover([window]), Tally(), DAYS) if each["lines"]]
    baskets = [basket | packed(place) for place, basket in enumerate(read)]
    chance = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    every = lines_of(baskets)
    gone = chance.sample(every, round(len(every) * SHARE))
    numbers = households(DAYS)
    bought, kept = World(shop, True, numbers), World(shop, False, numbers)
    bought.report(baskets)
    kept.report(list(without(baskets, set(gone))))
    assert spend_some(bought, kept, chance) > 0
    give_back(client, shop, gone[::2])
    complete(client, shop, baskets)
    give_back(client, shop, gone[1::2])
    ledger.settle_due_accounts(now())
    drain()
    for name in ("accounts", "impact", "days"):
        one, other = getattr(bought, name)(), getattr(kept, name)()
        assert len(one) > len(numbers) // 5, name
        assert differences(one, other) == {}, name
    assert [str(each) for each in ledger.verify(ledger.Verification())] == []
