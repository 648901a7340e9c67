"""Commands of the projector: rebuild a projection, list and retry what is parked."""

import click
from flask.cli import AppGroup

from app.core import projector
from app.core.commands import with_services

projection_commands = AppGroup("projections", help="What is kept up to date from the facts.")


def _known(name: str) -> str:
    known = projector.projections()
    if name not in known:
        raise click.BadParameter(f"there is no {name!r}; there are {', '.join(sorted(known))}")
    return name


@projection_commands.command("rebuild")
@click.argument("name")
@with_services
def rebuild(name: str) -> None:
    """Empty the projection NAME and fold every fact into it again."""
    click.echo(f"{projector.rebuild(_known(name))} facts applied")


@projection_commands.command("parked")
@with_services
def parked() -> None:
    """List the facts that a projection could not apply, a line each."""
    for fact in projector.list_parked():
        click.echo(f"{fact.projection} {fact.member_id} {fact.version} after {fact.attempts} attempts: {fact.error}")


@projection_commands.command("retry")
@click.argument("name")
@with_services
def retry(name: str) -> None:
    """Apply the parked facts of the projection NAME again."""
    click.echo(f"{projector.retry_parked(_known(name))} applied")
