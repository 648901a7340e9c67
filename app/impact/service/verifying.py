"""Prove the impact ledger: what stands of every activity is what its factors give for what was multiplied."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from app.core.database import db
from app.impact import queries as ledger_queries
from app.impact import restatement_queries as queries
from app.impact.calculation import Factor, band_of
from app.impact.differences import Booked
from app.impact.service.factors import all_factors

WINDOW_ENTRIES = 2000


@dataclass(slots=True)
class Proof:
    """What was checked, and how many differences were found."""

    activities: int = 0
    claims: int = 0
    differences: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """A claim that stands otherwise than it should."""

    member_id: UUID
    activity_id: UUID
    item: Booked
    expected: tuple[int, int, int] | None

    def __str__(self) -> str:
        stands = (self.item.value, self.item.low, self.item.high)
        should = f"expected {self.expected}" if self.expected else "its factor is unknown"
        return f"{self.member_id} {self.activity_id} {self.item.metric} {self.item.subject_code}: {stands}, {should}"


def verify(found: Proof) -> Iterator[Difference]:
    """Yield every claim that stands otherwise than its factor says, and count into ``found``; locks nothing.

    What was counted or weighed has no band and is not negative.
    """
    factors = all_factors()
    after = queries.START
    while after != queries.END:
        last = queries.window_end(db.session, after, WINDOW_ENTRIES)
        places = queries.list_places(db.session, after, last)
        found.activities += len(places)
        for place, standing in ledger_queries.list_booked(db.session, places).items():
            for item in standing:
                found.claims += 1
                expected = _expected(item, factors)
                if expected != (item.value, item.low, item.high):
                    found.differences += 1
                    yield Difference(*place, item, expected)
        after = last


def _expected(item: Booked, factors: dict[UUID, Factor]) -> tuple[int, int, int] | None:
    if item.factor_id is None:
        whole = max(item.value, 0)
        return whole, whole, whole
    factor = factors.get(item.factor_id)
    return None if factor is None else band_of(factor, item.units_micros)
