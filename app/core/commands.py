"""The commands of the machine room: serve, worker and the database's schema."""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from app.core import embedded, jobs, migrate, projector, serving
from config import Settings

DEMO_PORTS = range(8000, 9000)
_P = ParamSpec("_P")
_R = TypeVar("_R")

database_commands = AppGroup("db", help="The database's schema.")
_host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


@contextmanager
def _reserved_port(host: str, ports: Iterable[int]) -> Iterator[int]:
    try:
        with serving.reserved_port(host, ports) as port:
            yield port
    except serving.ServingError as error:
        raise click.ClickException(str(error)) from error


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
    """Bring the database of ``settings``, which must be running, to the newest schema and reference data."""
    services = embedded.services_of(settings)
    login = migrate.login_role(services.database_url, services.database_owner_url)
    migrate.upgrade(services.database_owner_url, login)
    for load in current_app.extensions.get("reference_loaders", ()):
        load()


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


def _upgrade_and_supervise(host: str, port: int, **options: Any) -> None:
    @with_services
    def run() -> None:
        upgrade_database(_settings())
        serving.Supervisor(_settings(), host, port, **options).run()

    run()


@click.command("serve")
@_host_option
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@with_appcontext
def serve(host: str, port: int) -> None:
    """Serve web and worker until SIGTERM or Ctrl-C, with embedded services if none are configured."""
    with _reserved_port(host, [port]):
        _upgrade_and_supervise(host, port, announce=lambda url: click.echo(f"serving on {url}"))


@click.command("run-demo")
@_host_option
@click.option("--port", type=click.IntRange(1, 65535), help="The first free one from 8000 on, unless given.")
@click.argument("demo_arguments", nargs=-1, type=click.UNPROCESSED)
@with_appcontext
def run_demo(host: str, port: int | None, demo_arguments: tuple[str, ...]) -> None:
    """Serve as `serve` does and run the demo against it once; what follows `--` goes to the demo."""
    path = _settings().data_dir / "server.log"
    with _reserved_port(host, [port] if port else DEMO_PORTS) as found, path.open("ab") as output:
        _upgrade_and_supervise(
            host,
            found,
            announce=lambda url: click.echo(f"serving on {url}, logs in {path}; Ctrl-C stops it"),
            when_ready=serving.flask_command("demo", "--base-url", serving.base_url(host, found), *demo_arguments),
            output=output,
        )
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
    """Apply what happened to the projections, and run jobs when they are due, until SIGTERM or Ctrl-C.

    The transactions under way are finished.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if supervised:
        serving.stop_when_orphaned(stop.set)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    scheduled = threading.Thread(target=jobs.work_forever, args=(app, stop), name="jobs")
    scheduled.start()
    projector.run_forever(stop)
    scheduled.join()


@click.command("job")
@click.argument("name")
@with_appcontext
@with_services
def job(name: str) -> None:
    """Run a job now, as the worker does when it is due."""
    known = jobs.jobs()
    if name not in known:
        raise click.ClickException(f"no such job; there are: {', '.join(sorted(known))}")
    click.echo(f"{name}: {jobs.run_job(known[name], threading.Event())}")


def register_reference(app: Flask, load: Callable[[], object]) -> None:
    """Let ``load`` bring its reference tables up to date whenever the schema was."""
    app.extensions.setdefault("reference_loaders", []).append(load)


def register_commands(app: Flask) -> None:
    """Give ``app`` these commands."""
    for command in (database_commands, serve, run_demo, web, worker, job):
        app.cli.add_command(command)
