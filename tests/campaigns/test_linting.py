"""What is well formed in a campaign and still wrong is found, with its place."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app
from app.campaigns.checking.linting import Finding, lint
from app.campaigns.checking.linting.earnings import LINES_MAX, QUANTITY_MAX, points_of, units_to_out_earn
from app.campaigns.schemas import CampaignSchema
from app.catalog.service import CatalogReference, CertificationFacts, MaterialFacts, PackagingFacts
from app.core.reference import read_reference
from app.demo.prepare import campaign_documents
from tests.campaigns.documents import rule_document

FOLDER = Path(app.__file__).with_name("catalog") / "reference"
PER_AMOUNT = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}


def reference() -> CatalogReference:
    """The catalogue's reference as its files say."""
    packaging = {
        row["code"]: PackagingFacts(
            row["code"], row["name"], row["hierarchy"], row["applies_to"], row["exclusive_group"] or None
        )
        for row in read_reference(FOLDER / "packaging_options.csv")
    }
    return CatalogReference(
        certifications={
            row["code"]: CertificationFacts(row["code"], row["name"], frozenset(), row["status"])
            for row in read_reference(FOLDER / "certifications.csv")
        },
        packaging=packaging,
        materials={
            row["code"]: MaterialFacts(row["code"], row["name"], frozenset(), Decimal(1))
            for row in read_reference(FOLDER / "materials.csv")
        },
        line_packaging=frozenset(),
        typical_piece_grams={},
    )


REFERENCE = reference()


def rule(key: str = "rule", award: dict[str, Any] | int = 10, **changes: Any) -> dict[str, Any]:
    """A rule as the schema reads it; an award that is a number is that many points, fixed."""
    read = {"match": {}, "when": None, "minimum": None, "maximum": None, "minimum_evidence": None, "rounding": "floor"}
    awarded = {"type": "fixed", "points": award} if isinstance(award, int) else award
    return rule_document(key=key, **read) | {"award": awarded} | changes


def per_unit(points: int) -> dict[str, Any]:
    return {"type": "per_unit", "points": points}


def packs(*codes: str, **more: list[str]) -> dict[str, Any]:
    return {"packaging": list(codes)} | more


