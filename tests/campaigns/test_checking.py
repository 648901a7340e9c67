"""An expression that can't be used is refused with a sentence that says why, and where."""

import time

import pytest

from app.campaigns.checking import ExpressionFault, check_expression
from app.campaigns.checking.bounds import LENGTH_MAX, NESTING_MAX


def refused(text: str, scope: str = "line", expects: str = "bool") -> ExpressionFault:
    with pytest.raises(ExpressionFault) as caught:
        check_expression(text, scope=scope, expects=expects)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        # what is not there, and what it was meant to be
        ("activity.totl > 3", 10, "activity has no field `totl`; did you mean `total`?"),
        ("product.wieght_g > 3", 9, "product has no field `wieght_g`; did you mean `weight_g`?"),
        ("merchant.colour == 'a'", 10, "merchant has no field `colour`; there are `id`, `key`."),
        ("memmber.tier == 'a'", 1, "There is no variable `memmber`; did you mean `member`?"),
        ("basket == 1", 1, "There is no variable `basket`; there are `activity`"),
        ("line.category.starsWith('a')", 15, "There is no function `starsWith`; did you mean `startsWith`?"),
        ("now.getHour() > 3", 5, "did you mean `getHours`?"),
        ("member.tags.exist(t, true)", 13, "did you mean `exists`?"),
        ("siz(member.tags) > 3", 1, "did you mean `size`?"),
        ("lowerAscii('A') == 'a'", 1, "There is no function `lowerAscii`; there are `double`"),
        ("startsWith(merchant.key, 'a')", 1, "written after a value and a dot"),
        ("activity.total.string() == '1'", 16, "`string(value)`"),
        ("line.certificates['A'].nmber == 'a'", 24, "certificate has no field `nmber`; did you mean `number`?"),
        ("line.certificates.EU_ORGANIC.number == 'a'", 19, "`line.certificates['EU_ORGANIC']`"),
        ("member.tags.length > 1", 13, "A list of texts has no fields"),
        # types that don't go together
        ("line.quantity + 'a' == 'b'", 17, "A whole number `+` a text has no meaning."),
        ("activity.total * 1.5 > 3.0", 18, "`double(…)`"),
        ("1.5 % 1.0 > 0.0", 7, "A decimal number `%` a decimal number has no meaning."),
        ("now + now > now", 7, "A time `+` a time has no meaning."),
        ("now - 3 > now", 7, "A time `-` a whole number has no meaning."),
        ("member.tags > 3", 15, "A list of texts can't be compared with a whole number by `>`."),
        ("member.tags + [1] == [1]", 15, "A list of texts `+` a list of whole numbers has no meaning."),
        ("merchant.key < 3", 16, "A text can't be compared with a whole number"),
        ("1 < 2 < 3", 9, "True or false can't be compared with a whole number by `<`."),
        ("true < false", 8, "True or false can't be compared with true or false"),
        ("member.tier == 3", 16, "A text is never equal to a whole number."),
        ("member.tags != 'a'", 16, "A list of texts is never equal to a text."),
        ("member == line", 11, "Member is never equal to line."),
        ("null < 1", 8, "Null can't be compared"),
        ("3 in member.tags", 13, "A whole number is never in a list of texts."),
        ("'a' in merchant.key", 17, "a part of a text is found with `contains`"),
        ("3 in line.certificates", 11, "The keys of a map are texts"),
        ("-merchant.key == 'a'", 1, "`-` stands before a number"),
        ("!activity.total", 1, "`!` stands before what is true or false"),
        ("activity.total && true", 10, "What stands beside `&&` must be true or false, not a whole number."),
        ("true || 'a'", 9, "What stands beside `||` must be true or false, not a text."),
        ("1 ? true : false", 1, "What stands before `?` must be true or false"),
        ("(true ? 1 : 'a') == 1", 2, "Both outcomes of a choice have one type: here a whole number and a text."),
        ("activity.packaging[0.5] == 'a'", 20, "picked by a whole number"),
        ("line.certificates[0].code == 'a'", 19, "picked by a text"),
        ("merchant.key[0] == 'a'", 14, "A text has no items"),
        ("['a', 1] == ['a']", 7, "Items of one list have one type"),
        ("{'a': 1, 'b': 'c'}['a'] == 1", 15, "Items of one list have one type"),
        ("{1: 2}['a'] == 2", 2, "The keys of a map are texts."),
        ("member.tags == []", 16, "An empty list or map holds nothing"),
        ("size(merchant.key) > 3", 1, "here it is given a text"),
        ("merchant.key.contains(3)", 14, "here it is given a whole number"),
        ("activity.total", 10, "A condition must be true or false, not a whole number."),
        ("activity.region", 10, "A condition must be true or false, not a text."),
        # comprehensions
        ("line.packaging.all(p, member.tags.exists(t, t == p))", 35, "one may not stand in another"),
        ("[1].map(x, [x].map(y, y)) == [[1]]", 16, "one may not stand in another"),
        ("merchant.key.exists(c, c == 'a')", 14, "goes through a list, not through a text."),
        ("line.certificates.exists(c, c == 'a')", 19, "goes through a list, not through a map of certificates."),
        ("member.tags.exists(member, true)", 20, "`member` is a variable already"),
        ("member.tags.exists(t.x, true)", 13, "takes a plain name first"),
        ("member.tags.exists(t)", 13, "takes a name and an expression"),
        ("member.tags.exists(t, t)", 23, "What `exists` asks of each item must be true or false, not a text."),
        ("member.tags.exists(t, t > 3)", 27, "A text can't be compared with a whole number"),
        ("member.tags.exists(t, true) && t == 'a'", 32, "There is no variable `t`"),
        # numbers
        ("activity.total / 0 == 1", 18, "This divides by zero."),
        ("activity.total % (2 - 2) == 1", 19, "This divides by zero."),
        ("double(activity.total) / 0.0 > 1.0", 26, "This divides by zero."),
        ("9223372036854775807 + 1 > 1", 23, "This number is too large."),
        ("9223372036854775808 > 1", 1, "This number is too large."),
        ("1e999 > 1.0", 1, "This number is too large."),
        (f"{'9' * 41} > 1", 1, "This number is too long."),
        ("5.size() > 1", 2, "write `5.0`"),
        ("1u == 1", 2, "without letters"),
        ("0x10 == 16", 2, "without letters"),
        # texts and times
        ("merchant.key == 'a", 17, "This text does not end on its line."),
        ("merchant.key == 'a\nb'", 17, "This text does not end on its line."),
        ("merchant.key == r'a'", 18, "without a letter in front"),
        ("merchant.key == b'a'", 18, "without a letter in front"),
        ("merchant.key == '''a'''", 19, "on one line"),
        (r"merchant.key == 'a\q'", 17, "In a text"),
        (r"merchant.key == '\ud800'", 17, "half a character"),
        ("now > timestamp('2026-02-30T00:00:00Z')", 17, "`2026-02-30T00:00:00Z` is not a time such as"),
        ("now > timestamp('2026-01-01')", 17, "is not a time such as"),
        ("duration('3d') > duration('1h')", 10, "`3d` is not a duration such as"),
        ("now > timestamp(merchant.key)", 7, "`timestamp` takes a time such as"),
        # what rules do without
        ("line.name.matches('a+')", 11, "`matches` is not for rules"),
        ("has(line.weight_g)", 1, "`line.weight_g != null`"),
        ("type(line.total) == int", 1, "`type` is not for rules"),
        ("max(1, 2) == 2", 1, "`max` is not for rules"),
        # grammar
        ("", 1, "The expression is empty."),
        (" \n ", 1, "The expression is empty."),
        ("activity.total >", 17, "The expression ends too early."),
        ("(true", 6, "The expression ends too early."),
        ("true)", 5, "`)` can't stand here."),
        ("true false", 6, "can't stand here."),
        ("activity.total = 3", 16, "Two values are compared with `==`."),
        ("true & false", 6, "Write `&&`."),
        ("true; false", 5, "has no meaning here."),
        ("true // always", 6, "An expression has no comments."),
        (".activity.total > 1", 1, "without a dot in front"),
        ("line{total: 1} == 1", 1, "Nothing can be built here"),
        ("member.tags.map(as, as) == ['a']", 1, "The engine that runs rules can't read this expression."),
    ],
)  # fmt: skip
def test_a_condition_that_can_not_be_used_is_refused_with_its_place(text: str, column: int, words: str) -> None:
    fault = refused(text)
    assert words in fault.detail
    assert (fault.place.line, fault.place.column) == (1, column), fault.detail


