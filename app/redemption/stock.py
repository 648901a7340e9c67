"""Stock: what is left of a reward, taken and given back under lock; the outbox is told once when little is left.

A ``fixed`` stock is one row, one ``per_day`` a row a day, live and test apart. The codes of a ``voucher_pool`` are its
stock: takers pass over what others have locked, and wait for it only where nothing else is left, because who holds
the last one may yet give up.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from flask import current_app

from app.core.clock import now
from app.core.database import driver_connection
from app.core.outbox import FactKind, add_subject_fact
from app.core.unit_of_work import after_commit, retry_transient, savepoint, unit_of_work
from app.programme import service as programme
from app.redemption import stock_queries as queries
from app.redemption.errors import SoldOut, StockBelowTaken
from app.redemption.models import ALL_DAYS

LOOK_SECONDS = 1.0  # how often a process counts the free codes of one pool


class Stocked(Protocol):
    """What is read here of a reward: its row has it, and whatever else has these of it."""

    @property
    def reward_id(self) -> UUID:
        """Its id."""

    @property
    def stock_kind(self) -> str:
        """How it is counted."""

    @property
    def document(self) -> Mapping[str, Any]:
        """What staff wrote."""


@dataclass(frozen=True, slots=True)
class TakenCode:
    """A code of a pool that became a voucher's; ``code_cipher`` is the code itself, bound to the reward's id."""

    voucher_id: UUID
    code_hash: bytes
    code_cipher: bytes


def stock_day(stock_kind: str, today: date) -> date | None:
    """Return under which day a reward's stock is counted; None where it is not."""
    return {"none": None, "fixed": ALL_DAYS, "per_day": today}[stock_kind]


def take_stock(reward: Stocked, live: bool, today: date, quantity: int) -> date | None:
    """Take ``quantity`` of the reward's stock and return the day to give it back to, None where none is counted.

    ``today`` is the day in the programme's zone. Joins the caller's unit of work and keeps the row of stock locked
    until it ends: nothing that others may wait for should be locked after it but pool codes and lots. Raises SoldOut.
    """
    day = stock_day(reward.stock_kind, today)
    if day is None:
        return None
    with unit_of_work(), driver_connection() as connection:
        left = queries.take(connection, reward.reward_id, live, day, quantity)
        if left is None and queries.read_left(connection, reward.reward_id, live, day) is None:
            queries.open_stock(connection, reward.reward_id, live, day)  # the first of the day
            left = queries.take(connection, reward.reward_id, live, day, quantity)
        if left is None:
            raise SoldOut(left=queries.read_left(connection, reward.reward_id, live, day) or 0)
        low_at = reward.document.get("low_stock_at")
        if live and low_at is not None and left <= low_at < left + quantity:
            notice_afterwards(reward.reward_id)
        return day


def give_back_stock(reward: Stocked, live: bool, day: date | None, quantity: int) -> None:
    """Give back what ``take_stock`` took and named by ``day``; joins the caller's unit of work."""
    if day is None:
        return
    with unit_of_work(), driver_connection() as connection:
        left = queries.give_back(connection, reward.reward_id, live, day, quantity)
        low_at = reward.document.get("low_stock_at")
        if live and low_at is not None and left - quantity <= low_at < left:
            notice_afterwards(reward.reward_id)


def take_codes(reward: Stocked, live: bool, voucher_ids: Sequence[UUID]) -> list[TakenCode]:
    """Make a free code of the reward's pool each voucher's, in the order in which they were imported.

    Joins the caller's unit of work. Where fewer are free than asked for, it waits for those that are locked, always in
    their order, so that two who wait can't wait for each other. Raises SoldOut, once no locked one came free.
    """
    with unit_of_work():
        taken = _take_unlocked(reward.reward_id, live, voucher_ids)
        if len(taken) < len(voucher_ids):
            with driver_connection() as connection:
                taken = queries.take_codes(connection, reward.reward_id, live, voucher_ids, waits=True)
        if len(taken) < len(voucher_ids):
            raise SoldOut(left=len(taken))
        if live and reward.document.get("low_stock_at") is not None and _may_look(reward.reward_id):
            notice_afterwards(reward.reward_id)
        return [TakenCode(*row) for row in taken]


