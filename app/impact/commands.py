"""Commands of impact."""

from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup

from app.core.commands import with_services
from app.core.errors import ValidationProblem
from app.impact import service

impact_commands = AppGroup("impact", help="The impact ledger.")


@impact_commands.command("restate")
@click.option("--factor", help="The id of a version, for all of that factor, or the code of a subject such as PET.")
@click.option("--all", "every", is_flag=True, help="Whatever is booked by a version that is claimed no more.")
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="Leave out what occurred before that day.")
@click.option("--reason", default="by command", show_default=True, help="Why, for the audit log.")
@with_services
def restate(factor: str | None, every: bool, start: datetime | None, reason: str) -> None:
    """Book what past activities differ by, now that a factor has a new version.

    It can be run again harmlessly: what is booked already stays.
    """
    if (factor is None) is not every:
        raise click.UsageError("Give either --factor or --all.")
    asked = {"factor": factor or "all", "from": start and start.date(), "reason": reason}
    try:
        with click.progressbar(length=1, label="restating") as bar:
            done = service.restate_now(asked, lambda read, total: _show(bar, read, total))
    except ValidationProblem as problem:
        raise click.ClickException(problem.detail) from problem
    if done["state"] != "done":
        raise click.ClickException(done["error"] or "another worker has taken it up")
    result = done["result"]
    click.echo(f"{result['activities_changed']} activities restated by {result['entries_booked']} entries")
    for band in result["differences"]:
        click.echo(f"{band['metric']}: {band['value']:+} ({band['low']:+} to {band['high']:+})")


def _show(bar: Any, read: int, total: int) -> None:
    bar.length = max(total, 1)
    bar.update(read - bar.pos)


@impact_commands.command("verify")
@with_services
def verify() -> None:
    """Prove that what stands of every activity is what its factors give: a line a difference, and exit 1."""
    found = service.Proof()
    for difference in service.verify(found):
        click.echo(str(difference))
    click.echo(f"{found.activities} activities, {found.claims} claims: {found.differences or 'no'} differences")
    if found.differences:
        raise click.exceptions.Exit(1)
