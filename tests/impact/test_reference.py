"""The product's own factor file is consistent with the catalogue and with itself."""

from pathlib import Path

from app.core.reference import read_reference

APP = Path(__file__).parents[2] / "app"
FACTORS = read_reference(APP / "impact" / "reference" / "impact_factors.csv")


def _codes(name: str) -> set[str]:
    return {row["code"] for row in read_reference(APP / "catalog" / "reference" / f"{name}.csv")}


def test_every_factor_is_for_something_the_catalogue_knows() -> None:
    for kind, name in (("material", "materials"), ("packaging", "packaging_options")):
        assert {row["subject_code"] for row in FACTORS if row["subject_kind"] == kind} <= _codes(name)


def test_every_factor_states_source_year_region_baseline_and_a_band_around_its_value() -> None:
    for row in FACTORS:
        assert all(row[name] for name in ("source", "year", "region", "baseline"))
        assert 0 <= int(row["low"]) <= int(row["value"]) <= int(row["high"])


def test_each_metric_of_a_subject_has_one_default_the_least_of_its_values() -> None:
    values: dict[tuple[str, str], list[tuple[int, bool]]] = {}
    for row in FACTORS:
        subject = (row["subject_code"], row["metric"])
        values.setdefault(subject, []).append((int(row["value"]), row["is_default"] == "true"))
    for subject, published in values.items():
        assert [value for value, is_default in published if is_default] == [min(published)[0]], subject
