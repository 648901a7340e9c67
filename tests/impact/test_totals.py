"""Totals are added up within a method, and likened to something known by the largest of them alone."""

from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.impact.service.reading import LOCALES, equivalents
from app.impact.totals import ESTIMATED, Basis, BookedSum, Equivalent, Total, liken, totals_of

CO2E, WEIGHT = "g_co2e_avoided", "g_recycled"
WARM, WARM_NEW, DESNZ, CLAIM = (UUID(int=number) for number in range(4))
BASES = {
    WARM: Basis("warm", ""), WARM_NEW: Basis("warm", "proxy"), DESNZ: Basis("desnz", ""), CLAIM: Basis("claim", "weak"),
}  # fmt: skip
CAR = Equivalent(CO2E, "km", 249, "a source", 2023, "US", "a car", "", {"en": "{amount} km"})


def _sum(value: int, factor_id: UUID | None = WARM, metric: str = CO2E, **changes: Any) -> BookedSum:
    given = {"month": date(2026, 11, 1), "is_estimated": False, "low": value // 2, "high": value * 2} | changes
    return BookedSum(metric=metric, factor_id=factor_id, value=value, **given)


def test_two_methods_are_never_added_up() -> None:
    totals = totals_of([_sum(100, WARM), _sum(3460, DESNZ), _sum(21, CLAIM)], BASES)
    assert [(total.method, total.value) for total in totals] == [("claim", 21), ("desnz", 3460), ("warm", 100)]


def test_within_a_method_versions_and_months_are_added_up_with_their_bands() -> None:
    totals = totals_of([_sum(100), _sum(10, WARM_NEW), _sum(2, month=date(2026, 12, 1))], BASES)
    assert totals == [Total(CO2E, "warm", 112, 56, 224, (WARM, WARM_NEW), ("proxy",))]


def test_what_was_counted_or_weighed_has_no_factor_and_says_where_it_was_estimated() -> None:
    weighed, estimated = _sum(500, None, WEIGHT), _sum(53, None, WEIGHT, is_estimated=True)
    assert totals_of([weighed], BASES) == [Total(WEIGHT, "measured", 500, 250, 1000, (), ())]
    assert totals_of([weighed, estimated], BASES)[0].notes == (ESTIMATED,)


def test_what_was_taken_back_whole_is_left_out_with_what_it_rested_on() -> None:
    gone = [_sum(21, CLAIM), _sum(-21, CLAIM, low=-10, high=-42)]
    assert totals_of(gone, BASES) == []
    moved = [_sum(100, WARM_NEW), _sum(-100, WARM_NEW, low=-50, high=-200), _sum(90, WARM)]
    assert totals_of(moved, BASES) == [Total(CO2E, "warm", 90, 45, 180, (WARM,), ())]


def test_the_largest_total_alone_is_likened_and_rounded_down() -> None:
    totals = totals_of([_sum(300, WARM), _sum(747, DESNZ), _sum(9999, None, WEIGHT)], BASES)
    likened = liken(totals, [CAR])
    assert likened is not None
    total, equivalent, amount = likened
    assert (total.method, equivalent, amount) == ("desnz", CAR, 3)


def test_less_than_one_unit_is_likened_to_nothing() -> None:
    assert liken(totals_of([_sum(248, WARM), _sum(248, DESNZ)], BASES), [CAR]) is None
    assert liken(totals_of([_sum(5000, None, WEIGHT)], BASES), [CAR]) is None
    assert liken([], [CAR]) is None


def test_our_equivalents_name_their_source_and_speak_every_language() -> None:
    known = equivalents()
    assert len({equivalent.metric for equivalent in known}) == len(known) > 0
    for equivalent in known:
        assert equivalent.value > 0
        assert equivalent.source
        assert 2000 < equivalent.year < 2100
        assert equivalent.region
        assert [equivalent.texts[locale].count("{amount}") for locale in LOCALES] == [1] * len(LOCALES)


def test_a_kilometre_of_the_car_is_never_less_than_what_was_published_a_mile() -> None:
    (car,) = [equivalent for equivalent in equivalents() if equivalent.unit == "km"]
    assert 400 / 1.609344 <= car.value < 400 / 1.609344 + 1


amounts = st.integers(-5000, 5000)
sums = st.builds(
    BookedSum, st.dates(date(2026, 1, 1), date(2026, 12, 31)).map(lambda day: day.replace(day=1)),
    st.sampled_from((CO2E, WEIGHT)), st.sampled_from((WARM, WARM_NEW, DESNZ, CLAIM, None)), st.booleans(), amounts,
    amounts, amounts,
)  # fmt: skip


@given(st.lists(sums, max_size=30))
def test_nothing_is_lost_and_nothing_counted_twice(items: list[BookedSum]) -> None:
    totals = totals_of(items, BASES)
    assert len({(total.metric, total.method) for total in totals}) == len(totals)
    for metric in (CO2E, WEIGHT):
        assert sum(t.value for t in totals if t.metric == metric) == sum(i.value for i in items if i.metric == metric)
    for total in totals:
        assert all(BASES[factor_id].method == total.method for factor_id in total.factors)
