"""Whatever is written: it is refused with a sentence, or it runs.

Texts are made of any characters, of the words of the language in any order, and by its grammar with types that fit.
"""

import re
import time

from hypothesis import example, given
from hypothesis import strategies as st

from app.campaigns.checking import ExpressionFacts, ExpressionFault, check_expression
from app.campaigns.checking.functions import SIGNATURES
from app.campaigns.checking.schema import VARIABLES
from app.campaigns.checking.types import Type
from app.campaigns.expressions import Condition, ExpressionError
from tests.campaigns.facts import full_context, sparse_context

SECONDS_MAX = 1.0
FULL, SPARSE = full_context(), sparse_context()
# How an accepted expression may still fail: a value out of range, a division by what happens to be 0, an item that is
# not there.
RUN_TIME_FAILURES = (OverflowError, ZeroDivisionError, IndexError, KeyError)


def checked(text: str) -> ExpressionFacts | None:
    """What the check says of ``text`` as a line rule's condition; None where it refuses it in time and in words."""
    before = time.thread_time()
    try:
        return check_expression(text, scope="line", expects="bool")
    except ExpressionFault as fault:
        assert 0 < len(fault.detail) < 500
        assert fault.place.line >= 1
        assert fault.place.column >= 1
        return None
    finally:
        assert time.thread_time() - before < SECONDS_MAX


def run(text: str, facts: ExpressionFacts) -> None:
    """Run ``text`` where all is there, and where all is null that may be: there what was remarked upon may fail."""
    condition = Condition(text)
    codes = {remark.code for remark in facts.remarks}
    for context, may_fail in ((FULL, False), (SPARSE, "may_be_null" in codes)):
        try:
            condition.holds(context)
        except ExpressionError as error:
            assert may_fail or isinstance(error.__cause__, RUN_TIME_FAILURES), error
            if isinstance(error.__cause__, IndexError | KeyError):
                assert "may_be_missing" in codes


@example("'" + r"\a" * 60)
@example('"""' + r"\a" * 60)
@example("r'" + r"\a" * 60 + "'")
@given(st.text(max_size=300))
def test_any_text_is_refused_or_runs(text: str) -> None:
    facts = checked(text)
    if facts is not None:
        run(text, facts)


NAMES = sorted({name for known in VARIABLES.values() for name in known})
FIELDS = sorted({field for known in VARIABLES.values() for kind in known.values() for field in kind.fields})
WORDS = [
    *NAMES, *(f"line.{field}" for field in VARIABLES["line"]["line"].fields), *(f".{field}" for field in FIELDS),
    *sorted({each.name for each in SIGNATURES}), "exists", "all", "map", "filter", "has", "matches",
    "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "!", "-", "+", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=",
    "&&", "||", "in", "=", "&", "null", "true", "false", "0", "1", "7", "2.5", "'a'", '"b"', "x", "y", "\\", "'", '"',
    "//", "\n", " ", "as", "int", "u", "e", "0x1", "9223372036854775807",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=40), st.sampled_from(["", " "]))
def test_words_in_any_order_are_refused_or_run(words: list[str], between: str) -> None:
    text = between.join(words)
    facts = checked(text)
    if facts is not None:
        run(text, facts)


def paths(name: str) -> list[str]:
    """The fields of type ``name`` that are never null, as a line rule writes them."""
    found = ["now"] if name == "time" else []
    for variable, kind in VARIABLES["line"].items():
        found += [
            f"{variable}.{field}" for field, held in kind.fields.items() if held.name == name and not held.is_nullable
        ]
    return found


def nullable_paths(name: str) -> list[str]:
    return [
        f"{variable}.{field}"
        for variable, kind in VARIABLES["line"].items()
        for field, held in kind.fields.items()
        if held.name == name and held.is_nullable
    ]


def calls(result: str, receiver: str) -> list[str]:
    """The functions without arguments from ``receiver`` to ``result``, with a place for it."""

    def named(kind: Type | None) -> str | None:
        return kind.name if kind else None

    found = []
    for each in SIGNATURES:
        if each.result.name == result and named(each.receiver) == receiver and not each.arguments:
            found.append(f"({{}}).{each.name}()")
        if (
            each.result.name == result
            and each.receiver is None
            and [kind.name for kind in each.arguments] == [receiver]
        ):
            found.append(f"{each.name}({{}})")
    return found


def applied(result: str, receiver: str, arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(str.format, st.sampled_from(calls(result, receiver)), arguments)


def joined(left: st.SearchStrategy[str], signs: str, right: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, left, st.sampled_from(signs.split()), right)


def chosen(condition: st.SearchStrategy[str], of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} ? {} : {})".format, condition, of, of)


