"""The demo's own secrets, in a file of mode 0600 in the data folder: made for one machine, worth nothing elsewhere."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

_FILE = "demo.json"


@dataclass(slots=True)
class StaffSecret:
    """What one demo account signs in with."""

    staff_id: str
    email: str
    password: str
    totp_secret: str


@dataclass(slots=True)
class DemoSecrets:
    """What the demo must remember in plain text; empty until it is made. ``base_url`` is where it last ran."""

    base_url: str = ""
    merchant_key: str = ""
    merchant_test_key: str = ""
    staff: dict[str, StaffSecret] = field(default_factory=dict)


def load_secrets(data_dir: Path) -> DemoSecrets:
    """Return what the data folder remembers; empty secrets where it remembers nothing."""
    try:
        read = orjson.loads((data_dir / _FILE).read_bytes())
    except FileNotFoundError:
        return DemoSecrets()
    staff = {role: StaffSecret(**secret) for role, secret in read.pop("staff").items()}
    return DemoSecrets(**read, staff=staff)


def save_secrets(data_dir: Path, secrets: DemoSecrets) -> None:
    """Remember ``secrets``; a reader sees the file before or after, never half of it, and nobody else may read it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    temporary = data_dir / f".{_FILE}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(asdict(secrets), option=orjson.OPT_INDENT_2))
    temporary.replace(data_dir / _FILE)
