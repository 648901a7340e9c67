"""Files that people upload: in a folder, or in whatever store the settings name, by fsspec.

A name is made up by us, and nothing serves the store to the public: who reads a file asks a route that knows whose it
is. A file is there whole or not at all: in a folder it is written beside its place, to the disk, and renamed; object
stores do as much by themselves.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from flask import current_app

from app.core.errors import ServiceUnavailable
from config import Settings

FOLDER = "uploads"
log = structlog.get_logger()


class StoreUnavailable(ServiceUnavailable):
    """The store of uploads does not answer."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or "Uploads can't be kept or read at the moment.")


def new_name(suffix: str) -> str:
    """Return a name that nobody can guess, in one of 256 folders so that none gets too large."""
    name = secrets.token_hex(32)
    return f"{name[:2]}/{name}{suffix}"


class Uploads:
    """The store at ``place``: a folder, or a URL that fsspec knows."""

    def __init__(self, place: Path | str) -> None:
        self._place = place

    @cached_property
    def _store(self) -> tuple[Any, str]:
        import fsspec  # slow to import, and most processes keep no upload

        if isinstance(self._place, Path):
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            return fsspec.filesystem("file", auto_mkdir=True), str(self._place)
        filesystem, path = fsspec.core.url_to_fs(self._place)
        return filesystem, path.rstrip("/")

    def put(self, name: str, data: bytes) -> None:
        """Keep ``data`` under ``name``, in the place of what is there. Raises StoreUnavailable."""
        with _told("not kept"):
            filesystem, root = self._store
            if isinstance(self._place, Path):
                _put_whole(filesystem, f"{root}/{name}", data)
            else:
                filesystem.pipe_file(f"{root}/{name}", data)

    def find(self, name: str) -> bytes | None:
        """Return what is kept under ``name``, None where there is nothing. Raises StoreUnavailable."""
        with _told("not read"):
            filesystem, root = self._store
            try:
                found: bytes = filesystem.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None
            return found

    def remove(self, name: str) -> None:
        """Keep nothing under ``name`` any more. Raises StoreUnavailable."""
        with _told("not removed"):
            filesystem, root = self._store
            with contextlib.suppress(FileNotFoundError):
                filesystem.rm_file(f"{root}/{name}")


def _put_whole(filesystem: Any, path: str, data: bytes) -> None:
    """Write a file beside its place, to the disk, and rename it."""
    partial = f"{path}.{secrets.token_hex(4)}"
    try:
        with filesystem.open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Log what goes wrong and raise it as StoreUnavailable; each kind of store has its own ways to fail."""
    try:
        yield
    except Exception as error:
        log.error("uploads_failed", what=what, exc_info=error)
        raise StoreUnavailable from error


def uploads() -> Uploads:
    """Return the store of this application."""
    store: Uploads | None = current_app.extensions.get("uploads")
    if store is None:
        store = current_app.extensions.setdefault("uploads", Uploads(place_of(current_app.config["SETTINGS"])))
    return store


def place_of(settings: Settings) -> Path | str:
    """Return the folder or the URL that ``settings`` name."""
    if not settings.uploads_url:
        return settings.data_dir / FOLDER
    parts = urlsplit(settings.uploads_url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else settings.uploads_url
