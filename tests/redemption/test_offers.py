"""What a reward asks for and of whom."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.redemption import offers
from app.redemption.models import LIMIT_PERIODS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Someone:
    tier: str = "seed"
    region: str | None = "DE-BE"
    tags: tuple[str, ...] = ()


@dataclass
class Reward:
    kind: str = "product"
    state: str = "published"
    points: int = 100
    stock_kind: str = "none"
    needs_confirmation: bool = False
    visible_from: datetime | None = None
    visible_until: datetime | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None
    document: dict[str, Any] = field(default_factory=dict)


def reward(**document: Any) -> Reward:
    return Reward(document=document)


def test_a_tier_may_have_a_price_of_its_own():
    offer = reward(tier_points={"gold": 80})
    assert offers.price_for(offer, "gold") == 80
    assert offers.price_for(offer, "seed") == 100
    assert offers.price_for(reward(), "gold") == offers.price_for(reward(tier_points=None), "gold") == 100


def test_money_may_be_a_part_of_the_price():
    assert offers.money_part(reward()) is None
    assert offers.money_part(reward(money=None)) is None
    assert offers.money_part(reward(money={"amount": 500, "currency": "EUR"})) == (500, "EUR")


@pytest.mark.parametrize("state", ["draft", "archived"])
def test_only_what_is_published_is_seen(state):
    assert offers.is_visible(Reward(), NOON)
    assert not offers.is_visible(Reward(state=state), NOON)


def test_windows_begin_inclusive_and_end_exclusive():
    seen = Reward(visible_from=NOON, visible_until=NOON + SECOND)
    assert [offers.is_visible(seen, moment) for moment in (NOON - SECOND, NOON, NOON + SECOND)] == [False, True, False]
    open_ = Reward(available_from=NOON, available_until=NOON + SECOND)
    assert [offers.why_not_available(open_, moment) for moment in (NOON - SECOND, NOON, NOON + SECOND)] == [
        "not_yet_available", None, "no_longer_available",
    ]  # fmt: skip


def test_what_would_yield_an_expired_voucher_is_not_available():
    offer = reward(voucher={"valid_until": "2026-11-23T13:00:00+01:00"})
    assert offers.why_not_available(offer, NOON - SECOND) is None
    assert offers.why_not_available(offer, NOON) == "no_longer_available"


@pytest.mark.parametrize(
    ("audience", "code"),
    [
        (None, None),
        ({"tiers": [], "regions": [], "tags": []}, None),
        ({"tiers": ["seed"], "regions": ["DE"], "tags": []}, None),
        ({"regions": ["DE-BE"]}, None),
        ({"tiers": ["gold"], "regions": ["FR"]}, "not_for_tier"),
        ({"regions": ["DE-BY", "FR"]}, "not_for_member"),
        ({"tags": ["staff"]}, "not_for_member"),
    ],
)
def test_an_offer_may_be_for_some(audience, code):
    assert offers.why_not_for(reward(audience=audience), Someone()) == code


def test_who_has_no_region_is_in_none_and_one_tag_is_enough():
    assert offers.why_not_for(reward(audience={"regions": ["DE"]}), Someone(region=None)) == "not_for_member"
    assert offers.why_not_for(reward(audience={"tags": ["a", "b"]}), Someone(tags=("b", "c"))) is None


@pytest.mark.parametrize(
    ("per", "period"),
    [
        ("day", date(2026, 3, 1)),
        ("week", date(2026, 2, 23)),
        ("month", date(2026, 3, 1)),
        ("year", date(2026, 1, 1)),
        ("ever", date(1970, 1, 1)),
    ],
)
def test_a_limit_counts_by_the_calendar_of_the_zone(per, period):
    """23:30 UTC on the last of February is the first of March, a Sunday, in Berlin."""
    late = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    limit = offers.limit_of(reward(limit={"quantity": 2, "per": per}))
    assert limit is not None
    assert limit.period(late, BERLIN) == period


def test_every_period_of_the_table_is_known_and_no_limit_is_none():
    assert offers.limit_of(reward(limit=None)) is None
    starts = {offers.Limit(1, per).period(datetime(2026, 11, 26, tzinfo=UTC), BERLIN) for per in LIMIT_PERIODS}
    assert len(starts) == len(LIMIT_PERIODS)


def test_the_first_hindrance_is_told():
    offer = reward(limit={"quantity": 2, "per": "day"}, audience={"tiers": ["seed"]})
    assert offers.why_not(offer, Someone(), NOON) is None
    assert offers.why_not(offer, Someone(), NOON, quantity=2, left=2) is None
    assert offers.why_not(offer, Someone(), NOON, quantity=2, left=1) == "sold_out"
    assert offers.why_not(offer, Someone(), NOON, quantity=2, used=1, left=0) == "limit_reached"
    assert offers.why_not(offer, Someone("gold"), NOON, used=9) == "not_for_tier"
    assert offers.why_not(replace(offer, available_from=NOON + SECOND), Someone("gold"), NOON) == "not_yet_available"


def test_a_partner_has_72_hours_to_confirm_unless_the_reward_says():
    assert offers.held_until(reward(), NOON) == NOON + timedelta(hours=72)
    assert offers.held_until(reward(confirm_within_hours=1), NOON) == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("terms", "end"),
    [
        ({}, None),
        ({"valid_days": None, "valid_until": None}, None),
        ({"valid_days": 1}, datetime(2026, 11, 24, 23, tzinfo=UTC)),
        ({"valid_days": 150}, datetime(2027, 4, 22, 22, tzinfo=UTC)),  # summer by then: midnight is 22:00 UTC
        ({"valid_until": "2026-12-01T00:00:00Z"}, datetime(2026, 12, 1, tzinfo=UTC)),
        ({"valid_days": 90, "valid_until": "2026-12-01T00:00:00Z"}, datetime(2026, 12, 1, tzinfo=UTC)),
        ({"valid_days": 1, "valid_until": "2026-12-01T00:00:00Z"}, datetime(2026, 11, 24, 23, tzinfo=UTC)),
    ],
)
def test_a_voucher_ends_with_a_day_of_the_zone_or_at_its_fixed_end(terms, end):
    assert offers.voucher_end(terms, NOON, BERLIN) == end


def test_a_voucher_of_a_leap_day_counts_days():
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert offers.voucher_end({"valid_days": 365}, leap, ZoneInfo("UTC")) == datetime(2029, 3, 1, tzinfo=UTC)


def test_points_of_an_unused_voucher_come_back_only_where_the_terms_say():
    assert offers.is_refunded_unused({"refund_if_unused": "full"})
    assert not offers.is_refunded_unused({"refund_if_unused": "none"})
    assert not offers.is_refunded_unused({})
