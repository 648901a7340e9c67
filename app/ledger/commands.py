"""Commands of the ledger."""

from typing import TextIO

import click
from flask.cli import AppGroup

from app.core.commands import with_services
from app.ledger.export import FORMATS, export_ledger
from app.ledger.service.inspection import verify_and_keep
from app.ledger.verification import Verification

ledger_commands = AppGroup("ledger", help="Prove the ledger, and write it out.")


@ledger_commands.command("verify")
@with_services
def verify_ledger() -> None:
    """Recompute every account from entries and lots: a line a difference, and exit 1 where there is one.

    The result is kept for `/v1/admin/ledger/verification`.
    """
    found = Verification()
    for difference in verify_and_keep(found):
        click.echo(str(difference))
    click.echo(
        f"{found.members} accounts, {found.entries} entries, {found.lots} lots, {found.points_issued} points issued:"
        f" {found.differences or 'no'} differences"
    )
    if found.differences:
        raise click.exceptions.Exit(1)


@ledger_commands.command("export")
@click.option("--format", "file_format", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@click.option(
    "--output", type=click.File("w", encoding="utf-8", atomic=True), default="-", help="A file; else standard output."
)
@with_services
def export_to_file(file_format: str, output: TextIO) -> None:
    """Write every posting out: a journal that `bean-check` accepts, with the accounts as assertions, or CSV."""
    for line in export_ledger(file_format):
        output.write(line)
