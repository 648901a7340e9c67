"""How a partner's file is read: each row its code or its fault, by line."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.redemption.code_rows import LINE_BYTES_MAX, NoSuchColumn, read_codes


def rows(raw: bytes | str, column: str | None = None) -> list[tuple[int, str]]:
    """Return line and code, or the fault after an exclamation mark."""
    stream = io.BytesIO(raw if isinstance(raw, bytes) else raw.encode())
    return [(line, code if code is not None else f"!{fault}") for line, code, fault in read_codes(stream, column)]


def test_each_row_is_a_code_spelled_as_one() -> None:
    assert rows("abcd-1234\nABCD 5678\r\n  ef gh\t\n") == [(1, "ABCD1234"), (2, "ABCD5678"), (3, "EFGH")]


def test_the_last_row_needs_no_line_break_and_the_first_may_have_a_mark_before_it() -> None:
    assert rows(b"\xef\xbb\xbfA1\nB2") == [(1, "A1"), (2, "B2")]
    assert rows("") == []


@pytest.mark.parametrize("header", ["code", "CODE\r", '"Code"', "\ufeffcode"])
def test_a_first_row_that_says_code_is_no_code(header: str) -> None:
    assert rows(f"{header}\nA1\ncode\n") == [(2, "A1"), (3, "CODE")]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_named_column_is_found_whatever_parts_the_columns(separator: str) -> None:
    text = f'Ends{separator}"Voucher Code"\n2027{separator}A-1\n2028{separator}"B,2;"\n'
    assert rows(text, "voucher code") == [(2, "A1"), (3, "B,2;")]


def test_a_column_that_is_not_there_is_told() -> None:
    for text in ("A,B\n1,2\n", "", '"\n', b"\xff,code\n"):
        with pytest.raises(NoSuchColumn):
            rows(text, "code")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("", "blank"),
        ("  \t ", "blank"),
        ('""', "blank"),
        ("-- -", "unreadable"),
        ("A" * 65, "too_long"),
        ("A" * (2 * LINE_BYTES_MAX), "too_long"),
        ("A" * (LINE_BYTES_MAX - 1), "too_long"),
        (b"A\xff", "not_utf8"),
        (b"A\xe4\xb8", "not_utf8"),
        ("A\x00B", "control_character"),
        ("\x00", "control_character"),
        ("A\rB", "control_character"),
        ("A\x85B", "control_character"),
        ("A\u200bB", "unreadable"),
        ("A,B", "columns"),
        ("A;B", "columns"),
        ("A\tB", "columns"),
        ('"A","B"', "columns"),
        ('"A', "quotes"),
        ('"A"B', "quotes"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_those_after_it_are_read(row: str | bytes, fault: str) -> None:
    raw = row if isinstance(row, bytes) else row.encode()
    assert rows(b"A1\n" + raw + b"\nB2\n") == [(1, "A1"), (2, f"!{fault}"), (3, "B2")]


@pytest.mark.parametrize(
    ("row", "fault"),
    [("2027", "columns"), ("2027,A,B", "columns"), ("", "blank"), ("2027,", "blank"), ('2,"A', "quotes")],
)
def test_half_a_row_is_told_where_a_column_is_named(row: str, fault: str) -> None:
    assert rows(f"ends,code\n{row}\n2027,A1\n", "code") == [(2, f"!{fault}"), (3, "A1")]


@given(st.binary(max_size=300))
def test_whatever_is_sent_is_read_line_by_line(raw: bytes) -> None:
    found = rows(raw)
    lines = [line for line, _ in found]
    assert lines == sorted(set(lines))
    assert len(found) <= raw.count(b"\n") + 1
    assert all(told for _, told in found)
