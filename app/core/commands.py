"""The commands of the machine room: serve, worker and the database's schema."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.core import embedded, migrate
from config import Settings

_P = ParamSpec("_P")
_R = TypeVar("_R")

database_commands = AppGroup("db", help="The database's schema.")


def with_services(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Hold the embedded services, where none are configured, while the command runs; they may be up already."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        settings: Settings = current_app.config["SETTINGS"]
        try:
            with embedded.configured_services(settings):
                return function(*args, **kwargs)
        except (embedded.EmbeddedError, migrate.MigrationError) as error:
            raise click.ClickException(str(error)) from error

    return wrapper


def upgrade_database(settings: Settings) -> None:
    """Bring the database of ``settings``, which must be running, to the newest schema."""
    services = embedded.services_of(settings)
    login = migrate.login_role(services.database_url, services.database_owner_url)
    migrate.upgrade(services.database_owner_url, login)


@database_commands.command("upgrade")
@with_services
def db_upgrade() -> None:
    """Bring the database to the newest schema and make sure of its roles."""
    upgrade_database(current_app.config["SETTINGS"])
    click.echo(f"schema is at {migrate.head_revision()}")


def register_commands(app: Flask) -> None:
    """Give ``app`` these commands."""
    app.cli.add_command(database_commands)