def _take_unlocked(reward_id: UUID, live: bool, voucher_ids: Sequence[UUID]) -> list[tuple[UUID, bytes, bytes]]:
    """Take codes that nobody has locked; where they are too few, none: who waits has to begin with the first."""
    taken: list[tuple[UUID, bytes, bytes]] = []
    is_undoable = savepoint() if len(voucher_ids) > 1 else contextlib.nullcontext()
    # the session sets the savepoint when it is next asked for its connection: that comes after it
    with contextlib.suppress(SoldOut), is_undoable, driver_connection() as connection:
        taken = queries.take_codes(connection, reward_id, live, voucher_ids, waits=False)
        if len(taken) < len(voucher_ids):
            taken = []
            raise SoldOut
    return taken


def give_back_codes(reward: Stocked, live: bool, code_hashes: Sequence[bytes]) -> None:
    """Let codes that nobody has been shown be drawn again; joins the caller's unit of work.

    A code that its member could read stays theirs, whatever becomes of the voucher: the partner takes it from anybody.
    """
    with unit_of_work(), driver_connection() as connection:
        queries.free_codes(connection, reward.reward_id, live, sorted(code_hashes))
        if live and reward.document.get("low_stock_at") is not None:
            notice_afterwards(reward.reward_id)


def set_stock(reward_id: UUID, stock_kind: str, total: int | None, today: date) -> None:
    """Let the stock of a reward, which the caller has locked and changed, be ``total`` in all or each day from today.

    The days that are over stay as they were. Joins the caller's unit of work. Raises StockBelowTaken.
    """
    if total is None:
        return
    with unit_of_work(), driver_connection() as connection:
        first = ALL_DAYS if stock_kind == "fixed" else today
        last = ALL_DAYS if stock_kind == "fixed" else date.max
        if stock_kind == "fixed":
            for live in (False, True):
                queries.open_stock(connection, reward_id, live, ALL_DAYS)
        for live, day, taken in queries.lock_stock(connection, reward_id, first, last):
            if taken > total and live:
                named = None if stock_kind == "fixed" else day
                raise StockBelowTaken(f"{taken} are taken already.", taken=taken, day=named)
        queries.set_total(connection, reward_id, first, last, total)
        notice_afterwards(reward_id)


def notice_low_stock(reward_id: UUID, moment: datetime | None = None) -> bool:
    """Tell the outbox that little is left of a reward, unless it was told since more was; return whether it was now.

    That it was told is forgotten once more is left than its ``low_stock_at``. It is about live stock alone.
    """
    moment = moment or now()
    today = moment.astimezone(programme.current().zone).date()
    with unit_of_work(), driver_connection() as connection:
        found = queries.lock_published(connection, reward_id)
        if found is None:
            return False
        kind, stock_kind, low_at = found
        day = ALL_DAYS if kind == "voucher_pool" else stock_day(stock_kind, today)
        if day is None or low_at is None:
            return False
        left = _left(connection, reward_id, kind, day, low_at)
        if left is None or left > low_at:
            queries.forget_notice(connection, reward_id, day)
            return False
        if not queries.insert_notice(connection, reward_id, day, moment):
            return False
        payload = {"reward": str(reward_id), "left": left, "low_stock_at": low_at}
        by_day = {"day": day.isoformat()} if stock_kind == "per_day" else {}
        add_subject_fact(reward_id, FactKind.LOW_STOCK, payload | by_day, moment)
        return True


def notice_stocks() -> int:
    """Tell what is to be told of any reward's stock, and forget the notices of days gone; return how many were told."""
    today = now().astimezone(programme.current().zone).date()
    with unit_of_work(), driver_connection() as connection:
        queries.forget_old_notices(connection, today)
        watched = queries.list_watched(connection, today)
    return sum(retry_transient(lambda found=reward_id: notice_low_stock(found)) for reward_id in watched)  # type: ignore[misc]


def _left(connection: psycopg.Connection[Any], reward_id: UUID, kind: str, day: date, low_at: int) -> int | None:
    """Return what is left of the live stock, counted no further than needed; None where nobody took any of a day."""
    if kind == "voucher_pool":
        return queries.count_free_codes(connection, reward_id, True, low_at + 1)
    return queries.read_left(connection, reward_id, True, day)


def _may_look(reward_id: UUID) -> bool:
    """Return whether this process has not counted the reward's codes for a while; the job does what is missed."""
    looked_at: dict[UUID, float] = current_app.extensions.setdefault("pools_looked_at", {})
    moment = time.monotonic()
    if looked_at.get(reward_id, 0.0) + LOOK_SECONDS > moment:
        return False
    looked_at[reward_id] = moment
    return True


def notice_afterwards(reward_id: UUID) -> None:
    """Look once the open unit of work has committed: in a transaction of its own, it can't fail what it follows."""

    def look() -> None:
        retry_transient(lambda: notice_low_stock(reward_id))

    after_commit(look)
