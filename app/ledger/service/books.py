"""Open and close the book of an account: lock it, settle what is due, and write what was entered."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, scoped_session

from app.core.database import driver_connection
from app.core.unit_of_work import unit_of_work
from app.ledger import queries, settling_queries
from app.ledger.awarding import AccountState
from app.ledger.booking import BUCKETS, AccountBook, write_books
from app.ledger.errors import AccountNotFound, InvalidPoints, PostingKeyReused
from app.ledger.lots import HoldState, due_movements, expiry_order
from app.ledger.models import Account

_Session = Session | scoped_session[Any]
POINTS_MAX = 10**12
GRACE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Posted:
    """What a posting did: the points of each of its movements by (source, target), and the balances after it.

    ``is_replay`` says that the same key did it before.
    """

    key: str
    kind: str
    moved: dict[tuple[str, str], int]
    pending: int
    available: int
    held: int
    debt: int
    is_replay: bool = False

    def points(self, source: str, target: str) -> int:
        """Return the points that moved from ``source`` to ``target``."""
        return self.moved.get((source, target), 0)


def check_points(points: int) -> int:
    """Return ``points``; raise InvalidPoints unless it is a whole number from 1 to 10^12."""
    if type(points) is not int or not 1 <= points <= POINTS_MAX:
        raise InvalidPoints
    return points


def book_of(account: Account, moment: datetime) -> AccountBook:
    """Return an empty book of a locked account."""
    return AccountBook(
        account.member_id, moment, {bucket: getattr(account, bucket) for bucket in BUCKETS}, account.version,
        account.last_seq, account.next_due_at, account.extended_until, account.last_entry_at,
    )  # fmt: skip


def settle_book(session: _Session, book: AccountBook) -> None:
    """Enter what time has done to the account up to the book's moment, if anything is due."""
    if book.next_due_at is None or book.next_due_at > book.moment:
        return
    book.add_lots(queries.list_due_lots(session, book.member_id, book.extended_until, book.moment))
    holds = queries.list_due_holds(session, book.member_id, book.moment)
    held = {lot_id for hold in holds for lot_id, _ in hold.parts}
    book.add_lots(queries.list_lots(session, book.member_id, held - book.lots.keys(), book.extended_until))
    enter_due(session, book, holds)
    if holds:
        queries.close_due_holds(session, book.member_id, book.moment)
    write_books_of([book])
    book.next_due_at = queries.next_due_time(session, book.member_id, book.extended_until)


def enter_due(session: _Session, book: AccountBook, holds: Sequence[HoldState]) -> None:
    """Enter what time has done to the loaded lots, which are all those concerned, and to the holds that have ended."""
    movements, given_back = due_movements(book.lots.values(), holds, book.buckets["debt"], book.moment)
    book.book(movements)
    if given_back:
        book.open_posting(f"repay:{book.last_seq + 1}", "repay", actor="clock")
        give_back(session, book, given_back)


def give_back(session: _Session, book: AccountBook, points: int) -> None:
    """Return ``points`` to lots that have repaid for others, last to expire first; no balance changes by that.

    A lot that has expired meanwhile gets the grace period. What no lot repaid had been written off: so many of the
    available points make that good, in the open posting.
    """
    if points == 0:
        return
    book.add_lots(queries.list_repaid_lots(session, book.member_id, book.extended_until, points, book.lots))
    repaid = sorted((lot for lot in book.lots.values() if lot.returnable > 0), key=expiry_order)
    for lot in reversed(repaid):
        part = min(points, lot.returnable)
        lot.repaid -= part
        lot.remaining += part
        points -= part
        if part and lot.expires_at is not None and lot.expires_at <= book.moment:
            lot.expires_at = book.moment + GRACE
    if points:
        book.make_good(points)


