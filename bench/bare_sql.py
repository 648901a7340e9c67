"""P1: the bare SQL of one award, by pgbench with 8 clients.

The two statements are the application's own texts, the read and the guarded write of one award. pgbench fills their
parameters: a random customer, what the read returned, new ids; the long texts are constants given on its command line.
"""

import re
import subprocess
from pathlib import Path

from app.activities.evaluating import ACTIVITY, REGISTRY
from app.activities.queries import read_text
from app.core.guarded_write import GuardedWrite
from app.ledger.awarding import ENTRY, LOT, MEMBERS, OUTBOX, POSTING, guard_text

CLIENTS = 8
BODY = (
    '{"id": "x", "kind": "purchase", "occurred_at": "2026-11-23T09:12:00Z", "member": {"ref": "c1"},'
    ' "currency": "EUR", "channel": "web", "completed": true, "lines": [{"id": "1", "sku": "A-1", "name": "Product 1",'
    ' "category": "produce", "quantity": 2, "total": 550}]}'
)
OUTCOME = (
    '{"points": {"awarded": 5, "available": 0, "pending": 5, "paid_debt": 0}, "awards": [{"campaign": "bench",'
    ' "rule": "spend", "version": 1, "version_id": "01a209e4-a4dd-7717-a392-25226e07ff7a", "line": null, "points": 5,'
    ' "desired_points": 5, "certificate": null, "available_at": "2026-12-07T09:12:00Z",'
    ' "expires_at": "2027-11-30T23:59:59Z", "code": "matched"}], "missed": [], "impact": []}'
)
PAYLOAD = '{"kind": "purchase", "occurred_at": "2026-11-23T09:12:00Z", "points": 5, "impact": {}}'
_SHAPES = (POSTING, ENTRY, LOT, OUTBOX, REGISTRY, ACTIVITY)
_SEQ, _AFTER = ":last_seq::bigint + 1", ":pending::bigint + 5"
_NOW = "now()"
_VALUES: dict[str, dict[str, str]] = {
    "m": {
        "member_id": ":member_id", "seen": ":version", "points": "5", "pending": "5", "available": "0", "facts": "1",
        "entries": "1", "due_at": "now() + interval '14 days'", "extended_until": "NULL",
    },
    "posting": {
        "member_id": ":member_id", "idempotency_key": "'activity-' || :act::text", "kind": "'award'",
        "fingerprint": "decode(md5(:act::text), 'hex')", "first_seq": _SEQ, "entry_count": "1", "recorded_at": _NOW,
        "activity_id": ":act", "actor": "'merchant-bench'",
    },
    "entry": {
        "member_id": ":member_id", "seq": _SEQ, "amount": "5", "pending": _AFTER, "available": "0", "held": "0",
        "debt": "0", "effective_at": _NOW, "recorded_at": _NOW, "source": "'issued'", "target": "'pending'",
        "posting_key": "'activity-' || :act::text",
    },
    "lot": {
        "member_id": ":member_id", "lot_id": _SEQ, "amount": "5", "remaining": "5",
        "available_at": "now() + interval '14 days'", "expires_at": "now() + interval '365 days'", "void_at": "NULL",
        "funder": "NULL", "campaign_version_id": ":act", "is_matured": "false", "is_open": "true", "rule": "'spend'",
    },
    "outbox": {
        "member_id": ":member_id", "version": ":version::bigint + 1", "partition": ":i::integer % 64",
        "kind": "'activity'", "payload": ":payload", "recorded_at": _NOW,
    },
    "activity_registry": {
        "member_id": ":member_id", "merchant_id": ":merchant", "live": "true", "external_id": ":act::text",
        "activity_id": ":act", "revision": "1", "digest": "decode(md5(:act::text) || md5(:act::text), 'hex')",
    },
    "activity": {
        "member_id": ":member_id", "activity_id": ":act", "revision": "1", "merchant_id": ":merchant",
        "occurred_at": _NOW, "recorded_at": _NOW, "body": ":body", "outcome": ":outcome",
    },
}  # fmt: skip


def _filled(statement: str, values: list[str]) -> str:
    """Return ``statement`` with each ``$n`` replaced by the n-th of ``values``."""
    return re.sub(r"\$(\d+)", lambda found: f"({values[int(found.group(1)) - 1]})", statement)


def script() -> str:
    """Return pgbench's script."""
    read = _filled(
        read_text(1).decode(), [":merchant", "true", "0", "gen_random_uuid()::text", "NULL", "NULL", "'c' || :i::text"]
    )
    values = ["now()", *(_VALUES["m"][name] for name, _ in MEMBERS)]
    write = GuardedWrite(guard_text(1), values)
    for shape in _SHAPES:
        write.add(shape, [tuple(_VALUES[shape.table][name] for name, _ in shape.columns)])
    statement, parameters = write.statement()
    return "\n".join(
        [
            "\\set i random(0, :members - 1)",
            _flat(f"SELECT found.*, gen_random_uuid() AS act FROM ({read}) AS found") + " \\gset",
            _flat(_filled(statement.decode(), parameters)) + ";",
            "",
        ]
    )


def _flat(text: str) -> str:
    return " ".join(text.split())


def awards_per_second(pgbench: str, owner_url: str, file: Path, merchant: str, members: int, seconds: int) -> float:
    """Run pgbench for ``seconds`` and return its transactions per second; raise where one failed."""
    variables = {"merchant": merchant, "members": members, "body": BODY, "outcome": OUTCOME, "payload": PAYLOAD}
    command = [pgbench, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", str(file)]
    for name, value in variables.items():
        command += ["-D", f"{name}={value}"]
    done = subprocess.run([*command, owner_url], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or found is None or "ERROR" in done.stderr:
        raise RuntimeError(done.stderr[-2000:])
    return float(found.group(1))
