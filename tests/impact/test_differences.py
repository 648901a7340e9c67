"""Whatever an activity's impact becomes, its entries sum up to it, and each of them has a band in order."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.impact.calculation import Factor, FactorTable, ImpactLine, ImpactReference, ImpactSubject, calculate_impact
from app.impact.differences import Booked, booked_of, changes_by_time, differences, restated

CO2E, WEIGHT = "g_co2e_avoided", "g_recycled"
NOON, LATER = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
OLD, NEW = UUID(int=1), UUID(int=2)


def _booked(value: int, low: int, high: int, units: int = 10**6, **changes: Any) -> Booked:
    key = {"metric": CO2E, "subject_code": "PET", "factor_id": OLD, "line": "1", "is_estimated": False,
           "occurred_at": NOON} | changes  # fmt: skip
    return Booked(**key, value=value, low=low, high=high, units_micros=units)


def _factor(factor_id: UUID, value: int, low: int, high: int, code: str = "PET") -> Factor:
    return Factor(factor_id, "material", code, CO2E, "kg_recycled", value, low, high)


def test_what_does_not_change_needs_no_entry() -> None:
    standing = [_booked(575, 402, 748)]
    assert differences(standing, standing) == []


def test_what_is_gone_is_taken_back_with_its_band_mirrored() -> None:
    assert differences([_booked(575, 402, 748)], []) == [_booked(-575, -402, -748, -(10**6))]


def test_what_is_less_is_one_negative_entry() -> None:
    assert differences([_booked(575, 402, 748)], [_booked(230, 161, 299, 400_000)]) == [
        _booked(-345, -241, -449, -600_000)
    ]


def test_a_difference_that_is_no_band_becomes_two_entries() -> None:
    before, after = _booked(100, 0, 200), _booked(110, 0, 200)
    assert differences([before], [after]) == [_booked(-100, 0, -200, -(10**6)), after]


def test_another_version_of_the_factor_takes_the_old_back_and_books_the_new() -> None:
    new = _booked(1100, 900, 1300, factor_id=NEW)
    assert differences([_booked(1150, 805, 1495)], [new]) == [_booked(-1150, -805, -1495, -(10**6)), new]


def test_what_occurred_at_another_time_moves_there() -> None:
    moved = _booked(575, 402, 748, occurred_at=LATER)
    entries = differences([_booked(575, 402, 748)], [moved])
    assert [(entry.occurred_at, entry.value) for entry in entries] == [(NOON, -575), (LATER, 575)]
    assert changes_by_time(entries) == {NOON: {CO2E: -575}, LATER: {CO2E: 575}}


def test_changes_leave_out_what_comes_to_nothing() -> None:
    entries = [_booked(5, 4, 6), _booked(-5, -4, -6, factor_id=NEW), _booked(7, 7, 7, metric=WEIGHT)]
    assert changes_by_time(entries) == {NOON: {WEIGHT: 7}}
    assert changes_by_time(entries[:2]) == {}


def test_a_restated_claim_is_what_the_new_factor_would_have_given() -> None:
    # 3 g of PET: by 100 g a kilogram nothing, by 400 one gram; what was rounded away comes back
    standing = _booked(0, 0, 1, 3000)
    assert restated(standing, _factor(NEW, 400, 200, 600)) == _booked(1, 1, 2, 3000, factor_id=NEW)


# -- whatever series of revisions, returns and restatements an activity goes through ----------------------------------

figures = st.tuples(*[st.integers(0, 3000)] * 3).map(sorted)
lines = st.builds(
    ImpactLine,
    st.sampled_from("abc"),
    quantity=st.integers(1, 20),
    material=st.sampled_from(("PET", "PAPER")),
    weight_g=st.one_of(st.none(), st.integers(0, 5000)),
    pieces=st.one_of(st.none(), st.integers(0, 50)),
)
impacts = st.tuples(
    st.lists(lines, max_size=3, unique_by=lambda line: line.id),
    st.tuples(figures, figures),
    st.integers(0, 3),
    st.sampled_from((NOON, LATER)),
)


def _claimed(state: Any) -> list[Booked]:
    given_lines, bands, version, moment = state
    factors = FactorTable(
        _factor(UUID(int=10 * version + place), value, low, high, code)
        for place, (code, (low, value, high)) in enumerate(zip(("PET", "PAPER"), bands, strict=True))
    )
    subject = ImpactSubject("recycling", (), tuple(given_lines))
    return booked_of(calculate_impact(subject, ImpactReference(factors, frozenset(), {"PET": Decimal("17.7")})), moment)


def _sums(entries: Iterable[Booked]) -> dict[Any, tuple[int, ...]]:
    sums: dict[Any, tuple[int, ...]] = {}
    for entry in entries:
        before = sums.get(entry.key, (0, 0, 0, 0))
        sums[entry.key] = tuple(a + b for a, b in zip(before, entry.amounts, strict=True))
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def _standing(entries: Iterable[Booked]) -> list[Booked]:
    return [Booked(*key, *amounts) for key, amounts in _sums(entries).items()]


@given(st.lists(impacts, min_size=1, max_size=6))
def test_entries_sum_up_to_the_last_impact_after_any_series_of_differences(states: Sequence[Any]) -> None:
    entries: list[Booked] = []
    for state in states:
        claimed = _claimed(state)
        added = differences(_standing(entries), claimed)
        assert all(e.low <= e.value <= e.high or e.high <= e.value <= e.low for e in added)
        entries += added
        assert _sums(entries) == _sums(claimed)
        assert differences(_standing(entries), claimed) == []
    assert all(e.low <= e.value <= e.high for e in _standing(entries))
    changed: dict[Any, int] = {}
    for moment, metrics in changes_by_time(entries).items():
        changed |= {(moment, metric): value for metric, value in metrics.items()}
    by_metric: dict[Any, int] = {}
    for entry in _claimed(states[-1]):
        place = (entry.occurred_at, entry.metric)
        by_metric[place] = by_metric.get(place, 0) + entry.value
    assert changed == {place: value for place, value in by_metric.items() if value}


@given(impacts, figures)
def test_a_restatement_gives_what_the_new_factor_claims(state: Any, band: list[int]) -> None:
    given_lines, bands, _, moment = state
    low, value, high = band
    before = _claimed((given_lines, bands, 0, moment))
    after = _claimed((given_lines, (band, bands[1]), 0, moment))
    pet = _factor(UUID(int=0), value, low, high)
    assert [restated(item, pet) if item.factor_id == pet.id else item for item in before] == after
