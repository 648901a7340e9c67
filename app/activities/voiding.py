"""Void an activity: staff or a review found that it did not happen as reported, and all that it paid is taken back."""

from datetime import datetime
from uuid import UUID

from app.activities import queries
from app.activities.correcting import reduce_worth
from app.activities.errors import ActivityNotFound
from app.activities.models import ActivityReturn
from app.activities.remaining import bought_by_line
from app.activities.returns import outcome_of
from app.core.ids import new_id
from app.ledger import service as ledger


def void_activity(
    member_id: UUID, activity_id: UUID, *, live: bool, actor: str, reason: str, moment: datetime
) -> ledger.TakenBack:
    """Take back what an activity paid and was not taken back before, with its impact, limits and budgets.

    It is stored as a return of all that is left, which no merchant reported, so that nothing can be returned of it
    after that. One of which nothing is left stays as it is. Joins the caller's unit of work; ``reason`` is a code that
    the member's history keeps. Raises ActivityNotFound.
    """
    with ledger.open_book(member_id, moment) as (session, book):
        stored = queries.find_stored(session, member_id, activity_id)
        if stored is None:
            raise ActivityNotFound
        if stored.returned.is_whole:
            return ledger.TakenBack()
        return_id, before = new_id(), stored.returned.quantities
        corrected = reduce_worth(
            session, book, stored, {}, None, live=live, key=f"void:{activity_id}", actor=actor, reason=reason
        )
        lines = [
            {"id": line, "quantity": left}
            for line, quantity in bought_by_line(stored.body).items()
            if (left := quantity - before.get(line, 0))
        ]
        session.add(
            ActivityReturn(
                member_id=member_id, activity_id=activity_id, return_id=return_id, occurred_at=moment,
                recorded_at=moment, is_whole=True, lines=lines,
                outcome=outcome_of(corrected, dict.fromkeys(stored.paid(), 0)) | {"reason": reason},
            )
        )  # fmt: skip
        session.flush()
        return corrected.taken