def test_a_place_counts_lines() -> None:
    fault = refused("activity.total > 3 &&\n  line.quantty > 1")
    assert (fault.place.line, fault.place.column) == (2, 8)
    assert str(fault).endswith("(line 2, column 8)")


@pytest.mark.parametrize(
    ("text", "scope", "words"),
    [
        ("line.quantity > 1", "activity", "`line` is not seen by a rule about the whole activity"),
        ("product.quantity > 1", "activity", "which sees `activity`, `member`, `merchant`, `now`."),
        ("activity.total > 1", "audience", "`activity` is not seen by an audience, which sees `member`, `now`."),
        ("merchant.key == 'a'", "audience", "is not seen by an audience"),
        ("member.teir == 'a'", "audience", "did you mean `tier`?"),
    ],
)
def test_each_scope_sees_its_own_variables(text: str, scope: str, words: str) -> None:
    assert words in refused(text, scope).detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("'a'", "An award must be a number of points, not a text."),
        ("activity.total > 3", "An award must be a number of points, not true or false."),
        ("activity.region", "An award must be a number of points, not a text."),
        ("-5", "An award must be above 0."),
        ("2 - 2", "An award must be above 0."),
        ("-0.5", "An award must be above 0."),
        ("5 / 0", "This divides by zero."),
        ("activity.completed ? 3 : 2.5", "Both outcomes of a choice have one type"),
    ],
)
def test_an_award_is_a_number_of_points(text: str, words: str) -> None:
    assert words in refused(text, expects="number").detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1" * 10_000, "The expression has 10,000 characters; at most 2,000 are allowed."),
        ("(" * 50 + "true" + ")" * 50, f"at most {NESTING_MAX} are allowed"),
        ("[" * 50 + "1" + "]" * 50, f"at most {NESTING_MAX} are allowed"),
        ("size(" * 300 + "1" + ")" * 300, f"at most {NESTING_MAX} are allowed"),
        ("{'a':" * 200 + "1" + "}" * 200, f"at most {NESTING_MAX} are allowed"),
        ("(" * 2000, f"at most {NESTING_MAX} are allowed"),
        ("true?" * 200 + "1" + ":1" * 200, "more than 20 choices"),
        ("+".join(["1"] * 1000), "more than 500 words"),
        ("!" * 1990 + "true", "more than 500 words"),
        ("- " * 990 + "1", "more than 500 words"),
        ("activity" + ".a" * 200, "More than 10 dots"),
        ("member.tags" + "[0]" * 100, "More than 10 dots"),
        ("1 in [" + ",".join(["1"] * 101) + "]", "A list has 101 items"),
        ("{" + ",".join(["'a':1"] * 101) + "}['a'] == 1", "A map has more than 100 entries."),
        # cel-python's own lexer needs time exponential in the length of this one
        ("'" + r"\a" * 900, "This text does not end on its line."),
        ('"' + "\\" * 999, "This text does not end on its line."),
        ("'" * 1999, "on one line"),
        ("merchant.key == '" + r"\a" * 900 + "'", "In a text"),
        ("//" * 1000, "no comments"),
        (" " * 2000, "The expression is empty."),
        ("a" * 2000, "There is no variable `aaaa"),
        ("\x00", "has no meaning here"),
        ("\ud800", "has no meaning here"),
        ("'\ud800' == 'a'", "half a character"),
    ],
)
def test_hostile_text_is_refused_in_no_time(text: str, words: str) -> None:
    refused("true true")  # the grammar is made once
    before = time.thread_time()
    fault = refused(text)
    assert time.thread_time() - before < 1
    assert words in fault.detail
    assert len(fault.detail) < 500


