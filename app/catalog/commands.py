"""Commands of the catalogue.

What they show loads rich, so it is imported when they run: every web process imports this module.
"""

import contextlib
import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from app.catalog.errors import ImportUnderWay
from app.catalog.service.importing import ImportReport, NotAnExport, import_products
from app.core.clock import now
from app.core.commands import with_services

catalog_commands = AppGroup("catalog", help="Products that all merchants share.")
BAD_SHOWN_MAX = 20


@catalog_commands.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--rejects", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file for every row that is skipped."
)
@click.option("--top", default=20, show_default=True, type=click.IntRange(0), help="How many unknown tags to list.")
@with_services
def import_file(file: Path, rejects: Path | None, top: int) -> None:
    """Read the CSV export of Open Food Facts, gzipped or not, into the products that all merchants share.

    Again, it changes nothing. A label that is read so has no certificate number: by itself it earns nothing.
    """
    from rich.console import Console

    from app.core.progress import shown_progress

    first_bad: list[str] = []
    with contextlib.ExitStack() as stack:
        on_bad = stack.enter_context(_told(rejects, first_bad))
        progress = stack.enter_context(
            shown_progress(Console(stderr=True), "Importing", file.stat().st_size, in_bytes=True)
        )
        try:
            report = import_products(file, now(), progress, on_bad)
        except (NotAnExport, ImportUnderWay) as error:
            raise click.ClickException(str(error)) from error
    for line in first_bad:
        click.echo(line, err=True)
    _summarise(report, rejects, top)
    if report.rows and report.bad.total() == report.rows:
        raise click.ClickException("No row could be imported.")


@contextlib.contextmanager
def _told(rejects: Path | None, first_bad: list[str]) -> Iterator[Callable[[int, str], None]]:
    """Yield what is to be told of each row that is skipped: the first go to ``first_bad``, all to the file."""
    with contextlib.ExitStack() as stack:
        writer: Any = None
        if rejects is not None:
            writer = csv.writer(stack.enter_context(rejects.open("w", encoding="utf-8", newline="")))
            writer.writerow(["line", "fault"])

        def tell(line: int, fault: str) -> None:
            if writer is not None:
                writer.writerow([line, fault])
            if len(first_bad) < BAD_SHOWN_MAX:
                first_bad.append(f"line {line} skipped: {_plain(fault)}")

        yield tell


def _plain(text: str) -> str:
    """Return text of the file as a terminal can show it: nothing in it moves the cursor."""
    return text if text.isprintable() else ascii(text)


def _summarise(report: ImportReport, rejects: Path | None, top: int) -> None:
    click.echo(
        f"{report.rows:,} rows: {report.added:,} products added, {report.changed:,} changed,"
        f" {report.unchanged:,} as they were, {report.bad.total():,} skipped"
    )
    for fault, count in report.bad.most_common():
        click.echo(f"  skipped, {fault}: {count:,}")
    if report.bad.total() > BAD_SHOWN_MAX and rejects is None:
        click.echo("  (--rejects FILE writes all of them down)")
    if report.labels:
        found = ", ".join(f"{code} {count:,}" for code, count in report.labels.most_common())
        click.echo(f"labels that stand for a certification: {found}")
    _list_unknown("labels", report.unknown_labels, top)
    _list_unknown("packaging tags", report.unknown_packaging, top)
    click.echo("Data: Open Food Facts contributors, Open Database License 1.0.")


def _list_unknown(what: str, unknown: Counter[str], top: int) -> None:
    if unknown:
        click.echo(f"unknown {what}: {len(unknown):,}, on {unknown.total():,} places; the most frequent:")
        for tag, count in unknown.most_common(top):
            click.echo(f"  {_plain(tag)}: {count:,}")
