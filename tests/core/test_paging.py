"""A cursor is good for its list and its caller, as it was given out, and for nothing else."""

import string

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidCursor
from app.core.paging import decode_cursor, encode_cursor

positions = st.lists(st.integers(-(2**53), 2**53) | st.text(max_size=30) | st.none() | st.booleans(), max_size=4)
ALPHABET = string.ascii_letters + string.digits + "-_=+/ .\n\x00é"


@pytest.fixture(scope="module")
def bare_app() -> Flask:
    """As much of an application as cursors need."""
    app = Flask("cursors")
    app.config["CURSOR_KEY"] = b"k" * 32
    return app


@given(positions, st.text(max_size=40))
def test_a_cursor_leads_back_to_its_position(bare_app: Flask, position: list[object], bound_to: str) -> None:
    with bare_app.app_context():
        assert decode_cursor(encode_cursor(position, bound_to), bound_to) == position


@pytest.mark.parametrize("position", [[1], [12], [123], [1234, "ä"], []])
def test_a_cursor_changed_anywhere_is_refused(bare_app: Flask, position: list[object]) -> None:
    with bare_app.app_context():
        cursor = encode_cursor(position, "entries:1")
        changed = {cursor[:place] + other + cursor[place + 1 :] for place in range(len(cursor)) for other in ALPHABET}
        changed |= {cursor[:place] + other + cursor[place:] for place in range(len(cursor) + 1) for other in ALPHABET}
        changed |= {cursor[:place] + cursor[place + 1 :] for place in range(len(cursor))} | {
            cursor + "==",
            "",
            "é",
            "=",
        }
        for each in changed - {cursor}:
            with pytest.raises(InvalidCursor):
                decode_cursor(each, "entries:1")


@given(positions, st.text(max_size=10), st.text(max_size=10))
def test_a_cursor_of_another_list_or_caller_is_refused(
    bare_app: Flask, position: list[object], bound_to: str, other: str
) -> None:
    if bound_to == other:
        return
    with bare_app.app_context(), pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor(position, bound_to), other)


def test_a_cursor_of_another_key_is_refused(bare_app: Flask) -> None:
    with bare_app.app_context():
        cursor = encode_cursor([1], "x")
    other = Flask("other")
    other.config["CURSOR_KEY"] = b"o" * 32
    with other.app_context(), pytest.raises(InvalidCursor):
        decode_cursor(cursor, "x")
