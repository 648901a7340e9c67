"""Reversals, write-offs, adjustments, extensions and gifts."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from app.core.unit_of_work import unit_of_work
from app.ledger import queries
from app.ledger.errors import (
    GiftToOneself,
    InDebt,
    InsufficientPoints,
    LotNotFound,
    PostingNotFound,
    ReversalExceedsAward,
    WriteOffExceedsDebt,
)
from app.ledger.service.books import Posted, check_points, find_replay, open_book, posted
from app.ledger.service.corrections import take_back


def reverse_points(
    member_id: UUID,
    posting_key: str,
    shares: Mapping[int, int] | None,
    *,
    key: str,
    is_written_off: bool = False,
    activity_id: UUID | None = None,
    actor: str,
    reason: str | None = None,
    fingerprint: bytes,
    moment: datetime,
) -> Posted:
    """Take back what the posting ``posting_key`` awarded: all that is left of it, or ``shares`` (points by lot).

    Of each lot, what remains is taken first (pending, then available); what has left it becomes debt, which the
    member's other available points repay at once; expired points are neither taken nor owed. With
    ``is_written_off`` the debt that is left is written off in the same posting. Idempotent by ``key``. Raises
    PostingNotFound, LotNotFound, ReversalExceedsAward, InvalidPoints, PostingKeyReused.
    """
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        posting = queries.find_posting(session, member_id, posting_key)
        if posting is None:
            raise PostingNotFound
        issued = [entry.seq for entry in queries.list_posting_entries(session, posting) if entry.source == "issued"]
        book.add_lots(queries.list_lots(session, member_id, set(issued) - book.lots.keys(), book.extended_until))
        wanted = {lot_id: book.lots[lot_id].reversible for lot_id in issued} if shares is None else dict(shares)
        for lot_id, points in wanted.items():
            if lot_id not in issued:
                raise LotNotFound
            if shares is not None:
                check_points(points)
            if points > book.lots[lot_id].reversible:
                raise ReversalExceedsAward(f"{book.lots[lot_id].reversible} points are left of lot {lot_id}.")
        taken = take_back(
            session, book, wanted, key=key, reverses=posting_key, fingerprint=fingerprint, activity_id=activity_id,
            actor=actor, reason=reason,
        )  # fmt: skip
        if not taken.points:
            raise ReversalExceedsAward("Nothing of it is left to take back.")
        if taken.to_debt and is_written_off:
            book.move_debt("written_off", taken.to_debt)
        book.add_fact("reversed", {"posting": posting_key, "points": sum(wanted.values()), "debt": taken.to_debt})
        return posted(book)


def write_off_debt(
    member_id: UUID, points: int, *, key: str, actor: str, reason: str, fingerprint: bytes, moment: datetime
) -> Posted:
    """Let go of ``points`` that are owed. Raises WriteOffExceedsDebt, InvalidPoints, PostingKeyReused."""
    check_points(points)
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        if points > book.buckets["debt"]:
            raise WriteOffExceedsDebt(f"{book.buckets['debt']} points are owed.")
        book.open_posting(key, "write_off", fingerprint=fingerprint, actor=actor, reason=reason)
        book.move_debt("written_off", points)
        book.add_fact("written_off", {"points": points})
        return posted(book)


def adjust_points(
    member_id: UUID,
    points: int,
    *,
    key: str,
    actor: str,
    reason: str,
    expires_at: datetime | None = None,
    fingerprint: bytes,
    moment: datetime,
) -> Posted:
    """Add ``points``, available at once until ``expires_at``, or, where they are negative, take available ones away.

    Added points repay debt at once. Raises InsufficientPoints, InvalidPoints, PostingKeyReused.
    """
    check_points(abs(points) if type(points) is int else points)
    with open_book(member_id, moment) as (session, book):
        replay = find_replay(session, member_id, key, fingerprint)
        if replay is not None:
            return replay
        book.open_posting(key, "adjust", fingerprint=fingerprint, actor=actor, reason=reason)
        if points > 0:
            lot = book.issue(points, available_at=moment, expires_at=expires_at, rule=None)
            book.repay([lot])
        else:
            missing = -points - book.buckets["available"]
            if missing > 0:
                raise InsufficientPoints(missing)
            book.add_lots(queries.list_spendable_lots(session, member_id, -points, book.extended_until, book.lots))
            book.move("available", "reversed", book.take_available(-points))
        book.add_fact("adjusted", {"points": points})
        return posted(book)


def extend_expiry(member_id: UUID, until: datetime, *, moment: datetime) -> datetime:
    """Let every point that has not expired live at least until ``until``; return until when they do. Never shortens."""
    with open_book(member_id, moment) as (_, book):
        if book.extended_until is None or until > book.extended_until:
            book.extended_until = until
            book.add_fact("extended", {"until": until})
        return book.extended_until


def give_points(
    sender_id: UUID,
    receiver_id: UUID,
    points: int,
    *,
    key: str,
    actor: str,
    reason: str | None,
    fingerprint: bytes,
    moment: datetime,
) -> Posted:
    """Give ``points`` to another member: spent here, issued there with the same expiry and funder.

    Accounts are locked in the order of their ids. The receiver's debt is repaid at once. Raises GiftToOneself,
    InDebt, InsufficientPoints, AccountNotFound, InvalidPoints, PostingKeyReused.
    """
    check_points(points)
    if sender_id == receiver_id:
        raise GiftToOneself([{"pointer": "/member_code", "detail": "This is your own code."}])
    with unit_of_work() as session:
        for member_id in sorted((sender_id, receiver_id)):
            queries.lock_account(session, member_id)
        replay = find_replay(session, sender_id, key, fingerprint)
        if replay is not None:
            return replay
        with open_book(sender_id, moment) as (_, book):
            if book.buckets["debt"] > 0:
                raise InDebt
            if points > book.buckets["available"]:
                raise InsufficientPoints(points - book.buckets["available"])
            book.add_lots(queries.list_spendable_lots(session, sender_id, points, book.extended_until, book.lots))
            parts = book.take_available(points)
            book.open_posting(key, "gift", fingerprint=fingerprint, actor=actor, reason=reason)
            book.move("available", "spent", parts)
            book.add_fact("gift_sent", {"points": points})
            done = posted(book)
            given = [(book.lots[lot_id].expires_at, part, lot_id) for lot_id, part in parts]
        funders = queries.funders_of(session, sender_id, [lot_id for _, _, lot_id in given])
        with open_book(receiver_id, moment) as (_, book):
            book.open_posting(key, "gift", fingerprint=fingerprint, actor=actor, reason=reason)
            lots = []
            for expires_at, part, lot_id in given:
                lots.append(book.issue(part, available_at=moment, expires_at=expires_at, funder=funders[lot_id]))
            book.repay(lots)
            book.add_fact("gift_received", {"points": points})
        return done