def document(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A campaign as the schema reads it."""
    found = {
        "key": "spring", "labels": {"en": "Spring"}, "starts_at": datetime(2026, 1, 1, tzinfo=UTC), "ends_at": None,
        "time_zone": "UTC", "priority": 100, "rules": list(rules),
    }  # fmt: skip
    return found | changes


def linted(*rules: dict[str, Any], others: tuple[dict[str, Any], ...] = (), **changes: Any) -> list[Finding]:
    return lint(document(*rules, **changes), REFERENCE, others=others)


def told(findings: list[Finding], *codes: str) -> list[tuple[str, str]]:
    """Code and pointer of each finding, or of those of some codes."""
    return [(each.code, each.pointer) for each in findings if not codes or each.code in codes]


EARNS_MORE = "lower_rung_earns_more"


@pytest.mark.parametrize(
    ("lower", "higher", "units"),
    [
        # the same exclusive group
        (rule(award=21, match=packs("REUSABLE_BOX")), rule(award=20, match=packs("NO_SECONDARY")), 1),
        (rule(award=7, match=packs("RECYCLED_CARTON")), rule(award=6, match=packs("REUSABLE_BAG")), 1),
        # applied to the same thing
        (rule(award=9, match=packs("PAPER_FILL")), rule(award=8, match=packs("RIGHT_SIZED")), 1),
        (rule(award=per_unit(4), match=packs("CONCENTRATE")), rule(award=per_unit(3), match=packs("UNPACKED")), 1),
        # buying more must not out-earn avoiding it: 6 a unit are more than 20 from 4 units on
        (rule(award=per_unit(6), match=packs("REUSABLE_BOX")), rule(award=20, match=packs("NO_SECONDARY")), 4),
        (rule(award=per_unit(2), match=packs("CONCENTRATE")),
         rule(award=per_unit(3), match=packs("UNPACKED"), maximum=60), 31),
        (rule(award=per_unit(2), match=packs("REUSABLE_BOX")), rule(award=9_999, match=packs("NO_SECONDARY")), 5_000),
        # 2 for each line are more than 20 for the order from 11 lines on
        (rule(award=2, scope="line", match=packs("REUSABLE_BOX")), rule(award=20, match=packs("NO_SECONDARY")), 11),
        # below its minimum the higher one pays nothing
        (rule(award=per_unit(1), match=packs("REFILL")),
         rule(award=per_unit(2), minimum=6, match=packs("UNPACKED")), 1),
        # giving it back
        (rule(award=per_unit(5), kind="recycling", match={"materials": ["PET"]}),
         rule(award=per_unit(3), match=packs("UNPACKED")), 1),
        (rule(award=9, kind="packaging_return", match=packs("REUSABLE_BOX")),
         rule(award=8, match=packs("NO_SECONDARY")), 1),
        # of other things, but for the same categories
        (rule(award=6, match=packs("PAPER_FILL", categories=["pears", "plums"])),
         rule(award=5, match=packs("UNPACKED", categories=["plums"])), 1),
        # a condition on the lower one alone, or the same on both
        (rule(award=9, match=packs("REUSABLE_BOX"), when="activity.total > 1"),
         rule(award=8, match=packs("NO_SECONDARY")), 1),
        (rule(award=9, match=packs("REUSABLE_BOX"), when="activity.total > 1"),
         rule(award=8, match=packs("NO_SECONDARY"), when="activity.total > 1"), 1),
        # even if the higher one's condition holds
        (rule(award=9, match=packs("REUSABLE_BOX")),
         rule(award=8, match=packs("NO_SECONDARY"), when="activity.total > 1"), 1),
        # within other limits of the match
        (rule(award=9, match=packs("REUSABLE_BOX", merchants=["a"])), rule(award=8, match=packs("NO_SECONDARY")), 1),
        (rule(award=9, match=packs("REUSABLE_BOX")), rule(award=8, match=packs("NO_SECONDARY", merchants=["a"])), 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_lower_first", [True, False])
def test_a_lower_rung_that_earns_more_is_an_error(
    lower: dict[str, Any], higher: dict[str, Any], units: int, is_lower_first: bool
) -> None:
    lower, higher = lower | {"key": "lower"}, higher | {"key": "higher"}
    found = linted(*((lower, higher) if is_lower_first else (higher, lower)))
    assert told(found, EARNS_MORE) == [(EARNS_MORE, f"/rules/{0 if is_lower_first else 1}/award")]
    assert found[0].severity == "error"
    assert f"For {units} unit" in found[0].detail


@pytest.mark.parametrize(
    "rules",
    [
        (rule("a", 20, match=packs("REUSABLE_BOX")), rule("b", 20, match=packs("NO_SECONDARY"))),
        # one rule for several rungs pays the same for all
        (rule("a", 20, match=packs("REUSABLE_BOX", "NO_SECONDARY", "RECYCLED_CARTON")),),
        # of other things
        (rule("a", 20, match=packs("REUSABLE_BOX")), rule("b", 5, match=packs("NO_BAG"))),
        (rule("a", 20, match=packs("PAPER_FILL", categories=["plums"])),
         rule("b", 5, match=packs("UNPACKED", categories=["pears"]))),
        # of other goods
        (rule("a", 20, match=packs("REUSABLE_BOX", merchants=["a"])),
         rule("b", 5, match=packs("NO_SECONDARY", merchants=["b"]))),
        # the lower one ends before it is more
        (rule("a", per_unit(6), match=packs("REUSABLE_BOX"), maximum=20), rule("b", 20, match=packs("NO_SECONDARY"))),
        # both rules for the higher one count
        (rule("a", 9, match=packs("REUSABLE_BOX")), rule("b", 5, match=packs("NO_SECONDARY")),
         rule("c", 5, match=packs("NO_SECONDARY"))),
        # of the lower one's two rules only the better pays
        (rule("a", 9, match=packs("REUSABLE_BOX"), stacking={"group": "box", "mode": "best"}),
         rule("b", 8, match=packs("REUSABLE_BOX"), stacking={"group": "box", "mode": "best"}),
         rule("c", 10, match=packs("NO_SECONDARY"))),
        # more for everything changes nothing between the two
        (rule("a", 5, match=packs("REUSABLE_BOX")), rule("b", 6, match=packs("NO_SECONDARY")), rule("c", PER_AMOUNT)),
        (rule("a", 20), rule("b", 20, match={"categories": ["plums"]})),
    ],
)  # fmt: skip
def test_what_keeps_to_the_waste_hierarchy_is_no_error(rules: tuple[dict[str, Any], ...]) -> None:
    found = linted(*rules)
    assert [each for each in found if each.severity == "error"] == []
    assert told(found, "rungs_not_compared") == []


def test_all_rules_for_one_way_count_together() -> None:
    found = linted(
        rule("a", 9, match=packs("REUSABLE_BOX")),
        rule("b", 8, match=packs("REUSABLE_BOX", "REUSABLE_BAG")),
        rule("c", 10, match=packs("NO_SECONDARY")),
    )
    [error] = [each for each in found if each.severity == "error"]
    assert "`REUSABLE_BOX` (reuse) earns 17 points, `NO_SECONDARY` (refuse) only 10" in error.detail


@pytest.mark.parametrize(
    ("rules", "pointer", "words"),
    [
        ((rule("a", PER_AMOUNT, match=packs("REUSABLE_BOX")), rule("b", 9, match=packs("NO_SECONDARY"))),
         "/rules/0/award", "an award of type per_amount"),
        ((rule("a", 9, match=packs("REUSABLE_BOX")), rule("b", PER_AMOUNT, match=packs("NO_SECONDARY"))),
         "/rules/1/award", "an award of type per_amount"),
        ((rule("a", {"type": "multiplier", "factor": "2"}, match=packs("REUSABLE_BOX")),
          rule("b", 9, match=packs("NO_SECONDARY"))), "/rules/0/award", "an award of type multiplier"),
        ((rule("a", {"type": "expression", "expression": "3"}, match=packs("REUSABLE_BOX")),
          rule("b", 9, match=packs("NO_SECONDARY"))), "/rules/0/award", "an award of type expression"),
        ((rule("a", 8, match=packs("REUSABLE_BOX")),
          rule("b", 9, match=packs("NO_SECONDARY"), when="activity.total > 1")), "/rules/1/when", "a condition"),
        ((rule("a", 9, when="'REUSABLE_BOX' in activity.packaging"), rule("b", 8, match=packs("NO_SECONDARY"))),
         "/rules/0/when", "The condition names `REUSABLE_BOX`"),
    ],
)  # fmt: skip
def test_what_can_not_be_compared_is_a_warning(rules: tuple[dict[str, Any], ...], pointer: str, words: str) -> None:
    found = linted(*rules)
    assert told(found, "rungs_not_compared", EARNS_MORE) == [("rungs_not_compared", pointer)]
    assert words in next(each.detail for each in found if each.code == "rungs_not_compared")


def test_what_can_not_be_told_comes_on_top_of_what_is_more_already() -> None:
    found = linted(
        rule("a", 9, match=packs("REUSABLE_BOX")),
        rule("b", PER_AMOUNT, match=packs("REUSABLE_BOX")),
        rule("c", 8, match=packs("NO_SECONDARY")),
    )
    assert told(found, "rungs_not_compared", EARNS_MORE) == [(EARNS_MORE, "/rules/0/award")]


def test_a_sure_lead_of_the_higher_rung_needs_no_comparison_of_what_comes_on_top() -> None:
    found = linted(
        rule("a", 8, match=packs("REUSABLE_BOX")),
        rule("b", 9, match=packs("NO_SECONDARY")),
        rule("c", PER_AMOUNT, match=packs("NO_SECONDARY")),
    )
    assert told(found, "rungs_not_compared", EARNS_MORE) == []


WITH_OTHERS = "lower_rung_earns_more_with_others"


def other(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return document(*rules, **({"key": "other"} | changes))


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (rule(award=9, match=packs("REUSABLE_BOX")), other(rule(award=8, match=packs("NO_SECONDARY"))), True),
        (rule(award=8, match=packs("NO_SECONDARY")), other(rule(award=9, match=packs("REUSABLE_BOX"))), True),
        (rule(award=8, match=packs("REUSABLE_BOX")), other(rule(award=8, match=packs("NO_SECONDARY"))), False),
        # the same campaign's version in force, and one that is over before this one begins
        (rule(award=9, match=packs("REUSABLE_BOX")),
         other(rule(award=8, match=packs("NO_SECONDARY")), key="spring"), False),
        (rule(award=9, match=packs("REUSABLE_BOX")),
         other(rule(award=8, match=packs("NO_SECONDARY")), ends_at=datetime(2026, 1, 1, tzinfo=UTC)), False),
        (rule(award=9, match=packs("REUSABLE_BOX")),
         other(rule(award=8, match=packs("NO_SECONDARY")), ends_at=datetime(2026, 1, 2, tzinfo=UTC)), True),
        # what two others do is theirs
        (rule(award=9, match=packs("NO_BAG")),
         other(rule("a", 9, match=packs("REUSABLE_BOX")), rule("b", 8, match=packs("NO_SECONDARY"))), False),
    ],
)  # fmt: skip
def test_other_campaigns_in_force_count_as_a_warning(
    own: dict[str, Any], others: dict[str, Any], expected: bool
) -> None:
    found = linted(own, others=(others,))
    assert told(found, WITH_OTHERS, EARNS_MORE) == ([(WITH_OTHERS, "/rules/0/award")] if expected else [])
    for each in found:
        assert each.severity == "warning"
        assert each.code != WITH_OTHERS or "Other campaigns count in this: `other`." in each.detail


def test_rules_of_this_and_other_campaigns_are_summed() -> None:
    own = (rule("a", 5, match=packs("REUSABLE_BOX")), rule("b", 6, match=packs("NO_SECONDARY")))
    assert told(linted(*own), WITH_OTHERS, EARNS_MORE) == []
    found = linted(*own, others=(other(rule(award=5, match=packs("REUSABLE_BOX", merchants=["corner-shop"]))),))
    assert told(found, WITH_OTHERS, EARNS_MORE) == [(WITH_OTHERS, "/rules/0/award")]


def test_an_error_of_its_own_is_not_told_again_with_others() -> None:
    own = (rule("a", 9, match=packs("REUSABLE_BOX")), rule("b", 6, match=packs("NO_SECONDARY")))
    found = linted(*own, others=(other(rule(award=1, match=packs("REUSABLE_BOX"))),))
    assert told(found, WITH_OTHERS, EARNS_MORE) == [(EARNS_MORE, "/rules/0/award")]


def test_packaging_that_is_given_back_may_be_of_several_sorts() -> None:
    found = linted(
        rule("a", 9, kind="packaging_return", match=packs("REUSABLE_BOX", "PAPER_FILL", "REFILL")),
        rule("b", 8, match=packs("UNPACKED")),
        rule("c", 9, match=packs("NO_SECONDARY")),
    )
    assert told(found, EARNS_MORE) == [(EARNS_MORE, "/rules/0/award")]
    assert "`packaging_return` (reuse) earns 9 points, `UNPACKED` (refuse) only 8" in found[0].detail


def test_rules_that_name_many_ways_are_told_once() -> None:
    found = linted(
        rule("a", 9, match=packs("REUSABLE_BOX", "REUSABLE_BAG", "RECYCLED_CARTON")),
        rule("b", 8, match=packs("NO_SECONDARY", "ORIGINAL_DIRECT")),
        others=(other(rule(award=1, match=packs("NO_BAG"))),),
    )
    assert told(found, WITH_OTHERS, EARNS_MORE) == [(EARNS_MORE, "/rules/0/award")]


def test_a_rung_is_rewarded_while_nothing_above_it_is() -> None:
    box = rule(award=9, match=packs("REUSABLE_BOX"))
    [found] = linted(box)
    assert (found.code, found.severity, found.pointer) == ("higher_rung_unrewarded", "warning", "/rules/0/match")
    assert "`NO_SECONDARY`" in found.detail
    assert linted(box, others=(other(rule(award=9, match=packs("NO_SECONDARY"))),)) == []
    assert linted(rule(award=9, match=packs("NO_BAG"))) == []


@pytest.mark.parametrize(
    ("first", "second", "overlaps"),
    [
        ({}, {}, True),
        ({}, {"match": {"categories": ["plums"]}}, True),
        ({"match": {"categories": ["plums", "pears"]}}, {"match": {"categories": ["plums"]}}, True),
        ({"match": {"categories": ["plums"]}}, {"match": {"certifications": ["FSC"]}}, True),
        ({"scope": "line"}, {}, True),
        ({"when": "activity.total > 1"}, {}, True),
        ({"when": "activity.total > 1"}, {"when": "activity.total > 1"}, True),
        ({"when": "activity.total > 1"}, {"when": "activity.total <= 1"}, False),
        ({"match": {"categories": ["pears"]}}, {"match": {"categories": ["plums"]}}, False),
        ({"kind": "learning"}, {}, False),
        ({"award": {"type": "multiplier", "factor": "2"}}, {}, False),
        ({"award": {"type": "multiplier", "factor": "2"}}, {"award": {"type": "multiplier", "factor": "3"}}, True),
        ({"award": PER_AMOUNT}, {"award": PER_AMOUNT | {"currency": "CNY"}}, False),
        ({"award": PER_AMOUNT}, {"award": PER_AMOUNT}, True),
        ({"stacking": {"group": "a", "mode": "sum"}}, {"stacking": {"group": "a", "mode": "best"}}, False),
        ({"stacking": {"group": "a", "mode": "sum"}}, {"stacking": {"group": "b", "mode": "best"}}, True),
        ({"stacking": {"group": "a", "mode": "sum"}}, {}, True),
    ],
)
def test_rules_that_pay_for_the_same_are_a_warning(
    first: dict[str, Any], second: dict[str, Any], overlaps: bool
) -> None:
    found = linted(rule("first", **first), rule("second", **second))
    assert told(found, "rules_overlap") == ([("rules_overlap", "/rules/1")] if overlaps else [])


def test_a_rule_that_overlaps_many_names_a_few() -> None:
    found = linted(*(rule(f"r{number}") for number in range(10)))
    assert told(found) == [("rules_overlap", f"/rules/{number}") for number in range(1, 10)]
    assert "`r0`, `r1`, `r2`, `r3`, `r4` and 4 more may pay" in found[-1].detail


ALONE = {"stacking": {"group": "g", "mode": "exclusive"}}


@pytest.mark.parametrize(
    ("winner", "loser", "is_beaten"),
    [
        (ALONE, ALONE, True),
        (ALONE, {"stacking": {"group": "g", "mode": "sum"}}, True),  # the strictest mode holds
        (ALONE, ALONE | {"match": {"categories": ["plums"]}, "when": "activity.total > 1"}, True),
        (ALONE | {"match": {"categories": ["plums", "pears"]}}, ALONE | {"match": {"categories": ["plums"]}}, True),
        (ALONE, ALONE | {"scope": "line"}, True),
        (ALONE | {"award": per_unit(1)}, ALONE, True),
        (ALONE | {"scope": "line"}, ALONE, False),
        (ALONE | {"match": {"categories": ["plums"]}}, ALONE, False),
        (ALONE | {"when": "activity.total > 1"}, ALONE, False),
        (ALONE | {"minimum": 3}, ALONE, False),
        (ALONE | {"minimum_evidence": "staff"}, ALONE, False),
        (ALONE | {"minimum_evidence": "staff"}, ALONE | {"minimum_evidence": "machine"}, True),
        (ALONE | {"award": PER_AMOUNT}, ALONE, False),
        (ALONE | {"kind": "learning"}, ALONE, False),
        (ALONE, ALONE | {"award": {"type": "multiplier", "factor": "2"}}, False),
        (ALONE, {"stacking": {"group": "h", "mode": "exclusive"}}, False),
        (ALONE, {}, False),
        ({"stacking": {"group": "g", "mode": "best"}}, {"stacking": {"group": "g", "mode": "sum"}}, False),
    ],
)
def test_a_rule_that_another_always_beats_is_a_warning(
    winner: dict[str, Any], loser: dict[str, Any], is_beaten: bool
) -> None:
    beaten = [("rule_always_beaten", "/rules/0/stacking")]
    by_key = linted(rule("b", **loser), rule("a", **winner))
    by_priority = linted(rule("a", **loser), rule("b", priority=99, **winner))
    for found in (by_key, by_priority):
        assert told(found, "rule_always_beaten") == (beaten if is_beaten else [])


def limit(amount: int, unit: str = "points", by: str = "member") -> dict[str, Any]:
    return {"unit": unit, "by": by, "per": "day", "amount": amount}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"minimum": 5, "maximum": 4}, [("minimum_above_maximum", "/rules/0/minimum")]),
        ({"minimum": 11}, [("never_pays", "/rules/0/minimum")]),
        ({"minimum": 11, "scope": "line"}, []),
        ({"minimum": 11, "award": per_unit(10)}, []),
        ({"limits": [limit(100), limit(0)]}, [("never_pays", "/rules/0/limits/1/amount")]),
        ({"limits": [limit(9)]}, [("never_pays_in_full", "/rules/0/limits/0/amount")]),
        ({"limits": [limit(9)], "maximum": 9}, []),
        ({"limits": [limit(10), limit(1, "count")]}, []),
        ({"limits": [limit(9)], "award": per_unit(10)}, []),
        ({"limits": [limit(10, by="device")]}, []),
        ({"limits": [limit(10, by="station")]}, [("limit_without_subject", "/rules/0/limits/0/by")]),
        ({"limits": [limit(10, by="station")], "kind": "custom"}, [("limit_without_subject", "/rules/0/limits/0/by")]),
        ({"limits": [limit(10, by="device")], "kind": "learning"},
         [("limit_without_subject", "/rules/0/limits/0/by")]),
        ({"match": packs("NO_BAGS", "NO_BAG")}, [("unknown_code", "/rules/0/match/packaging/0")]),
        ({"match": {"certifications": ["EU_BIO"]}},
         [("never_pays", "/rules/0/match/certifications"), ("unknown_code", "/rules/0/match/certifications/0")]),
        ({"match": {"materials": ["PET", "WOOD"]}}, [("unknown_code", "/rules/0/match/materials/1")]),
        ({"when": "line.packaging.exists(p, p == 'UNPAKED')", "scope": "line"}, [("unknown_code", "/rules/0/when")]),
        ({"when": "line.material == 'PTE' || 'FCS' in line.certifications", "scope": "line"},
         [("unknown_code", "/rules/0/when"), ("unknown_code", "/rules/0/when")]),
        ({"when": "activity.evidence == 'stuff'"}, [("unknown_code", "/rules/0/when")]),
        ({"when": "activity.kind != 'repair'"}, [("other_kind", "/rules/0/when")]),
        ({"when": "activity.kind == 'purchase' && activity.evidence in ['staff']"}, []),
        ({"when": "1 < 2"}, [("condition_constant", "/rules/0/when")]),
        ({"when": "line.weight_g > 500", "scope": "line"}, [("expression_may_be_null", "/rules/0/when")]),
        ({"when": "this is refused elsewhere"}, []),
        ({"award": {"type": "expression", "expression": "line.weight_g / 100"}, "scope": "line"},
         [("expression_may_be_null", "/rules/0/award/expression")]),
        ({"labels": {"en": "Certified organic bread"}}, [("claim_without_certificate", "/rules/0/labels")]),
        ({"labels": {"en": "Bread", "zh-CN": "有机面包"}}, [("claim_without_certificate", "/rules/0/labels")]),
        ({"labels": {"en": "Organic bread"}, "match": {"certifications": ["EU_ORGANIC"]}}, []),
        ({"labels": {"en": "Organic bread"}, "scope": "line", "when": "'EU_ORGANIC' in line.certifications"}, []),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_do_what_it_says_is_a_warning(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = linted(rule(**changes))
    assert told(found) == expected
    assert {each.severity for each in found} <= {"warning"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": {"points": 9}}, [("never_pays_in_full", "/budget/points")]),
        ({"budget": {"points": 10}}, []),
        ({"audience": {"age_days_min": 31, "age_days_max": 30}}, [("audience_empty", "/audience/age_days_max")]),
        ({"audience": {"age_days_min": 30, "age_days_max": 30}}, []),
        ({"audience": {"expression": "member.region.startsWith('DE')"}},
         [("expression_may_be_null", "/audience/expression")]),
        ({"audience": None, "budget": None}, []),
    ],
)  # fmt: skip
def test_a_campaign_that_does_not_do_what_it_says_is_a_warning(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert told(linted(rule(), **changes)) == expected


def test_a_campaign_that_is_never_open_is_a_warning() -> None:
    found = lint(document(rule()), REFERENCE, is_ever_open=False)
    assert told(found) == [("never_open", "/recurrence")]


def test_errors_come_first_and_then_the_places_in_order() -> None:
    found = linted(
        rule("z", 5, match=packs("NO_SECONDARY"), minimum=6),
        rule("y", 9, match=packs("REUSABLE_BOX")),
    )
    assert told(found) == [(EARNS_MORE, "/rules/1/award"), ("never_pays", "/rules/0/minimum")]


def test_the_campaigns_of_the_demo_keep_to_the_waste_hierarchy() -> None:
    campaigns = [CampaignSchema().load(each) for each in campaign_documents()]
    for each in campaigns:
        found = lint(each, REFERENCE, others=[other for other in campaigns if other is not each])
        assert [one for one in found if one.severity == "error" or one.code == "unknown_code"] == []
        # a device's material and a bottle's refill are not the same goods, which a document can't say
        assert all("`recycling` (recycle)" in one.detail for one in found if one.code == WITH_OTHERS)


def test_the_largest_documents_are_looked_over_in_no_time() -> None:
    codes = sorted(REFERENCE.packaging)
    largest = [
        rule(f"r{number}", per_unit(1 + number % 7), maximum=number + 1,
             match=packs(*codes[number % 9 :: 2], categories=[f"c{number}", f"c{number + 1}"]))
        for number in range(100)
    ]  # fmt: skip
    others = tuple(
        other(rule(award=1 + number % 5, match=packs(codes[number % len(codes)], merchants=[str(number)])),
              key=f"o{number}")
        for number in range(2000)
    )  # fmt: skip
    before = time.thread_time()
    assert linted(*largest, others=others)
    assert time.thread_time() - before < 5


compared = st.builds(
    rule,
    award=st.builds(lambda kind, points: {"type": kind, "points": points}, st.sampled_from(["fixed", "per_unit"]),
                    st.integers(1, 30)),
    scope=st.sampled_from(["line", "activity"]),
    minimum=st.none() | st.integers(1, 60),
    maximum=st.none() | st.integers(1, 90),
)  # fmt: skip


@given(st.lists(compared, min_size=1, max_size=3), st.lists(compared, max_size=3))
def test_a_lower_rung_that_earns_more_for_any_number_of_units_is_found(
    lower: list[dict[str, Any]], higher: list[dict[str, Any]]
) -> None:
    found = units_to_out_earn(lower, higher)
    by_hand = [
        (units, a_line_each)
        for a_line_each, most in ((False, 500), (True, LINES_MAX))
        for units in (*range(1, most + 1), *(() if a_line_each else (QUANTITY_MAX,)))
        if points_of(lower, units, a_line_each=a_line_each) > points_of(higher, units, a_line_each=a_line_each)
    ]
    assert (found is not None) is bool(by_hand)
    if found is not None:
        units, more, less = found
        assert more > less
        assert any(each == units for each, _ in by_hand) or units > 500
