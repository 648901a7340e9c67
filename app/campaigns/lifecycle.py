"""The rules of a campaign's life, pure: which state allows what, what a version could pay, and who may decide.

A campaign goes draft → submitted → approved → active ⇄ paused → ended → archived. Until it is active for the first time
its state is that of its newest version. Later a newer version is a *change* that goes draft → submitted → approved by
itself, while the version in force pays on, until it is put in force as well.

1. A version may be put in force by one person alone if it could pay no more than the programme's limit, and the check
   found nothing that must be overridden. One that has no bound is above every limit.
2. Any other needs approval by a second person: one who has written no version since the last approved one, and did not
   submit this one. An approval is of one version; a newer one needs its own.
3. Ended is final.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

STATES = ("draft", "submitted", "approved", "active", "paused", "ended", "archived")
VERSION_STATES = ("draft", "submitted", "approved", "scheduled", "in_force", "past", "dropped")
RUNNING = ("active", "paused")
CLOSED = ("ended", "archived")


def budget_points(document: Mapping[str, Any]) -> int | None:
    """Return the points of a campaign document's budget, None where it has none."""
    budget = document.get("budget")
    return None if budget is None else int(budget["points"])


def exposure_of(document: Mapping[str, Any], estimate: int | None) -> int | None:
    """Return the most points that a version can pay: its budget, else the ``estimate``; None is without end."""
    budget = budget_points(document)
    return estimate if budget is None else budget


def is_within(exposure: int | None, points_max: int) -> bool:
    """Return whether an exposure is bounded, and by no more than ``points_max``."""
    return exposure is not None and exposure <= points_max


def may_approve(person: UUID, submitted_by: UUID | None, authors: Iterable[UUID | None]) -> bool:
    """Return whether ``person`` is a second one beside who submitted and the ``authors`` of what nobody approved."""
    return person != submitted_by and person not in set(authors)
