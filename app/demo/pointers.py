"""Where to look next: a ``curl`` line for each thing that a person would try, which works when it is pasted."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console

from app.activities import service as activities
from app.core.clock import format_time, now
from app.core.errors import ProblemError
from app.demo.prepare import DEMO_HOUSEHOLD, Prepared, ref_of
from app.demo.team import token_of
from app.members import service as members
from app.merchants import service as merchants


@dataclass(frozen=True, slots=True)
class Pointer:
    """One request and what it shows; a ``body`` is sent with POST."""

    title: str
    path: str
    token: str
    body: Mapping[str, Any] | None = None

    def command(self, base_url: str) -> str:
        """Return the ``curl`` line that sends it."""
        words = f"curl -s -H 'Authorization: Bearer {self.token}'"
        if self.body is not None:
            words += f" -H 'Content-Type: application/json' -d {shlex.quote(orjson.dumps(self.body).decode())}"
        return f"{words} {base_url}{self.path}"


def _cart() -> dict[str, Any]:
    """Return a cart of the demo's member that could be packed in a better way."""
    line = {"id": "1", "category": "carrots", "quantity": 2, "unit_price": 599, "packaging": ["UNPACKED"]}
    return {"kind": "purchase", "member": {"ref": ref_of(DEMO_HOUSEHOLD)}, "currency": "USD", "lines": [line]}


def _receipt(moment: datetime) -> dict[str, Any]:
    """Return an order of nobody, as a till reports one whose shopper it does not know; another at each moment."""
    line = {"id": "1", "category": "apples", "quantity": 2, "total": 599, "packaging": ["UNPACKED"]}
    return {
        "id": f"till-{moment:%Y%m%d-%H%M%S-%f}", "kind": "purchase", "occurred_at": format_time(moment),
        "currency": "USD", "completed": True, "packaging": ["NO_BAG"], "lines": [line],
    }  # fmt: skip


def _claim(prepared: Prepared, moment: datetime) -> dict[str, str]:
    """Report a receipt of nobody and return how the shopper claims it."""
    origin = activities.Source(merchants.authenticate(prepared.secrets.merchant_key))
    reported = activities.report_one(origin, _receipt(moment))
    if isinstance(reported, ProblemError):
        raise reported
    assert reported.claim_code is not None
    return {"code": reported.claim_code}


def find_pointers(prepared: Prepared, sample: str) -> tuple[list[Pointer], int]:
    """Return what to try next, and the minutes that its tokens live; ``sample`` is an awarded order, if any is."""
    secrets = prepared.secrets
    moment = now()
    pair = members.start_session(prepared.member_id, moment)
    order = f"/v1/activities/{sample}" if sample else f"/v1/customers/{ref_of(DEMO_HOUSEHOLD)}"
    pointers = [
        Pointer("A shopper's wallet", "/v1/me/wallet", pair.access_token),
        Pointer("A merchant's order" if sample else "A merchant's customer", order, secrets.merchant_key),
        Pointer("What a cart would earn, and what would earn more", "/v1/previews", secrets.merchant_key, _cart()),
        Pointer("A receipt of nobody, which the shopper claims", "/v1/me/claims", pair.access_token,
                _claim(prepared, moment)),
        Pointer("What points can be turned into", "/v1/rewards", pair.access_token),
        Pointer("The programme's settings, for staff", "/v1/admin/programme", token_of(secrets.staff["admin"])),
    ]  # fmt: skip
    if sample:
        # by an id of its own, so that it is taken back once, however often it is sent
        body = {"id": f"return-of-{sample}", "activity": sample}
        pointers.insert(3, Pointer("That order comes back", "/v1/returns", secrets.merchant_key, body))
    return pointers, pair.expires_in // 60


def print_pointers(console: Console, base_url: str, pointers: list[Pointer], token_minutes: int) -> None:
    """Print where the documentation is, and each of ``pointers`` as a line of its own."""
    console.print(f"\nDocumentation: {base_url}/docs", highlight=False)
    for pointer in pointers:
        console.print(f"\n{pointer.title}:", highlight=False)
        console.print(pointer.command(base_url), markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"\nThe tokens live for {token_minutes} minutes; `flask --app wsgi demo-credentials` gives new ones.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
