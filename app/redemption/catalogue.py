"""The catalogue of published rewards: in several orders, filtered for one member, page by page. Pure.

1. A member sees what is visible now, unless it is for members of other regions or with other tags; what is for other
   tiers is seen, as something to look forward to. With a region asked for, that one counts in the place of the own.
2. The order is by price for the member's tier, newest first, or what ends first; what never ends comes last. Favourites
   may come before the others. Equal ones are in the order of their ids, so that a page goes on after the last one.
3. What a member can afford costs at most the points that are available now.
"""

import bisect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.redemption import offers

CACHE = "rewards"  # the configuration that processes keep the catalogue of; who changes what it shows bumps it
ORDERS = ("points", "newest", "expiring", "favourites")
_NEVER = 2**62  # microseconds since 1970; after the year 9999


@dataclass(slots=True)
class Card:
    """What there is to know of a reward to find it: as its row has it, ``document`` without its texts."""

    reward_id: UUID
    kind: str
    state: str
    merchant_id: UUID | None
    points: int
    stock_kind: str
    needs_confirmation: bool
    visible_from: datetime | None
    visible_until: datetime | None
    available_from: datetime | None
    available_until: datetime | None
    document: Mapping[str, Any]


class Position(NamedTuple):
    """The place of a reward in an order: whether favourites come before it, a number, and its id."""

    is_other: bool
    number: int
    tie: int

    @property
    def reward_id(self) -> UUID:
        """The id of the reward, whatever the order."""
        return UUID(int=abs(self.tie))


_Placed = tuple[Position, Card]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whom the catalogue is shown to: the member's tier, region and tags, points and favourites."""

    tier: str
    region: str | None
    tags: Sequence[str]
    available: int
    favourites: Collection[UUID] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; None and False leave everything in. ``merchant`` is a key, ``merchant_id`` whose it is."""

    order: str = "points"
    kind: str | None = None
    merchant: str | None = None
    merchant_id: UUID | None = None
    region: str | None = None
    is_affordable: bool = False
    is_favourite: bool = False


@dataclass(slots=True)
class Catalogue:
    """The published rewards; the orders are made when they are first asked for and kept."""

    cards: Sequence[Card]
    _orders: dict[str, list[_Placed]] = field(default_factory=dict)
    _tiers: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._tiers = frozenset(tier for card in self.cards for tier in card.document.get("tier_points") or ())

    def by_points(self, tier: str) -> list[_Placed]:
        """Return the rewards by what they cost a member of ``tier``."""
        named = tier if tier in self._tiers else ""  # tiers without a price of their own share one order
        return self._order(f"points {named}", lambda card: (offers.price_for(card, tier), card.reward_id.int))

    def by_newest(self) -> list[_Placed]:
        """Return the rewards in the order of their making, the last first."""
        return self._order("newest", lambda card: (0, -card.reward_id.int))

    def by_end(self) -> list[_Placed]:
        """Return the rewards in the order in which they end."""
        return self._order("end", lambda card: (_end_us(card), card.reward_id.int))

    def find(
        self, wanted: Wanted, viewer: Viewer, moment: datetime, after: Position | None = None
    ) -> Iterator[_Placed]:
        """Yield the rewards that ``viewer`` sees of those ``wanted``, in order, after a place where one is given."""
        placed = {
            "points": lambda: self.by_points(viewer.tier), "favourites": lambda: self.by_points(viewer.tier),
            "newest": self.by_newest, "expiring": self.by_end,
        }[wanted.order]()  # fmt: skip
        if wanted.order != "favourites":
            return self._seen(_after(placed, after), wanted, viewer, moment)
        return self._favourites_first(placed, wanted, viewer, moment, after)

    def _favourites_first(
        self, placed: list[_Placed], wanted: Wanted, viewer: Viewer, moment: datetime, after: Position | None
    ) -> Iterator[_Placed]:
        marked = viewer.favourites
        if after is None or not after.is_other:
            mine = [each for each in placed if each[1].reward_id in marked]
            yield from self._seen(_after(mine, after), wanted, viewer, moment)
            after = None
        else:
            after = after._replace(is_other=False)
        for position, card in self._seen(_after(placed, after), wanted, viewer, moment):
            if card.reward_id not in marked:
                yield position._replace(is_other=True), card

    @staticmethod
    def _seen(placed: Iterable[_Placed], wanted: Wanted, viewer: Viewer, moment: datetime) -> Iterator[_Placed]:
        who = viewer
        if wanted.region is not None:
            who = Viewer(viewer.tier, wanted.region, viewer.tags, viewer.available, viewer.favourites)
        for each in placed:
            card = each[1]
            if (
                (wanted.kind is None or card.kind == wanted.kind)
                and (wanted.merchant_id is None or card.merchant_id == wanted.merchant_id)
                and (not wanted.is_favourite or card.reward_id in viewer.favourites)
                and (not wanted.is_affordable or offers.price_for(card, viewer.tier) <= viewer.available)
                and offers.is_visible(card, moment)
                and (not card.document.get("audience") or offers.why_not_for(card, who) != offers.NOT_FOR_MEMBER)
            ):
                yield each

    def _order(self, name: str, key: Any) -> list[_Placed]:
        found = self._orders.get(name)
        if found is None:
            found = sorted(((Position(False, *key(card)), card) for card in self.cards), key=lambda each: each[0])
            self._orders[name] = found
        return found


def _after(placed: list[_Placed], after: Position | None) -> Iterator[_Placed]:
    start = 0 if after is None else bisect.bisect_right(placed, after, key=lambda each: each[0])
    return (placed[place] for place in range(start, len(placed)))


def _end_us(card: Card) -> int:
    end = offers.offer_end(card)
    return _NEVER if end is None else int(end.timestamp() * 1_000_000)
