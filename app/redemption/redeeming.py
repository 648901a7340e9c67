"""Redeem a reward: one transaction that checks, takes stock or codes, spends or holds points, and issues.

The lock of the member's account comes first, so one member's requests follow each other; stock comes last, so that
those of many members wait for each other as short as can be. Whatever is refused leaves nothing behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.core.clock import format_time
from app.core.database import driver_connection
from app.core.ids import new_id
from app.core.outbox import FactKind
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.members import service as members
from app.programme import service as programme
from app.redemption import offers, redemption_queries, stock
from app.redemption import redemption_rows as rows
from app.redemption.errors import WHY_NOT, LimitReached, NotYetAvailable, RewardNotFound
from app.redemption.issuing import Issued, issue_vouchers, reserve
from app.redemption.models import Redemption, RedemptionChange, Reward

QUANTITY_MAX = 20
ISSUABLE = offers.VOUCHER_KINDS | {"product"}  # the kinds that are issued here


@dataclass(frozen=True, slots=True)
class Taker:
    """Who redeems, as far as rewards tell members apart."""

    member_id: UUID
    live: bool
    tier: str
    region: str | None
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a member asks for: so many of a reward, and in which period of its limit that counts."""

    member: Taker
    reward: Reward
    quantity: int
    moment: datetime
    today: date
    limit_period: date | None

    @property
    def points(self) -> int:
        """The whole price."""
        return offers.price_for(self.reward, self.member.tier) * self.quantity


def redeem(
    member_id: UUID, live: bool, reward_id: UUID, quantity: int, *, fingerprint: bytes, moment: datetime
) -> Issued:
    """Turn the member's points into ``quantity`` of a reward; where a partner must confirm it, set them aside.

    Raises RewardNotFound, one of ``errors.WHY_NOT``, InDebt, InsufficientPoints.
    """
    with unit_of_work() as session:
        asked = _ask(session, member_id, live, reward_id, quantity, moment)
        with ledger.open_book(member_id, moment) as (_, book):
            _check(session, asked)
            redemption = made(asked)
            _pay(session, book, redemption, fingerprint)
            book.add_fact(FactKind.REDEMPTION, fact_of(redemption, asked.reward))
        return _issue(asked, redemption)


def _ask(
    session: Any, member_id: UUID, live: bool, reward_id: UUID, quantity: int, moment: datetime
) -> Asked:  # fmt: skip
    reward = redemption_queries.find_reward(session, reward_id)
    if reward is None:
        raise RewardNotFound
    member = members.get_member(member_id, live)
    return asked_of(Taker(member_id, live, member.tier, member.region, member.tags), reward, quantity, moment)


def asked_of(member: Taker, reward: Reward, quantity: int, moment: datetime) -> Asked:
    """Return what the member asks for; raise RewardNotFound where the reward can't be seen."""
    if reward.kind not in ISSUABLE or not offers.is_visible(reward, moment):
        raise RewardNotFound
    zone = programme.current().zone
    limit = offers.limit_of(reward)
    period = limit.period(moment, zone) if limit is not None else None
    return Asked(member, reward, quantity, moment, moment.astimezone(zone).date(), period)


def _check(session: Any, asked: Asked) -> None:
    """Raise why the member can't have it, points apart; under the lock of the account, by which the limit is exact.

    Stock is looked at here, so that who comes too late locks nothing, and taken last.
    """
    member, reward = asked.member, asked.reward
    day = stock.stock_day(reward.stock_kind, asked.today)
    used, left = 0, None
    if day is not None or asked.limit_period is not None:
        used, left = redemption_queries.read_taken(
            session, member.member_id, reward.reward_id, asked.limit_period, member.live, day
        )
    code = offers.why_not(reward, member, asked.moment, quantity=asked.quantity, used=used, left=left)
    if code is None:
        return
    kind = WHY_NOT[code]
    if kind is NotYetAvailable:
        assert reward.available_from is not None
        raise NotYetAvailable(available_from=format_time(reward.available_from))
    if kind is LimitReached:
        limit = offers.limit_of(reward)
        assert limit is not None
        raise LimitReached(left=max(0, limit.quantity - used))
    raise kind


def made(asked: Asked) -> Redemption:
    """Return the redemption as it begins."""
    reward, quantity, moment = asked.reward, asked.quantity, asked.moment
    amount, currency = offers.money_part(reward) or (None, None)
    return Redemption(
        member_id=asked.member.member_id, redemption_id=new_id(), reward_id=reward.reward_id,
        reward_version=reward.version, merchant_id=reward.merchant_id, live=asked.member.live, quantity=quantity,
        points=asked.points, money_amount=None if amount is None else amount * quantity, currency=currency,
        state="held" if reward.needs_confirmation else "issued", limit_period=asked.limit_period, created_at=moment,
        held_until=offers.held_until(reward, moment) if reward.needs_confirmation else None,
        issued_at=None if reward.needs_confirmation else moment, details={},
    )  # fmt: skip


def _pay(session: Any, book: ledger.AccountBook, redemption: Redemption, fingerprint: bytes) -> None:
    actor = f"member:{redemption.member_id}"
    if redemption.held_until is not None:
        ledger.hold_in_book(
            session, book, redemption.redemption_id, redemption.points, expires_at=redemption.held_until,
            live=redemption.live, actor=actor, fingerprint=fingerprint,
        )  # fmt: skip
    else:
        ledger.spend_in_book(
            session, book, redemption.points, key=f"redemption:{redemption.redemption_id}", actor=actor,
            fingerprint=fingerprint,
        )  # fmt: skip


def _issue(asked: Asked, redemption: Redemption) -> Issued:
    """Take codes and stock and write the redemption, with its vouchers unless it waits for the partner."""
    reward, member_id = asked.reward, redemption.member_id
    issued = Issued(redemption, reward)
    if redemption.state == "held":
        redemption.details = reserve(redemption, reward)
    else:
        issued = issue_vouchers(redemption, reward, programme.current().zone)
    redemption.stock_day = stock.take_stock(reward, redemption.live, asked.today, redemption.quantity)
    write = ledger.write_beside(member_id)
    rows.add_redemption(write, redemption, first_change(redemption), issued.vouchers)
    write.add(rows.VOUCHER_CODE, issued.code_rows)
    with driver_connection() as connection:
        write.execute(connection)
    return issued


def first_change(redemption: Redemption) -> RedemptionChange:
    """Return the state in which a redemption begins, as the first of its changes."""
    return RedemptionChange(
        member_id=redemption.member_id, redemption_id=redemption.redemption_id, number=1, state=redemption.state,
        changed_at=redemption.created_at, actor=f"member:{redemption.member_id}",
    )  # fmt: skip


def fact_of(redemption: Redemption, reward: Reward) -> dict[str, Any]:
    """Return what the outbox is told of a redemption's state."""
    return {
        "redemption": redemption.redemption_id,
        "reward": redemption.reward_id,
        "kind": reward.kind,
        "merchant": redemption.merchant_id,
        "state": redemption.state,
        "quantity": redemption.quantity,
        "points": redemption.points,
    }