def write_books_of(books: Sequence[AccountBook]) -> None:
    """Write what is entered in ``books`` and let them go on as stored."""
    for book in books:
        book.note_due()
    changed = [book for book in books if book.has_changes()]
    if not changed:
        return
    with driver_connection() as connection:
        write_books(connection, changed)
    for book in changed:
        book.written = book.account_row()
        book.stored = {}
        lots, book.lots = book.lots, {}
        book.add_lots(lots.values())
        book.postings, book.entries, book.allocations, book.facts, book.new_lots = [], [], [], [], {}


@contextmanager
def open_book(member_id: UUID, moment: datetime) -> Iterator[tuple[scoped_session[Any], AccountBook]]:
    """Lock the account, settle it, and write on leaving what was entered meanwhile; joins the caller's unit of work.

    Raises AccountNotFound.
    """
    with unit_of_work() as session:
        account = queries.lock_account(session, member_id)
        if account is None:
            raise AccountNotFound
        book = book_of(account, moment)
        settle_book(session, book)
        yield session, book
        write_books_of([book])


def lock_account(member_id: UUID) -> None:
    """Lock the account until the open unit of work ends, so that what is read after it is current."""
    with unit_of_work() as session:
        if queries.lock_account(session, member_id) is None:
            raise AccountNotFound


def lock_accounts(member_ids: Collection[UUID]) -> None:
    """Lock the accounts, in the order of their members, until the open unit of work ends, as ``lock_account`` does."""
    with unit_of_work(), driver_connection() as connection:
        settling_queries.lock_accounts(connection, member_ids)


def add_facts(facts: Mapping[UUID, Sequence[tuple[str, dict[str, Any]]]], moment: datetime) -> None:
    """Tell projections facts (kind, payload) about members, each member's in the order given; no points move.

    Joins the caller's unit of work; the accounts stay locked until that ends.
    """
    with unit_of_work() as session:
        lock_accounts(facts.keys())  # waits for others; the next statement finds them all
        books = [book_of(account, moment) for account in queries.lock_free_accounts(session, facts.keys())]
        for book in books:
            for kind, payload in facts[book.member_id]:
                book.add_fact(kind, payload)
        write_books_of(books)


def settle_due(member_id: UUID, moment: datetime) -> AccountState:
    """Lock the account, book what time has done to it up to ``moment``, and return it as it is then.

    Joins the caller's unit of work; the account stays locked until that ends. Raises AccountNotFound.
    """
    with open_book(member_id, moment) as (_, book):
        buckets = book.buckets
        return AccountState(
            member_id, book.version, book.last_seq, buckets["pending"], buckets["available"], buckets["held"],
            buckets["debt"], book.next_due_at,
        )  # fmt: skip


def find_replay(session: _Session, member_id: UUID, key: str, fingerprint: bytes) -> Posted | None:
    """Return what the posting of ``key`` did, None where there is none; raise PostingKeyReused for other content."""
    posting = queries.find_posting(session, member_id, key)
    if posting is None:
        return None
    if bytes(posting.fingerprint) != fingerprint:
        raise PostingKeyReused
    entries = queries.list_posting_entries(session, posting)
    moved: dict[tuple[str, str], int] = {}
    for entry in entries:
        pair = (entry.source, entry.target)
        moved[pair] = moved.get(pair, 0) + entry.amount
    last = entries[-1]
    return Posted(
        key, posting.kind, moved, last.pending, last.available, last.held, last.debt, is_replay=True
    )  # fmt: skip


def posted(book: AccountBook) -> Posted:
    """Return what the posting that was entered last does."""
    posting = book.postings[-1]
    moved: dict[tuple[str, str], int] = {}
    for entry in book.entries[len(book.entries) - posting[5] :]:
        pair = (entry[9], entry[10])
        moved[pair] = moved.get(pair, 0) + entry[2]
    buckets = book.buckets
    return Posted(
        posting[1], posting[2], moved, buckets["pending"], buckets["available"], buckets["held"], buckets["debt"]
    )
