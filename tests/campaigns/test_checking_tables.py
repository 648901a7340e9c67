"""What the checks believe of engine and facts is so: each function and operator runs, each field is there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import cel
import pytest

from app.campaigns.checking import check_expression
from app.campaigns.checking.faults import START
from app.campaigns.checking.functions import ARITHMETIC, COMPREHENSIONS, ORDERED, SIGNATURES, WITHHELD
from app.campaigns.checking.operators import Value, arithmetic
from app.campaigns.checking.schema import ACTIVITY, CERTIFICATE, LINE, MEMBER, MERCHANT, VARIABLES
from app.campaigns.checking.types import DECIMAL, WHOLE, Type
from app.campaigns.expressions import Condition, ExpressionError
from tests.campaigns.documents import MERCHANT as MERCHANT_FACTS
from tests.campaigns.facts import (
    FULL_BODY,
    NOW,
    SPARSE_BODY,
    activity_facts,
    full_context,
    member_facts,
    sparse_context,
)

WRITTEN = {
    "list": "member.tags", "map": "line.certificates", "text": "'abc'", "whole": "7", "decimal": "2.75",
    "time": "now", "duration": "duration('36h30m')",
}  # fmt: skip
PYTHON = {
    "bool": bool, "whole": int, "decimal": float, "text": str, "time": datetime, "duration": timedelta, "list": list,
    "map": dict,
}  # fmt: skip


def run(text: str) -> Any:
    return cel.compile(text).execute(full_context())


def test_functions_give_what_their_signature_says() -> None:
    expected: dict[tuple[str | None, str, tuple[str, ...]], Any] = {
        (None, "size", ("list",)): 1, (None, "size", ("map",)): 1, ("list", "size", ()): 1, ("map", "size", ()): 1,
        ("text", "contains", ("text",)): True, ("text", "startsWith", ("text",)): True,
        ("text", "endsWith", ("text",)): True,
        (None, "double", ("whole",)): 7.0, (None, "double", ("decimal",)): 2.75,
        (None, "int", ("decimal",)): 2, (None, "int", ("whole",)): 7,
        (None, "string", ("whole",)): "7", (None, "string", ("decimal",)): "2.75",
        (None, "timestamp", ("text",)): datetime(2026, 1, 2, tzinfo=UTC), (None, "duration", ("text",)): timedelta(1),
        ("time", "getFullYear", ()): 2026, ("time", "getMonth", ()): 4, ("time", "getDate", ()): 4,
        ("time", "getDayOfMonth", ()): 3, ("time", "getDayOfWeek", ()): 1, ("time", "getDayOfYear", ()): 123,
        ("time", "getHours", ()): 12, ("time", "getMinutes", ()): 30, ("time", "getSeconds", ()): 15,
        ("time", "getMilliseconds", ()): 250,
        ("duration", "getHours", ()): 36, ("duration", "getMinutes", ()): 2190,
        ("duration", "getSeconds", ()): 131_400, ("duration", "getMilliseconds", ()): 131_400_000,
    }  # fmt: skip
    literals = {"timestamp": "'2026-01-02T00:00:00Z'", "duration": "'24h'"}
    found = {}
    for each in SIGNATURES:
        arguments = ", ".join(literals.get(each.name, WRITTEN[kind.name]) for kind in each.arguments)
        before = f"{WRITTEN[each.receiver.name]}." if each.receiver else ""
        text = f"{before}{each.name}({arguments})"
        key = (each.receiver.name if each.receiver else None, each.name, tuple(kind.name for kind in each.arguments))
        found[key] = run(text)
        assert type(found[key]) is PYTHON[each.result.name], text
        check_expression(f"{text} == {text}", scope="line", expects="bool")
    assert found == expected


@pytest.mark.parametrize("name", sorted(COMPREHENSIONS))
def test_comprehensions_give_what_the_checks_say(name: str) -> None:
    expected = {"all": "false", "exists": "true", "exists_one": "true", "filter": "['b']", "map": "[false, true]"}
    text = f"['a', 'b'].{name}(each, each > 'a') == {expected[name]}"
    check_expression(text, scope="line", expects="bool")
    assert run(text) is True


@pytest.mark.parametrize("operation", sorted(ARITHMETIC))
def test_arithmetic_gives_what_its_table_says(operation: tuple[str, str, str]) -> None:
    sign, left, right = operation
    found = run(f"{WRITTEN[left]} {sign} {WRITTEN[right]}")
    assert type(found) is PYTHON[ARITHMETIC[operation].name]


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "%"])
@pytest.mark.parametrize("left", ["whole", "decimal", "text", "time", "duration"])
@pytest.mark.parametrize("right", ["whole", "decimal", "text", "time", "duration"])
def test_arithmetic_that_the_table_lacks_the_engine_lacks_too(sign: str, left: str, right: str) -> None:
    if (sign, left, right) in ARITHMETIC:
        run(f"{WRITTEN[left]} {sign} {WRITTEN[right]}")
    else:
        with pytest.raises(TypeError):
            run(f"{WRITTEN[left]} {sign} {WRITTEN[right]}")


@pytest.mark.parametrize(("one", "two"), [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3), (2**60, -3)])
@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "%"])
def test_constants_come_out_as_in_the_engine(sign: str, one: int, two: int) -> None:
    found = arithmetic(sign, Value(WHOLE, one), Value(WHOLE, two), START).constant
    assert found == run(f"{one} {sign} {two}")
    if sign != "%":
        floats = arithmetic(sign, Value(DECIMAL, float(one)), Value(DECIMAL, float(two)), START).constant
        assert floats == run(f"double({one}) {sign} double({two})")


@pytest.mark.parametrize("kind", sorted(ORDERED))
def test_what_is_ordered_can_be_compared(kind: str) -> None:
    assert run(f"{WRITTEN[kind]} <= {WRITTEN[kind]} && !({WRITTEN[kind]} < {WRITTEN[kind]})") is True
    assert run(f"{WRITTEN[kind]} >= {WRITTEN[kind]} && !({WRITTEN[kind]} > {WRITTEN[kind]})") is True


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("1 < 1.5 && 1 == 1.0 && 2.5 >= 2", True),
        ("['a'] + ['b'] == ['a', 'b']", True),
        ("'a' in ['a', null] && !(line.sku in [null])", True),
        ("'EU_ORGANIC' in line.certificates", True),
        ("line.certificates['EU_ORGANIC'].number == 'DE-ÖKO-001'", True),
        ("{'seed': 1}[member.tier] == 1", True),
        ("(line.total > 1 ? line : product).quantity == 3", True),
        ("[line, product].exists(each, each.quantity == 3)", True),
        ("--3 == 3 && !!true", True),
        ("1 < 2 == true", True),
        ("true ? false : true ? true : true", False),
        ("now - activity.occurred_at > duration('1h')", True),
        ("'it\\'s \\\"\\\\\\u4e2d' == \"it's \\\"\\\\中\"", True),
    ],
)
def test_what_passes_comes_out_as_meant(text: str, outcome: bool) -> None:
    check_expression(text, scope="line", expects="bool")
    assert run(text) is outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("line.weight_g != null && line.weight_g > 1", False),
        ("line.weight_g > 1 && line.weight_g != null", False),
        ("line.weight_g == null || line.weight_g > 1", True),
        ("line.weight_g > 1 || line.weight_g == null", True),
        ("line.weight_g == null ? true : line.weight_g > 1", True),
        ("line.category in ['a']", False),
        ("line.category == 'a'", False),
    ],
)
def test_a_test_for_null_saves_what_stands_beside_it(text: str, outcome: bool) -> None:
    assert check_expression(text, scope="line", expects="bool").remarks == ()
    assert Condition(text).holds(sparse_context()) is outcome


@pytest.mark.parametrize("text", ["line.weight_g > 1", "member.region.startsWith('DE')", "line.category in {'a': 1}"])
def test_what_is_remarked_upon_does_fail(text: str) -> None:
    assert check_expression(text, scope="line", expects="bool").remarks
    with pytest.raises(ExpressionError):
        Condition(text).holds(sparse_context())


def test_what_the_engine_is_said_to_lack_it_lacks() -> None:
    for text in ("max(1, 2)", "min(1, 2)", "bool('true')"):
        assert text.split("(")[0] in WITHHELD
        with pytest.raises(RuntimeError, match="Undefined variable or function"):
            run(text)
    assert run("size('é')") == 2  # bytes, not letters: that is why size is not for texts


def check_record(facts: dict[str, Any], sparse: dict[str, Any], kind: Type) -> None:
    assert facts.keys() == kind.fields.keys() == sparse.keys()
    for name, expected in kind.fields.items():
        found = facts[name]
        assert type(found) is PYTHON[expected.name], name
        if expected.name == "list":
            assert expected.item is not None
            assert {type(each) for each in found} == {PYTHON[expected.item.name]}, name
        assert (sparse[name] is None) is expected.is_nullable, name


def test_the_fields_of_activity_and_line_are_those_that_facts_of_makes() -> None:
    facts, sparse = activity_facts(FULL_BODY), activity_facts(SPARSE_BODY)
    [line], [sparse_line] = facts.pop("lines"), sparse.pop("lines")
    check_record(facts, sparse, ACTIVITY)
    check_record(line, sparse_line, LINE)
    [certificate] = line["certificates"].values()
    check_record(certificate, certificate, CERTIFICATE)
    assert LINE.fields["certificates"].item is CERTIFICATE


def test_the_fields_of_member_and_merchant_are_those_that_rules_are_given() -> None:
    check_record(member_facts(), member_facts(region=None), MEMBER)
    check_record(MERCHANT_FACTS, MERCHANT_FACTS, MERCHANT)


def test_every_variable_of_every_scope_is_in_the_context_of_a_rule() -> None:
    for known in VARIABLES.values():
        for name, kind in known.items():
            found = run(name)
            assert found == NOW if name == "now" else found.keys() == kind.fields.keys()
