"""The award path: one read and one statement, for one activity or for a batch.

1. A body is read by the schema; what breaks it is told with pointers and stops that item alone.
2. One read says of each item whether its id is known, who the member is, and how the account stands.
3. A known id with the same content gets its first answer again, whatever its age; with other content it is refused.
4. The others are checked against the reference data and the clock, evaluated in order per member and planned.
5. One guarded statement writes all of it. Where an account has changed since the read, owes points or has something
   due, nothing of that member is written: those items go again one by one, under the lock of the account. So do all
   items when a constraint refuses the statement, which undoes the whole of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import IntegrityError

from app.activities import claims, queries
from app.activities.errors import ActivityClosed, ActivityIdReused, MemberNotFound, RevisionStale
from app.activities.evaluating import Source, check, evaluate_report
from app.activities.outcome import Accepted
from app.activities.queries import Found, MemberFacts
from app.activities.reading import (
    Report,
    digest_of,
)
from app.activities.schemas import ActivitySchema
from app.core import schemas
from app.core.clock import now
from app.core.codes import normalise_code
from app.core.database import driver_connection
from app.core.errors import ProblemError, ValidationProblem
from app.core.outbox import FactKind
from app.core.unit_of_work import retry_transient, unit_of_work
from app.ledger import service as ledger

LOCKED_ATTEMPTS = 3
_schema = ActivitySchema()


Result = Accepted | ProblemError


def report_many(origin: Source, bodies: Sequence[Any]) -> list[Result]:
    """Store and award each of ``bodies``; return what became of each, in their order. Each stands alone.

    One that is a problem already, because its text could not be read, stays that problem.
    """
    results: list[Result | None] = [None] * len(bodies)
    waiting: list[Report] = []
    for index, body in enumerate(bodies):
        if isinstance(body, ValidationProblem):
            results[index] = body
            continue
        try:
            waiting.append(Report(index, body, schemas.load(_schema, body), digest_of(body)))
        except ValidationProblem as problem:
            results[index] = problem
    while waiting:
        # an id that stands in the batch twice is taken once a round, so that the second meets the first as stored
        first_of: dict[str, Report] = {}
        for report in waiting:
            first_of.setdefault(report.external_id, report)
        round_, waiting = list(first_of.values()), [r for r in waiting if first_of[r.external_id] is not r]
        for report, result in zip(round_, _report_round(origin, round_), strict=True):
            results[report.index] = result
    assert None not in results
    return results  # type: ignore[return-value]


def _report_round(origin: Source, reports: Sequence[Report]) -> list[Result]:
    moment = now()
    results: list[Result | None] = [None] * len(reports)
    plans: dict[UUID, ledger.MemberPlan] = {}
    placed: dict[UUID, list[int]] = {}
    known: list[int] = []
    again: list[int] = []
    with driver_connection() as connection:
        everything = read_asked(connection, origin, reports)
        for place, (report, found) in enumerate(zip(reports, everything, strict=True)):
            try:
                if _is_known(report, found):
                    known.append(place)
                elif has_member(report, found):
                    member_id, results[place] = _plan(origin, report, found, plans, moment)
                    placed.setdefault(member_id, []).append(place)
                else:
                    again.append(place)
            except ProblemError as problem:
                results[place] = problem
        granted = _write(connection, list(plans.values()), moment)
    for place, first in zip(known, first_answers([everything[place] for place in known]), strict=True):
        results[place] = first
    for member_id, places in placed.items():
        if member_id not in granted:
            again += places
    for place in sorted(again):
        results[place] = _report_locked(origin, reports[place])
    return [result for result in results if result is not None]


def read_asked(connection: psycopg.Connection[Any], origin: Source, reports: Sequence[Report]) -> list[Found]:
    """Return what the one read says of each report."""
    asked = []
    for place, report in enumerate(reports):
        member = report.read["member"] or {}
        code = normalise_code(member["code"]) if "code" in member else None
        asked.append((place, report.external_id, member.get("id"), code, member.get("ref")))
    return queries.read_for_award(connection, origin.merchant.id, origin.merchant.live, asked)


def _write(connection: psycopg.Connection[Any], plans: Sequence[ledger.MemberPlan], moment: datetime) -> set[UUID]:
    """Write ``plans``; return the members written, none where a constraint refused the whole statement."""
    settled = [plan for plan in plans if plan.is_settled(moment)]
    if not settled:
        return set()
    try:
        return ledger.start_write(settled, moment).execute(connection)
    except (psycopg.errors.IntegrityError, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
        return set()


def _report_locked(origin: Source, report: Report) -> Result:
    """Store and award one activity under the lock of its member's account, settling what is due first."""

    def attempt() -> Accepted:
        moment = now()
        with unit_of_work(), driver_connection() as connection:
            [found] = read_asked(connection, origin, [report])
            if found.member is not None and not _is_known(report, found):
                ledger.lock_account(found.member.member_id)
                [found] = read_asked(connection, origin, [report])
            if _is_known(report, found):
                return first_answers([found])[0]
            if not has_member(report, found):
                check(origin, report, moment)
                return claims.store(origin.merchant, report, moment)
            assert found.member is not None
            return _award_locked(connection, origin, report, found.member, moment)

    for number in range(LOCKED_ATTEMPTS):
        try:
            return retry_transient(attempt)
        except ProblemError as problem:
            return problem
        except (psycopg.errors.UniqueViolation, IntegrityError):
            # somebody stored this id between our read and our write: the next attempt finds it
            if number == LOCKED_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _award_locked(
    connection: psycopg.Connection[Any], origin: Source, report: Report, member: MemberFacts, moment: datetime
) -> Accepted:
    """Award one activity in the open book of its member: what is due is settled first, what is owed repaid."""
    with ledger.open_book(member.member_id, moment) as (_, book):
        evaluated = evaluate_report(origin, report, member, moment)
        paid_debt = ledger.award_in_book(book, evaluated.awarded_activity(origin))
        evaluated.pay_debt(paid_debt)
        book.add_fact(FactKind.ACTIVITY, evaluated.fact())
    write = ledger.write_beside(member.member_id)
    for shape, rows in evaluated.rows(origin, moment):
        write.add(shape, rows)
    write.execute(connection)
    return evaluated.accepted()


