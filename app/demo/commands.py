"""The demo's commands."""

import http.client
import time
from datetime import timedelta
from urllib.parse import urlsplit

import click
import orjson
from flask import current_app
from flask.cli import with_appcontext
from rich.console import Console

from app.core.clock import now
from app.core.commands import with_services
from app.demo.baskets import DAYS_HTTP_MAX, YEAR_DAYS, Tally, households, read_baskets, window_bounds
from app.demo.credentials import load_secrets
from app.demo.errors import ReplayFailed
from app.demo.importing import import_baskets
from app.demo.outcomes import Outcomes
from app.demo.prepare import Prepared, find_demo_member, prepare
from app.demo.progress import shown_progress
from app.demo.replay import replay
from app.demo.summary import Pointers, Run, print_pointers, print_summary
from app.demo.team import token_of
from app.demo.windows import mover_for
from app.ledger import service as ledger
from app.members import service as members
from app.merchants import service as merchants
from config import Settings

DEFAULT_BASE_URL = "http://127.0.0.1:8000"
SAMPLE_ACTIVITY = "basket-31198570044"  # the data's very first basket
_PATIENCE_SECONDS = 10


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    if settings.is_production:
        raise click.ClickException("the demo keeps its secrets in plain text; it is not for production")
    return settings


def _check_server(base_url: str) -> None:
    """Raise ClickException unless a Greenpoints server answers at ``base_url``."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.ClickException(f"{base_url!r} is no http or https address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"no server answers at {base_url} ({error}); start one with `make run`") from error
    finally:
        connection.close()
    if status != 200:
        raise click.ClickException(f"{base_url}/livez answers {status}; is that a Greenpoints server?")


def _send(console: Console, prepared: Prepared, days: int, is_import: bool, tally: Tally) -> Outcomes:
    """Replay or import the first ``days`` days."""
    _, _, total = window_bounds(days)
    baskets = read_baskets(mover_for(days, now()), tally, days)
    key = prepared.secrets.merchant_key
    with shown_progress(console, "importing baskets" if is_import else "replaying baskets", total) as advance:
        if is_import:
            return import_baskets(baskets, merchants.authenticate(key), advance)
        return replay(baskets, prepared.secrets.base_url, key, advance)


def _pointers(prepared: Prepared) -> Pointers:
    secrets = prepared.secrets
    pair = members.start_session(prepared.member_id, now())
    return Pointers(
        base_url=secrets.base_url,
        member_token=pair.access_token,
        merchant_key=secrets.merchant_key,
        admin_token=token_of(secrets.staff["admin"]),
        sample_activity=SAMPLE_ACTIVITY,
        token_minutes=round(timedelta(seconds=pair.expires_in) / timedelta(minutes=1)),
    )


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
    help="Import the whole year instead, by service, because HTTP takes no activity older than 30 days.",
)
@click.option(
    "--base-url", help=f"The server to replay against; by default where the demo last ran, or {DEFAULT_BASE_URL}."
)
@with_appcontext
@with_services
def demo(days: int, is_import: bool, base_url: str | None) -> None:
    """Set the demo's programme up, replay real baskets and say what they earned; again, it pays nothing twice."""
    settings = _settings()
    console = Console()
    base_url = (base_url or settings.public_url or load_secrets(settings.data_dir).base_url or DEFAULT_BASE_URL).rstrip(
        "/"
    )
    days = YEAR_DAYS if is_import else days
    if days and not is_import:
        _check_server(base_url)
    shoppers = households(days) if days else []
    prepared = prepare(settings.data_dir, base_url, shoppers)
    tally, started = Tally(), time.monotonic()
    try:
        outcomes = _send(console, prepared, days, is_import, tally) if days else Outcomes()
    except ReplayFailed as error:
        raise click.ClickException(str(error)) from error
    seconds = time.monotonic() - started
    differences = tuple(str(difference) for difference in ledger.verify(ledger.Verification()))
    print_summary(console, Run(tally, outcomes, len(shoppers), seconds, differences))
    print_pointers(console, _pointers(prepared))
    if differences:
        raise click.exceptions.Exit(1)


@click.command("demo-credentials")
@with_appcontext
@with_services
def demo_credentials() -> None:
    """Write the demo's keys, and new tokens for its people, as JSON."""
    secrets = load_secrets(_settings().data_dir)
    member_id = find_demo_member()
    if member_id is None or not secrets.staff:
        raise click.ClickException("there is no demo here yet; `flask --app wsgi demo --days 0` sets it up")
    admin = secrets.staff["admin"]
    found = {
        "base_url": secrets.base_url,
        "merchant_key": secrets.merchant_key,
        "staff": {"email": admin.email, "password": admin.password, "totp_secret": admin.totp_secret},
        **{f"{name}_token": token_of(secret) for name, secret in secrets.staff.items()},
        "member_token": members.start_session(member_id, now()).access_token,
        "member_id": str(member_id),
        "member_code": members.get_member(member_id).code,
    }
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


demo_commands = (demo, demo_credentials)
