"""Redeem by one read and one statement, which requests share: for what is issued at once with codes of our own.

1. One read tells the reward, the member, what is used of the limit and left in stock, the account and the lots that
   expire first.
2. What comes of it is written by one statement that is guarded by the account's version: the spend, the redemption,
   its vouchers, stock and limit, and the answer to the request's key. Those of different members that come while
   another statement runs share the next, so a stock that everybody takes of is locked once for all of them.
3. Stock that ran out, or a key that was used, breaks the statement, and nothing of it is kept: then each goes alone.
4. Whatever it can't do, or is refused, goes the way under locks, which says why: ``redeeming.redeem``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog
from flask import Response, current_app

from app.core.coalescing import Coalescer
from app.core.database import driver_connection
from app.core.idempotency import KEPT_ANSWER, KeyedRequest
from app.core.outbox import FactKind
from app.ledger import service as ledger
from app.programme import service as programme
from app.redemption import offers, stock
from app.redemption import redemption_rows as rows
from app.redemption.errors import RewardNotFound
from app.redemption.issuing import Issued, issue_vouchers
from app.redemption.models import LIMIT_PERIODS, Reward
from app.redemption.redeeming import Asked, Taker, asked_of, fact_of, first_change, made

KINDS = frozenset({"voucher_generated", "checkout_discount", "product"})
SHARED_MAX = 32  # redemptions a statement
LOTS_MAX = 8  # read at once; a spend of more goes under the lock

log = structlog.get_logger()
_REWARD = (
    "reward_id", "key", "kind", "state", "merchant_id", "points", "stock_kind", "needs_confirmation", "visible_from",
    "visible_until", "available_from", "available_until", "document", "version",
)  # fmt: skip
_ACCOUNT = (*ledger.BUCKETS, "version", "last_seq", "next_due_at", "extended_until", "last_entry_at")
_LOT = tuple(field.name for field in fields(ledger.LotState))
# It names the tables of the rooms below, as the award's one read does. A lot's expiry is not before the extension.
_READ = f"""
SELECT {", ".join(f"reward.{name}" for name in _REWARD)}, member.tier, member.region, member.tags,
  (SELECT jsonb_object_agg(u.period, u.used) FROM reward_use AS u
    WHERE u.member_id = $1 AND u.reward_id = $2 AND u.period = ANY($4::date[])) AS used,
  (SELECT s.total - s.taken FROM reward_stock AS s WHERE s.reward_id = $2 AND s.live = $3
      AND s.day = CASE reward.stock_kind WHEN 'fixed' THEN '1970-01-01'::date ELSE $5::date END) AS left_over,
  {", ".join(f"account.{name}" for name in _ACCOUNT)}, {", ".join(f"lot.{name}" for name in _LOT)}
FROM reward CROSS JOIN member JOIN account ON account.member_id = member.member_id
LEFT JOIN LATERAL (
  SELECT {", ".join(f"l.{name}" for name in _LOT if name != "expires_at")},
         CASE WHEN l.expires_at IS NOT NULL THEN greatest(l.expires_at, account.extended_until) END AS expires_at
  FROM lot AS l WHERE l.member_id = $1 AND l.is_open AND l.is_matured AND l.remaining > 0
  ORDER BY 13, l.lot_id LIMIT {LOTS_MAX}
) AS lot ON true
WHERE reward.reward_id = $2 AND member.member_id = $1 AND member.live = $3 AND member.status = 'active'
  AND NOT EXISTS (SELECT FROM idempotency_record AS known WHERE known.scope = $6)
