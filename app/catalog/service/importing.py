"""Import the export of Open Food Facts: products that all merchants share, by GTIN, without certificate numbers."""

import gzip
import io
import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from app.catalog import import_queries as queries
from app.catalog.errors import ImportUnderWay
from app.catalog.mappings import Meanings, label_meanings, packaging_meanings
from app.catalog.open_food_facts import BadRow, Header, NotAnExport, Row, read_header, read_line, read_row
from app.catalog.service.lookups import forget_products
from app.core.database import driver_connection
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work

__all__ = ["ImportReport", "NotAnExport", "import_products"]

CHUNK_ROWS = 20_000
_GZIP = b"\x1f\x8b"
OnBad = Callable[[int, str], None]


@dataclass(slots=True)
class ImportReport:
    """What became of a file: rows by what was done with them, bad ones by fault, and tags without a meaning."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    unknown_packaging: Counter[str] = field(default_factory=Counter)

    @property
    def unchanged(self) -> int:
        """The rows that say what was known already."""
        return self.rows - self.added - self.changed - self.bad.total()


def import_products(path: Path, moment: datetime, progress: Callable[[int], None], on_bad: OnBad) -> ImportReport:
    """Bring the shared products to what the file at ``path`` says, in one transaction; return what became of it.

    ``progress`` is told how many more bytes of the file are done, ``on_bad`` the line and fault of each row that is
    skipped. Products that are not in the file stay. Raises NotAnExport, also where a compressed file ends too early;
    then nothing is imported. Raises ImportUnderWay.
    """
    report = ImportReport()

    def skip(line: int, kind: str, detail: str) -> None:
        report.bad[kind] += 1
        on_bad(line, detail)

    with unit_of_work(), driver_connection() as connection, _opened(path) as (file, position):
        if not queries.lock_import(connection):
            raise ImportUnderWay
        queries.make_staging(connection)
        header = read_header(read_line(file))
        rows = _rows(file, header, report, skip)
        done = 0
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            for line, gtin, first in queries.copy_rows(connection, chunk):
                skip(line, "repeated", f"repeated: {gtin} stands in line {first}")
            added, changed = queries.apply_rows(connection, moment)
            report.added += added
            report.changed += changed
            progress(position() - done)
            done = position()
        if report.added or report.changed:
            forget_products(None)
    return report


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """Open a file, compressed by gzip or not; yield it and the function that says how many of its bytes are read."""
    with path.open("rb") as raw:
        is_compressed = raw.read(2) == _GZIP
        raw.seek(0)
        opened: Any = gzip.GzipFile(fileobj=raw) if is_compressed else raw
        try:
            yield cast(BinaryIO, io.BufferedReader(opened, 1024 * 1024)), raw.tell
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise NotAnExport("The compressed file is damaged or ends too early: nothing was imported.") from error


def _rows(
    file: BinaryIO, header: Header, report: ImportReport, skip: Callable[[int, str, str], None]
) -> Iterator[tuple[Any, ...]]:
    """Yield what staging takes of each good row; skip the bad ones."""
    for number in itertools.count(2):
        line = read_line(file)
        if not line:
            return
        if not line.strip(b"\r\n"):
            continue
        report.rows += 1
        try:
            row = read_row(line, header)
        except BadRow as fault:
            skip(number, fault.kind, str(fault))
        else:
            yield _staged(number, row, report)


def _staged(number: int, row: Row, report: ImportReport) -> tuple[Any, ...]:
    codes = _meant(row.labels, label_meanings(), report.unknown_labels)
    packaging = _meant(row.packaging, packaging_meanings(), report.unknown_packaging)
    report.labels.update(codes)
    return (
        number, new_id(), row.gtin, orjson.dumps(row.names, option=orjson.OPT_SORT_KEYS).decode(), row.category,
        packaging, row.environmental_grade, codes,
    )  # fmt: skip


def _meant(tags: Iterable[str], meanings: Meanings, unknown: Counter[str]) -> list[str]:
    """Return the codes that ``tags`` mean, in their order; count the unknown ones."""
    found = set()
    for tag in tags:
        meaning = meanings.of(tag)
        if meaning is None:
            unknown[tag] += 1
        elif meaning:
            found.add(meaning)
    return sorted(found)
