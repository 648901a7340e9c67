"""Award points: the fast way, one statement for many members, and the way under the lock of one account."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session, scoped_session

from app.core.guarded_write import GuardedWrite
from app.ledger.awarding import AwardedActivity, MemberPlan, guarded_write, later
from app.ledger.booking import AccountBook
from app.ledger.models import Account


def open_accounts(session: Session | scoped_session[Any], member_ids: Sequence[UUID]) -> None:
    """Open an empty account for each member, in the transaction that enrols them."""
    if member_ids:
        session.execute(insert(Account), [{"member_id": member_id} for member_id in member_ids])


def start_write(plans: Sequence[MemberPlan], moment: datetime, is_many: bool = False) -> GuardedWrite:
    """Return the statement that books ``plans`` at ``moment``; other rooms add their rows to it and execute it.

    A member whose account was changed meanwhile or is locked by somebody else, owes points or has something due is
    not granted: go again under the account's lock, where that is due with ``award_in_book``. ``is_many`` says that now
    few activities come and now many, and keeps all of them to few texts.
    """
    return guarded_write(plans, moment, is_many)


def write_beside(member_id: UUID) -> GuardedWrite:
    """Return a statement for other rooms' rows of a member whose account's book is open."""
    return GuardedWrite("WITH granted AS (SELECT $1::uuid AS member_id)", [member_id])


def award_in_book(book: AccountBook, activity: AwardedActivity) -> int:
    """Enter the awards of ``activity`` in an open book; return the points of them that repaid debt at once."""
    if activity.awards:
        book.open_posting(
            activity.key, "award", fingerprint=activity.fingerprint, activity_id=activity.activity_id,
            actor=activity.actor,
        )  # fmt: skip
    book.extended_until = later(book.extended_until, activity.extends_until)
    freed = []
    for award in activity.awards:
        lot = book.issue(
            award.points, available_at=award.available_at, expires_at=award.expires_at, void_at=award.void_at,
            funder=award.funder, campaign_version_id=award.campaign_version_id, rule=award.rule,
        )  # fmt: skip
        freed.append(lot)
        waits_until = None if lot.is_matured else award.available_at or award.void_at
        for moment in (waits_until, award.expires_at):
            if moment is not None and (book.next_due_at is None or moment < book.next_due_at):
                book.next_due_at = moment
    return book.repay(freed)