def _plan(
    origin: Source, report: Report, found: Found, plans: dict[UUID, ledger.MemberPlan], moment: datetime
) -> tuple[UUID, Accepted]:
    """Evaluate one activity and add what it books to its member's plan."""
    member, account = found.member, found.account
    assert member is not None
    assert account is not None
    evaluated = evaluate_report(origin, report, member, moment)
    plan = plans.get(member.member_id) or plans.setdefault(member.member_id, ledger.plan_for(account))
    ledger.plan_activity(plan, evaluated.awarded_activity(origin), moment)
    for shape, rows in evaluated.rows(origin, moment):
        plan.rows.setdefault(shape, []).extend(rows)
    return member.member_id, evaluated.accepted()


def _is_known(report: Report, found: Found) -> bool:
    """Return whether the id is stored with this content; raise the conflict where the content differs."""
    if found.activity_id is None or found.revision is None:
        return False
    revision = report.read["revision"]
    if revision < found.revision:
        raise RevisionStale
    if revision > found.revision:
        raise ActivityClosed("A reported activity can't be revised here.")
    if found.digest != report.digest:
        raise ActivityIdReused
    return True


def first_answers(found: Sequence[Found]) -> list[Accepted]:
    """Return the answers that these known activities got at first."""
    if not found:
        return []
    with driver_connection() as connection:
        stored = queries.read_stored(connection, [(each.known_member_id, each.activity_id) for each in found])
    answers = []
    for each in found:
        assert each.activity_id is not None
        answers.append(stored.get(each.activity_id) or claims.waiting(each.activity_id))
    return answers


def has_member(report: Report, found: Found) -> bool:
    """Return whether the member is known; raise MemberNotFound where an id or code names nobody.

    An unknown reference, or none at all, is not an error: the points wait under a claim code.
    """
    if found.member is not None:
        return True
    member = report.read["member"]
    if member is not None and "ref" not in member:
        place = "id" if "id" in member else "code"
        raise MemberNotFound(errors=[{"pointer": f"/member/{place}", "detail": "No such member."}])
    return False
