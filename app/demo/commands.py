"""The demo's commands.

What they run loads DuckDB and rich, so it is imported when they run: every web process imports this module.
"""

import click
import orjson
from flask import current_app
from flask.cli import with_appcontext

from app.core.commands import with_services
from app.demo.errors import DemoError
from config import Settings

DAYS_HTTP_MAX = 30


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    if settings.is_production:
        raise click.ClickException("the demo keeps its secrets in plain text; it is not for production")
    return settings


@click.command("demo")
@click.option(
    "--days",
    type=click.IntRange(0, DAYS_HTTP_MAX),
    default=DAYS_HTTP_MAX,
    show_default=True,
    help="How many days of real baskets to replay over HTTP; 0 sets up the programme alone.",
)
@click.option(
    "--all",
    "is_import",
    is_flag=True,
    help="Import the whole year instead, by service, because HTTP takes nothing older than 30 days.",
)
@click.option("--base-url", default="", help="The server; by default where the demo ran last, or port 8000 here.")
@with_appcontext
@with_services
def demo(days: int, is_import: bool, base_url: str) -> None:
    """Set the demo's programme up, replay real baskets and say what they earned; again, it pays nothing twice."""
    from app.demo import run

    try:
        is_clean = run.run_demo(_settings(), None if is_import else days, base_url)
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    if not is_clean:
        raise click.exceptions.Exit(1)


@click.command("demo-credentials")
@with_appcontext
@with_services
def demo_credentials() -> None:
    """Write the demo's keys, and new tokens for its people, as JSON."""
    from app.demo import run

    try:
        found = run.read_credentials(_settings())
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


demo_commands = (demo, demo_credentials)