whole_leaf = st.sampled_from(paths("whole")) | st.integers(-1000, 1000).map(str)
decimal_leaf = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: f"{value:.3f}")
text_leaf = st.sampled_from(paths("text")) | st.text("abAB'\\\n é中", max_size=5).map(
    lambda text: "'" + text.replace("\\", r"\\").replace("'", r"\'").replace("\n", r"\n") + "'"
)
time_leaf = st.sampled_from(paths("time")) | st.just("timestamp('2026-01-02T03:04:05Z')")
duration_leaf = st.sampled_from(["duration('90m')", "duration('-1h')", "duration('0s')"])
texts_leaf = st.sampled_from(paths("list")) | st.lists(text_leaf, min_size=1, max_size=3).map(
    lambda items: f"[{', '.join(items)}]"
)
bool_leaf = st.sampled_from([*paths("bool"), "true", "false"])

booleans: st.SearchStrategy[str] = st.deferred(lambda: bool_leaf | _booleans)
wholes: st.SearchStrategy[str] = st.deferred(
    lambda: whole_leaf | joined(wholes, "+ - *", wholes) | joined(wholes, "/ %", st.integers(1, 9).map(str))
    | applied("whole", "time", times) | applied("whole", "list", texts) | applied("whole", "decimal", decimals)
    | st.builds("-{}".format, wholes) | chosen(booleans, wholes)
)  # fmt: skip
decimals: st.SearchStrategy[str] = st.deferred(
    lambda: decimal_leaf | joined(decimals, "+ - * /", st.just("2.5")) | applied("decimal", "whole", wholes)
)
strings: st.SearchStrategy[str] = st.deferred(
    lambda: text_leaf | joined(strings, "+", strings) | applied("text", "whole", wholes) | chosen(booleans, strings)
)
times: st.SearchStrategy[str] = st.deferred(lambda: time_leaf | joined(times, "+ -", durations))
durations: st.SearchStrategy[str] = st.deferred(
    lambda: duration_leaf | joined(times, "-", times) | joined(durations, "+ -", durations)
)
texts: st.SearchStrategy[str] = st.deferred(
    lambda: texts_leaf | joined(texts, "+", texts) | st.builds("{}.filter(f, f != {})".format, texts_leaf, text_leaf)
)
ORDER = "< <= > >= == !="
_booleans = (
    joined(wholes, ORDER, wholes | decimals)
    | joined(strings, ORDER, strings)
    | joined(times, ORDER, times)
    | joined(durations, ORDER, durations)
    | joined(booleans, "&& || == !=", booleans)
    | joined(strings, "in", texts)
    | joined(texts, "== !=", texts)
    | st.builds("!{}".format, booleans)
    | st.builds("({}).{}({})".format, strings, st.sampled_from(["contains", "startsWith", "endsWith"]), strings)
    | st.builds("({}).{}(each, each {} {})".format, texts_leaf, st.sampled_from(["all", "exists", "exists_one"]),
                st.sampled_from(ORDER.split()), text_leaf)
    | st.builds("({0} != null && {0} > {1})".format, st.sampled_from(nullable_paths("whole")), wholes)
    | st.builds("({0}.startsWith({1}) && {0} != null)".format, st.sampled_from(nullable_paths("text")), strings)
    | st.builds("({0} == null || {2} || {0} <= {1})".format, st.sampled_from(nullable_paths("whole")), wholes,
                bool_leaf)
    | st.builds("({0} == null ? {2} : {0} + {1} == {1})".format, st.sampled_from(nullable_paths("text")), strings,
                bool_leaf)
    | joined(st.sampled_from(nullable_paths("text")), "== !=", strings)
)  # fmt: skip


@given(booleans)
def test_what_follows_grammar_and_types_passes_and_runs_without_a_failure_of_types(text: str) -> None:
    facts = checked(text)
    if facts is None:  # it is as it should be, but long
        fault = refusal(text)
        assert any(words in fault for words in ("at most", "more than", "too large", "divides by zero")), (text, fault)
        return
    assert not {remark.code for remark in facts.remarks} & {"may_be_null", "may_be_missing"}
    run(text, facts)


@given(booleans, st.integers(0, 1000), st.sampled_from(WORDS))
def test_one_other_word_in_it_is_refused_or_runs(text: str, place: int, word: str) -> None:
    words = re.findall(r"[A-Za-z_.]+|'(?:[^'\\]|\\.)*'|\d+|\s+|[^\s\w]+", text)
    words[place % len(words)] = word
    changed = "".join(words)
    facts = checked(changed)
    if facts is not None:
        run(changed, facts)


def refusal(text: str) -> str:
    try:
        check_expression(text, scope="line", expects="bool")
    except ExpressionFault as fault:
        return fault.detail
    return ""
