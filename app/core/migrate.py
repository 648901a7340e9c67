"""Migrations: bring a database to the newest schema and make sure of its roles.

Migrations grant to the group role ``greenpoints_app`` and create no role themselves: roles belong to the whole server.
"""

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from app.core.database import APP_ROLE, sqlalchemy_url

ROOT = Path(__file__).resolve().parents[2]
_UPGRADE_LOCK = 0x677265656E  # "green": one upgrade of a database at a time
_ROLE_EXISTS = (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)


class MigrationError(Exception):
    """The database can't be brought to the newest schema; the text says what to do."""


def alembic_config(owner_url: str) -> Config:
    """Return Alembic's configuration for the database at ``owner_url``."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.attributes["url"] = sqlalchemy_url(owner_url)
    return config


@functools.cache
def head_revision() -> str | None:
    """Return the newest revision that this code knows, None while there is none; raises where there are two."""
    return ScriptDirectory(str(ROOT / "migrations")).get_current_head()


def import_models() -> None:
    """Import the models of every room, so that the metadata is complete; core keeps its beside what uses them."""
    for room in pkgutil.iter_modules(importlib.import_module("app").__path__):
        if room.ispkg and importlib.util.find_spec(f"app.{room.name}.models"):
            importlib.import_module(f"app.{room.name}.models")
    for module in pkgutil.iter_modules(importlib.import_module("app.core").__path__):
        importlib.import_module(f"app.core.{module.name}")


def upgrade(owner_url: str, app_login_role: str | None = None, *, revision: str = "head") -> None:
    """Make sure of the roles, then migrate to ``revision``; two processes at once follow each other.

    ``app_login_role`` is the login of the application where it is not the owner: it may take the group role and gets
    nothing else.
    """
    with _exclusive(owner_url) as connection:
        _make_roles(connection, app_login_role)
        command.upgrade(alembic_config(owner_url), revision)
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() != (None,):
            connection.execute(sql.SQL("GRANT SELECT ON alembic_version TO {}").format(sql.Identifier(APP_ROLE)))


def downgrade(owner_url: str, revision: str) -> None:
    """Migrate down to ``revision``; "base" empties the database."""
    with _exclusive(owner_url):
        command.downgrade(alembic_config(owner_url), revision)


def check_drift(owner_url: str) -> None:
    """Raise where the migrated database differs from the models."""
    command.check(alembic_config(owner_url))


def write_migration(owner_url: str, message: str) -> None:
    """Write a new migration from what the models have and the database at ``owner_url`` has not."""
    command.revision(alembic_config(owner_url), message, autogenerate=True, rev_id=f"{len(_revisions()) + 1:04d}")


def _revisions() -> list[Any]:
    return list(ScriptDirectory(str(ROOT / "migrations")).walk_revisions())


def login_role(database_url: str, owner_url: str) -> str | None:
    """Return the login of ``database_url`` where it is not the owner's."""
    login = urlsplit(database_url).username
    return login if login and login != urlsplit(owner_url).username else None


@contextmanager
def _exclusive(owner_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield an autocommit connection that holds the database's upgrade lock; the lock goes with the connection."""
    with psycopg.connect(owner_url, autocommit=True, application_name="greenpoints-migrate") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_UPGRADE_LOCK])
        yield connection


def _make_roles(connection: psycopg.Connection[Any], app_login_role: str | None) -> None:
    group = sql.Identifier(APP_ROLE)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
        try:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(group))
        except _ROLE_EXISTS:
            pass  # another database of this server was upgraded at the same moment
        except psycopg.errors.InsufficientPrivilege as error:
            raise MigrationError(f"the owner may not create roles; let a superuser CREATE ROLE {APP_ROLE}") from error
    owner = connection.info.user
    for role in {owner, app_login_role or owner}:
        _grant_group(connection, role)


def _grant_group(connection: psycopg.Connection[Any], role: str) -> None:
    """Let ``role`` take the group role, unless it may already; superusers always may."""
    may_take = "SELECT pg_has_role(%s::text, %s::text, 'SET')"
    if connection.execute(may_take, [role, APP_ROLE]).fetchone() == (True,):
        return
    try:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), sql.Identifier(role)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(f"the owner may not grant; let a superuser GRANT {APP_ROLE} TO {role}") from error
    except psycopg.errors.InternalError_:  # "tuple concurrently updated": another database's upgrade granted it
        if connection.execute(may_take, [role, APP_ROLE]).fetchone() != (True,):
            raise
