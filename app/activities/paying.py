"""Pay an activity in its member's open book, with budgets and shared limits locked: the last point is paid exactly."""

from collections.abc import Sequence
from uuid import UUID

from app.activities.evaluating import Evaluated, Prepared, Source, evaluate_prepared
from app.activities.proofs import Duplicate
from app.activities.queries import MemberFacts
from app.campaigns import service as campaigns
from app.core.outbox import FactKind
from app.core.unit_of_work import after_commit
from app.ledger import service as ledger


def pay(
    book: ledger.AccountBook,
    origin: Source,
    prepared: Prepared,
    member: MemberFacts,
    activity_id: UUID,
    duplicates: Sequence[Duplicate],
) -> tuple[Evaluated, list[UUID]]:
    """Evaluate a checked activity and enter what it pays; return that, and the campaigns whose budget is empty now.

    The caller writes the rows of activities and impact.
    """
    locked = campaigns.LockedBounds(prepared.bounds, member.counted, origin.merchant.live)
    evaluated = evaluate_prepared(origin, prepared, member, locked.board, book.moment, activity_id, duplicates)
    empty = locked.take_funds(evaluated.settlement)
    evaluated.pay_debt(ledger.award_in_book(book, evaluated.awarded_activity(origin)))
    book.add_fact(FactKind.ACTIVITY, evaluated.fact())
    return evaluated, empty


def tell_budgets(evaluated: Evaluated, empty: Sequence[UUID], live: bool) -> None:
    """Once the unit of work has committed, tell of budgets that run low or are empty."""

    def tell() -> None:
        campaigns.note_exhausted(empty, live)
        if live:
            campaigns.watch_budgets({*evaluated.spent, *empty})

    if evaluated.spent or empty:
        after_commit(tell)
