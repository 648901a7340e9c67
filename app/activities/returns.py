"""Returns: goods that come back, whole or in part, take back what they were paid, exactly and no more.

1. A return is known by the merchant's id: the same content again gets the first answer.
2. The activity's member is locked; what came back so far and what is asked now must be what was bought.
3. What is left is evaluated as the activity was: same rule versions, member facts, moment and headroom. The activity is
   worth the least of that and of what it was worth before; the difference is taken back, with its impact, limits and
   budgets. Other activities are never topped up.
4. What points paid for the order comes back in its proportion, to whoever paid: see ``refunds``.
5. An activity that waits to be claimed keeps its returns; they are booked when it is claimed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session

from app.activities import queries, refunds
from app.activities.again import Stored, worth_of
from app.activities.correcting import Corrected, reduce_worth
from app.activities.errors import (
    ActivityNotFound,
    ReturnBeforePurchase,
    ReturnIdReused,
    ReturnNotFound,
    ReturnOfReturn,
)
from app.activities.models import ActivityRegistry, ActivityReturn, Claim, ReturnRegistry
from app.activities.reading import check_time, digest_of
from app.activities.remaining import Returned, RuleId, bought_by_line, remaining_facts, resolve_return, worth_after
from app.activities.return_schemas import ReturnSchema
from app.core import schemas
from app.core.clock import format_time, now
from app.core.database import db
from app.core.errors import ProblemError, ValidationProblem
from app.core.ids import new_id
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal

ATTEMPTS = 3
CLOCK_SKEW = timedelta(minutes=5)
NOTHING_TAKEN = {"points": 0, "from_pending": 0, "from_available": 0, "to_debt": 0}
_Session = Session | scoped_session[Any]
_schema = ReturnSchema()


@dataclass(frozen=True, slots=True)
class Booked:
    """The answer to a return: booked now, or before (``is_replay``)."""

    shown: Mapping[str, Any]
    is_replay: bool = False


def return_one(merchant: MerchantPrincipal, body: Any) -> Booked:
    """Book one return; see the module for the rules.

    Raises ValidationProblem, ActivityNotFound, ReturnIdReused, ReturnExceedsPurchase, ReturnOfReturn,
    ReturnBeforePurchase.
    """
    read = schemas.load(_schema, body)
    digest = digest_of(body)
    for number in range(ATTEMPTS):
        try:
            return retry_transient(lambda: _attempt(merchant, read, digest))
        except (psycopg.errors.UniqueViolation, IntegrityError):
            # somebody stored this id between our look and our write: the next attempt finds it
            if number == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def return_many(merchant: MerchantPrincipal, bodies: Sequence[Any]) -> list[Booked | ProblemError]:
    """Book each of ``bodies`` in their order; each stands alone. One that is a problem already stays that problem."""
    results: list[Booked | ProblemError] = []
    for body in bodies:
        try:
            if isinstance(body, ValidationProblem):
                raise body
            results.append(return_one(merchant, body))
        except ProblemError as problem:
            results.append(problem)
    return results


def get_return(merchant: MerchantPrincipal, any_id: str) -> Booked:
    """Return a merchant's return by its own id or by ours; raise ReturnNotFound for another's too."""
    known = queries.find_return_by_any_id(db.session, merchant.id, merchant.live, any_id)
    if known is None:
        raise ReturnNotFound
    return _first_answer(db.session, known)


def _attempt(merchant: MerchantPrincipal, read: Mapping[str, Any], digest: bytes) -> Booked:
    moment = now()
    with unit_of_work() as session:
        known = queries.find_return(session, merchant.id, merchant.live, read["id"])
        if known is not None:
            if bytes(known.digest) != digest:
                raise ReturnIdReused
            return _first_answer(session, known)
        registered = _find_activity(session, merchant, read["activity"])
        occurred_at = read["occurred_at"] or moment
        check_time(occurred_at, moment, None)
        session.add(
            ReturnRegistry(
                merchant_id=merchant.id, live=merchant.live, external_id=read["id"], return_id=new_id(),
                activity_id=registered.activity_id, digest=digest,
            )
        )  # fmt: skip
        known = session.get(ReturnRegistry, (merchant.id, merchant.live, read["id"]))
        assert known is not None
        session.flush()
        refunds.lock_payers(merchant, registered.external_id, registered.member_id)
        if registered.member_id is None:
            claim = queries.lock_claim(session, registered.activity_id)
            assert claim is not None
            if claim.claimed_at is None:
                return _keep(merchant, claim, known, read, occurred_at, moment)
            session.refresh(registered)  # claimed between our look and our lock
        assert registered.member_id is not None
        with ledger.open_book(registered.member_id, moment) as (_, book):
            stored = queries.find_stored(session, registered.member_id, registered.activity_id)
            assert stored is not None
            actor = _actor(merchant)
            shown = book_return(session, book, stored, known, read["lines"], occurred_at, merchant.live, actor)
    return Booked(shown)


def _actor(merchant: MerchantPrincipal) -> str:
    return f"merchant:{merchant.merchant_key}"


def _find_activity(session: _Session, merchant: MerchantPrincipal, any_id: str) -> ActivityRegistry:
    registered = queries.find_registered(session, merchant.id, merchant.live, any_id)
    if registered is None:
        if queries.find_return_by_any_id(session, merchant.id, merchant.live, any_id) is not None:
            raise ReturnOfReturn
        raise ActivityNotFound(errors=[{"pointer": "/activity", "detail": "No such activity."}])
    return registered


def check_not_before(occurred_at: datetime, activity_at: datetime) -> None:
    """Raise ReturnBeforePurchase where a return occurred before its activity, by more than clocks may differ."""
    if occurred_at < activity_at - CLOCK_SKEW:
        raise ReturnBeforePurchase(f"The activity occurred at {format_time(activity_at)}.")


def book_return(
    session: _Session,
    book: ledger.AccountBook,
    stored: Stored,
    known: ReturnRegistry,
    lines: Sequence[Mapping[str, Any]] | None,
    occurred_at: datetime,
    live: bool,
    actor: str,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Book a return of ``stored`` in its member's open book and store it; return the answer.

    Of one that was ``kept`` while nobody had claimed the activity, what was paid with points has come back then.
    """
    check_not_before(occurred_at, stored.occurred_at)
    coming, together = resolve_return(lines, bought_by_line(stored.body), stored.returned)
    order = refunds.PaidOrder(stored.merchant_id, live, stored.body, [each.outcome for each in stored.returns])
    refunded = refunds.shown(kept) if kept is not None else refunds.refund_order(
        session, order, known, together, actor=actor, moment=book.moment, book=book
    )  # fmt: skip
    facts = stored.facts()
    left = remaining_facts(facts, together) if facts is not None else None
    worth = worth_after(stored.paid(), worth_of(stored, left))
    corrected = reduce_worth(
        session, book, stored, worth, left, live=live, key=f"return:{known.return_id}", actor=actor,
        reason="return", fingerprint=bytes(known.digest[:16]),
    )  # fmt: skip
    outcome = outcome_of(corrected, worth) | refunded
    row = ActivityReturn(
        member_id=stored.member_id, activity_id=stored.activity_id, return_id=known.return_id,
        occurred_at=occurred_at, recorded_at=book.moment, is_whole=together.is_whole,
        lines=[{"id": line, "quantity": quantity} for line, quantity in coming.items()], outcome=outcome,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _shown(known, row)


def outcome_of(corrected: Corrected, worth: Mapping[RuleId, int]) -> dict[str, Any]:
    """Return what is stored of a return: what it took back, and what each rule's award is worth after it."""
    taken = corrected.taken
    return {
        "reversed": {
            "points": taken.points, "from_pending": taken.from_pending, "from_available": taken.from_available,
            "to_debt": taken.to_debt,
        },
        "impact": [dict(claim) for claim in corrected.claims],
        "worth": [{"version_id": version, "rule": rule, "points": points} for (version, rule), points in worth.items()],
    }  # fmt: skip


def _shown(known: ReturnRegistry, row: ActivityReturn) -> dict[str, Any]:
    return {
        "id": str(known.return_id), "external_id": known.external_id, "activity": str(known.activity_id),
        "status": "booked", "occurred_at": format_time(row.occurred_at), "is_whole": row.is_whole,
        "reversed": row.outcome["reversed"], "lines": row.lines, "impact": row.outcome["impact"],
    } | refunds.shown(row.outcome)  # fmt: skip


def _first_answer(session: _Session, known: ReturnRegistry) -> Booked:
    """Return the answer that a known return got; of one that waited to be claimed, what came of it since."""
    row = queries.find_activity_return(session, known)
    if row is not None:
        return Booked(_shown(known, row), is_replay=True)
    claim = queries.find_claim(session, known.activity_id)
    assert claim is not None
    kept = next(each for each in claim.returns if each["return_id"] == str(known.return_id))
    return Booked(_shown_waiting(known, kept), is_replay=True)


def _keep(
    merchant: MerchantPrincipal,
    claim: Claim,
    known: ReturnRegistry,
    read: Mapping[str, Any],
    occurred_at: datetime,
    moment: datetime,
) -> Booked:
    """Keep a return with the locked claim of its activity, until somebody claims that.

    Whoever paid for the order with points gets them back now.
    """
    check_not_before(occurred_at, claim.occurred_at)
    coming, together = resolve_return(read["lines"], bought_by_line(claim.body), returned_of(claim))
    order, actor = refunds.PaidOrder(merchant.id, merchant.live, claim.body, claim.returns), _actor(merchant)
    kept = {
        "return_id": str(known.return_id), "is_whole": together.is_whole,
        "lines": [{"id": line, "quantity": quantity} for line, quantity in coming.items()],
        "occurred_at": format_time(occurred_at), "recorded_at": format_time(moment),
        **refunds.refund_order(db.session, order, known, together, actor=actor, moment=moment),
    }  # fmt: skip
    claim.returns = [*claim.returns, kept]
    db.session.flush()
    return Booked(_shown_waiting(known, kept))


def returned_of(claim: Claim) -> Returned:
    """Return what has come back of an activity that waits to be claimed."""
    quantities: dict[str, int] = {}
    for line in (line for each in claim.returns for line in each["lines"]):
        quantities[line["id"]] = quantities.get(line["id"], 0) + line["quantity"]
    return Returned(quantities, any(each["is_whole"] for each in claim.returns))


def _shown_waiting(known: ReturnRegistry, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(known.return_id), "external_id": known.external_id, "activity": str(known.activity_id),
        "status": "waiting_for_claim", "occurred_at": kept["occurred_at"], "is_whole": kept["is_whole"],
        "reversed": NOTHING_TAKEN, "lines": kept["lines"], "impact": [],
    } | refunds.shown(kept)  # fmt: skip


def book_kept_returns(session: _Session, book: ledger.AccountBook, claim: Claim, member_id: UUID, actor: str) -> None:
    """Book the returns that came while an activity waited, in their order, after it is paid to ``member_id``."""
    for kept in claim.returns:
        known = queries.find_return_by_id(session, claim.merchant_id, claim.live, UUID(kept["return_id"]))
        stored = queries.find_stored(session, member_id, claim.activity_id)
        assert known is not None
        assert stored is not None
        lines = kept["lines"] or None
        occurred_at = datetime.fromisoformat(kept["occurred_at"])
        book_return(session, book, stored, known, lines, occurred_at, claim.live, actor, kept)
