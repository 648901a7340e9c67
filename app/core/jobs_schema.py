"""The tables of procrastinate, in a schema of their own beside ours.

Migrations call this. The text is the installed library's own, whose version is pinned: a release with another schema
comes with a migration of ours that applies the library's.
"""

import psycopg
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection

from app.core.database import APP_ROLE

JOBS_SCHEMA = "procrastinate"


def _execute(connection: Connection, statements: str) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    driver.execute(statements.encode())  # without parameters, so that many statements may stand in one text


def create_jobs_schema(connection: Connection) -> None:
    """Create the schema in the open transaction and let the application use it; needs CREATE on the database."""
    _execute(connection, f"CREATE SCHEMA {JOBS_SCHEMA}; SET LOCAL search_path TO {JOBS_SCHEMA};")
    _execute(connection, SchemaManager.get_schema())
    _execute(
        connection,
        f"RESET search_path;"
        f" GRANT USAGE ON SCHEMA {JOBS_SCHEMA} TO {APP_ROLE};"
        f" GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {JOBS_SCHEMA} TO {APP_ROLE};"
        f" GRANT USAGE ON ALL SEQUENCES IN SCHEMA {JOBS_SCHEMA} TO {APP_ROLE};",
    )


def drop_jobs_schema(connection: Connection) -> None:
    """Remove the schema and every job that waits in it."""
    _execute(connection, f"DROP SCHEMA IF EXISTS {JOBS_SCHEMA} CASCADE;")
