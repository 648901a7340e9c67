"""Awards that an expression works out, and what expressions get to see."""

import datetime as dt
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from app.campaigns.expressions import Condition, ExpressionError, Formula, fields_of, make_context
from tests.campaigns.documents import (
    MEMBER,
    activity,
    by_line,
    campaign_document,
    compiled,
    evaluated,
    line,
    missed,
    paid,
    rule_document,
)

BREAD = line("bread", category="bakery", quantity=2, total=598, weight_g=1000, certifications=["EU_ORGANIC"])
PEARS = line("pears", category="produce", quantity=3, total=301, weight_g=755, packaging=["UNPACKED"])
BASKET = activity(BREAD, PEARS, packaging=["NO_BAG"])


def formula(expression: str, **changes: Any) -> Any:
    award = {"type": "expression", "expression": expression}
    return evaluated(compiled(campaign_document(rule_document(award=award, **changes))), BASKET)


@pytest.mark.parametrize(
    ("expression", "changes", "points"),
    [
        ("7", {}, 7),
        ("7u", {}, 7),
        ("activity.total / 100", {}, 8),
        ("double(activity.total) / 100.0", {}, 8),
        ("double(activity.total) / 100.0", {"rounding": "ceil"}, 9),
        ("double(activity.total) / 100.0", {"rounding": "half_up"}, 9),  # 8.99
        ("0.5", {"rounding": "half_up"}, 1),
        ("1.5e1", {}, 15),
        ("activity.line_count > 1 ? 20 : 5", {}, 20),
        ("size(activity.packaging) * 3", {}, 3),
        ("merchant.key == 'corner-shop' ? 4 : 0", {}, 4),
        ("now > activity.occurred_at ? 1 : 2", {}, 2),
        ("1000", {"maximum": 30}, 30),
    ],
)
def test_an_expression_pays_its_number(expression: str, changes: dict[str, Any], points: int) -> None:
    assert paid(formula(expression, **changes)) == {"rule": points}


def test_a_double_is_what_its_decimal_says() -> None:
    """Ten lines of 0.1 are one point, not the 0.9999… that summing binary fractions gives."""
    tenths = activity(*(line(str(number)) for number in range(10)))
    award = {"type": "expression", "expression": "0.1"}
    rules = compiled(campaign_document(rule_document(award=award, scope="line")))
    assert paid(evaluated(rules, tenths)) == {"rule": 1}


def test_a_line_expression_pays_each_line_its_own() -> None:
    evaluation = formula("line.category == 'produce' ? product.quantity : 1", scope="line")
    assert by_line(evaluation, "rule") == {"bread": 1, "pears": 3}


def test_an_expression_is_only_worked_out_where_the_condition_holds() -> None:
    evaluation = formula("10 / (line.quantity - 3)", scope="line", when="line.quantity != 3")
    assert missed(evaluation) == {"rule": "rule_error"}  # 10 / -1
    evaluation = formula("10 / (3 - line.quantity)", scope="line", when="line.quantity != 3")
    assert by_line(evaluation, "rule") == {"bread": 10}


@pytest.mark.parametrize("expression", ["0", "0.0", "-0.0", "activity.total - 899"])
def test_an_expression_of_nothing_is_too_little_and_no_error(expression: str) -> None:
    assert missed(formula(expression)) == {"rule": "below_minimum"}


@pytest.mark.parametrize(
    "expression",
    [
        "activity.total / 0", "activity.total % 0", "1.0 / 0.0", "0.0 / 0.0", "-1.0 / 0.0", "1e308 * 10.0",
        "9223372036854775807 + activity.total", "-1", "-0.5", "'7'", "true", "null", "[7]", "{'points': 7}",
        "duration('1h')", "now", "activity.nothing_of_this_name", "activity.region.size()", "int('many')",
        "1000000000001",  # more than a ledger takes
        "1e300",
    ],
)  # fmt: skip
def test_an_expression_without_a_number_of_points_is_a_rule_error_and_harms_nobody_else(expression: str) -> None:
    broken = rule_document(key="broken", award={"type": "expression", "expression": expression})
    evaluation = evaluated(compiled(campaign_document(broken, rule_document(key="sound"))), BASKET)
    assert (paid(evaluation), missed(evaluation)) == ({"sound": 10}, {"broken": "rule_error"})


def test_a_rule_that_fails_on_one_line_pays_nothing() -> None:
    assert missed(formula("12 / (line.quantity - 2)", scope="line")) == {"rule": "rule_error"}


