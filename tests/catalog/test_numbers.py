"""Certificate numbers: public forms are held to, and everything else has to look like a number at least."""

import re

import pytest

from app.catalog.numbers import is_well_formed, normalise_number, number_forms
from app.catalog.service.reference import FOLDER
from app.core.reference import read_reference
from tests.catalog.documents import certificate


@pytest.mark.parametrize(
    ("code", "number", "is_one"),
    [
        ("EU_ORGANIC", "DE-ÖKO-001", True),
        ("EU_ORGANIC", "de-öko-001", True),
        ("EU_ORGANIC", "DE-O\u0308KO-001", True),  # O and a combining diaeresis
        ("EU_ORGANIC", "FR-BIO-01", True),
        ("EU_ORGANIC", "ES-ECO-020-CV", True),
        ("EU_ORGANIC", "PL-EKO-07.616-0001234.2023.001", True),
        ("EU_ORGANIC", "DEMO-ORG-1", False),
        ("EU_ORGANIC", "DE-ÖKO", False),
        ("EU_ORGANIC", "organic", False),
        ("FSC", "FSC-C000000", True),
        ("FSC", "FSC C000000", True),
        ("FSC", "XXX-COC-000000", True),
        ("FSC", "FSC-C1", False),
        ("PEFC", "PEFC/01-00-01", True),
        ("PEFC", "01-00-01", False),
        ("MSC", "MSC-C-54001", True),
        ("MSC", "MSC-54001", False),
        ("EU_ECOLABEL", "FR/020/001", True),
        ("EU_ECOLABEL", "FR-020-001", False),
        ("FAIRTRADE", "FLO ID 1234", True),
        ("CN_ORGANIC", "有机 100OP1200001", True),
        ("USDA_ORGANIC", "7", True),
        ("FAIRTRADE", "yes", False),
        ("FAIRTRADE", "applied for", False),
        ("FAIRTRADE", "   ", False),
        ("FAIRTRADE", "-", False),
        ("FAIRTRADE", "<b>1</b>", False),
        ("FAIRTRADE", "1\u202e2", False),
        ("FAIRTRADE", "9" * 101, False),
    ],
)
def test_which_numbers_are_well_formed(code, number, is_one):
    assert is_well_formed(code, number) is is_one


def test_spelling_does_not_make_another_number():
    assert normalise_number(" de-öko-001\t") == normalise_number("DE-O\u0308KO-001") == "DE-ÖKO-001"
    assert normalise_number("FSC  C1") == "FSC C1"
    assert normalise_number("DE-ÖKO-001") != normalise_number("DE-ÖKO-002")


def test_every_form_belongs_to_a_certification_and_fits_its_example():
    codes = {row["code"] for row in read_reference(FOLDER / "certifications.csv")}
    rows = read_reference(FOLDER / "certificate_numbers.csv")
    assert {row["code"] for row in rows} == number_forms().keys() <= codes
    for row in rows:
        assert re.fullmatch(row["pattern"], row["example"]), row["code"]
        assert row["source"], row["code"]


def test_a_refused_number_is_told_what_one_looks_like(client, shop):
    body = {"certificates": [certificate(code="FSC", number="FSC-C1")]}
    answer = client.put("/v1/products/A-1", json=body, headers=shop.live)
    assert "FSC-C000000" in answer.json["errors"][0]["detail"]
