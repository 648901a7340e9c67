"""Secrets that a development machine makes for itself, once, in its data folder; and keys drawn from the secret."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path


def write_private(path: Path, content: bytes) -> bytes:
    """Write ``content`` to a new file that only its owner can read, and return what stands there afterwards.

    The first of several processes wins; the others get its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        try:
            os.link(staged, path)
        except FileExistsError:
            return path.read_bytes()
        return content
    finally:
        staged.unlink()


def development_secret(data_dir: Path) -> str:
    """Return the secret of this data folder, made at the first call; production never gets here."""
    path = data_dir / "secret_key"
    if path.exists():
        return path.read_text()
    return write_private(path, secrets.token_urlsafe(48).encode()).decode()


def derived_key(secret: str, purpose: str) -> bytes:
    """Return the 32-byte key of ``purpose``, drawn from ``secret``: no two purposes share one."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
