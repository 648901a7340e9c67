"""Completion: what was ordered is delivered, and points that wait for that become available."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, scoped_session

from app.activities import queries
from app.activities.again import Stored
from app.activities.errors import ActivityNotFound, CompletedBeforeActivity
from app.activities.models import ActivityCompletion, Claim
from app.activities.reading import check_time
from app.activities.returns import CLOCK_SKEW
from app.campaigns import service as campaigns
from app.core.clock import format_time, now
from app.core.outbox import FactKind
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal
from app.programme import service as programme

_Session = Session | scoped_session[Any]


def complete(merchant: MerchantPrincipal, any_id: str, completed_at: datetime | None) -> None:
    """Complete a merchant's activity, by its own id or ours; once is enough, and the first time counts.

    An activity that waits to be claimed keeps that it is complete. Raises ActivityNotFound, ValidationProblem for a
    time ahead, CompletedBeforeActivity.
    """

    moment = now()
    at = completed_at or moment
    check_time(at, moment, None)
    with unit_of_work() as session:
        registered = queries.find_registered(session, merchant.id, merchant.live, any_id)
        if registered is None:
            raise ActivityNotFound
        if registered.member_id is None:
            claim = queries.lock_claim(session, registered.activity_id)
            assert claim is not None
            if claim.claimed_at is None:
                _keep(claim, at)
                return
            session.refresh(registered)  # claimed between our look and our lock
        assert registered.member_id is not None
        actor = f"merchant:{merchant.merchant_key}"
        complete_activity(registered.member_id, registered.activity_id, at, moment, actor)


def complete_activity(member_id: UUID, activity_id: UUID, completed_at: datetime, moment: datetime, actor: str) -> int:
    """Complete a member's activity; return the points that waited for it. Joins the caller's unit of work.

    They become available from ``completed_at`` on, and what they live is counted from then. One that is complete
    already stays as it is. Raises ActivityNotFound, CompletedBeforeActivity.
    """
    with ledger.open_book(member_id, moment) as (session, book):
        stored = queries.find_stored(session, member_id, activity_id)
        if stored is None:
            raise ActivityNotFound
        if stored.is_completed:
            return 0
        return complete_in_book(session, book, stored, completed_at, actor)


def complete_in_book(
    session: _Session, book: ledger.AccountBook, stored: Stored, completed_at: datetime, actor: str
) -> int:
    """Complete an activity that is not complete, in its member's open book; return the points that waited for it."""
    check_not_before(completed_at, stored.occurred_at)
    lots = ledger.load_paid_lots(session, book, stored.posting_keys)
    terms = _terms(lots, stored.occurred_at, completed_at)
    points = ledger.complete_lots(session, book, lots, terms)
    session.add(
        ActivityCompletion(
            member_id=stored.member_id, activity_id=stored.activity_id, completed_at=completed_at,
            recorded_at=book.moment, actor=actor,
        )
    )  # fmt: skip
    session.flush()
    fact = {"activity": stored.activity_id, "kind": stored.body["kind"], "occurred_at": stored.occurred_at,
            "completed_at": completed_at, "points": points}  # fmt: skip
    book.add_fact(FactKind.COMPLETED, fact)
    return points


def _terms(
    lots: list[ledger.PaidLot], occurred_at: datetime, completed_at: datetime
) -> dict[int, tuple[datetime, datetime | None]]:
    """Return from when and until when each lot is available, by the rule that paid it."""
    of_versions = campaigns.rules_of_versions({paid.campaign_version_id for paid in lots if paid.campaign_version_id})
    rules = {(version_id, rule.key): rule for version_id, of_it in of_versions.items() for rule in of_it}
    zone = programme.current().zone
    terms: dict[int, tuple[datetime, datetime | None]] = {}
    for paid in lots:
        pending = expiry = None
        if paid.campaign_version_id is not None and paid.rule is not None:
            rule = rules[paid.campaign_version_id, paid.rule]
            pending, expiry = rule.pending, rule.expiry
        available_at = completed_at
        if pending is not None and pending.days is not None:  # it waited for a review, and its own days may still run
            available_at = max(completed_at, occurred_at + timedelta(days=pending.days))
        terms[paid.lot.lot_id] = available_at, ledger.expiry_time(expiry, completed_at, zone)
    return terms


def check_not_before(completed_at: datetime, occurred_at: datetime) -> None:
    """Raise CompletedBeforeActivity where it was complete before it occurred, by more than clocks may differ."""
    if completed_at < occurred_at - CLOCK_SKEW:
        raise CompletedBeforeActivity(f"The activity occurred at {format_time(occurred_at)}.")


def _keep(claim: Claim, completed_at: datetime) -> None:
    check_not_before(completed_at, claim.occurred_at)
    if claim.completed_at is None and not claim.body.get("completed"):
        claim.completed_at = completed_at
