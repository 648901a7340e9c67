"""Claim the impact of an activity, and book what changes of it: at a revision, a return, a restatement."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.catalog import service as catalog
from app.core.database import db
from app.core.guarded_write import RowShape
from app.core.ids import new_id
from app.impact import queries
from app.impact.calculation import FactorTable, Impact, ImpactReference, ImpactSubject, calculate_impact
from app.impact.differences import Booked, booked_of, differences
from app.impact.service.factors import default_factors, factors_of

IMPACT_ENTRY = RowShape("impact_entry", (
    ("member_id", "uuid"), ("impact_id", "uuid"), ("activity_id", "uuid"), ("factor_id", "uuid"), ("value", "bigint"),
    ("low", "bigint"), ("high", "bigint"), ("occurred_at", "timestamptz"), ("recorded_at", "timestamptz"),
    ("metric", "text"), ("subject_code", "text"), ("line", "text"), ("units_micros", "bigint"),
    ("is_estimated", "boolean"),
))  # fmt: skip


def claim_impact(subject: ImpactSubject) -> Impact:
    """Return what ``subject`` claims by the default factors; what has none is listed and claims 0."""
    return _claim(subject, default_factors())


def claim_impact_by(subject: ImpactSubject, factor_ids: Collection[UUID]) -> Impact:
    """Return what ``subject`` claims by exactly these versions of factors, whichever are the default ones now.

    For what is left of an activity take those of ``booked``, so that it is claimed as it stands, restatements
    included: ``factor_ids_of``. Raises FactorNotFound, and InconsistentFactors where two are for the same metric of
    one subject.
    """
    return _claim(subject, FactorTable(factors_of(factor_ids)))


def _claim(subject: ImpactSubject, factors: FactorTable) -> Impact:
    tables = catalog.reference()
    return calculate_impact(subject, ImpactReference(factors, tables.line_packaging, tables.typical_piece_grams))


def entry_rows(
    member_id: UUID, activity_id: UUID, impact: Impact, occurred_at: datetime, moment: datetime
) -> list[tuple[Any, ...]]:
    """Return the rows of ``IMPACT_ENTRY`` that book ``impact``, for the statement that books the points."""
    return rows_of(member_id, activity_id, booked_of(impact, occurred_at), moment)


def booked(member_id: UUID, activity_id: UUID) -> list[Booked]:
    """Return what stands of an activity's impact, by metric, subject, factor, line and when it occurred.

    What was taken back whole is left out. Lock the account first where something is to be booked on it.
    """
    return queries.list_booked(db.session, [(member_id, activity_id)]).get((member_id, activity_id), [])


def factor_ids_of(standing: Iterable[Booked]) -> frozenset[UUID]:
    """Return the versions of factors that ``standing`` rests on."""
    return frozenset(item.factor_id for item in standing if item.factor_id is not None)


def difference_rows(
    member_id: UUID,
    activity_id: UUID,
    before: Iterable[Booked],
    after: Impact,
    occurred_at: datetime,
    moment: datetime,
) -> list[tuple[Any, ...]]:
    """Return the rows of ``IMPACT_ENTRY`` that bring what is booked from ``before``, see ``booked``, to ``after``.

    ``occurred_at`` is when the activity occurred, by its newest revision: what stands under another time is taken back
    at that time.
    """
    return rows_of(member_id, activity_id, differences(before, booked_of(after, occurred_at)), moment)


def rows_of(member_id: UUID, activity_id: UUID, entries: Sequence[Booked], moment: datetime) -> list[tuple[Any, ...]]:
    """Return ``entries`` of an activity as rows of ``IMPACT_ENTRY``, recorded at ``moment``."""
    return [
        (member_id, new_id(), activity_id, entry.factor_id, entry.value, entry.low, entry.high, entry.occurred_at,
         moment, entry.metric, entry.subject_code, entry.line, entry.units_micros, entry.is_estimated)
        for entry in entries
    ]  # fmt: skip
