"""Commands about staff."""

import click
import pyotp
from flask.cli import AppGroup

from app.core.clock import now
from app.core.commands import with_services
from app.core.errors import ProblemError
from app.staff import service

staff_commands = AppGroup("staff", help="Staff accounts.")


@staff_commands.command("create")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", "roles", required=True, multiple=True, type=click.Choice(service.ROLES))
@click.password_option(help="asked for where it is not given")
@with_services
def create(email: str, name: str, roles: tuple[str, ...], password: str) -> None:
    """Open an account and show, this once, the secret for its owner's TOTP app."""
    try:
        _, secret = service.create_staff(email=email, name=name, password=password, roles=roles, moment=now())
    except (ValueError, ProblemError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"secret  {secret}")
    click.echo(f"link    {pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name='Greenpoints')}")


@staff_commands.command("disable")
@click.option("--email", required=True)
@with_services
def disable(email: str) -> None:
    """Close an account: its tokens stop at once."""
    if not service.disable_staff(email):
        raise click.ClickException("There is no such account.")
