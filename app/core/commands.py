"""The commands of the machine room: serve, worker and the database's schema."""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from app.core import embedded, migrate, projector, serving
from config import Settings

_P = ParamSpec("_P")
_R = TypeVar("_R")

database_commands = AppGroup("db", help="The database's schema.")
_host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def with_services(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Hold the embedded services, where none are configured, while the command runs; they may be up already.

    SIGTERM ends the command as Ctrl-C does, so that it leaves nothing behind.
    """

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        try:
            with embedded.configured_services(_settings()):
                return function(*args, **kwargs)
        except (embedded.EmbeddedError, migrate.MigrationError, serving.ServingError) as error:
            raise click.ClickException(str(error)) from error

    return wrapper


def upgrade_database(settings: Settings) -> None:
    """Bring the database of ``settings``, which must be running, to the newest schema."""
    services = embedded.services_of(settings)
    login = migrate.login_role(services.database_url, services.database_owner_url)
    migrate.upgrade(services.database_owner_url, login)


def _on_free_port(function: Callable[..., _R]) -> Callable[..., _R]:
    """Refuse a taken port before anything is started."""

    @functools.wraps(function)
    def wrapper(*, host: str, port: int, **kwargs: Any) -> _R:
        if not serving.port_is_free(host, port):
            raise click.ClickException(f"port {port} of {host} is taken")
        return function(host=host, port=port, **kwargs)

    return wrapper


@database_commands.command("upgrade")
@with_services
def db_upgrade() -> None:
    """Bring the database to the newest schema and make sure of its roles."""
    upgrade_database(_settings())
    click.echo(f"schema is at {migrate.head_revision()}")


@database_commands.command("migration")
@click.argument("message")
@with_services
def db_migration(message: str) -> None:
    """Write a migration from what the models have and the migrated database has not."""
    upgrade_database(_settings())
    migrate.write_migration(embedded.services_of(_settings()).database_owner_url, message)


@click.command("serve")
@_host_option
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@with_appcontext
@_on_free_port
@with_services
def serve(host: str, port: int) -> None:
    """Serve web and worker until SIGTERM or Ctrl-C, with embedded services if none are configured."""
    upgrade_database(_settings())
    serving.Supervisor(_settings(), host, port, announce=lambda url: click.echo(f"serving on {url}")).run()


@click.command("run-demo")
@_host_option
@click.option("--port", type=click.IntRange(1, 65535), help="The first free one from 8000 on, unless given.")
@click.argument("demo_arguments", nargs=-1, type=click.UNPROCESSED)
@with_appcontext
@with_services
def run_demo(host: str, port: int | None, demo_arguments: tuple[str, ...]) -> None:
    """Serve as `serve` does and run the demo against it once; what follows `--` goes to the demo."""
    settings = _settings()
    port = port or serving.first_free_port(host)
    upgrade_database(settings)
    path = settings.data_dir / "server.log"
    with path.open("ab") as output:
        serving.Supervisor(
            settings,
            host,
            port,
            announce=lambda url: click.echo(f"serving on {url}, logs in {path}; Ctrl-C stops it"),
            when_ready=serving.flask_command("demo", "--base-url", serving.base_url(host, port), *demo_arguments),
            output=output,
        ).run()
    click.echo("stopped")


@click.command("web", hidden=True)
@_host_option
@click.option("--port", required=True, type=int)
@with_appcontext
@with_services
def web(host: str, port: int) -> None:
    """Run the web processes of `serve`."""
    serving.stop_when_orphaned(lambda: os.kill(os.getpid(), signal.SIGTERM))
    serving.serve_web(_settings(), host, port)


@click.command("worker")
@click.option("--supervised", is_flag=True, hidden=True)
@with_appcontext
@with_services
def worker(supervised: bool) -> None:
    """Apply what happened to the projections until SIGTERM or Ctrl-C; the transaction under way is finished."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if supervised:
        serving.stop_when_orphaned(stop.set)
    projector.run_forever(stop)


def register_commands(app: Flask) -> None:
    """Give ``app`` these commands."""
    for command in (database_commands, serve, run_demo, web, worker):
        app.cli.add_command(command)
