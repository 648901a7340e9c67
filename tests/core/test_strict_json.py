"""JSON is read as the standard says, and what the contract refuses is told with its place."""

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import MalformedJson, ValidationProblem
from app.core.strict_json import DEPTH_MAX, INTEGER_MAX, dumps, loads, pointer

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


def is_same(left: Any, right: Any) -> bool:
    """Equality that tells True from 1 and 1.0 from 1."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(is_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    return bool(left == right)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_valid_is_read_as_the_standard_parser_reads_it(value: Any, is_ascii: bool, indent: int | None) -> None:
    raw = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    read = loads(raw)
    assert is_same(read, json.loads(raw))
    assert type(read) in (dict, list, str, int, float, bool, type(None))


@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert is_same(loads(dumps(value)), json.loads(dumps(value)))


@given(st.binary(max_size=40) | st.text('[]{}":,0123456789.-+eENaInfity\\u \t\n', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        value = loads(raw)
    except (MalformedJson, ValidationProblem):
        return
    assert is_same(value, json.loads(raw))


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        ('{"a": NaN}', ["/a"]),
        ("[1, Infinity]", ["/1"]),
        ("-Infinity", [""]),
        ('{"a": [{"b": 1e400}]}', ["/a/0/b"]),
        ('{"a": -1e999}', ["/a"]),
        ('{"a": 9007199254740992}', ["/a"]),
        ('{"a": -9007199254740992}', ["/a"]),
        ('{"a": 18446744073709551616}', ["/a"]),
        ('{"a": ' + "9" * 5000 + "}", ["/a"]),
        ('{"a": 1, "a": 1}', ["/a"]),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', ["/a/b"]),
        ('[{"x": 1}, {"x": 1, "x": NaN}]', ["/1/x", "/1/x"]),
        ('{"a/b": {"c~d": NaN}}', ["/a~1b/c~0d"]),
        ('{"": NaN}', ["/"]),
        ('{"a": "\\u0000"}', ["/a"]),
        ('{"a": "x\\ud800y"}', ["/a"]),
        ('{"a": ["\\udc00\\ud800"]}', ["/a/0"]),
        ('{"a": {"\\ud800": 1}}', ["/a"]),
        ('{"\\u0000": 1}', [""]),
        ('{"a": NaN, "b": 1e400, "c": [9007199254740993]}', ["/a", "/b", "/c/0"]),
        # one key in two spellings
        ('{"a": 1, "\\u0061": 2}', ["/a"]),
    ],
)
def test_what_the_contract_refuses_is_told_with_its_place(raw: str, pointers: list[str]) -> None:
    with pytest.raises(ValidationProblem) as refused:
        loads(raw.encode())
    assert [error["pointer"] for error in refused.value.errors or []] == pointers


@pytest.mark.parametrize("text", ["9007199254740991", "-9007199254740991", "0", "-0", "1e308", "1e-400", "0.1", "-0.0"])
def test_numbers_up_to_the_bounds_are_read(text: str) -> None:
    assert is_same(loads(text.encode()), json.loads(text))


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert loads(b'"\\ud83c\\udf31"') == "\N{SEEDLING}"


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"{", b"[1,]", b"{'a': 1}", b'{"a" 1}', b"nul", b"01", b"1.", b".5", b"+1", b"0x10", b"[1] 2",
     b'"\x01"', b'"\\x41"', b"\xff", b'{"a": "\xc3"}', b"\xed\xa0\x80", b"\xef\xbb\xbf{}", "{}".encode("utf-16")],
)  # fmt: skip
def test_what_is_no_utf_8_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        loads(raw)


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000])
def test_a_hundred_thousand_brackets_are_refused(raw: bytes) -> None:
    with pytest.raises((MalformedJson, ValidationProblem)):
        loads(raw)


def test_a_fault_under_many_levels_is_still_a_refusal() -> None:
    depth = DEPTH_MAX + 10
    with pytest.raises(ValidationProblem) as refused:
        loads(b"[" * depth + b"NaN" + b"]" * depth)
    assert refused.value.errors


def test_a_refusal_leaves_nothing_behind_for_the_next_body() -> None:
    with pytest.raises(ValidationProblem):
        loads(b'{"a": NaN}')
    assert loads(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("parts", "expected"), [((), ""), (("a", 0, "b"), "/a/0/b"), (("a/b", "c~d"), "/a~1b/c~0d"), (("~1",), "/~01")]
)
def test_a_pointer_escapes_as_the_standard_says(parts: tuple[object, ...], expected: str) -> None:
    assert pointer(*parts) == expected


def test_times_and_ids_are_written_as_the_contract_says() -> None:
    moment = datetime(2026, 5, 4, 14, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
    identity = uuid.UUID(int=7)
    assert loads(dumps({"at": moment, "day": moment.replace(microsecond=0).astimezone(UTC), "id": identity})) == {
        "at": "2026-05-04T12:00:00.250000Z", "day": "2026-05-04T12:00:00Z", "id": str(identity),
    }  # fmt: skip
    with pytest.raises(TypeError):
        dumps({"a": object()})