def test_what_is_within_bounds_is_checked_in_no_time() -> None:
    longest = [
        "+".join(["1"] * 249) + " > 1",
        "||".join(["!(true)"] * 80),
        "(1+" * NESTING_MAX + "1" + ")" * NESTING_MAX + " > 1",
        "true?true:" * 20 + "true",
        "line.category in [" + ", ".join(f"'{number:013}'" for number in range(100)) + "]",
        " && ".join(f"(line.sku != null || line.gtin == '{number}')" for number in range(30)),
    ]
    for text in longest:
        assert len(text) <= LENGTH_MAX
        before = time.thread_time()
        check_expression(text, scope="line", expects="bool")
        assert time.thread_time() - before < 1, text


@pytest.mark.parametrize(
    ("text", "fields", "constants"),
    [
        ("true", set(), set()),
        ("now > timestamp('2026-01-01T00:00:00Z')", {"now"}, set()),
        (
            "member.tier == 'seed' && 'student' in member.tags",
            {"member", "member.tier", "member.tags"},
            {("member.tier", "seed"), ("member.tags", "student")},
        ),
        (
            "product.category in ['a', 'b'] || 'c' == line.material",
            {"line", "line.category", "line.material"},
            {("line.category", "a"), ("line.category", "b"), ("line.material", "c")},
        ),
        (
            "activity.packaging.exists(p, p in ['NO_BAG', 'E_WAYBILL']) && line.packaging.all(q, q != 'REFILL')",
            {"activity", "activity.packaging", "line", "line.packaging"},
            {("activity.packaging", "NO_BAG"), ("activity.packaging", "E_WAYBILL"), ("line.packaging", "REFILL")},
        ),
    ],
)
def test_what_an_expression_looks_at_is_told(text: str, fields: set[str], constants: set[tuple[str, str]]) -> None:
    facts = check_expression(text, scope="line", expects="bool")
    assert (facts.fields, facts.constants, facts.remarks) == (fields, constants, ())


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("line.weight_g > 500", ["may_be_null"]),
        ("line.weight_g != null && line.weight_g > 500", []),
        ("line.weight_g > 500 && null != line.weight_g", []),
        ("line.weight_g == null || line.weight_g > 500", []),
        ("line.weight_g == null && line.weight_g > 500", ["may_be_null"]),
        ("line.weight_g != null || line.weight_g > 500", ["may_be_null"]),
        ("!(line.weight_g == null || line.pieces == null) && line.weight_g > line.pieces", []),
        ("(line.weight_g != null || line.pieces != null) && line.weight_g > 1", ["may_be_null"]),
        ("(line.weight_g != null && line.total > 1) && line.weight_g > 1", []),
        ("line.weight_g == null ? false : line.weight_g > 1", []),
        ("line.weight_g == null ? line.weight_g > 1 : false", ["may_be_null"]),
        ("line.weight_g != null && product.weight_g > 1", ["may_be_null"]),
        ("line.category == 'a' || line.category in ['b']", []),
        ("line.category in {'b': 1}", ["may_be_null"]),
        ("line.category + 'x' == 'ax'", ["may_be_null"]),
        ("member.region.startsWith('DE')", ["may_be_null"]),
        ("member.region == null || member.region.startsWith('DE')", []),
        ("['a', null].exists(x, x.startsWith('a'))", ["may_be_null"]),
        ("['a', null].exists(x, x != null && x.startsWith('a'))", []),
        ("line.quantity == null", ["never_null"]),
        ("null != member.tags", ["never_null"]),
        ("member.tags[0] == 'a'", ["may_be_missing"]),
        ("line.certificates['EU_ORGANIC'].number == 'a'", ["may_be_missing"]),
        ("{'seed': 1}[member.tier] == 1", ["may_be_missing"]),
        ("{'seed': 1}['seed'] == 1", []),
    ],
)
def test_what_works_and_will_surprise_is_remarked_upon(text: str, codes: list[str]) -> None:
    remarks = check_expression(text, scope="line", expects="bool").remarks
    assert [remark.code for remark in remarks] == codes


def test_a_remark_says_what_to_write() -> None:
    [remark] = check_expression("true && line.weight_g > 500", scope="line", expects="bool").remarks
    assert "put `line.weight_g != null && …` in front" in remark.detail
    assert (remark.place.line, remark.place.column) == (1, 14)


@pytest.mark.parametrize(
    "text",
    ["10", "2.5", "activity.total / 100", "activity.completed ? 10 : 5", "{'seed': 1, 'oak': 3}[member.tier]",
     "size(line.packaging) * 3", "line.weight_g == null ? 0 : line.weight_g / 100"],
)  # fmt: skip
def test_an_award_may_be_any_number(text: str) -> None:
    check_expression(text, scope="line", expects="number")
