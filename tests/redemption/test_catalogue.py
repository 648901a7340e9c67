"""The catalogue in its orders and pages, without a database: nobody misses a reward or sees one twice."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.redemption import offers
from app.redemption.catalogue import ORDERS, Card, Catalogue, Position, Viewer, Wanted

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def card(number: int, points: int = 100, **changes: Any) -> Card:
    values: dict[str, Any] = {
        "reward_id": UUID(int=number), "kind": "product", "state": "published", "merchant_id": None, "points": points,
        "stock_kind": "none", "needs_confirmation": False, "visible_from": None, "visible_until": None,
        "available_from": None, "available_until": None, "document": {},
    }  # fmt: skip
    return Card(**(values | changes))


def viewer(**changes: Any) -> Viewer:
    return Viewer(**({"tier": "seed", "region": "DE-BE", "tags": (), "available": 100} | changes))


def found(cards: list[Card], who: Viewer | None = None, **wanted: Any) -> list[int]:
    return [each.reward_id.int for _, each in Catalogue(cards).find(Wanted(**wanted), who or viewer(), NOW)]


def test_by_price_of_the_tier_then_by_id() -> None:
    cards = [card(1, 300), card(2, 100), card(3, 200, document={"tier_points": {"gold": 50}}), card(4, 100)]
    assert found(cards) == [2, 4, 3, 1]
    assert found(cards, viewer(tier="gold")) == [3, 2, 4, 1]


def test_newest_first_and_what_ends_first() -> None:
    later, sooner = NOW + 2 * DAY, NOW + DAY
    cards = [
        card(1), card(2, visible_until=later), card(3, available_until=sooner),
        card(4, document={"voucher": {"valid_until": "2026-11-25T13:00:00Z"}}), card(5, visible_until=later),
    ]  # fmt: skip
    assert found(cards, order="newest") == [5, 4, 3, 2, 1]
    assert found(cards, order="expiring") == [4, 3, 2, 5, 1]


def test_favourites_come_first_and_each_once() -> None:
    cards = [card(1, 300), card(2, 100), card(3, 200), card(4, 50)]
    marked = viewer(favourites={UUID(int=1), UUID(int=3)})
    assert found(cards, marked, order="favourites") == [3, 1, 4, 2]
    assert found(cards, marked, is_favourite=True) == [3, 1]


@pytest.mark.parametrize(
    ("window", "is_seen"),
    [
        ({"visible_from": NOW}, True),
        ({"visible_from": NOW + timedelta(microseconds=1)}, False),
        ({"visible_until": NOW}, False),
        ({"visible_until": NOW + timedelta(microseconds=1)}, True),
        ({"available_from": NOW + DAY}, True),
        ({"available_until": NOW - DAY}, True),
    ],
)
def test_what_is_visible_is_seen_whether_or_not_it_is_available(window: dict[str, Any], is_seen: bool) -> None:
    assert found([card(1, **window)]) == ([1] if is_seen else [])


def test_others_regions_and_tags_are_left_out_and_other_tiers_are_not() -> None:
    cards = [
        card(number, document={"audience": audience})
        for number, audience in enumerate(
            ({"regions": ["DE"]}, {"regions": ["FR"]}, {"tags": ["student"]}, {"tiers": ["gold"]}, {"tiers": []}), 1
        )
    ]
    assert found(cards) == [1, 4, 5]
    assert found(cards, viewer(tags=("student",))) == [1, 3, 4, 5]
    assert found(cards, viewer(region=None)) == [4, 5]
    assert found(cards, region="FR-75") == [2, 4, 5]


def test_kind_merchant_and_what_is_affordable() -> None:
    shop = UUID(int=99)
    cards = [
        card(1, 101), card(2, 100, merchant_id=shop), card(3, 300, document={"tier_points": {"seed": 99}}),
        card(4, 100, kind="donation"),
    ]  # fmt: skip
    assert found(cards, is_affordable=True) == [3, 2, 4]
    assert found(cards, kind="donation") == [4]
    assert found(cards, merchant_id=shop) == [2]


moments = st.none() | st.integers(-2, 2).map(lambda days: NOW + days * DAY)
cards_ = st.lists(
    st.builds(
        lambda points, tier, until, start, audience: (points, tier, until, start, audience),
        st.integers(1, 5), st.none() | st.integers(1, 5), moments, moments,
        st.sampled_from([None, {"tiers": ["gold"]}, {"regions": ["FR"]}, {"regions": ["DE"]}]),
    ),
    max_size=30,
)  # fmt: skip


@given(
    cards_, st.sampled_from(ORDERS), st.integers(1, 7), st.sets(st.integers(1, 30)), st.sampled_from(["seed", "gold"])
)
def test_pages_together_hold_each_reward_that_is_seen_once_and_in_order(
    made: list[Any], order: str, size: int, marked: set[int], tier: str
) -> None:
    cards = [
        card(
            number, points, visible_until=until, visible_from=start,
            document={"tier_points": {"gold": gold} if gold else None, "audience": audience},
        )
        for number, (points, gold, until, start, audience) in enumerate(made, 1)
    ]  # fmt: skip
    catalogue = Catalogue(cards)
    who = viewer(tier=tier, favourites={UUID(int=number) for number in marked})
    seen: list[int] = []
    after: Position | None = None
    while True:
        page = [placed for placed, _ in zip(catalogue.find(Wanted(order), who, NOW, after), range(size), strict=False)]
        if not page:
            break
        seen += [each.reward_id.int for _, each in page]
        after = page[-1][0]

    def key(each: Card) -> tuple[Any, ...]:
        price = offers.price_for(each, tier)
        return {
            "points": (price, each.reward_id.int),
            "favourites": (each.reward_id not in who.favourites, price, each.reward_id.int),
            "newest": (-each.reward_id.int,),
            "expiring": (offers.offer_end(each) or datetime.max.replace(tzinfo=UTC), each.reward_id.int),
        }[order]

    meant = [
        each for each in cards
        if offers.is_visible(each, NOW) and (each.document["audience"] or {}).get("regions") != ["FR"]
    ]  # fmt: skip
    assert seen == [each.reward_id.int for each in sorted(meant, key=key)]
