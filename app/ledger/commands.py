"""Commands of the ledger."""

import click
from flask.cli import AppGroup

from app.core.commands import with_services
from app.ledger.service.inspection import verify_and_keep
from app.ledger.verification import Verification

ledger_commands = AppGroup("ledger", help="Prove the ledger.")


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
