"""Run the demo from set-up to summary."""

import http.client
import time
from urllib.parse import urlsplit

from rich.console import Console

from app.core.cache import CHECK_SECONDS
from app.core.clock import now
from app.core.progress import shown_progress
from app.demo.baskets import YEAR_DAYS, Tally, households, read_baskets, window_bounds
from app.demo.credentials import load_secrets
from app.demo.errors import NoServer, NotPrepared
from app.demo.importing import import_baskets
from app.demo.outcomes import Outcomes
from app.demo.pointers import find_pointers, print_pointers
from app.demo.prepare import Prepared, find_demo_member, prepare
from app.demo.replay import replay
from app.demo.summary import Run, print_summary
from app.demo.team import token_of
from app.demo.windows import mover_for
from app.ledger import service as ledger
from app.ledger.service import inspection
from app.members import service as members
from app.merchants import service as merchants
from config import Settings

DEFAULT_BASE_URL = "http://127.0.0.1:8000"
_PATIENCE_SECONDS = 10


def check_server(base_url: str) -> None:
    """Raise NoServer unless a Greenpoints server answers at ``base_url``."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NoServer(f"{base_url!r} is no http or https address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NoServer(f"no server answers at {base_url} ({error}); start one with `make run`") from error
    finally:
        connection.close()
    if status != 200:
        raise NoServer(f"{base_url}/livez answers {status}; is that a Greenpoints server?")


def _send(console: Console, prepared: Prepared, days: int | None, tally: Tally) -> Outcomes:
    """Replay the first ``days`` days over HTTP, or import the year (None)."""
    days_read = YEAR_DAYS if days is None else days
    total = window_bounds(days_read)[2]
    baskets = read_baskets(mover_for(days_read, now()), tally, days_read)
    key = prepared.secrets.merchant_key
    with shown_progress(console, "importing baskets" if days is None else "replaying baskets", total) as advance:
        if days is None:
            return import_baskets(baskets, merchants.authenticate(key), advance)
        return replay(baskets, prepared.secrets.base_url, key, advance)


def run_demo(settings: Settings, days: int | None, base_url: str) -> bool:
    """Set the demo up, send ``days`` days of baskets (None: import the year) and print what became of them.

    ``base_url`` empty means where the demo ran last. Returns whether the ledger's verification was clean. Raises
    NoServer and ReplayFailed.
    """
    console = Console()
    known = load_secrets(settings.data_dir).base_url
    base_url = (base_url or settings.public_url or known or DEFAULT_BASE_URL).rstrip("/")
    if days:
        check_server(base_url)
    with console.status("setting the programme up"):
        shoppers = [] if days == 0 else households(days)
        prepared = prepare(settings.data_dir, base_url, shoppers)
        time.sleep(CHECK_SECONDS)  # by then every process of the server has seen the key, the campaigns and the rest
    tally, outcomes, started = Tally(), Outcomes(), time.monotonic()
    if days != 0:
        outcomes = _send(console, prepared, days, tally)
    seconds = time.monotonic() - started
    differences = tuple(str(difference) for difference in inspection.verify_and_keep(ledger.Verification()))
    print_summary(console, Run(tally, outcomes, len(shoppers), seconds, differences))
    pointers, token_minutes = find_pointers(prepared, outcomes.sample)
    print_pointers(console, prepared.secrets.base_url, pointers, token_minutes)
    return not differences


def read_credentials(settings: Settings) -> dict[str, object]:
    """Return the demo's keys and new tokens for its people; raise NotPrepared where it was never set up here."""
    secrets = load_secrets(settings.data_dir)
    member_id = find_demo_member()
    if member_id is None or not secrets.staff:
        raise NotPrepared("there is no demo here yet; `flask --app wsgi demo --days 0` sets it up")
    admin = secrets.staff["admin"]
    return {
        "base_url": secrets.base_url,
        "merchant_key": secrets.merchant_key,
        "merchant_test_key": secrets.merchant_test_key,
        "staff": {"email": admin.email, "password": admin.password, "totp_secret": admin.totp_secret},
        **{f"{name}_token": token_of(secret) for name, secret in secrets.staff.items()},
        "member_token": members.start_session(member_id, now()).access_token,
        "member_id": str(member_id),
        "member_code": members.get_member(member_id).code,
    }
