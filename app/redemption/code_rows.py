"""Read a partner's codes from a CSV file, row by row: the code, or what is wrong with that line. Pure.

1. A line is a row: no code has a line break. Lines end with LF or CR LF; a byte order mark at the start is left out.
2. With no column named each row is one code, but for a first one that says ``code``. Else the first row names the
   columns, and the others have as many.
3. Columns are parted by a comma, semicolon or tab, and may stand in quotes, which end on their line.
4. What is no UTF-8, holds a control character, is blank or too long, is a fault of that line alone.
"""

import csv
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from app.redemption.codes import PARTNER_LENGTH_MAX, spell_partner

LINE_BYTES_MAX = 4096
SEPARATORS = ",;\t"
HEADER = "code"  # nobody prints this on a voucher
_SEPARATOR = re.compile(f"[{SEPARATORS}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
FAULTS = {
    "blank": "No code stands here.",
    "too_long": f"A code has at most {PARTNER_LENGTH_MAX} characters.",
    "not_utf8": "The line is not valid UTF-8.",
    "control_character": "The code holds a character that can't be printed, such as NUL.",
    "columns": "The row has too few or too many columns.",
    "quotes": "The row ends within quotes, or goes on after them.",
    "unreadable": "Nothing of the code can be read.",
    "repeated": "The code stands in line {of} already.",
    "imported_before": "The code was imported before.",
    "other_reward": "The code belongs to another reward of the merchant.",
}


class NoSuchColumn(Exception):
    """The first row does not name the column."""


def read_codes(stream: BinaryIO, column: str | None = None) -> Iterator[tuple[int, str | None, str]]:
    """Yield of each row after the header its line, and its spelled code or what is wrong: a key of ``FAULTS``.

    Raises NoSuchColumn.
    """
    lines = _lines(stream)
    pick: Callable[[str], str] = _only_field
    if column is not None:
        pick = _picker(next(lines, (1, b""))[1], column)
    for number, raw in lines:
        if number == 1 and _name(raw.decode(errors="replace")) == HEADER:
            continue
        try:
            code, fault = _code(pick(_text(raw)))
        except _Fault as found:
            code, fault = None, str(found)
        yield number, code, fault


class _Fault(Exception):
    """What is wrong with a line: a key of ``FAULTS``."""


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each line, of an endless one only the first."""
    number = 0
    while raw := stream.readline(LINE_BYTES_MAX):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        part = raw
        while len(part) == LINE_BYTES_MAX and not part.endswith(b"\n"):
            part = stream.readline(LINE_BYTES_MAX)
        yield number, raw.removesuffix(b"\n").removesuffix(b"\r")


def _text(raw: bytes) -> str:
    if len(raw) >= LINE_BYTES_MAX - 1:
        raise _Fault("too_long")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _Fault("not_utf8") from None  # the cause would quote the code


def _fields(text: str, separator: str) -> list[str]:
    if '"' not in text:
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [""])
    except csv.Error:
        raise _Fault("quotes") from None


def _only_field(text: str) -> str:
    """Return the one field of a row that has no other."""
    text = text.strip(" \t")
    if '"' in text:
        separator = next((each for each in SEPARATORS if each in text), SEPARATORS[0])
        [text, *others] = _fields(text, separator)
        if others:
            raise _Fault("columns")
    elif _SEPARATOR.search(text):
        raise _Fault("columns")
    return text


def _name(text: str) -> str:
    return text.strip(' \t"').casefold()


def _picker(header: bytes, column: str) -> Callable[[str], str]:
    """Return the function that takes the field of ``column`` out of a row; raise NoSuchColumn."""
    wanted = _name(column)
    try:
        text = _text(header)
        splits = ((separator, [_name(name) for name in _fields(text, separator)]) for separator in SEPARATORS)
        separator, names = next(split for split in splits if wanted in split[1])
    except (_Fault, StopIteration):
        raise NoSuchColumn from None
    place, count = names.index(wanted), len(names)

    def pick(row: str) -> str:
        fields = _fields(row, separator)
        if len(fields) != count:
            raise _Fault("columns" if row.strip() else "blank")
        return fields[place]

    return pick


def _code(field: str) -> tuple[str | None, str]:
    text = field.strip(" \t")
    if not text:
        return None, "blank"
    if _CONTROL.search(text):
        return None, "control_character"
    code = spell_partner(text)
    if code is None:
        return None, "too_long" if len(text) > PARTNER_LENGTH_MAX else "unreadable"
    return code, ""
