"""The award path: what came in one request goes in one round.

1. A body is read by the schema; what breaks it is told with pointers and stops that item alone.
2. ``rounds`` takes the others: one read and one statement, which waits for no account.
3. Where others were changing an account, its items go once more as a round, in one transaction that has locked the
   accounts first. So do all items when a constraint refused the statement, which undoes the whole of it.
4. What a round can't do (points owed or due, a member unknown) goes by itself, under the lock of the account.

Requests of one activity each meet in ``sharing``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import scoped_session

from app.activities import claims, paying, queries, revising, rounds
from app.activities.errors import ActivityMemberChanged
from app.activities.evaluating import Prepared, Source, check, prepare
from app.activities.outcome import Accepted
from app.activities.proofs import find_duplicates, note_duplicates, proofs_of
from app.activities.queries import Found, MemberFacts
from app.activities.reading import Report, digest_of
from app.activities.rounds import Left, Result, Why, first_answers, has_member, is_known, is_revised, read_asked
from app.activities.schemas import ActivitySchema
from app.campaigns import service as campaigns
from app.core import schemas
from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.errors import ProblemError, ServiceUnavailable, ValidationProblem
from app.core.ids import new_id
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import service as ledger
from app.members import service as members

LOCKED_ATTEMPTS = 3
_schema = ActivitySchema()


def read_report(index: int, body: Any) -> Report:
    """Return ``body`` as it is read; raise ValidationProblem, also where the body is one, its text being unreadable."""
    if isinstance(body, ValidationProblem):
        raise body
    return Report(index, body, schemas.load(_schema, body), digest_of(body))


def report_many(origin: Source, bodies: Sequence[Any]) -> list[Result]:
    """Store and award each of ``bodies``; return what became of each, in their order. Each stands alone.

    One that is a problem already, because its text could not be read, stays that problem.
    """
    results: list[Result | None] = [None] * len(bodies)
    waiting: list[Report] = []
    for index, body in enumerate(bodies):
        try:
            waiting.append(read_report(index, body))
        except ValidationProblem as problem:
            results[index] = problem
    while waiting:
        again = []
        for report, outcome in zip(waiting, _report_round(origin, waiting), strict=True):
            if isinstance(outcome, Left):
                again.append(report)
            else:
                results[report.index] = outcome
        waiting = again
    assert None not in results
    return results  # type: ignore[return-value]


def _report_round(origin: Source, reports: Sequence[Report]) -> list[Result | Left]:
    """Return what became of each; left is only an id that stands before it, which goes on now that that one is done."""
    outcomes = rounds.play(origin, reports)
    contended = [place for place, each in enumerate(outcomes) if isinstance(each, Left) and each.why is Why.CONTENDED]
    if contended:
        members = {each.member_id for each in outcomes if isinstance(each, Left) and each.member_id is not None}
        again = rounds.play_locked(origin, [reports[place] for place in contended], sorted(members))
        for place, outcome in zip(contended, again, strict=True):
            outcomes[place] = outcome
    for place, each in enumerate(outcomes):
        if isinstance(each, Left) and each.why is not Why.REPEATED:
            outcomes[place] = report_alone(origin, reports[place])
    return outcomes


def report_alone(origin: Source, report: Report) -> Result:
    """Store and award one activity under the lock of its member's account, settling what is due first.

    So it goes with a new revision of one that is stored, which is booked as the difference.
    """
    # each receipt or serial number can be lost to somebody else once, between our look and our write
    attempts = LOCKED_ATTEMPTS + len(proofs_of(report.read))
    for number in range(attempts):
        try:
            done = retry_transient(lambda: attempt_alone(origin, report))
        except ProblemError as problem:
            return problem
        except (psycopg.errors.UniqueViolation, IntegrityError):
            # somebody stored this id between our read and our write: the next attempt finds it
            if number == attempts - 1:
                raise
        else:
            if done is not None:
                return done
    return ServiceUnavailable("Others are changing the same activity; try again.")


def attempt_alone(origin: Source, report: Report) -> Accepted | None:
    """Do what ``report_alone`` does once, in the caller's unit of work if there is one; raise what is wrong with it.

    None where it was stored, or its member unlinked, between our look and our lock.
    """
    moment, prepared = now(), prepare(origin, report)
    with unit_of_work() as session, driver_connection() as connection:
        [found] = read_asked(connection, origin, [prepared])
        if is_known(report, found):
            return first_answers([found])[0]
        if is_revised(report, found):
            if found.known_member_id is None:
                return _revise_waiting(session, origin, prepared, found, moment)
            return _revise(session, origin, prepared, found.known_member_id, moment)
        if not has_member(report, found):
            check(origin, report, moment)
            return claims.store(origin.merchant, report, prepared.proofs, moment)
        assert found.member is not None
        ledger.lock_account(found.member.member_id)
        [found] = read_asked(connection, origin, [prepared])
        if is_known(report, found):
            return first_answers([found])[0]
        if is_revised(report, found) or found.member is None:
            return None
        return _award_locked(connection, origin, prepared, found.member, moment)


def _revise_waiting(
    session: scoped_session[Any], origin: Source, prepared: Prepared, found: Found, moment: datetime
) -> Accepted:
    """Book a new revision of what waits to be claimed, under the lock of the claim; of a member's where it is now."""
    report = prepared.report
    assert found.activity_id is not None
    claim = queries.lock_claim(session, found.activity_id)
    assert claim is not None
    with driver_connection() as connection:
        [found] = read_asked(connection, origin, [prepared])
    if is_known(report, found):
        return first_answers([found])[0]
    if found.known_member_id is not None:
        return _revise(session, origin, prepared, found.known_member_id, moment)
    return claims.revise_waiting(session, origin, prepared, claim, found.member, moment)


def _revise(
    session: scoped_session[Any], origin: Source, prepared: Prepared, member_id: UUID, moment: datetime
) -> Accepted:
    """Book a new revision of a member's activity, under the lock of the account."""
    report = prepared.report
    with ledger.open_book(member_id, moment) as (_, book), driver_connection() as connection:
        [found] = read_asked(connection, origin, [prepared])
        if is_known(report, found):
            return first_answers([found])[0]
        if found.member is not None and found.member.member_id != member_id:
            raise ActivityMemberChanged
        assert found.activity_id is not None
        stored = queries.find_stored(session, member_id, found.activity_id)
        assert stored is not None
        counted = campaigns.Member(member_id, members.get_member(member_id, origin.merchant.live).household_id)
        return revising.revise(session, origin, prepared, stored, counted, book)


def _award_locked(
    connection: psycopg.Connection[Any], origin: Source, prepared: Prepared, member: MemberFacts, moment: datetime
) -> Accepted:
    """Award one activity in the open book of its member: what is due is settled first, what is owed repaid.

    Budgets and shared limits are locked as well, so that the last points are paid exactly.
    """
    live = origin.merchant.live
    check(origin, prepared.report, moment)
    duplicates = find_duplicates(db.session, live, prepared.proofs)
    with ledger.open_book(member.member_id, moment) as (_, book):
        evaluated, empty = paying.pay(book, origin, prepared, member, new_id(), duplicates)
    note_duplicates(db.session, live, evaluated.activity_id, duplicates, moment)
    write = ledger.write_beside(member.member_id)
    for shape, rows in evaluated.rows(origin, moment):
        write.add(shape, rows)
    write.execute(connection)
    paying.tell_budgets(evaluated, empty, live)
    return evaluated.accepted()