def test_points_beyond_what_a_ledger_takes_are_a_rule_error_for_any_award() -> None:
    dear = activity(line("1", total=10**9, quantity=10_000))
    per_amount = {"type": "per_amount", "points": 10**6, "per": 1, "currency": "EUR"}
    evaluation = evaluated(compiled(campaign_document(rule_document(award=per_amount))), dear)
    assert missed(evaluation) == {"rule": "rule_error"}
    bounded = compiled(campaign_document(rule_document(award=per_amount, maximum=500)))
    assert paid(evaluated(bounded, dear)) == {"rule": 500}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("line.total > 3", {"line": {"total"}}),
        ("line . total > 3 && line.quantity == 1", {"line": {"total", "quantity"}}),
        ("has(line.weight_g) && product.category == 'x'", {"line": {"weight_g"}, "product": {"category"}}),
        ("member.tags.exists(t, t == 'a')", {"member": {"tags"}}),
        ("line['total'] > 3", {"line": None}),
        ("size(line) > 3 && line.total > 1", {"line": None}),
        ("line.exists(k, k == 'total')", {"line": None}),
        ("now.getFullYear() == 2026", {"now": None}),
        ("[activity].size() == 1", {"activity": None}),
        ("'line.total' == activity.channel", {"line": {"total"}, "activity": {"channel"}}),
        ("line. // a comment\n total > 1", {"line": None}),
        ("online.total == 1 && line_count > 2", {}),
    ],
)
def test_what_an_expression_reads_is_told_from_its_text(text: str, fields: dict[str, Any]) -> None:
    assert fields_of([Condition(text).reads]) == fields


@pytest.mark.parametrize(
    "text",
    [
        "line['total'] == 598", "size(line) > 5", "line.exists(key, key == 'total')", "has(line.total)",
        "!has(line.colour)", "line. // a comment\n total == 598", "[line].map(each, each.total) == [598]",
        "product.certificates['EU_ORGANIC'].number == 'EU_ORGANIC-1'", "'line.total' == 'line.' + 'total'",
        "line == product", "line.certifications.exists(code, code == 'EU_ORGANIC')",
        "line.total == 598 && activity.total == 899 && activity['line_count'] == 2",
        "[1].all(line, line == 1) && line.total == 598",
    ],
)  # fmt: skip
def test_however_a_line_is_read_it_is_there(text: str) -> None:
    rules = compiled(campaign_document(rule_document(scope="line", when=text, match={"categories": ["bakery"]})))
    assert by_line(evaluated(rules, BASKET), "rule") == {"bread": 10}


def test_rules_that_read_different_fields_do_not_hide_them_from_each_other() -> None:
    documents = [
        rule_document(key="a", scope="line", when="line.total > 500"),
        rule_document(key="b", scope="line", when="line.quantity > 2 && member.tier == 'seed'"),
        rule_document(key="c", when="activity.channel == 'web' && member.region == 'DE-BE'"),
        rule_document(key="d", scope="line", when="line['category'] == 'produce'"),
    ]
    assert paid(evaluated(compiled(campaign_document(*documents)), BASKET)) == {"a": 10, "b": 10, "c": 10, "d": 10}


@pytest.mark.parametrize("text", ["activity.lines.size() == 2", "has(activity.lines)", "'lines' in activity"])
def test_the_lines_are_not_a_field_of_the_activity(text: str) -> None:
    assert not paid(evaluated(compiled(campaign_document(rule_document(when=text))), BASKET))


def test_expressions_do_not_learn_who_the_member_is() -> None:
    documents = [
        rule_document(key="id", when="has(member.id)"),
        rule_document(key="all", when="'id' in member"),
        rule_document(key="tier", when="member['tier'] == 'seed'"),
    ]
    evaluation = evaluated(compiled(campaign_document(*documents)), BASKET, id=UUID(int=7))
    assert (paid(evaluation), missed(evaluation)) == (
        {"tier": 10}, {"id": "condition_not_met", "all": "condition_not_met"},
    )  # fmt: skip


def test_names_that_an_expression_binds_itself_are_not_unknown() -> None:
    condition = Condition("member.tags.exists(t, t == 'a') && activity.packaging.all(p, p != basket)")
    assert condition.unknown_variables({"member", "activity"}) == ["basket"]


def test_a_formula_says_exactly_what_it_is_over() -> None:
    context = make_context({"member": MEMBER})
    for text, exact in (("3", 3), ("0.1", Fraction(1, 10)), ("1.0 / 3.0", Fraction("0.3333333333333333"))):
        assert Fraction(*Formula(text).points(context)) == exact
    with pytest.raises(ExpressionError):
        Formula("member.tier").points(context)


def test_a_condition_must_be_a_boolean() -> None:
    with pytest.raises(ExpressionError):
        Condition("now").holds(make_context({"now": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}))
