"""The projector: applies the outbox to the projections, each member's facts in order.

One claim is one transaction: it locks one of the 64 partitions with SKIP LOCKED, reads what waits there and gives it
to each projection inside a savepoint. A fact that a projection can't apply is parked with its error, and the later
facts of that member wait behind it for that projection alone; nothing is dropped. A deadlock or serialisation failure
is no fault of the fact: the whole claim goes again.
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, current_app
from prometheus_client import Counter
from sqlalchemy import Select, delete, func, literal, select, text
from sqlalchemy.orm import Session, scoped_session

from app.core.clock import now
from app.core.database import db
from app.core.outbox import Fact, OutboxPartition, OutboxRow, ParkedFact
from app.core.unit_of_work import is_transient, retry_transient, savepoint, unit_of_work

CLAIM_ROWS_MAX = 1000
REBUILD_ROWS = 5000
IDLE_SECONDS = 0.2

log = structlog.get_logger()
applied_total = Counter("greenpoints_projected_facts_total", "Facts applied", ["projection"])
parked_total = Counter("greenpoints_parked_facts_total", "Facts parked", ["projection"])

_Session = scoped_session[Session]


@dataclass(frozen=True, slots=True)
class Projection:
    """What is kept up to date from facts: ``apply`` folds facts in, ``clear`` empties it.

    ``apply`` gets facts ordered by member and version and must need nothing but them and its own tables.
    """

    name: str
    apply: Callable[[_Session, Sequence[Fact]], None]
    clear: Callable[[_Session], None]


def register_projection(app: Flask, projection: Projection) -> None:
    """Let the projector of ``app`` keep ``projection``."""
    app.extensions.setdefault("projections", {})[projection.name] = projection


def projections() -> dict[str, Projection]:
    """Return the registered projections by name."""
    registered: dict[str, Projection] = current_app.extensions.setdefault("projections", {})
    return registered


def _facts(session: _Session, query: Select[Any]) -> list[Fact]:
    """Return the facts that ``query`` finds, by member and version."""
    columns = query.with_only_columns(
        OutboxRow.member_id, OutboxRow.version, OutboxRow.kind, OutboxRow.payload, OutboxRow.recorded_at
    )
    return [Fact(*row) for row in session.execute(columns.order_by(OutboxRow.member_id, OutboxRow.version))]


def _park(session: _Session, name: str, fact: Fact, error: str, attempts: int) -> None:
    session.merge(
        ParkedFact(
            projection=name,
            member_id=fact.member_id,
            version=fact.version,
            error=error[:2000],
            attempts=attempts,
            parked_at=now(),
        )
    )
    parked_total.labels(name).inc()


def _apply_singly(session: _Session, projection: Projection, facts: Sequence[Fact], attempts: int = 1) -> int:
    """Apply facts one by one, parking from a member's first failing one on; return how many were applied."""
    applied = 0
    for _, group in itertools.groupby(facts, key=lambda fact: fact.member_id):
        blocked_by: Fact | None = None
        for fact in group:
            if blocked_by is not None:
                _park(session, projection.name, fact, f"waits behind version {blocked_by.version}", attempts)
                continue
            try:
                with savepoint():
                    projection.apply(session, [fact])
                applied += 1
            except Exception as error:
                if is_transient(error):
                    raise
                log.error("fact_parked", projection=projection.name, version=fact.version, exc_info=error)
                _park(session, projection.name, fact, f"{type(error).__name__}: {error}", attempts)
                blocked_by = fact
    return applied


def _project(session: _Session, projection: Projection, facts: Sequence[Fact]) -> None:
    members = {fact.member_id for fact in facts}
    blocked = set(
        session.scalars(
            select(ParkedFact.member_id)
            .where(ParkedFact.projection == projection.name, ParkedFact.member_id.in_(members))
            .distinct()
        )
    )
    for fact in facts:
        if fact.member_id in blocked:
            _park(session, projection.name, fact, "waits behind an earlier parked fact", 0)
    free = [fact for fact in facts if fact.member_id not in blocked]
    if not free:
        return
    try:
        with savepoint():
            projection.apply(session, free)
        applied = len(free)
    except Exception as error:
        if is_transient(error):
            raise
        log.warning("batch_split", projection=projection.name, facts=len(free), error=type(error).__name__)
        applied = _apply_singly(session, projection, free)
    applied_total.labels(projection.name).inc(applied)


