"""Book what time has done to many accounts at once: what a job calls until nothing is due any more.

One transaction takes up to 100 accounts that nobody else has locked, reads what is due of all of them with one query
each for lots and holds, and writes their books together. Whoever comes meanwhile passes over them; one that dies
leaves everything as it was. So it can be stopped, repeated and run several times at once.
"""

from collections.abc import Sequence
from datetime import datetime

from app.core.clock import now
from app.core.database import driver_connection
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import queries, settling_queries
from app.ledger.booking import AccountBook
from app.ledger.service.books import book_of, enter_due, write_books_of

# As many lots a second as with 500, but others wait for the CPU, the log and these accounts in smaller pieces.
ACCOUNTS_MAX = 100


def settle_due_accounts(moment: datetime | None = None) -> int:
    """Settle up to 100 accounts that have something due by ``moment`` (now); return how many.

    0 says that nothing is due but what somebody else is settling. It waits for no lock.
    """
    until = moment or now()

    def attempt() -> int:
        with unit_of_work() as session:
            accounts = queries.lock_due_accounts(session, until, ACCOUNTS_MAX)
            if accounts:
                _settle([book_of(account, until) for account in accounts], until)
            return len(accounts)

    return retry_transient(attempt)


def _settle(books: Sequence[AccountBook], moment: datetime) -> None:
    """Settle locked accounts in the open unit of work, as ``settle_book`` settles one."""
    ids = [book.member_id for book in books]
    with unit_of_work() as session, driver_connection() as connection:
        lots = settling_queries.list_due_lots(connection, ids, moment)
        holds = settling_queries.list_due_holds(connection, ids, moment)
        known = {(member_id, lot.lot_id) for member_id, due in lots.items() for lot in due}
        held = {(member, lot_id) for member, ended in holds.items() for hold in ended for lot_id, _ in hold.parts}
        others = settling_queries.list_lots(connection, held - known)
        due_at = settling_queries.next_due_times(connection, ids, moment)
        for book in books:
            book.add_lots(lots.get(book.member_id, ()))
            book.add_lots(others.get(book.member_id, ()))
            enter_due(session, book, holds.get(book.member_id, ()))
            book.next_due_at = due_at[book.member_id]
        if holds:
            settling_queries.close_due_holds(connection, list(holds), moment)
        write_books_of(books)
