"""The history of a wallet: its lines, page by page, and the statement of a month."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from flask import Flask, current_app

from app.core.clock import now
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.unit_of_work import retry_transient
from app.ledger import explanations, history_queries, queries
from app.ledger.errors import AccountNotFound
from app.ledger.explanations import RuleExplainer
from app.ledger.service.books import settle_due
from app.ledger.service.reading import Wallet, read_wallet

SCANNED_MAX = 10_000  # entries that one page looks through: a rare kind in a long history comes in several pages
CHUNK = 500
TICK = timedelta(microseconds=1)  # the database's own: the moment before another
_HOLD = re.compile(r"hold:([0-9a-f-]{36})")


def explain_rules_with(app: Flask, explainer: RuleExplainer) -> None:
    """Let ``explainer`` say in the history of ``app`` what a rule rewards; the campaigns stand above this room."""
    app.extensions["rule_explainer"] = explainer


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Lines of a history, newest first, and the seq before which the next page begins, None on the last."""

    lines: Sequence[Mapping[str, Any]]
    next_before: int | None


def list_entries(member_id: UUID, before_seq: int | None, limit: int, locale: str = "en") -> list[dict[str, Any]]:
    """Return lines of a member's history, newest first, before ``before_seq``."""
    upto = None if before_seq is None else before_seq - 1
    return _lines(
        member_id, history_queries.list_entries(db.session, member_id, after=0, upto=upto, limit=limit), locale
    )


def read_history(
    member_id: UUID,
    before_seq: int | None,
    limit: int,
    *,
    kinds: Collection[str] = (),
    bucket: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    locale: str = "en",
) -> HistoryPage:
    """Return one page of a member's history, newest first, before ``before_seq``.

    It has the lines of ``kinds`` that moved points from or to ``bucket``, from ``start`` on and before ``end``. A page
    looks through 10,000 entries at most, so that with filters it may have fewer lines than ``limit``, or none, and
    still a next one.
    """
    session = db.session
    upto = None if before_seq is None else before_seq - 1
    if end is not None:
        last = history_queries.last_seq_by(session, member_id, end - TICK)
        upto = last if upto is None else min(upto, last)
    after = history_queries.last_seq_by(session, member_id, start - TICK) if start is not None else 0
    floor = after
    if kinds or bucket is not None:
        if upto is None:
            account = queries.find_account(session, member_id)
            upto = account.last_seq if account is not None else 0
        floor = max(after, upto - SCANNED_MAX)
    rows = history_queries.list_entries(
        session, member_id, after=floor, upto=upto, limit=limit + 1, kinds=kinds, bucket=bucket
    )
    page = rows[:limit]
    further = floor + 1 if floor > after else None
    next_before = page[-1][0].seq if len(rows) > limit else further
    return HistoryPage(_lines(member_id, page, locale), next_before)


def _lines(member_id: UUID, rows: Sequence[Any], locale: str) -> list[dict[str, Any]]:
    words = current_app.extensions["rule_explainer"](locale) if "rule_explainer" in current_app.extensions else None
    holds = {posting.idempotency_key: UUID(found[1]) for _, posting, _ in rows
             if (found := _HOLD.match(posting.idempotency_key))}  # fmt: skip
    orders = history_queries.orders_of_holds(db.session, member_id, set(holds.values()))
    lines = []
    for entry, posting, lot in rows:
        code = explanations.code_of(posting.kind, entry.source, entry.target, posting.reason)
        hold_id = holds.get(posting.idempotency_key)
        text = explanations.why(code, locale)
        if code == "award" and lot is not None and lot.campaign_version_id and words is not None:
            text = words(lot.campaign_version_id, lot.rule)
        lines.append(
            {
                "seq": entry.seq,
                "kind": posting.kind,
                "points": entry.amount,
                "from": entry.source,
                "to": entry.target,
                "why": text,
                "reason": lot.rule if lot is not None and lot.rule else posting.reason,
                "activity_id": posting.activity_id,
                "hold": None if hold_id is None else {"id": hold_id, "order": orders.get(hold_id)},
                "posting": posting.idempotency_key,
                "reverses": posting.reverses,
                "effective_at": entry.effective_at,
                "recorded_at": entry.recorded_at,
                "balances": {
                    "pending": entry.pending,
                    "available": entry.available,
                    "held": entry.held,
                    "debt": entry.debt,
                },
            }
        )
    return lines


@dataclass(frozen=True, slots=True)
class Statement:
    """A month of a wallet: the balances when it began and when it ended, or now while it runs, and its lines between.

    Its lines are the entries after ``after_seq`` up to ``upto_seq``: see ``statement_chunks``.
    """

    month: date
    starts_at: datetime
    ends_at: datetime
    opening: Wallet
    closing: Wallet
    after_seq: int
    upto_seq: int


def month_bounds(month: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when ``month`` (its first day) begins in ``zone``, and when the next one does."""
    following = month + relativedelta(months=1)
    starts_at, ends_at = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (month, following))
    return starts_at, ends_at


def read_statement(member_id: UUID, month: date, zone: ZoneInfo) -> Statement:
    """Return the statement of ``month`` in the programme's ``zone``.

    What is due by now is booked first, so that opening, lines and closing add up. Raises ValidationProblem for a month
    that has not begun, AccountNotFound.
    """
    moment = now()
    if month > moment.astimezone(zone).date():
        raise ValidationProblem([{"pointer": "/month", "detail": "This month has not begun."}])
    starts_at, following = month_bounds(month, zone)
    account = queries.find_account(db.session, member_id)
    if account is None:
        raise AccountNotFound
    if account.next_due_at is not None and account.next_due_at <= moment:
        retry_transient(lambda: settle_due(member_id, moment))
    closes_at = min(following - TICK, moment)
    session = db.session
    after = history_queries.last_seq_by(session, member_id, starts_at - TICK)
    upto = history_queries.last_seq_by(session, member_id, closes_at)
    return Statement(
        month, starts_at, following,
        read_wallet(member_id, starts_at - TICK), read_wallet(member_id, closes_at), after, upto,
    )  # fmt: skip


def statement_chunks(app: Flask, member_id: UUID, statement: Statement, locale: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the statement's lines, oldest first, some hundreds at a time: a month may have very many.

    Each chunk is read in a context of its own, so that the caller may take them after the request has ended.
    """
    after = statement.after_seq
    while after < statement.upto_seq:
        with app.app_context():
            rows = history_queries.list_entries(
                db.session, member_id, after=after, upto=statement.upto_seq, limit=CHUNK, is_newest_first=False
            )
            lines = _lines(member_id, rows, locale)
        after = lines[-1]["seq"]
        yield lines
