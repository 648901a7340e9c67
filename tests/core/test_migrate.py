"""Migrations and roles, on both versions of PostgreSQL."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.core import embedded, migrate
from app.core.database import APP_ROLE

LEFT_OVER = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
UNION ALL SELECT typname FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%alembic_version'
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module", params=[16, 18])
def server(request: pytest.FixtureRequest) -> Iterator[embedded.Services]:
    path = Path(tempfile.mkdtemp(prefix="greenpoints-migrate-"))
    yield embedded.start(path, postgres_version=request.param, fast_but_unsafe=True)
    embedded.destroy(path)
    shutil.rmtree(path)


@pytest.fixture
def empty(server: embedded.Services) -> embedded.Services:
    """An empty database; the roles of the server stay."""
    admin_url = server.database_owner_url.replace("/greenpoints?", "/postgres?")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE greenpoints")
        connection.execute("CREATE DATABASE greenpoints")
    return server


def test_history_has_one_head() -> None:
    assert migrate.head_revision() is not None  # raises where there are two


def test_up_down_up_leaves_no_drift(empty: embedded.Services) -> None:
    migrate.upgrade(empty.database_owner_url, "greenpoints")
    migrate.check_drift(empty.database_owner_url)
    migrate.downgrade(empty.database_owner_url, "base")
    with psycopg.connect(empty.database_owner_url) as connection:
        assert connection.execute(LEFT_OVER).fetchall() == []
    migrate.upgrade(empty.database_owner_url, "greenpoints")
    migrate.check_drift(empty.database_owner_url)


def test_upgrades_at_once_follow_each_other(empty: embedded.Services) -> None:
    errors: list[Exception] = []

    def run() -> None:
        try:
            migrate.upgrade(empty.database_owner_url, "greenpoints")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("login", ["greenpoints", "postgres"])
def test_application_takes_the_group_role_and_creates_nothing(empty: embedded.Services, login: str) -> None:
    migrate.upgrade(empty.database_owner_url, "greenpoints")
    url = empty.database_url.replace("greenpoints@", f"{login}@")
    with psycopg.connect(url, options=f"-c role={APP_ROLE}", autocommit=True) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (APP_ROLE,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.mine ()")
        if migrate.head_revision() is not None:
            query = "SELECT version_num FROM alembic_version"
            assert connection.execute(query).fetchone() == (migrate.head_revision(),)


def test_owner_that_is_no_superuser_can_upgrade(empty: embedded.Services) -> None:
    with psycopg.connect(empty.database_owner_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'plain_owner'").fetchone():
            connection.execute("CREATE ROLE plain_owner LOGIN CREATEROLE")
            connection.execute("CREATE ROLE another_login LOGIN")
            connection.execute(f"GRANT {APP_ROLE} TO plain_owner WITH ADMIN OPTION, SET FALSE")
        connection.execute("GRANT ALL ON SCHEMA public TO plain_owner")
        connection.execute("GRANT CREATE ON DATABASE greenpoints TO plain_owner")
    owner_url = empty.database_owner_url.replace("postgres@", "plain_owner@")
    migrate.upgrade(owner_url, "another_login")
    for login in ("plain_owner", "another_login"):
        with psycopg.connect(
            owner_url.replace("plain_owner@", f"{login}@"), options=f"-c role={APP_ROLE}"
        ) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (APP_ROLE,)


def test_owner_without_the_right_to_grant_is_told_what_to_do(empty: embedded.Services) -> None:
    migrate.upgrade(empty.database_owner_url)
    with psycopg.connect(empty.database_owner_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'weak_owner'").fetchone():
            connection.execute("CREATE ROLE weak_owner LOGIN")
    with pytest.raises(migrate.MigrationError, match=f"GRANT {APP_ROLE} TO weak_owner"):
        migrate.upgrade(empty.database_owner_url.replace("postgres@", "weak_owner@"))
