"""Redeem by one read and one statement, outside any transaction: for what is issued at once with codes of our own.

1. One read tells the reward, the member, what is used of the limit and left in stock, the account and the lots that
   expire first.
2. What comes of it is written by one statement that is guarded by the account's version: the spend, the redemption,
   its vouchers, stock and limit, and the answer to the request's key. Stock that ran out, or a key that was used,
   breaks the statement, and nothing of it is kept.
3. Whatever it can't do, or is refused, goes the way under locks, which says why: ``redeeming.redeem``.
"""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from uuid import UUID

import psycopg
import structlog
from flask import Response

from app.core.database import driver_connection
from app.core.guarded_write import GuardedWrite
from app.core.idempotency import KEPT_ANSWER, KeyedRequest
from app.core.outbox import FactKind
from app.core.unit_of_work import is_transient
from app.ledger import service as ledger
from app.programme import service as programme
from app.redemption import offers, stock
from app.redemption import redemption_rows as rows
from app.redemption.errors import RewardNotFound
from app.redemption.issuing import Issued, issue_vouchers
from app.redemption.models import LIMIT_PERIODS, Reward
from app.redemption.redeeming import Asked, Taker, asked_of, fact_of, first_change, made

KINDS = frozenset({"voucher_generated", "checkout_discount", "product"})
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
""".encode()  # noqa: S608 - constants


def redeem_quickly(
    member_id: UUID, live: bool, reward_id: UUID, quantity: int, *, request: KeyedRequest, fingerprint: bytes,
    render: Callable[[Issued], Response], moment: datetime,
) -> Response | None:  # fmt: skip
    """Redeem and return the answer that ``render`` makes, which is kept for the request's key.

    None: nothing was done; it has to go the way under locks.
    """
    found = _read(member_id, live, reward_id, quantity, moment)
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
    write = ledger.write_as_read(book, version, last_seq)
    _add_rows(write, issued)
    write.add(KEPT_ANSWER, [(member_id, *request.kept(response, moment))])
    if not _execute(write):
        return None
    if write.answers:
        _notice(asked, int(write.answers[0]))
    return response


def _add_rows(write: GuardedWrite, issued: Issued) -> None:
    redemption = issued.redemption
    rows.add_redemption(write, redemption, first_change(redemption), issued.vouchers)
    write.add(rows.VOUCHER_CODE, issued.code_rows)
    if redemption.stock_day is not None:
        of_day = (redemption.member_id, redemption.reward_id, redemption.live, redemption.stock_day)
        write.add(rows.REWARD_STOCK, [(*of_day, redemption.quantity)])


def _execute(write: GuardedWrite) -> bool:
    """Return whether it was written: not where the account has changed, stock ran out or the key is known."""
    try:
        with driver_connection() as connection:
            return bool(write.execute(connection))
    except (psycopg.errors.IntegrityError, psycopg.errors.DivisionByZero):
        return False
    except psycopg.OperationalError as error:
        if not is_transient(error):
            raise
        return False


def _read(
    member_id: UUID, live: bool, reward_id: UUID, quantity: int, moment: datetime
) -> tuple[Asked, ledger.AccountBook, int | None] | None:
    """Return what is asked for with the account's book and what is left in stock; None where it can't be had so."""
    zone = programme.current().zone
    periods = [offers.Limit(1, per).period(moment, zone) for per in LIMIT_PERIODS]
    today = moment.astimezone(zone).date()
    with driver_connection() as connection, psycopg.RawCursor(connection) as cursor:
        found = cursor.execute(_READ, [member_id, reward_id, live, periods, today]).fetchall()
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


def _notice(asked: Asked, left: int) -> None:
    """Have the outbox told where little is left now; the redemption is done, so what fails here is left to the job."""
    low_at = asked.reward.document.get("low_stock_at")
    if not asked.member.live or low_at is None or not left <= low_at < left + asked.quantity:
        return
    try:
        stock.notice_low_stock(asked.reward.reward_id)
    except Exception as error:
        log.error("low_stock_not_told", reward=str(asked.reward.reward_id), exc_info=error)
