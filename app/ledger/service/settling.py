"""Book what time has done to many accounts at once."""

from datetime import datetime

from app.core.clock import now
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import queries
from app.ledger.service.books import book_of, settle_book, write_books_of

ACCOUNTS_MAX = 500


def settle_due_accounts(moment: datetime | None = None) -> int:
    """Settle up to 500 accounts that have something due by ``moment`` (now); return how many, 0 when none is free."""
    until = moment or now()

    def attempt() -> int:
        with unit_of_work() as session:
            books = [book_of(account, until) for account in queries.lock_due_accounts(session, until, ACCOUNTS_MAX)]
            for book in books:
                settle_book(session, book)
            write_books_of(books)
            return len(books)

    return retry_transient(attempt)
