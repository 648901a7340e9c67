"""In-process snapshots of configuration that every process drops soon after a change.

A snapshot belongs to a name in ``config_version``. A change bumps the name in its own transaction; the process that
made it drops the snapshot as it commits, every other one within ``CHECK_SECONDS``.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from flask import current_app
from sqlalchemy import BigInteger, String, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import AUTOCOMMIT, db
from app.core.unit_of_work import after_commit, unit_of_work

CHECK_SECONDS = 0.5
_T = TypeVar("_T")


class ConfigVersion(db.Model):  # type: ignore[name-defined,misc]
    """How often the configuration of that name has changed."""

    __tablename__ = "config_version"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)


class _State:
    """What one application knows of the versions, and when it last asked.

    Asking and loading have locks of their own: who loads may wait for a connection, and whoever needs only what is
    known must not wait for that; it could be the one who holds all others up.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asking = threading.Lock()
        self.versions: dict[str, int] = {}
        self.checked_at = 0.0
        self.values: dict[str, tuple[int, Any]] = {}


def _state() -> _State:
    extensions = current_app.extensions
    state: _State | None = extensions.get("config_cache")
    return state if state is not None else extensions.setdefault("config_cache", _State())


def _current_versions(state: _State) -> dict[str, int]:
    if time.monotonic() - state.checked_at < CHECK_SECONDS:
        return state.versions
    with state.asking:
        if time.monotonic() - state.checked_at >= CHECK_SECONDS:
            asked_at = time.monotonic()
            with db.engines[AUTOCOMMIT].connect() as connection:
                rows = connection.execute(select(ConfigVersion.name, ConfigVersion.version))
                state.versions = {row.name: row.version for row in rows}
            state.checked_at = asked_at
    return state.versions


class Snapshot(Generic[_T]):
    """A value computed from the database by ``load`` and kept until ``name`` is bumped."""

    def __init__(self, name: str, load: Callable[[], _T]) -> None:
        self.name = name
        self._load = load

    def get(self) -> _T:
        """Return the value, at most ``CHECK_SECONDS`` behind other processes and never behind this one."""
        state = _state()
        version = _current_versions(state).get(self.name, 0)
        kept = state.values.get(self.name)
        if kept is not None and kept[0] == version:
            value: _T = kept[1]
            return value
        with state.lock:
            kept = state.values.get(self.name)
            if kept is not None and kept[0] == version:
                return kept[1]  # type: ignore[no-any-return]
            # in a context of its own it reads what is committed, not what an open unit of work may still undo
            with current_app.app_context():
                value = self._load()
            state.values[self.name] = (version, value)
        return value


def bump(name: str) -> None:
    """Say, in the open unit of work, that the configuration ``name`` has changed."""
    with unit_of_work() as session:
        session.execute(
            insert(ConfigVersion)
            .values(name=name, version=1)
            .on_conflict_do_update(index_elements=["name"], set_={"version": ConfigVersion.version + 1})
        )
        app = current_app._get_current_object()  # type: ignore[attr-defined]

        def drop() -> None:
            state: _State = app.extensions.setdefault("config_cache", _State())
            state.checked_at = 0.0
            state.values.pop(name, None)

        after_commit(drop)
