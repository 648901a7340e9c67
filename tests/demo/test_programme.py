"""The demo's settings and campaigns are readable, complete and keep the waste hierarchy; their examples hold."""

import copy
import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.activities.reading import facts_of
from app.activities.schemas import CartSchema
from app.campaigns.engine import Rule
from app.campaigns.examples import run_examples
from app.campaigns.schedules import next_window
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import schemas
from app.core.ids import new_id
from app.demo.baskets import data_file
from app.demo.mapping import load_mapping
from app.demo.prepare import MERCHANT_KEY, campaign_documents
from app.programme.schemas import ProgrammeSchema

APP = Path(__file__).parents[2] / "app"
SETTINGS: dict[str, Any] = json.loads((APP / "demo" / "programme.json").read_text(encoding="utf-8"))
CAMPAIGNS = campaign_documents()
BY_KEY = {campaign["key"]: campaign for campaign in CAMPAIGNS}
RULES = [rule for campaign in CAMPAIGNS for rule in campaign["rules"]]
RUNGS = ("refuse", "reduce", "reuse", "recycle")


def _rows(*path: str) -> list[dict[str, str]]:
    with APP.joinpath(*path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _table(name: str, room: str = "catalog") -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in _rows(room, "reference", f"{name}.csv")}


def _read(campaign: dict[str, Any]) -> tuple[dict[str, Any], list[Rule]]:
    document = schemas.load(CampaignSchema(), campaign)
    merchants = {MERCHANT_KEY: new_id()}
    return document, compile_rules(document, campaign_id=new_id(), version_id=new_id(), version=1, merchants=merchants)


def _facts(body: Mapping[str, Any], moment: datetime) -> Mapping[str, Any]:
    """What rules see of an activity that is reported at that moment by a merchant whose staff saw it."""
    read = schemas.load(CartSchema(), body)
    return facts_of(read, read["occurred_at"] or moment, "staff")


def test_the_settings_fit_their_schema() -> None:
    assert schemas.load(ProgrammeSchema(), SETTINGS)["currency"] == "USD"


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign["key"])
def test_every_campaign_fits_its_schema_and_compiles(campaign: dict[str, Any]) -> None:
    _, rules = _read(campaign)
    assert [rule.key for rule in rules] == [rule["key"] for rule in campaign["rules"]]


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign["key"])
def test_every_example_holds(campaign: dict[str, Any]) -> None:
    assert run_examples(*_read(campaign), _facts) == []


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign["key"])
def test_an_example_that_expects_another_figure_is_found(campaign: dict[str, Any]) -> None:
    """So that the test above can fail."""
    wrong = copy.deepcopy(campaign)
    for rule in wrong["rules"]:
        for example in rule["examples"]:
            example["expect"]["points"] += 1
    document, rules = _read(wrong)
    assert len(run_examples(document, rules, _facts)) == sum(len(rule["examples"]) for rule in wrong["rules"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["key"])
def test_every_rule_shows_what_it_pays_and_what_it_does_not(rule: dict[str, Any]) -> None:
    points = [example["expect"]["points"] for example in rule["examples"]]
    assert max(points) > 0
    assert min(points) == 0


def test_examples_name_what_is_in_the_reference_tables() -> None:
    certifications, packaging, materials = (
        _table(name) for name in ("certifications", "packaging_options", "materials")
    )
    for activity in (example["activity"] for rule in RULES for example in rule["examples"]):
        assert set(activity.get("packaging", [])) <= set(packaging)
        for line in activity["lines"]:
            assert set(line.get("packaging", [])) <= set(packaging)
            assert {held["code"] for held in line.get("certifications", [])} <= set(certifications)
            assert {line.get("material", "PET")} <= set(materials)


def test_keys_are_unique() -> None:
    for things in (CAMPAIGNS, RULES):
        assert len({thing["key"] for thing in things}) == len(things)


@pytest.mark.parametrize("thing", [*CAMPAIGNS, *RULES], ids=lambda thing: thing["key"])
def test_everything_is_named_in_both_languages(thing: dict[str, Any]) -> None:
    assert set(thing["labels"]) == {"en", "zh-CN"}
    assert all(thing["labels"].values())


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign["key"])
def test_every_campaign_is_described_in_both_languages_in_a_file_of_its_name(campaign: dict[str, Any]) -> None:
    assert set(campaign["descriptions"]) == {"en", "zh-CN"}
    assert (APP / "demo" / "campaigns" / f"{campaign['key']}.json").exists()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["key"])
def test_the_name_of_every_rule_says_what_it_pays(rule: dict[str, Any]) -> None:
    figure = str(rule["award"].get("factor") or rule["award"]["points"])
    for text in rule["labels"].values():
        assert figure in re.findall(r"[0-9.]+", text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["key"])
def test_every_rule_has_terms(rule: dict[str, Any]) -> None:
    assert rule["pending"] in ({"days": 14}, {"days": 1}, {"until": "completed"})
    assert rule["expiry"] == {"months": 12, "round_to": "month"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["key"])
def test_what_nobody_has_seen_earns_little_and_seldom(rule: dict[str, Any]) -> None:
    if rule["minimum_evidence"] == "self_declared":
        assert rule["award"] == {"type": "fixed", "points": 1}
        assert {"unit": "count", "by": "member", "per": "day", "amount": 2} in rule["limits"]
    else:
        assert rule["minimum_evidence"] in ("staff", "machine")


