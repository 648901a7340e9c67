"""What an activity avoided, rule by rule."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.impact.calculation import (
    Factor,
    FactorTable,
    ImpactLine,
    ImpactReference,
    ImpactSubject,
    Unclaimed,
    calculate_impact,
)
from app.impact.errors import InconsistentFactors

CO2E, PACKAGING, PLASTIC = "g_co2e_avoided", "g_packaging_avoided", "g_plastic_avoided"


def _factor(
    number: int, kind: str, code: str, metric: str, unit: str, value: int, low: int, high: int, note: str = ""
) -> Factor:
    return Factor(UUID(int=number), kind, code, metric, unit, value, low, high, note)


FACTORS = FactorTable(
    [
        _factor(1, "packaging", "NO_BAG", CO2E, "use", 21, 0, 42, "weak"),
        _factor(2, "packaging", "NO_SECONDARY", PLASTIC, "parcel", 17, 8, 26),
        _factor(3, "packaging", "NO_SECONDARY", PACKAGING, "parcel", 186, 93, 279),
        _factor(4, "packaging", "NO_SECONDARY", CO2E, "parcel", 257, 128, 386),
        _factor(5, "packaging", "REFILL", PLASTIC, "use", 9, 4, 13),
        _factor(6, "material", "PET", CO2E, "kg_recycled", 1150, 805, 1495),
        _factor(7, "material", "TEXTILE", CO2E, "kg_reused", 3600, 0, 7200),
        _factor(8, "device", "PHONE", CO2E, "piece_reused", 24600, 0, 49200),
    ]
)
REFERENCE = ImpactReference(FACTORS, frozenset({"UNPACKED", "REFILL"}), {"PET": Decimal("17.700")})


def _line(number: str = "1", **keywords: Any) -> ImpactLine:
    return ImpactLine(number, **keywords)


Claims = list[tuple[str, int, int, int, int | None, str, str | None]]
CASES: dict[str, tuple[ImpactSubject, Claims, list[Unclaimed]]] = {
    "nothing_green": (ImpactSubject("purchase", (), (_line(),)), [], []),
    "an_option_of_the_order_counts_once": (
        ImpactSubject("purchase", ("NO_BAG",), (_line(quantity=7),)),
        [(CO2E, 21, 0, 42, 1, "NO_BAG", None)], [],
    ),
    "an_option_named_twice_counts_once": (
        ImpactSubject("purchase", ("NO_BAG", "NO_BAG"), (_line(packaging=("NO_BAG",), quantity=3),)),
        [(CO2E, 21, 0, 42, 1, "NO_BAG", None)], [],
    ),
    "an_option_claims_each_of_its_metrics": (
        ImpactSubject("purchase", ("NO_SECONDARY",)),
        [(CO2E, 257, 128, 386, 4, "NO_SECONDARY", None), (PACKAGING, 186, 93, 279, 3, "NO_SECONDARY", None),
         (PLASTIC, 17, 8, 26, 2, "NO_SECONDARY", None)], [],
    ),
    "an_option_of_a_line_counts_once_a_piece": (
        ImpactSubject("purchase", (), (_line("a", packaging=("REFILL",), quantity=3),)),
        [(PLASTIC, 27, 12, 39, 5, "REFILL", "a")], [],
    ),
    "an_option_without_factor_claims_nothing": (
        ImpactSubject("purchase", ("TAPELESS",), (_line("a", packaging=("UNPACKED",), quantity=4),)), [],
        [Unclaimed("packaging", "TAPELESS", None, "no_factor"), Unclaimed("packaging", "UNPACKED", "a", "no_factor")],
    ),
    "packaging_counts_on_a_purchase_alone": (ImpactSubject("packaging_return", ("NO_BAG",)), [], []),
    "recycling_counts_what_was_weighed": (
        ImpactSubject("recycling", (), (_line("a", material="PET", weight_g=500, pieces=28),)),
        [("items_recycled", 28, 28, 28, None, "PET", "a"), ("g_recycled", 500, 500, 500, None, "PET", "a"),
         (CO2E, 575, 402, 748, 6, "PET", "a")], [],
    ),
    "half_a_gram_rounds_to_even": (
        ImpactSubject("recycling", (), (_line("a", material="PET", weight_g=10),)),
        [("g_recycled", 10, 10, 10, None, "PET", "a"), (CO2E, 12, 8, 15, 6, "PET", "a")], [],
    ),
    "pieces_count_by_a_typical_weight": (
        ImpactSubject("recycling", (), (_line("a", material="PET", pieces=3),)),
        [("items_recycled", 3, 3, 3, None, "PET", "a"), ("g_recycled", 53, 53, 53, None, "PET", "a"),
         (CO2E, 61, 43, 79, 6, "PET", "a")], [],
    ),
    "pieces_without_a_typical_weight_claim_no_weight": (
        ImpactSubject("recycling", (), (_line("a", material="BATTERY", pieces=4),)),
        [("items_recycled", 4, 4, 4, None, "BATTERY", "a")], [Unclaimed("material", "BATTERY", "a", "no_weight")],
    ),
    "a_material_without_factor_claims_its_weight_alone": (
        ImpactSubject("recycling", (), (_line("a", material="CARTON_COMPOSITE", weight_g=90),)),
        [("g_recycled", 90, 90, 90, None, "CARTON_COMPOSITE", "a")],
        [Unclaimed("material", "CARTON_COMPOSITE", "a", "no_factor")],
    ),
    "a_factor_for_reuse_is_not_claimed_for_recycling": (
        ImpactSubject("recycling", (), (_line("a", material="TEXTILE", weight_g=90),)),
        [("g_recycled", 90, 90, 90, None, "TEXTILE", "a")], [Unclaimed("material", "TEXTILE", "a", "no_factor")],
    ),
    "a_material_counts_on_recycling_alone": (
        ImpactSubject("purchase", (), (_line(material="PET", weight_g=500),)), [], [],
    ),
    "a_device_counts_by_the_piece": (
        ImpactSubject("trade_in", (), (_line("a", device="PHONE", quantity=2), _line("b", device="WATCH"))),
        [(CO2E, 49200, 0, 98400, 8, "PHONE", "a")], [Unclaimed("device", "WATCH", "b", "no_factor")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_claims(name: str) -> None:
    subject, claims, unclaimed = CASES[name]
    impact = calculate_impact(subject, REFERENCE)
    found = [
        (e.metric, e.value, e.low, e.high, None if e.factor_id is None else e.factor_id.int, e.subject_code, e.line)
        for e in impact.entries
    ]
    assert found == claims
    assert list(impact.unclaimed) == unclaimed


def test_a_weak_source_and_an_estimate_say_so() -> None:
    bag = calculate_impact(ImpactSubject("purchase", ("NO_BAG",)), REFERENCE).entries[0]
    assert (bag.note, bag.basis) == ("weak", "1 use")
    line = _line(material="PET", pieces=3)
    pet = calculate_impact(ImpactSubject("recycling", (), (line,)), REFERENCE).entries[-1]
    assert pet.basis == "estimated: 3 × 17.7 g, a typical piece (weak)"


def test_two_methods_for_one_metric_of_a_subject_are_refused() -> None:
    factors = [_factor(n, "material", "PAPER", CO2E, "kg_recycled", v, 0, v) for n, v in ((1, 100), (2, 3460))]
    with pytest.raises(InconsistentFactors, match="PAPER"):
        FactorTable(factors)


@given(weight_g=st.integers(1, 10**9), value=st.integers(0, 10**6))
def test_grams_are_the_nearest_whole_of_the_exact_product(weight_g: int, value: int) -> None:
    factors = FactorTable([_factor(1, "material", "PET", CO2E, "kg_recycled", value, 0, value)])
    subject = ImpactSubject("recycling", (), (_line(material="PET", weight_g=weight_g),))
    claimed = calculate_impact(subject, ImpactReference(factors)).entries[-1].value
    assert 2 * abs(claimed * 1000 - weight_g * value) <= 1000
    if (weight_g * value) % 1000 == 500:
        assert claimed % 2 == 0
