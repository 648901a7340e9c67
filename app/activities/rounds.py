"""One round of the award path: one read and one statement, for one activity or for many.

1. The read says of each report whether its id is known, who the member is, and how the account stands.
2. A known id with the same content gets its first answer again, whatever its age; with other content it is refused.
3. The others are checked against the reference data and the clock, evaluated in order per member and planned.
4. One guarded statement writes all of it: of each member everything or nothing. It waits for no account.

What a round leaves says which way it is to go on: see ``Why``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

import psycopg

from app.activities import claims, queries
from app.activities.errors import ActivityIdReused, MemberNotFound, RevisionStale
from app.activities.evaluating import Prepared, Source, evaluate_report, prepare_many
from app.activities.outcome import Accepted
from app.activities.proofs import find_duplicates
from app.activities.queries import Found
from app.activities.reading import Report
from app.campaigns import service as campaigns
from app.core.clock import now
from app.core.codes import normalise_code
from app.core.database import db, driver_connection
from app.core.errors import ProblemError, ServiceUnavailable
from app.core.unit_of_work import after_commit, retry_transient, unit_of_work
from app.ledger import service as ledger

Result = Accepted | ProblemError


class Why(Enum):
    """Why a round left a report, which says how it goes on.

    ``CONTENDED``: others are changing the account, or a constraint refused the whole statement; a round that has
    locked the account may take it. ``ALONE``: nobody is known by the reference, or the member owes points or has
    something due; it takes more than a round's statement. ``REPEATED``: its id stands before it in the round, and it
    goes on once that one is stored.
    """

    CONTENDED = auto()
    ALONE = auto()
    REPEATED = auto()


@dataclass(frozen=True, slots=True)
class Left:
    """A report that a round left, and of whom where it is known."""

    why: Why
    member_id: UUID | None = None


ALONE, _REPEATED = Left(Why.ALONE), Left(Why.REPEATED)
# a constraint broken (an id stored meanwhile, a shared limit reached), a budget with too little left, lost to others
_REFUSALS = (
    psycopg.errors.IntegrityError, psycopg.errors.DivisionByZero, psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)  # fmt: skip


@dataclass(slots=True)
class _Round:
    """Reports that were read together, what has become of each, and what is to be written."""

    origin: Source
    prepared: Sequence[Prepared]
    found: list[Found]
    moment: datetime
    board: campaigns.UsageBoard
    sweeps: bool
    outcomes: list[Result | Left | None] = field(default_factory=list)
    low: set[UUID] = field(default_factory=set)
    proofs: set[tuple[str, str, str]] = field(default_factory=set)
    plans: dict[UUID, ledger.MemberPlan] = field(default_factory=dict)

    def plan(self, is_contended: Callable[[UUID], bool]) -> None:
        """Decide on each report; evaluate what is new and plan what it books."""
        ids: set[str] = set()
        for prepared, found in zip(self.prepared, self.found, strict=True):
            try:
                self.outcomes.append(self._decide(prepared, found, ids, is_contended))
            except ProblemError as problem:
                self.outcomes.append(problem)

    def _decide(
        self, prepared: Prepared, found: Found, ids: set[str], is_contended: Callable[[UUID], bool]
    ) -> Result | Left | None:
        """Return what becomes of a report: None is told by the store of first answers."""
        report = prepared.report
        if is_known(report, found):
            return None
        if is_revised(report, found):
            return ALONE
        if report.external_id in ids:
            return _REPEATED
        ids.add(report.external_id)
        proofs = {proof.key for proof in prepared.proofs}
        if not has_member(report, found) or not self.proofs.isdisjoint(proofs):
            return ALONE
        member, account = found.member, found.account
        assert member is not None
        assert account is not None
        plan = self.plans.get(member.member_id)
        if plan is None:
            plan = ledger.plan_for(account)
            if not plan.is_settled(self.moment):
                return ALONE
            if is_contended(member.member_id):
                return Left(Why.CONTENDED, member.member_id)
        self.proofs |= proofs
        self.board.read(prepared.bounds.asks, member.counted, found.used)
        evaluated = evaluate_report(self.origin, prepared, member, self.board, self.moment)
        self.plans[member.member_id] = plan
        ledger.plan_activity(plan, evaluated.awarded_activity(self.origin), self.moment)
        for shape, rows in evaluated.rows(self.origin, self.moment):
            plan.rows.setdefault(shape, []).extend(rows)
        if evaluated.spent:
            live = self.origin.merchant.live
            paid = campaigns.budget_rows(member.member_id, evaluated.spent, prepared.bounds.budgets, live, self.sweeps)
            plan.rows.setdefault(campaigns.BUDGET, []).extend(paid)
        return evaluated.accepted()

    def write(self, connection: psycopg.Connection[Any]) -> set[UUID]:
        """Write the plans; return the members written. A constraint error undoes the whole statement."""
        if not self.plans:
            return set()
        plans = list(self.plans.values())
        write = ledger.start_write(plans, self.moment, is_many=len(self.prepared) > 1)
        granted = write.execute(connection)
        if write.answers and write.answers[1]:  # a slot of a budget is running low
            self.low = {row[1] for row in write.rows[campaigns.BUDGET]}
        return granted

    def leave_duplicates(self) -> None:
        """Let go alone what names a receipt or serial number that is claimed: it would refuse any round again."""
        proofs = [proof for prepared in self.prepared for proof in prepared.proofs]
        claimed = {each.proof.key for each in find_duplicates(db.session, self.origin.merchant.live, proofs)}
        for place, prepared in enumerate(self.prepared):
            if isinstance(self.outcomes[place], Accepted) and any(proof.key in claimed for proof in prepared.proofs):
                self.outcomes[place] = ALONE

    def results(self, granted: set[UUID]) -> list[Result | Left]:
        """Return what has become of each report, once ``granted`` are written."""
        known = [found for found, outcome in zip(self.found, self.outcomes, strict=True) if outcome is None]
        first = iter(first_answers(known))
        results: list[Result | Left] = []
        for outcome in self.outcomes:
            if outcome is None:
                results.append(next(first))
            elif isinstance(outcome, Accepted) and outcome.member_id not in granted:
                results.append(Left(Why.CONTENDED, outcome.member_id))
            else:
                results.append(outcome)
        return results


def play(
    origin: Source, reports: Sequence[Report], is_contended: Callable[[UUID], bool] = lambda _: False
) -> list[Result | Left]:
    """Take ``reports`` in one round that waits for no account; return what became of each.

    Members of whom the caller knows by ``is_contended`` that others are changing them are left at once.
    """
    prepared = prepare_many(origin, reports)
    with driver_connection() as connection:
        round_ = _open_round(connection, origin, prepared)
        round_.plan(is_contended)
        try:
            granted = round_.write(connection)
        except _REFUSALS:
            granted = set()
            round_.leave_duplicates()
    campaigns.watch_budgets(round_.low)
    return round_.results(granted)


def _open_round(
    connection: psycopg.Connection[Any], origin: Source, prepared: Sequence[Prepared], sweeps: bool = False
) -> _Round:
    board = campaigns.new_board((each.bounds for each in prepared), origin.merchant.live)
    return _Round(origin, prepared, read_asked(connection, origin, prepared), now(), board, sweeps)


def play_locked(origin: Source, reports: Sequence[Report], member_ids: Sequence[UUID]) -> list[Result | Left]:
    """Take ``reports`` in one round and one transaction, with the accounts of ``member_ids`` locked before the read.

    Where a constraint refuses it, or competing changes do again and again, all are left to go alone.
    """

    def attempt() -> list[Result | Left]:
        prepared = prepare_many(origin, reports)
        with unit_of_work(), driver_connection() as connection:
            ledger.lock_accounts(member_ids)
            round_ = _open_round(connection, origin, prepared, sweeps=True)
            round_.plan(lambda _: False)
            granted = round_.write(connection)
            if round_.low:
                after_commit(lambda: campaigns.watch_budgets(round_.low))
            return round_.results(granted)

    try:
        return retry_transient(attempt)
    except (psycopg.errors.IntegrityError, psycopg.errors.DivisionByZero, ServiceUnavailable):
        return [ALONE] * len(reports)


def read_asked(connection: psycopg.Connection[Any], origin: Source, prepared: Sequence[Prepared]) -> list[Found]:
    """Return what the one read says of each report."""
    asked = []
    for place, report in enumerate(each.report for each in prepared):
        member = report.read["member"] or {}
        code = normalise_code(member["code"]) if "code" in member else None
        asked.append((place, report.external_id, member.get("id"), code, member.get("ref")))
    asks = [each.bounds.asks for each in prepared]
    return queries.read_for_award(connection, origin.merchant.id, origin.merchant.live, asked, asks)


def is_known(report: Report, found: Found) -> bool:
    """Return whether the id is stored with this content; raise the conflict where the content differs."""
    if found.activity_id is None or found.revision is None or is_revised(report, found):
        return False
    if report.read["revision"] < found.revision:
        raise RevisionStale
    if found.digest != report.digest:
        raise ActivityIdReused
    return True


def is_revised(report: Report, found: Found) -> bool:
    """Return whether the report is a newer revision of what is stored."""
    return found.revision is not None and bool(report.read["revision"] > found.revision)


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
