"""What shoppers see of rewards, read: the published ones to find, and what stands with a page of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.redemption.catalogue import Card
from app.redemption.models import ALL_DAYS, Cause, Reward, RewardFavourite

_Session = Session | scoped_session[Any]

_STANDING = """
SELECT reward.reward_id, reward.key, reward.document, reward.cause_id, cause.document -> 'names' AS cause_names,
       CASE WHEN reward.kind = 'voucher_pool' THEN (SELECT count(*) FROM (
              SELECT 1 FROM pool_code AS code
               WHERE code.reward_id = reward.reward_id AND code.live = %(live)s AND code.voucher_id IS NULL LIMIT 1
            ) AS free)
            WHEN reward.stock_kind <> 'none' THEN coalesce(stock.total - stock.taken, reward.stock_total) END AS left,
       coalesce(taken.used, 0) AS used, favourite.marked_at IS NOT NULL AS is_favourite
  FROM unnest(%(rewards)s::uuid[], %(periods)s::date[]) WITH ORDINALITY AS asked(reward_id, period, place)
  JOIN reward ON reward.reward_id = asked.reward_id
  LEFT JOIN cause ON cause.cause_id = reward.cause_id
  LEFT JOIN reward_stock AS stock ON stock.reward_id = reward.reward_id AND stock.live = %(live)s
    AND stock.day = CASE reward.stock_kind WHEN 'per_day' THEN %(today)s::date WHEN 'fixed' THEN %(all_days)s::date END
  LEFT JOIN reward_use AS taken ON taken.member_id = %(member)s AND taken.reward_id = reward.reward_id
    AND taken.period = asked.period
  LEFT JOIN reward_favourite AS favourite
    ON favourite.member_id = %(member)s AND favourite.reward_id = reward.reward_id
 ORDER BY asked.place
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a reward stands to a member: its document, and what is left of its stock and of the member's limit.

    ``left`` is None where nothing is counted; of a pool it only tells whether a code is free.
    """

    reward_id: UUID
    key: str
    document: dict[str, Any]
    cause_id: UUID | None
    cause_names: dict[str, str] | None
    left: int | None
    used: int
    is_favourite: bool


def _cards(session: _Session, *conditions: Any) -> list[Card]:
    rows: Any = session.execute(
        select(
            Reward.reward_id, Reward.kind, Reward.state, Reward.merchant_id, Reward.points, Reward.stock_kind,
            Reward.needs_confirmation, Reward.visible_from, Reward.visible_until, Reward.available_from,
            Reward.available_until, Reward.document.op("-")("names").op("-")("descriptions").op("-")("image_url"),
        ).where(*conditions)
    )  # fmt: skip
    return [Card(*row) for row in rows]


def _is_given_to() -> Any:
    """Return the condition that a reward's cause, if it has one, is shown to shoppers."""
    cause = select(Cause.cause_id).where(
        Cause.cause_id == Reward.cause_id, Cause.state == "published", Cause.verified_at.is_not(None)
    )
    return or_(Reward.cause_id.is_(None), cause.exists())


def list_cards(session: _Session) -> list[Card]:
    """Return the published rewards, but for donations to a cause that is not published or not verified."""
    return _cards(session, Reward.state == "published", _is_given_to())


def find_card(session: _Session, reward_id: UUID, *, for_staff: bool = False) -> Card | None:
    """Return one published reward as ``list_cards`` does; for staff one in any state, to any cause."""
    conditions = () if for_staff else (Reward.state == "published", _is_given_to())
    found = _cards(session, Reward.reward_id == reward_id, *conditions)
    return found[0] if found else None


def list_standings(
    connection: psycopg.Connection[Any],
    member_id: UUID,
    live: bool,
    today: date,
    rewards: Sequence[tuple[UUID, date | None]],
) -> list[Standing]:
    """Return how each of these rewards stands to the member, in their order; each with the period of its limit."""
    given = {
        "member": member_id, "live": live, "today": today, "all_days": ALL_DAYS,
        "rewards": [reward_id for reward_id, _ in rewards], "periods": [period for _, period in rewards],
    }  # fmt: skip
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(_STANDING, given).fetchall()


def list_favourites(session: _Session, member_id: UUID) -> set[UUID]:
    """Return the rewards that the member has marked."""
    return set(session.scalars(select(RewardFavourite.reward_id).where(RewardFavourite.member_id == member_id)))


def mark_favourite(session: _Session, member_id: UUID, reward_id: UUID, moment: datetime, most: int) -> bool:
    """Mark a reward for the member; return False where ``most`` are marked already."""
    marked = list_favourites(session, member_id)
    if reward_id in marked:
        return True
    if len(marked) >= most:
        return False
    values = {"member_id": member_id, "reward_id": reward_id, "marked_at": moment}
    session.execute(insert(RewardFavourite).values(values).on_conflict_do_nothing())
    return True


def unmark_favourite(session: _Session, member_id: UUID, reward_id: UUID) -> None:
    """Unmark a reward for the member."""
    session.execute(
        delete(RewardFavourite).where(RewardFavourite.member_id == member_id, RewardFavourite.reward_id == reward_id)
    )