def _claim_and_project() -> int | None:
    """Return how many facts were applied, None where no partition that nobody else holds has any."""
    with unit_of_work() as session:
        waiting = (
            select(literal(1)).where(OutboxRow.partition == OutboxPartition.partition, ~OutboxRow.is_applied).exists()
        )
        partition = session.scalar(
            select(OutboxPartition.partition)
            .where(waiting)
            .order_by(func.random())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if partition is None:
            return None
        waiting_here = select(OutboxRow).where(OutboxRow.partition == partition, ~OutboxRow.is_applied)
        facts = _facts(session, waiting_here.limit(CLAIM_ROWS_MAX))
        for projection in projections().values():
            _project(session, projection, facts)
        session.execute(
            text(
                "UPDATE outbox SET is_applied = true FROM unnest(CAST(:members AS uuid[]), CAST(:versions AS bigint[]))"
                " AS done(member_id, version) WHERE outbox.member_id = done.member_id"
                " AND outbox.version = done.version"
            ),
            {"members": [fact.member_id for fact in facts], "versions": [fact.version for fact in facts]},
        )
        return len(facts)


def project_once() -> int:
    """Claim one partition and apply what waits there; return how many facts, 0 where nothing waits for us."""
    while (count := retry_transient(_claim_and_project)) == 0:
        pass  # another projector did that partition between our look and our lock: look again
    return count or 0


def drain() -> int:
    """Apply all that waits now and is in no other projector's hands; return how many facts."""
    total = 0
    while count := project_once():
        total += count
    return total


def run_forever(stop: threading.Event) -> None:
    """Project until ``stop`` is set; a lost database is waited for."""
    while not stop.is_set():
        try:
            count = project_once()
        except Exception as error:
            log.error("projector_failed", exc_info=error)
            db.session.remove()
            stop.wait(2)
            continue
        finally:
            db.session.remove()
        if count == 0:
            stop.wait(IDLE_SECONDS)


def rebuild(name: str) -> int:
    """Empty the projection ``name`` and fold every applied fact into it again, in one transaction; return how many.

    Holds all 64 partitions, so that no projector adds a fact twice; awards go on meanwhile.
    """
    projection = projections()[name]
    return retry_transient(lambda: _rebuild(projection))


def _hold_all(session: _Session) -> None:
    """Lock every partition: what projectors have begun is done then, and they begin nothing until we have."""
    session.execute(select(OutboxPartition.partition).order_by(OutboxPartition.partition).with_for_update())


def _rebuild(projection: Projection) -> int:
    count = 0
    with unit_of_work() as session:
        _hold_all(session)
        session.execute(delete(ParkedFact).where(ParkedFact.projection == projection.name))
        projection.clear(session)
        position: tuple[UUID, int] | None = None
        while True:
            query = select(OutboxRow).where(OutboxRow.is_applied)
            if position is not None:
                query = query.where(text("(member_id, version) > (:member_id, :version)")).params(
                    member_id=position[0], version=position[1]
                )
            facts = _facts(session, query.limit(REBUILD_ROWS))
            session.expunge_all()
            if not facts:
                return count
            _project(session, projection, facts)
            position = (facts[-1].member_id, facts[-1].version)
            count += len(facts)


def list_parked() -> list[ParkedFact]:
    """Return the parked facts by projection, member and version."""
    query = select(ParkedFact).order_by(ParkedFact.projection, ParkedFact.member_id, ParkedFact.version)
    return list(db.session.scalars(query))


def retry_parked(name: str) -> int:
    """Apply the parked facts of the projection ``name`` again, in order; return how many were applied."""
    projection = projections()[name]
    return retry_transient(lambda: _retry_parked(projection))


def _retry_parked(projection: Projection) -> int:
    of_this = ParkedFact.projection == projection.name
    with unit_of_work() as session:
        _hold_all(session)
        parked = (ParkedFact.member_id == OutboxRow.member_id) & (ParkedFact.version == OutboxRow.version)
        facts = _facts(session, select(OutboxRow).join(ParkedFact, parked).where(of_this))
        attempts = session.scalar(select(func.max(ParkedFact.attempts)).where(of_this)) or 0
        session.execute(delete(ParkedFact).where(of_this))
        return _apply_singly(session, projection, facts, attempts + 1)