def test_the_programme_shows_each_part_of_a_campaign() -> None:
    assert [key for key, campaign in BY_KEY.items() if campaign.get("budget")] == ["green-dollar"]
    assert [key for key, campaign in BY_KEY.items() if campaign.get("funder") == MERCHANT_KEY] == ["green-dollar"]
    assert [key for key, campaign in BY_KEY.items() if campaign.get("holdout_percent")] == ["plastic-free-july-2027"]
    assert [key for key, campaign in BY_KEY.items() if campaign.get("recurrence")] == [
        "ecology-week",
        "wednesday-evening",
    ]
    by_household = [rule["key"] for rule in RULES for limit in rule.get("limits", []) if limit["by"] == "household"]
    assert set(by_household) == {"by-weight"}


def _days(campaign: str, start: datetime) -> tuple[str, str]:
    """The first and the last day of the campaign's window after ``start``, by its own clock."""
    _, rules = _read(BY_KEY[campaign])
    window = next_window(rules[0].schedule, start)
    assert window is not None
    assert window[1] is not None
    zone = rules[0].schedule.zone
    last = window[1].astimezone(zone) - timedelta(microseconds=1)
    return window[0].astimezone(zone).date().isoformat(), last.date().isoformat()


def test_campaigns_of_the_calendar_keep_its_days() -> None:
    calendar, start = _table("calendar", "campaigns"), datetime(2027, 1, 1, tzinfo=UTC)
    july, ecology = calendar["PLASTIC_FREE_JULY"], calendar["CN_ECOLOGY_DAY"]
    assert _days("plastic-free-july-2027", start) == (july["start_date"], july["end_date"])
    first, last = _days("ecology-week", start)
    assert first < ecology["start_date"] <= ecology["end_date"] < last


def test_days_that_move_are_stored_for_the_year_that_they_are_of() -> None:
    for code, row in _table("calendar", "campaigns").items():
        assert row["start_date"] <= row["end_date"], code
        if row["recurrence"] == "none":
            assert code.endswith(f"_{row['start_date'][:4]}")


def test_what_stands_beside_real_schemes_is_what_the_rules_pay() -> None:
    rows = _rows("demo", "beside_real_schemes.csv")
    assert len(rows) > 10
    for row in rows:
        [rule] = [rule for rule in BY_KEY[row["campaign"]]["rules"] if rule["key"] == row["rule"]]
        assert row["ours"].startswith(f"{rule['award']['points']} point")
        assert row["scheme"]
        assert row["award"]
        if rule["limits"]:
            assert (
                any(str(limit["amount"]) in row["our_cap"] for limit in rule["limits"]) or "deposit" in row["our_cap"]
            )


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
    of_purchases = [rule for rule in RULES if rule["kind"] == "purchase"]
    assert {code for rule in of_purchases for code in rule.get("match", {}).get("categories", [])} <= known


@pytest.mark.parametrize("scope", ["line", "activity"])
def test_a_lower_rung_of_the_waste_hierarchy_earns_less(scope: str) -> None:
    packaging = _table("packaging_options")
    points: dict[str, set[int]] = {rung: set() for rung in RUNGS}
    for rule in RULES:
        codes = rule.get("match", {}).get("packaging", []) if "points" in rule["award"] else []
        if (
            rule["kind"] == "purchase"
            and rule["scope"] == scope
            and all(packaging[code]["applies_to"] != "order" for code in codes)
        ):
            for code in codes:
                points[packaging[code]["hierarchy"]].add(rule["award"]["points"])
    ordered = [points[rung] for rung in RUNGS if points[rung]]
    assert len(ordered) >= 3
    assert all(min(upper) > max(lower) for upper, lower in itertools.pairwise(ordered))


def test_no_packaging_that_is_added_earns_more_than_adding_none() -> None:
    packaging = _table("packaging_options")
    best: dict[tuple[str, str], int] = Counter()
    for rule in RULES:
        is_of_whole = rule["scope"] == "activity" and "points" in rule["award"]
        for code in rule.get("match", {}).get("packaging", []) if is_of_whole else []:
            if packaging[code]["applies_to"] == "parcel":
                place = rule["kind"], packaging[code]["hierarchy"]
                best[place] = max(best[place], rule["award"]["points"])
    refused = best.pop(("purchase", "refuse"))
    assert refused > sum(best.values())
    assert ("packaging_return", "reuse") in best


def _points(key: str) -> int:
    [rule] = [rule for rule in RULES if rule["key"] == key]
    points: int = rule["award"]["points"]
    return points


def test_what_is_kept_in_use_earns_more_than_what_is_taken_apart() -> None:
    assert _points("repaired") > _points("traded-in") > _points("small-device-recycled")
    assert _points("sold-loose") > _points("concentrate") > _points("refilled") > _points("empties")


def test_points_that_are_multiplied_are_multiplied_once() -> None:
    groups = [rule["stacking"] for rule in RULES if rule["award"]["type"] == "multiplier"]
    assert len(groups) == 4
    assert all(group == {"group": "multipliers", "mode": "best"} for group in groups)
