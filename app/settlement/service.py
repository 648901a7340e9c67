"""Statements of a month between merchants and the programme, and the end of a month.

1. A movement belongs to the month in which it was recorded, in the programme's time zone, whenever it took effect. So
   nothing is added to a month that is over, and a correction of it belongs to the month in which it is made.
2. Time zone, currency and point value of a month are those in force when it ends in UTC; while it runs, those of now.
3. A month begins where the one before ends, so that every moment belongs to one month, whatever the zone was.
4. Finance closes a month once it is over: what it came to is stored and read from there ever after.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta

from app.core.clock import format_time
from app.core.currencies import minor_units
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.unit_of_work import unit_of_work
from app.merchants import service as merchants
from app.merchants.errors import MerchantNotFound
from app.programme import service as programme
from app.settlement import queries
from app.settlement.accounts import PROGRAMME, Account, Fund, Spend, account_of, accounts_of, priced, sort_out
from app.settlement.errors import MonthClosed, MonthRunning
from app.staff import service as staff

# a writer that took its moment before the month was over has long ended by then
DELAY = timedelta(hours=1)
Party = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Month:
    """A month: its bounds and what its points are worth, as it is told ``as_of`` a moment; ``closed_at`` if it is."""

    month: date
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    currency: str
    point_value_micros: int
    as_of: datetime
    closed_at: datetime | None = None

    @property
    def state(self) -> str:
        """Whether it is ``running``, ``open`` or ``closed``."""
        if self.closed_at is not None:
            return "closed"
        return "open" if self.ends_at <= self.as_of else "running"

    @property
    def closable_at(self) -> datetime:
        """From when on it can be closed: it is over, here and in UTC, and nobody writes into it any more."""
        return max(self.ends_at, _end_in_utc(self.month)) + DELAY

    @property
    def point_worth(self) -> Fraction:
        """What a point is worth in minor units."""
        return Fraction(self.point_value_micros * minor_units(self.currency), 10**6)


def find_merchant(text: str) -> merchants.MerchantFacts:
    """Return the merchant of that id or readable name; raise MerchantNotFound."""
    found = merchants.find_merchant_by_key(text)
    if found is not None:
        return found
    try:
        return merchants.get_merchant(UUID(text))
    except ValueError as error:
        raise MerchantNotFound from error


def merchant_statement(merchant_id: UUID, live: bool, month: date, moment: datetime) -> dict[str, Any]:
    """Return what a merchant gets and pays for points of a month, by counterparty.

    In test mode nothing is settled: its statements are empty. Raises ValidationProblem for a month that has not begun,
    MerchantNotFound.
    """
    merchants.get_merchant(merchant_id)
    period = _find(month, moment)
    spends, funds = _moved(period) if live else ([], [])
    account = account_of(merchant_id, spends, funds)
    names = _parties({merchant_id} | {line.counterparty for line in account.lines})
    return _head(period) | {"merchant": names[merchant_id]} | _shown(account) | {
        "lines": [
            {
                "counterparty": names[line.counterparty],
                "spent_here": {"points": line.here.spent_points, "amount": line.here.spent_amount},
                "refunded_here": {"points": line.here.refunded_points, "amount": line.here.refunded_amount},
                "spent_there": {"points": line.there.spent_points, "amount": line.there.spent_amount},
                "refunded_there": {"points": line.there.refunded_points, "amount": line.there.refunded_amount},
                "balance": line.balance,
            }
            for line in account.lines
        ]
    }  # fmt: skip


def overview(month: date, moment: datetime) -> dict[str, Any]:
    """Return what everybody gets and pays for points of a month, the programme first; the balances come to zero.

    Raises ValidationProblem for a month that has not begun.
    """
    period = _find(month, moment)
    return _overview(period, *_moved(period))


def close_month(month: date, staff_id: UUID, moment: datetime) -> dict[str, Any]:
    """Close the month and return what everybody gets and pays for it, which nothing changes any more.

    Raises ValidationProblem for a month that has not begun, MonthRunning, MonthClosed.
    """
    with unit_of_work() as session:
        period = _find(month, moment)
        if period.closed_at is not None:
            raise MonthClosed
        if moment < period.closable_at:
            closable_at = format_time(period.closable_at)
            raise MonthRunning(f"It can be closed from {closable_at} on.", closable_at=closable_at)
        kept = {field.name: getattr(period, field.name) for field in fields(period) if field.name != "as_of"}
        if not queries.add_month(session, kept | {"closed_at": moment, "closed_by": staff_id}):
            raise MonthClosed
        spends, funds = _moved(period)
        queries.add_rows(session, month, spends, funds)
        state = {
            "starts_at": period.starts_at, "ends_at": period.ends_at, "currency": period.currency,
            "point_value_micros": period.point_value_micros, "amount": sum(spend.amount for spend in spends),
        }  # fmt: skip
        staff.record_audit("month.closed", "month", f"{month:%Y-%m}", before=None, after=state, moment=moment)
        return _overview(_find(month, moment), spends, funds)


def _end_in_utc(month: date) -> datetime:
    return datetime.combine(month + relativedelta(months=1), time(), UTC)


def _settings_of(month: date, moment: datetime) -> programme.Programme:
    ends_at = _end_in_utc(month)
    return programme.as_of(ends_at) if ends_at <= moment else programme.current()


def _end_of(month: date, moment: datetime) -> datetime:
    """Return when a month ends: where it was closed, or by the zone of its settings."""
    closed = queries.find_month(db.session, month)
    if closed is not None:
        return closed.ends_at
    following = month + relativedelta(months=1)
    return datetime.combine(following, time(), _settings_of(month, moment).zone).astimezone(UTC)


def _find(month: date, moment: datetime) -> Month:
    """Return the month; raise ValidationProblem for one that has not begun."""
    closed = queries.find_month(db.session, month)
    if closed is not None:
        return Month(
            month, closed.starts_at, closed.ends_at, closed.time_zone, closed.currency, closed.point_value_micros,
            closed.ends_at, closed.closed_at,
        )  # fmt: skip
    starts_at = _end_of(month - relativedelta(months=1), moment)
    if starts_at > moment:
        raise ValidationProblem([{"pointer": "/month", "detail": "This month has not begun."}])
    settings, ends_at = _settings_of(month, moment), _end_of(month, moment)
    return Month(
        month, starts_at, ends_at, settings.time_zone, settings.currency, settings.point_value_micros,
        min(moment, ends_at),
    )  # fmt: skip


def _moved(period: Month) -> tuple[list[Spend], list[Fund]]:
    """Return what moved in a month, with its amounts: as it was kept when it was closed, or by its entries."""
    session = db.session
    if period.closed_at is not None:
        return queries.list_spends(session, period.month), queries.list_funds(session, period.month)
    spends, funds = sort_out(queries.sum_moved(session, period.starts_at, period.ends_at))
    return priced(spends, period.point_worth), funds


def _overview(period: Month, spends: list[Spend], funds: list[Fund]) -> dict[str, Any]:
    accounts = accounts_of(spends, funds)
    names = _parties({account.party for account in accounts})
    return _head(period) | {
        "parties": [{"party": names[account.party]} | _shown(account) for account in accounts],
        "balance": sum(account.balance for account in accounts),
    }


def _head(period: Month) -> dict[str, Any]:
    return {
        "month": f"{period.month:%Y-%m}", "state": period.state, "time_zone": period.time_zone,
        "starts_at": period.starts_at, "ends_at": period.ends_at, "as_of": period.as_of,
        "closed_at": period.closed_at, "currency": period.currency, "point_value_micros": period.point_value_micros,
    }  # fmt: skip


def _shown(account: Account) -> dict[str, Any]:
    return {
        "points": {
            "funded": account.fund.issued_points,
            "expired": account.fund.expired_points,
            "reversed": account.fund.reversed_points,
            "spent": sum(line.there.spent_points for line in account.lines),
            "refunded": sum(line.there.refunded_points for line in account.lines),
            "spent_at": sum(line.here.spent_points for line in account.lines),
            "refunded_at": sum(line.here.refunded_points for line in account.lines),
        },
        "owed": {
            "receivable": account.receivable, "payable": account.payable, "balance": account.balance,
        },
    }  # fmt: skip


def _parties(ids: Collection[UUID]) -> dict[UUID, Party]:
    """Return how each party is named in statements."""
    named: dict[UUID, Party] = {
        each.merchant_id: {"kind": "merchant", "id": each.merchant_id, "key": each.key, "name": each.name}
        for each in merchants.list_merchants(ids=set(ids) - {PROGRAMME})
    }
    # without its name, which may change: what is closed is told as it was
    return named | {PROGRAMME: {"kind": "programme", "id": None, "key": None, "name": None}}