""".encode()  # noqa: S608 - constants


@dataclass(frozen=True, slots=True, eq=False)
class _Planned:
    """A redemption as it is to be written, and the row that keeps its answer."""

    asked: Asked
    spend: ledger.SpendAsRead
    issued: Issued
    kept: tuple[Any, ...]

    @property
    def member_id(self) -> UUID:
        """Who redeems."""
        return self.asked.member.member_id


def redeem_quickly(
    member_id: UUID, live: bool, reward_id: UUID, quantity: int, *, request: KeyedRequest, fingerprint: bytes,
    render: Callable[[Issued], Response], moment: datetime,
) -> Response | None:  # fmt: skip
    """Redeem and return the answer that ``render`` makes, which is kept for the request's key.

    None: nothing was done; it has to go the way under locks.
    """
    found = _read(member_id, live, reward_id, quantity, request.scope, moment)
    if found is None:
        return None
    asked, book, left = found
    version, last_seq = book.version, book.last_seq
    redemption = made(asked)
    key, actor = f"redemption:{redemption.redemption_id}", f"member:{member_id}"
    if not ledger.spend_as_read(book, redemption.points, key=key, actor=actor, fingerprint=fingerprint):
        return None
    redemption.stock_day = stock.stock_day(asked.reward.stock_kind, asked.today)
    if redemption.stock_day is not None and left is None:
        return None  # nobody has opened the stock of this day
    book.add_fact(FactKind.REDEMPTION, fact_of(redemption, asked.reward))
    issued = issue_vouchers(redemption, asked.reward, programme.current().zone)
    response = render(issued)
    kept = (member_id, *request.kept(response, moment))
    planned = _Planned(asked, ledger.SpendAsRead(book, version, last_seq), issued, kept)
    outcome = _desk().submit("", planned)
    if outcome is None:
        return None
    _notice(asked, outcome.get(str(reward_id)))
    return response


_Outcome = dict[str, int] | None  # what is left of each reward's stock; None: it was not written


def _desk() -> Coalescer[str, _Planned, _Outcome]:
    """Return where the redemptions of this application that come at once meet."""
    desk: Coalescer[str, _Planned, _Outcome] | None = current_app.extensions.get("redemption_desk")
    if desk is None:
        desk = current_app.extensions.setdefault("redemption_desk", Coalescer(_serve, SHARED_MAX))
    return desk


def _serve(_: str, planned: Sequence[_Planned]) -> list[_Outcome]:
    """Write those that are of different members by one statement; if that is broken, each by one of its own."""
    by_member: dict[UUID, _Planned] = {}
    for each in planned:
        by_member.setdefault(each.member_id, each)
    chosen = [each for each in planned if by_member[each.member_id] is each]
    try:
        written, left = _write(chosen)
    except _BROKEN as error:
        log.info("redemptions_apart", count=len(chosen), error=type(error).__name__)
        alone = {each.member_id: _alone(each) for each in chosen}
        return [alone[each.member_id] if each in chosen else None for each in planned]
    return [left if each in chosen and each.member_id in written else None for each in planned]


_BROKEN = (
    psycopg.errors.IntegrityError, psycopg.errors.DivisionByZero, psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)  # fmt: skip


def _alone(planned: _Planned) -> _Outcome:
    """Write one by a statement of its own."""
    try:
        written, left = _write([planned])
    except _BROKEN:
        return None
    return left if written else None


def _write(planned: Sequence[_Planned]) -> tuple[set[UUID], dict[str, int]]:
    """Write what is ``planned``; return the members whose it was written, and what is left in stock by reward."""
    write = ledger.write_as_read([each.spend for each in planned])
    for each in planned:
        redemption = each.issued.redemption
        rows.add_redemption(write, redemption, first_change(redemption), each.issued.vouchers)
        write.add(rows.VOUCHER_CODE, each.issued.code_rows)
        write.add(KEPT_ANSWER, [each.kept])
        if redemption.stock_day is not None:
            of_day = (redemption.member_id, redemption.reward_id, redemption.live, redemption.stock_day)
            write.add(rows.REWARD_STOCK, [(*of_day, redemption.quantity)])
    with driver_connection() as connection:
        written = write.execute(connection)
    return written, (write.answers[0] or {}) if write.answers else {}


def _read(
    member_id: UUID, live: bool, reward_id: UUID, quantity: int, scope: bytes, moment: datetime
) -> tuple[Asked, ledger.AccountBook, int | None] | None:
    """Return what is asked for with the account's book and what is left in stock; None where it can't be had so."""
    zone = programme.current().zone
    periods = [offers.Limit(1, per).period(moment, zone) for per in LIMIT_PERIODS]
    today = moment.astimezone(zone).date()
    with driver_connection() as connection, psycopg.RawCursor(connection) as cursor:
        found = cursor.execute(_READ, [member_id, reward_id, live, periods, today, scope]).fetchall()
    if not found:
        return None
    reward = Reward(**dict(zip(_REWARD, found[0], strict=False)))
    if reward.kind not in KINDS or reward.needs_confirmation:
        return None
    tier, region, tags, used, left, *account = found[0][len(_REWARD) :]
    try:
        asked = asked_of(Taker(member_id, live, tier, region, tags), reward, quantity, moment)
    except RewardNotFound:
        return None
    counted = (used or {}).get(str(asked.limit_period), 0)
    if offers.why_not(reward, asked.member, moment, quantity=quantity, used=counted, left=left) is not None:
        return None
    buckets = dict(zip(ledger.BUCKETS, account, strict=False))
    book = ledger.AccountBook(member_id, moment, buckets, *account[len(ledger.BUCKETS) : len(_ACCOUNT)])
    lots = [row[-len(_LOT) :] for row in found]
    book.add_lots(ledger.LotState(*lot) for lot in lots if lot[0] is not None)
    return asked, book, left


def _notice(asked: Asked, left: int | None) -> None:
    """Have the outbox told where little is left now; the redemption is done, so what fails here is left to the job."""
    low_at = asked.reward.document.get("low_stock_at")
    if left is None or not asked.member.live or low_at is None or left > low_at:
        return
    try:
        stock.notice_low_stock(asked.reward.reward_id)
    except Exception as error:
        log.error("low_stock_not_told", reward=str(asked.reward.reward_id), exc_info=error)
