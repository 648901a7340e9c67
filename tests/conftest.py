"""What every test can ask for: real servers of this run's own, a migrated database, the application and a client.

The servers live in a temporary data folder, so that any number of runs, and a served application, go on side by side.
"""

import contextvars
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from psycopg import sql
from werkzeug.test import TestResponse

from app import create_app
from app.core import embedded, migrate
from app.core.clock import now
from app.core.database import db
from app.members.service import start_session
from config import Settings, load_settings
from tests import world

TEMPLATE = "greenpoints_template"
KEPT_TABLES = frozenset({"outbox_partition"})  # filled by migrations, never emptied

hypothesis_settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis_settings.register_profile("long", max_examples=2000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("TEST_PROFILE", "quick"))


@pytest.fixture(scope="session")
def data_root() -> Iterator[Path]:
    """The data folder of this run, deleted with its servers at the end."""
    path = Path(tempfile.mkdtemp(prefix="greenpoints-tests-"))
    yield path
    embedded.destroy(path)
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def services(data_root: Path) -> Iterator[embedded.Services]:
    """PostgreSQL 18 and Redis of this run."""
    with embedded.embedded_services(data_root, fast_but_unsafe=True) as found:
        yield found


def in_database(services: embedded.Services, name: str) -> embedded.Services:
    """Return ``services`` with the database ``name`` in the place of the default one."""
    return replace(
        services,
        database_url=services.database_url.replace("/greenpoints?", f"/{name}?"),
        database_owner_url=services.database_owner_url.replace("/greenpoints?", f"/{name}?"),
    )


@pytest.fixture(scope="session")
def template_database(services: embedded.Services) -> str:
    """The name of a database that the real migrations have made; copied, never used."""
    with psycopg.connect(services.database_owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    owner_url = in_database(services, TEMPLATE).database_owner_url
    migrate.upgrade(owner_url, migrate.login_role(services.database_url, owner_url))
    return TEMPLATE


@pytest.fixture(scope="session")
def make_database(services: embedded.Services, template_database: str) -> Callable[[str], embedded.Services]:
    """A function that makes a new migrated database of the given name and returns where it is."""

    def make(name: str) -> embedded.Services:
        with psycopg.connect(services.database_owner_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template_database)
                )
            )
        return in_database(services, name)

    return make


@pytest.fixture(scope="session")
def settings(data_root: Path, make_database: Callable[[str], embedded.Services]) -> Settings:
    """The settings of the application under test."""
    services = make_database("greenpoints_test")
    return load_settings(
        {
            "GREENPOINTS_ENV": "test",
            "DATA_DIR": str(data_root),
            "DATABASE_URL": services.database_url,
            "DATABASE_OWNER_URL": services.database_owner_url,
            "REDIS_URL": services.redis_url,
        }
    )


class OutsideClient(FlaskClient):
    """A client whose requests see nothing of the test's own application context, session and transaction included."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **kwargs)


@pytest.fixture(scope="session")
def shared_app(settings: Settings) -> Iterator[Flask]:
    """The application, made once a run; ask for ``app``, which cleans up."""
    app = create_app(settings)
    app.test_client_class = OutsideClient
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
    app.extensions["redis"].close()


@pytest.fixture
def app(shared_app: Flask, settings: Settings) -> Iterator[Flask]:
    """The application over an empty database, its context pushed; what the test committed is removed after it."""
    with shared_app.app_context():
        yield shared_app
    empty_database(settings.database_owner_url)
    shared_app.extensions["redis"].flushdb()
    shared_app.extensions.pop("config_cache", None)


@pytest.fixture
def other_app(app: Flask, settings: Settings) -> Iterator[Flask]:
    """A second application over the same database: another process, as far as caches go."""
    other = create_app(settings)
    other.test_client_class = OutsideClient
    yield other
    with other.app_context():
        for engine in db.engines.values():
            engine.dispose()
    other.extensions["redis"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


def empty_database(owner_url: str) -> None:
    """Empty every table that has rows and that migrations do not fill."""
    tables = [table.name for table in db.metadata.sorted_tables if table.name not in KEPT_TABLES]
    with psycopg.connect(owner_url, options="-c lock_timeout=10s") as connection:
        checks = [
            sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})").format(sql.Literal(name), sql.Identifier(name))
            for name in tables
        ]
        used = [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(checks))] if checks else []
        if used:
            names = sql.SQL(", ").join(sql.Identifier(name) for name in used)
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))


@pytest.fixture
def programme(app: Flask) -> None:
    """The reference data, and the campaigns that ``tests.world`` describes."""
    world.load_programme()


@pytest.fixture
def shop(programme: None) -> world.Shop:
    """A merchant with a live and a test key; ``world.make_shop`` makes others."""
    return world.make_shop()


@pytest.fixture
def customer(shop: world.Shop) -> world.Customer:
    """A live member whom the shop has linked; ``world.make_customers`` makes others."""
    return world.make_customers(shop, 1)[0]


@pytest.fixture
def shopper(app: Flask) -> Callable[[UUID], dict[str, str]]:
    """A function that signs a member in and returns the headers of that shopper."""
    return lambda member_id: world.bearer(start_session(member_id, now()).access_token)


def row_counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return how many rows each table has."""
    counts = [
        sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table.name), sql.Identifier(table.name))
        for table in db.metadata.sorted_tables
    ]
    return dict(connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall())


@pytest.fixture
def writes_nothing(settings: Settings) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """A context that fails unless every table has as many rows after it as before, by the owner's count."""
    with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:

        @contextmanager
        def watch() -> Iterator[None]:
            before = row_counts(connection)
            yield
            assert row_counts(connection) == before

        yield watch
