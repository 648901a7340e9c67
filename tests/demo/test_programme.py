"""The demo's programme file is readable, complete and keeps the waste hierarchy."""

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import schemas
from app.core.ids import new_id
from app.demo.baskets import data_file
from app.demo.mapping import load_mapping
from app.programme.schemas import ProgrammeSchema

APP = Path(__file__).parents[2] / "app"
PROGRAMME: dict[str, Any] = json.loads((APP / "demo" / "programme.json").read_text(encoding="utf-8"))
CAMPAIGNS: list[dict[str, Any]] = PROGRAMME["campaigns"]
RULES = [rule for campaign in CAMPAIGNS for rule in campaign["rules"]]
RUNGS = ("refuse", "reduce", "reuse", "recycle")


def _table(name: str) -> dict[str, dict[str, str]]:
    with (APP / "catalog" / "reference" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row for row in csv.DictReader(file)}


def test_the_settings_fit_their_schema() -> None:
    assert schemas.load(ProgrammeSchema(), PROGRAMME["settings"])["currency"] == "USD"


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign["key"])
def test_every_campaign_fits_its_schema_and_compiles(campaign: dict[str, Any]) -> None:
    document = schemas.load(CampaignSchema(), campaign)
    rules = compile_rules(document, campaign_id=new_id(), version_id=new_id(), version=1, is_paused=False)
    assert [rule.key for rule in rules] == [rule["key"] for rule in campaign["rules"]]


def test_keys_are_unique() -> None:
    for things in (CAMPAIGNS, RULES):
        assert len({thing["key"] for thing in things}) == len(things)


@pytest.mark.parametrize("thing", [*CAMPAIGNS, *RULES], ids=lambda thing: thing["key"])
def test_everything_is_named_in_both_languages(thing: dict[str, Any]) -> None:
    assert set(thing["labels"]) == {"en", "zh-CN"}
    assert all(thing["labels"].values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["key"])
def test_every_rule_has_terms(rule: dict[str, Any]) -> None:
    assert rule["pending"] == {"days": 14}
    assert rule["expiry"] == {"months": 12, "round_to": "month"}
    assert rule["minimum_evidence"] == "staff"


def test_codes_are_in_the_reference_tables() -> None:
    certifications, packaging = _table("certifications"), _table("packaging_options")
    for rule in RULES:
        match = rule.get("match", {})
        assert set(match.get("certifications", [])) <= set(certifications)
        assert set(match.get("packaging", [])) <= set(packaging)


def test_categories_are_those_that_the_baskets_carry() -> None:
    slug = load_mapping().line_fields["category"]
    with duckdb.connect() as connection:
        rows = connection.execute(f"select distinct {slug} from read_parquet('{data_file('products')}')").fetchall()
    known = {row[0] for row in rows}
    assert {code for rule in RULES for code in rule.get("match", {}).get("categories", [])} <= known


@pytest.mark.parametrize("scope", ["line", "activity"])
def test_a_lower_rung_of_the_waste_hierarchy_earns_less(scope: str) -> None:
    packaging = _table("packaging_options")
    points: dict[str, set[int]] = {rung: set() for rung in RUNGS}
    for rule in RULES:
        codes = rule.get("match", {}).get("packaging", [])
        if rule["scope"] == scope and all(packaging[code]["applies_to"] != "order" for code in codes):
            for code in codes:
                points[packaging[code]["hierarchy"]].add(rule["award"]["points"])
    ordered = [points[rung] for rung in RUNGS if points[rung]]
    assert len(ordered) >= 3
    assert all(min(upper) > max(lower) for upper, lower in itertools.pairwise(ordered))


def test_no_packaging_that_is_added_earns_more_than_adding_none() -> None:
    packaging = _table("packaging_options")
    best = dict.fromkeys(RUNGS, 0)
    for rule in RULES:
        for code in rule.get("match", {}).get("packaging", []) if rule["scope"] == "activity" else []:
            if packaging[code]["applies_to"] == "parcel":
                rung = packaging[code]["hierarchy"]
                best[rung] = max(best[rung], rule["award"]["points"])
    assert best["refuse"] > best["reduce"] + best["reuse"] + best["recycle"]
