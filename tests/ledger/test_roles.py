"""The application may add to the ledger and read it; the database itself refuses it the rest."""

import psycopg
import pytest

from app.core.database import APP_ROLE, driver_connection
from tests.ledger.conftest import GiveAward, NewMember, point_award

APPENDED = ["posting", "entry", "lot_allocation", "activity", "impact_entry", "campaign_version", "programme_version"]


@pytest.fixture(autouse=True)
def points(new_member: NewMember, give: GiveAward) -> None:
    give(new_member(), point_award(10))


def refused(statement: str) -> bool:
    with driver_connection() as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


def test_the_application_takes_its_role() -> None:
    with driver_connection() as connection:
        assert connection.execute("SELECT current_user").fetchone() == (APP_ROLE,)
        is_superuser = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
    assert is_superuser == (False,)


@pytest.mark.parametrize("table", APPENDED)
def test_what_is_appended_can_not_be_changed(table: str) -> None:
    assert refused(f"UPDATE {table} SET {'document' if 'version' in table else 'member_id'} = NULL")
    assert refused(f"DELETE FROM {table}")
    assert refused(f"TRUNCATE {table}")
    assert not refused(f"SELECT count(*) FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE entry DROP CONSTRAINT ck_entry_moves",
        "ALTER TABLE entry DISABLE TRIGGER ALL",
        "DROP TABLE entry",
        "GRANT greenpoints_app TO CURRENT_USER WITH ADMIN OPTION",
        "CREATE ROLE mine",
        "UPDATE alembic_version SET version_num = '0000'",
        "COPY entry TO PROGRAM 'cat'",
        "SET session_replication_role = replica",
    ],
)
def test_the_application_can_not_change_the_schema_or_its_own_rights(statement: str) -> None:
    assert refused(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account SET available = available + 1",
        "UPDATE account SET available = -1, expired = expired + 11",
        "UPDATE lot SET remaining = remaining - 1",
        "UPDATE lot SET remaining = 0, spent = amount",
        "UPDATE lot SET clawed_back = 1",
    ],
)
def test_rows_that_break_an_equation_are_refused_whoever_writes_them(statement: str) -> None:
    with driver_connection() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement.encode())
