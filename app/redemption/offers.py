"""What a reward asks for and of whom: seen and available when, for whom, how often, at what price. Pure.

1. A reward is seen while it is published and within its visible window; windows begin inclusive and end exclusive.
2. It can be redeemed while it is seen and within its available window, and before the fixed end of its vouchers.
3. Its audience has members of one of each list that is given and not empty; a country has its subdivisions in it.
4. A limit counts the pieces that a member has taken in a period by the calendar of the programme's zone.
5. The price of a piece is that of the member's tier, where the tier has one of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

FOR_EVER = date(1970, 1, 1)  # the period of a limit for all time
CONFIRM_HOURS_DEFAULT = 72
VOUCHER_KINDS = frozenset({"voucher_pool", "voucher_generated", "checkout_discount"})  # these yield vouchers

NOT_YET_AVAILABLE = "not_yet_available"
NO_LONGER_AVAILABLE = "no_longer_available"
NOT_FOR_TIER = "not_for_tier"
NOT_FOR_MEMBER = "not_for_member"
LIMIT_REACHED = "limit_reached"
SOLD_OUT = "sold_out"


class Offer(Protocol):
    """A reward, as the row holds it."""

    kind: Any
    state: Any
    points: Any
    stock_kind: Any
    needs_confirmation: Any
    visible_from: Any
    visible_until: Any
    available_from: Any
    available_until: Any
    document: Any


class Viewer(Protocol):
    """A member, as far as offers tell members apart."""

    @property
    def tier(self) -> str:
        """The member's tier."""

    @property
    def region(self) -> str | None:
        """Where the member lives, an ISO 3166 country or subdivision."""

    @property
    def tags(self) -> Sequence[str]:
        """What staff marked the member with."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many pieces a member may take in a period."""

    quantity: int
    per: str

    def period(self, moment: datetime, zone: ZoneInfo) -> date:
        """Return the first day of the period that ``moment`` is in; a week begins on Monday (ISO 8601)."""
        if self.per == "ever":
            return FOR_EVER
        day = moment.astimezone(zone).date()
        if self.per == "day":
            return day
        if self.per == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.per == "month" else day.replace(month=1, day=1)

    def period_end(self, first: date, zone: ZoneInfo) -> datetime | None:
        """Return when the period that begins on ``first`` is over by the calendar of ``zone``; None if it never is."""
        if self.per == "ever":
            return None
        if self.per in ("day", "week"):
            following = first + timedelta(days=1 if self.per == "day" else 7)
        elif self.per == "month":
            following = (first + timedelta(days=31)).replace(day=1)
        else:
            following = first.replace(year=first.year + 1)
        return datetime.combine(following, time(), zone).astimezone(UTC)


def price_for(offer: Offer, tier: str) -> int:
    """Return the points that one piece costs a member of ``tier``."""
    prices: Mapping[str, int] = offer.document.get("tier_points") or {}
    return int(prices.get(tier, offer.points))


def money_part(offer: Offer) -> tuple[int, str] | None:
    """Return what of one piece is paid in money, in minor units and their currency, None where nothing is."""
    money = offer.document.get("money")
    return (money["amount"], money["currency"]) if money else None


def limit_of(offer: Offer) -> Limit | None:
    """Return the limit of a member, None where there is none."""
    limit = offer.document.get("limit")
    return Limit(limit["quantity"], limit["per"]) if limit else None


def _is_within(moment: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or start <= moment) and (end is None or moment < end)


def is_visible(offer: Offer, moment: datetime) -> bool:
    """Return whether members can see the offer at ``moment``."""
    return offer.state == "published" and _is_within(moment, offer.visible_from, offer.visible_until)


def why_not_available(offer: Offer, moment: datetime) -> str | None:
    """Return the code of why a visible offer can't be redeemed by anybody at ``moment``, None where it can."""
    if offer.available_from is not None and moment < offer.available_from:
        return NOT_YET_AVAILABLE
    if offer.available_until is not None and offer.available_until <= moment:
        return NO_LONGER_AVAILABLE
    ends_at = _fixed_end(offer.document.get("voucher"))
    return NO_LONGER_AVAILABLE if ends_at is not None and ends_at <= moment else None


def why_not_for(offer: Offer, viewer: Viewer) -> str | None:
    """Return the code of why the offer is not for ``viewer``, None where it is."""
    audience: Mapping[str, Sequence[str]] = offer.document.get("audience") or {}
    if audience.get("tiers") and viewer.tier not in audience["tiers"]:
        return NOT_FOR_TIER
    if audience.get("regions") and not _has_region(audience["regions"], viewer.region):
        return NOT_FOR_MEMBER
    if audience.get("tags") and set(audience["tags"]).isdisjoint(viewer.tags):
        return NOT_FOR_MEMBER
    return None


def _has_region(regions: Sequence[str], region: str | None) -> bool:
    return region is not None and (region in regions or region.partition("-")[0] in regions)


def why_not(
    offer: Offer, viewer: Viewer, moment: datetime, *, quantity: int = 1, used: int = 0, left: int | None = None
) -> str | None:
    """Return the code of the first thing that keeps ``viewer`` from redeeming a visible offer, points apart, or None.

    ``used`` is what the member has taken in the period of the limit; ``left`` is what is in stock, None for any number.
    """
    hindered = why_not_available(offer, moment) or why_not_for(offer, viewer)
    if hindered is not None:
        return hindered
    limit = limit_of(offer)
    if limit is not None and used + quantity > limit.quantity:
        return LIMIT_REACHED
    return SOLD_OUT if left is not None and left < quantity else None


def held_until(offer: Offer, moment: datetime) -> datetime:
    """Return until when points wait for the partner's word on a redemption of ``moment``."""
    return moment + timedelta(hours=offer.document.get("confirm_within_hours") or CONFIRM_HOURS_DEFAULT)


def offer_end(offer: Offer) -> datetime | None:
    """Return when the offer is over: it is seen or available no longer, or its vouchers end; None where it never is."""
    ends = (offer.visible_until, offer.available_until, _fixed_end(offer.document.get("voucher")))
    return min((end for end in ends if end is not None), default=None)


def _fixed_end(terms: Mapping[str, Any] | None) -> datetime | None:
    until = terms.get("valid_until") if terms else None
    return datetime.fromisoformat(until).astimezone(UTC) if until else None


def voucher_end(terms: Mapping[str, Any], issued_at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when a voucher of ``issued_at`` expires: with the last of its days in ``zone``, or before at a fixed end.

    With ``valid_days`` 1 that is the end of the day after the one it is issued on: a whole day, at least.
    """
    ends = [end for end in (_fixed_end(terms),) if end is not None]
    if terms.get("valid_days"):
        after = issued_at.astimezone(zone).date() + timedelta(days=terms["valid_days"] + 1)
        ends.append(datetime.combine(after, time(), zone).astimezone(UTC))
    return min(ends, default=None)


def is_refunded_unused(terms: Mapping[str, Any]) -> bool:
    """Return whether a voucher of these terms gives its points back when it expires unused."""
    return terms.get("refund_if_unused") == "full"
