"""The SELECTs of settlement: what moved in a month, in one pass over its entries, and what is kept of closed ones.

Who pays and who gets is in the rows of the rooms below: a lot knows its funder, an entry's allocations which lots it
took, and the posting's key the hold or redemption that the points were spent for.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, scoped_session

from app.settlement.accounts import PROGRAMME, Fund, Movement, Spend
from app.settlement.models import SettlementFund, SettlementMonth, SettlementSpend

_Session = Session | scoped_session[Any]

# By when they were recorded, whenever they took effect: nothing is recorded in a month that is over, so that a month is
# final when it is closed, and a correction of it belongs to the month in which it is made. Test members are left out.
_RECORDED = """e.recorded_at >= :starts_at AND e.recorded_at < :ends_at
  AND NOT EXISTS (SELECT FROM member AS m WHERE m.member_id = e.member_id AND NOT m.live)"""
_PARTS = """FROM entry AS e
JOIN lot_allocation AS a ON a.member_id = e.member_id AND a.seq = e.seq
LEFT JOIN lot AS f ON f.member_id = a.member_id AND f.lot_id = a.lot_id AND f.funder IS NOT NULL"""
# Each kind joins no more than it needs: the most are awards, of which the lot alone is looked up, if it has a funder.
# The key of a spend, or of what a refund gives back of, names the hold or redemption.
_MOVED = f"""
SELECT 'issued' AS kind, f.funder, CAST(NULL AS uuid) AS place, sum(e.amount) AS points
FROM entry AS e
LEFT JOIN lot AS f ON f.member_id = e.member_id AND f.lot_id = e.seq AND f.funder IS NOT NULL
WHERE e.source = 'issued' AND {_RECORDED} GROUP BY f.funder
UNION ALL
SELECT e.target, f.funder, NULL, sum(a.amount)
{_PARTS}
WHERE e.target IN ('expired', 'reversed') AND {_RECORDED} GROUP BY e.target, f.funder
UNION ALL
SELECT spend.kind, spend.funder, coalesce(h.merchant_id, r.merchant_id), sum(spend.amount)
FROM (
  SELECT named.kind, named.funder, named.member_id, named.amount,
         CASE WHEN pg_input_is_valid(named.id, 'uuid') THEN CAST(named.id AS uuid) END AS id
  FROM (
    SELECT CASE WHEN p.kind = 'gift' THEN 'gift' WHEN e.source = 'spent' THEN 'refunded' ELSE 'spent' END AS kind,
           f.funder, e.member_id, a.amount, split_part(coalesce(p.reverses, p.idempotency_key), ':', 2) AS id
    {_PARTS}
    JOIN posting AS p ON p.member_id = e.member_id AND p.idempotency_key = e.posting_key
    WHERE (e.source = 'spent' OR e.target = 'spent') AND {_RECORDED}) AS named) AS spend
LEFT JOIN hold AS h ON h.member_id = spend.member_id AND h.hold_id = spend.id
LEFT JOIN redemption AS r ON r.member_id = spend.member_id AND r.redemption_id = spend.id
GROUP BY 1, 2, 3
"""  # noqa: S608 - made of constants; moments come as parameters
_SESSION = (
    "SET LOCAL statement_timeout = '10min'",
    # planned for its own month, of which the index knows the size
    "SET LOCAL plan_cache_mode = force_custom_plan",
)


def sum_moved(session: _Session, starts_at: datetime, ends_at: datetime) -> list[Movement]:
    """Return the live points that moved from ``starts_at`` on and before ``ends_at``, by kind, funder and place."""
    for setting in _SESSION:
        session.execute(text(setting))
    rows = session.execute(text(_MOVED), {"starts_at": starts_at, "ends_at": ends_at})
    return [Movement(row.kind, row.funder or PROGRAMME, row.place or PROGRAMME, int(row.points)) for row in rows]


def find_month(session: _Session, month: date) -> SettlementMonth | None:
    """Return the closed month, or None."""
    return session.get(SettlementMonth, month)


def add_month(session: _Session, values: dict[str, Any]) -> bool:
    """Close a month; return False where somebody else has closed it, for whom it waits."""
    statement = upsert(SettlementMonth).values(values).on_conflict_do_nothing().returning(SettlementMonth.month)
    return session.scalar(statement) is not None


def add_rows(session: _Session, month: date, spends: Iterable[Spend], funds: Iterable[Fund]) -> None:
    """Keep what moved in a closed month."""
    for model, rows in ((SettlementSpend, spends), (SettlementFund, funds)):
        values = [{"month": month} | {name: getattr(row, name) for name in row.__slots__} for row in rows]
        if values:
            session.execute(insert(model), values)


def list_spends(session: _Session, month: date) -> list[Spend]:
    """Return what was spent in a closed month, in the order of its funders and places."""
    columns = [getattr(SettlementSpend, name) for name in Spend.__slots__]
    query = select(*columns).where(SettlementSpend.month == month)
    return [Spend(*row) for row in session.execute(query.order_by(SettlementSpend.funder, SettlementSpend.place))]


def list_funds(session: _Session, month: date) -> list[Fund]:
    """Return what became of the points of each funder in a closed month."""
    columns = [getattr(SettlementFund, name) for name in Fund.__slots__]
    query = select(*columns).where(SettlementFund.month == month)
    return [Fund(*row) for row in session.execute(query.order_by(SettlementFund.funder))]
