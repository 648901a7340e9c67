"""The catalogue as a member sees it: what there is, at what price, why not now, and what expiring points could buy."""

import bisect
import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.cache import Snapshot
from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.members import service as members
from app.members.service import MemberFacts
from app.merchants import service as merchants
from app.programme import service as programme
from app.redemption import catalogue_queries as queries
from app.redemption import offers
from app.redemption.catalogue import CACHE, Card, Catalogue, Position, Viewer, Wanted
from app.redemption.catalogue_queries import Standing
from app.redemption.errors import RewardNotFound, TooManyFavourites
from app.redemption.reward_words import AVAILABLE, missing_text, state_text
from app.redemption.showing import in_words

FAVOURITES_MAX = 500
COULD_BUY_MAX = 3
_LOOKED_AT = 10  # rewards on either side of a sum: some may be sold out, or the member's limit be reached
_TERMS = (
    "discount", "value", "currency", "minimum_spend", "certified_only", "scope", "categories", "skus", "is_partial",
    "valid_days", "valid_until", "refund_if_unused",
)  # fmt: skip


def _load() -> Catalogue:
    return Catalogue(queries.list_cards(db.session))


_snapshot = Snapshot(CACHE, _load)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of rewards as the contract shows them, and the place of the last, None where no more follow."""

    data: list[dict[str, Any]]
    last: Position | None


def list_rewards(
    member_id: UUID, live: bool, wanted: Wanted, locales: Sequence[str], after: Position | None, limit: int
) -> Shown:
    """Return one page of the rewards that the member sees of those ``wanted``, none of a merchant that there is not."""
    if wanted.merchant is not None:
        merchant = merchants.find_merchant_by_key(wanted.merchant)
        if merchant is None:
            return Shown([], None)
        wanted = replace(wanted, merchant_id=merchant.merchant_id)
    is_marked = wanted.is_favourite or wanted.order == "favourites"
    favourites = queries.list_favourites(db.session, member_id) if is_marked else ()
    look = _Look(members.get_member(member_id, live), locales, favourites)
    found = itertools.islice(_snapshot.get().find(wanted, look.viewer, look.moment, after), limit + 1)
    placed = list(found)
    page = placed[:limit]
    return Shown(look.show([card for _, card in page]), page[-1][0] if len(placed) > limit else None)


def get_visible_reward(member_id: UUID, live: bool, reward_id: UUID, locales: Sequence[str]) -> dict[str, Any]:
    """Return one reward that the member can see; raise RewardNotFound."""
    look = _Look(members.get_member(member_id, live), locales)
    [shown] = look.show([_visible(reward_id, look.moment)])
    return shown


def preview_reward(reward_id: UUID, member_id: UUID, locales: Sequence[str]) -> dict[str, Any]:
    """Return a reward as a member would see it, published or not, whether the member sees it now, and all its prices.

    Raises RewardNotFound, MemberNotFound.
    """
    member = members.list_members([members.check_member(member_id)])[member_id]
    look = _Look(member, locales)
    card = queries.find_card(db.session, reward_id, for_staff=True)
    if card is None:
        raise RewardNotFound
    [shown] = look.show([card])
    is_listed = offers.is_visible(card, look.moment) and shown["state"] != offers.NOT_FOR_MEMBER
    prices = {None: card.points} | dict(sorted((card.document.get("tier_points") or {}).items()))
    return {
        "member": {"id": member.member_id, "tier": member.tier, "region": member.region, "live": member.live},
        "is_visible": is_listed,
        "prices": [{"tier": tier, "points": points} for tier, points in prices.items()],
        "reward": shown,
    }


def list_expiring(member_id: UUID, live: bool, days: int, locales: Sequence[str]) -> dict[str, Any]:
    """Return the member's points that expire within ``days``, by date, and what those by then could buy.

    ``with_others`` is the cheapest reward that takes all of them and some of the member's other points.
    """
    look = _Look(members.get_member(member_id, live), locales)
    until = look.moment + timedelta(days=days)
    wallet = ledger.read_wallet(member_id)
    soon = [each for each in wallet.expiring if each["expires_at"] <= until]
    sums = list(itertools.accumulate(each["points"] for each in soon))
    affordable = look.list_affordable()
    cuts = [bisect.bisect_right(affordable, points, key=lambda each: each[0]) for points in sums]
    # the dearest that those points buy first, and the cheapest that they don't
    within = [affordable[max(0, cut - _LOOKED_AT) : cut][::-1] for cut in cuts]
    beyond = [affordable[cut : cut + _LOOKED_AT] for cut in cuts]
    cards = {card.reward_id: card for _, card in itertools.chain(*within, *beyond)}
    shown = {each["id"]: each for each in look.show(cards.values()) if each["state"] == AVAILABLE}

    def at_hand(found: Sequence[tuple[int, Card]]) -> list[dict[str, Any]]:
        return [shown[card.reward_id] for _, card in found if card.reward_id in shown]

    return {
        "available": look.balance.available,
        "expiring": [
            each
            | {
                "points_by_then": points,
                "could_buy": at_hand(bought)[:COULD_BUY_MAX],
                "with_others": next(iter(at_hand(dearer)), None),
            }
            for each, points, bought, dearer in zip(soon, sums, within, beyond, strict=True)
        ],
    }


def mark_favourite(member_id: UUID, live: bool, reward_id: UUID, moment: datetime) -> None:
    """Mark a reward that the member can see; again, it stays marked. Raises RewardNotFound, TooManyFavourites."""
    with unit_of_work() as session:
        members.get_member(member_id, live)
        _visible(reward_id, moment)
        if not queries.mark_favourite(session, member_id, reward_id, moment, FAVOURITES_MAX):
            raise TooManyFavourites(f"At most {FAVOURITES_MAX}.")


def unmark_favourite(member_id: UUID, reward_id: UUID) -> None:
    """Unmark a reward, whether or not it was marked or is there."""
    with unit_of_work() as session:
        queries.unmark_favourite(session, member_id, reward_id)


def _visible(reward_id: UUID, moment: datetime) -> Card:
    card = queries.find_card(db.session, reward_id)
    if card is None or not offers.is_visible(card, moment):
        raise RewardNotFound
    return card


class _Look:
    """One member's look at rewards, at one moment: what the rewards on a page share is looked up once."""

    def __init__(self, member: MemberFacts, locales: Sequence[str], favourites: Collection[UUID] = ()) -> None:
        self._member = member
        self._locales = locales or [member.locale]
        self.moment = now()
        self.balance = ledger.read_balance(member.member_id)
        self.viewer = Viewer(member.tier, member.region, member.tags, self.balance.available, favourites)
        self._zone = programme.current().zone

    def list_affordable(self) -> list[tuple[int, Card]]:
        """Return what the member's points could buy, by price; of limit and stock nothing is known yet."""
        placed = _snapshot.get().find(Wanted(is_affordable=True), self.viewer, self.moment)
        return [
            (position.number, card)
            for position, card in placed
            if offers.why_not_available(card, self.moment) is None and offers.why_not_for(card, self._member) is None
        ]

    def show(self, cards: Iterable[Card]) -> list[dict[str, Any]]:
        """Return these rewards as the contract shows them to the member, in their order."""
        by_id = {card.reward_id: card for card in cards}
        if not by_id:
            return []
        limits = {reward_id: offers.limit_of(card) for reward_id, card in by_id.items()}
        periods = [
            (reward_id, limit.period(self.moment, self._zone) if limit else None) for reward_id, limit in limits.items()
        ]
        today = self.moment.astimezone(self._zone).date()
        with driver_connection() as connection:
            standings = queries.list_standings(connection, self._member.member_id, self._member.live, today, periods)
        partners = {
            each.merchant_id: {"key": each.key, "name": each.name}
            for each in merchants.list_merchants(ids={card.merchant_id for card in by_id.values() if card.merchant_id})
        }
        return [
            self._shown(card, each, partners[card.merchant_id] if card.merchant_id else None)
            for each in standings
            for card in (by_id[each.reward_id],)
        ]

    def _shown(self, card: Card, standing: Standing, merchant: dict[str, str] | None) -> dict[str, Any]:
        document, points = standing.document, offers.price_for(card, self._member.tier)
        why_not = offers.why_not(card, self._member, self.moment, used=standing.used, left=standing.left)
        state = why_not or AVAILABLE
        missing = max(0, points + self.balance.debt - self.balance.available)
        voucher = document.get("voucher")
        return {
            "id": card.reward_id,
            "key": standing.key,
            "kind": card.kind,
            "name": in_words(document["names"], self._locales),
            "description": in_words(document.get("descriptions"), self._locales),
            "image_url": document.get("image_url"),
            "merchant": merchant,
            "cause": standing.cause_id
            and {"id": standing.cause_id, "name": in_words(standing.cause_names, self._locales)},
            "points": points,
            "regular_points": card.points,
            "money": document.get("money"),
            "state": state,
            "state_text": state_text(state, self._locales),
            "missing_points": missing,
            "missing_text": missing_text(missing, self._locales),
            "left": None if card.kind == "voucher_pool" else standing.left,
            "limit": self._limit(card, standing.used),
            "available_from": card.available_from,
            "ends_at": offers.offer_end(card),
            "needs_confirmation": card.needs_confirmation,
            "voucher": voucher and {name: voucher.get(name) for name in _TERMS},
            "is_favourite": standing.is_favourite,
        }

    def _limit(self, card: Card, used: int) -> dict[str, Any] | None:
        limit = offers.limit_of(card)
        if limit is None:
            return None
        return {
            "quantity": limit.quantity,
            "per": limit.per,
            "left": max(0, limit.quantity - used),
            "resets_at": limit.period_end(limit.period(self.moment, self._zone), self._zone),
        }
