"""Use cases of impact: published factors, what activities claim by them, and what is booked of it."""

from app.impact.calculation import Factor, FactorTable, Impact, ImpactEntry, ImpactLine, ImpactSubject, Unclaimed
from app.impact.differences import Booked, booked_of, changes_by_time, differences
from app.impact.service.claiming import (
    IMPACT_ENTRY,
    booked,
    claim_impact,
    claim_impact_by,
    difference_rows,
    entry_rows,
    factor_ids_of,
    rows_of,
)
from app.impact.service.factors import default_factors, load_reference
from app.impact.service.reading import LOCALES, factor_place, list_factor_versions, read_impact
from app.impact.service.restatements import (
    get_restatement,
    list_restatements,
    request_restatement,
    restate_now,
    run_restatements,
)
from app.impact.service.verifying import Proof, verify

__all__ = [
    "IMPACT_ENTRY",
    "LOCALES",
    "Booked",
    "Factor",
    "FactorTable",
    "Impact",
    "ImpactEntry",
    "ImpactLine",
    "ImpactSubject",
    "Proof",
    "Unclaimed",
    "booked",
    "booked_of",
    "changes_by_time",
    "claim_impact",
    "claim_impact_by",
    "default_factors",
    "difference_rows",
    "differences",
    "entry_rows",
    "factor_ids_of",
    "factor_place",
    "get_restatement",
    "list_factor_versions",
    "list_restatements",
    "load_reference",
    "read_impact",
    "request_restatement",
    "restate_now",
    "rows_of",
    "run_restatements",
    "verify",
]
