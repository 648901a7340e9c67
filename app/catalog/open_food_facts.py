"""Read the CSV export of Open Food Facts row by row, and say what is wrong with a row that can't be read. Pure.

1. The official export is separated by tabs and quotes nothing: control characters, tabs and line ends were taken out
   of its fields when it was written. One that was saved anew with commas has the usual quotes. The header says which.
2. A row is one line. So half a row, or a quote that never ends, costs that line and none after it.
3. The code is a GTIN with or without its leading zeros. Its check digit has to be right, and numbers that shops give
   out for themselves are left out, because they mean something else in the next shop.
4. The export does not say in which language ``product_name`` is, unless it has a column ``lang`` or ``lc``: it is kept
   as ``und``, undetermined. ``product_name_xx`` is in the language xx.
"""

import csv
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from app.catalog.fields import LANGUAGE_TAG, NAME_LENGTH_MAX
from app.catalog.gtin import is_restricted, normalise_gtin

LINE_BYTES_MAX = 1024 * 1024
TAGS_LENGTH_MAX = 10_000
CATEGORY_LENGTH_MAX = 100
UNDETERMINED = "und"
GRADES = frozenset({"a-plus", "a", "b", "c", "d", "e", "f"})
_NEEDED = ("code", "product_name", "labels_tags", "packaging_tags", "categories_tags")
_GRADE_COLUMNS = ("environmental_score_grade", "ecoscore_grade")  # the second is its older name
_LANGUAGE_COLUMNS = ("lang", "lc")
_NAME_IN = re.compile(r"product_name_([a-z]{2,3})\Z")
_LANGUAGE = re.compile(LANGUAGE_TAG)
_BOM = b"\xef\xbb\xbf"


class NotAnExport(ValueError):
    """The file is not an export of Open Food Facts."""


class BadRow(ValueError):
    """A row that can't be imported; ``kind`` is the same for all that have the same fault."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Row:
    """What is used of a row; tags as they stand there."""

    gtin: str
    names: dict[str, str]
    category: str | None
    labels: Sequence[str]
    packaging: Sequence[str]
    environmental_grade: str | None


@dataclass(frozen=True, slots=True)
class Header:
    """How the columns are separated, how many there are, and where those stand that are used."""

    delimiter: str
    count: int
    places: Mapping[str, int]
    names: Mapping[str, int]  # language to place, of product_name_xx


def read_line(file: BinaryIO) -> bytes:
    """Return the next line without its end; empty at the end of the file. A longer one than allowed is cut.

    What is cut is as long as ``LINE_BYTES_MAX`` and one byte more.
    """
    line = file.readline(LINE_BYTES_MAX + 1)
    if len(line) > LINE_BYTES_MAX and not line.endswith(b"\n"):
        while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
            pass
    return line


def read_header(line: bytes) -> Header:
    """Return what the header says; raise NotAnExport where columns that are needed are missing."""
    try:
        text = line.removeprefix(_BOM).decode("utf-8").rstrip("\r\n")
        delimiter = "\t" if "\t" in text else ","
        columns = _split(text, delimiter)
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotAnExport("The first line is no header of a CSV file in UTF-8.") from error
    places = {name.strip(): place for place, name in enumerate(columns)}
    missing = [name for name in _NEEDED if name not in places]
    if missing:
        raise NotAnExport(f"The header lacks {', '.join(missing)}: is this an export of Open Food Facts?")
    names = {found[1]: place for name, place in places.items() if (found := _NAME_IN.match(name))}
    return Header(delimiter, len(columns), places, names)


def _split(text: str, delimiter: str) -> list[str]:
    if delimiter == "\t":
        return text.split("\t")
    return next(csv.reader([text], strict=True), [])


def read_row(line: bytes, header: Header) -> Row:
    """Return what is used of a line; raise BadRow."""
    if len(line) > LINE_BYTES_MAX:
        raise BadRow("too long", f"more than {LINE_BYTES_MAX} bytes")
    if b"\x00" in line:
        raise BadRow("NUL byte")
    try:
        cells = _split(line.decode("utf-8").rstrip("\r\n"), header.delimiter)
    except UnicodeDecodeError as error:
        raise BadRow("not UTF-8", f"byte {error.start}") from error
    except csv.Error as error:
        raise BadRow("broken quotes", str(error)) from error
    if len(cells) != header.count:
        raise BadRow("wrong number of columns", f"{len(cells)} instead of {header.count}")
    places = header.places
    return Row(
        gtin=_gtin(cells[places["code"]].strip()),
        names=_names(cells, header),
        category=_category(_tags(cells[places["categories_tags"]])),
        labels=_tags(cells[places["labels_tags"]]),
        packaging=_tags(cells[places["packaging_tags"]]),
        environmental_grade=_first(cells, places, _GRADE_COLUMNS, GRADES.__contains__),
    )


def _gtin(code: str) -> str:
    if not code:
        raise BadRow("no code")
    if not (code.isascii() and code.isdigit() and len(code) <= 14):
        raise BadRow("code is no GTIN", code[:40])
    gtin = normalise_gtin(code.zfill(14))
    if gtin is None:
        raise BadRow("wrong check digit", code)
    if is_restricted(gtin):
        raise BadRow("number of one shop alone", code)
    return gtin


def _names(cells: Sequence[str], header: Header) -> dict[str, str]:
    language = _first(cells, header.places, _LANGUAGE_COLUMNS, lambda text: bool(_LANGUAGE.match(text)))
    asked = {language or UNDETERMINED: header.places["product_name"], **header.names}
    names = {}
    for tag, place in asked.items():
        name = cells[place]
        if name:
            name = " ".join((html.unescape(name) if "&" in name else name).split())
        if len(name) > NAME_LENGTH_MAX:
            raise BadRow("too long", f"a name of {len(name)} characters")
        if name and "\x00" not in name:
            names[tag] = name
    return names


def _first(
    cells: Sequence[str], places: Mapping[str, int], columns: Sequence[str], fits: Callable[[str], bool]
) -> str | None:
    """Return the value of the first of ``columns`` that is there and that ``fits`` accepts."""
    values = (cells[places[column]].strip() for column in columns if column in places)
    return next((value for value in values if fits(value)), None)


def _tags(cell: str) -> list[str]:
    if len(cell) > TAGS_LENGTH_MAX:
        raise BadRow("too long", f"tags of {len(cell)} characters")
    return [tag for text in cell.split(",") if (tag := text.strip())] if cell else []


def _category(tags: Sequence[str]) -> str | None:
    """Return the narrowest category: the export lists them from the widest on."""
    if tags and len(tags[-1]) > CATEGORY_LENGTH_MAX:
        raise BadRow("too long", f"a category of {len(tags[-1])} characters")
    return tags[-1] if tags else None
