"""Alive is one thing, ready another: what each needs, and what happens when it is lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.database import driver_connection
from app.core.embedded import Services
from app.core.routes import DRAINING_FILE
from tests.core.conftest import MakeApp


def test_with_everything_there_it_is_ready(client: FlaskClient) -> None:
    assert client.get("/livez").json == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "checks": {"database": "ok", "redis": "ok"}})


def test_without_redis_it_is_degraded_and_still_ready(app: Flask, make_app: MakeApp, tmp_path: Path) -> None:
    client = make_app(redis_url=f"unix://{tmp_path}/nobody.sock").test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"]["redis"].startswith("degraded")


def test_without_its_database_it_is_not_ready_but_alive(make_app: MakeApp) -> None:
    client = make_app(database_url="postgresql://nobody:hidden@127.0.0.1:9/none?connect_timeout=2").test_client()
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unready")
    assert answer.json["checks"]["database"] == "down: OperationalError"
    assert "hidden" not in answer.text
    elsewhere = client.put("/v1/customers/c-1", json={}, headers={"Authorization": "Bearer gp_live_x"})
    assert (elsewhere.status_code, elsewhere.json["code"]) == (503, "service_unavailable")


def test_behind_the_newest_schema_it_is_not_ready(make_app: MakeApp, make_database: Callable[[str], Services]) -> None:
    services = make_database(f"behind_{uuid4().hex[:8]}")
    with psycopg.connect(services.database_owner_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    client = make_app(database_url=services.database_url).test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unready")
    assert answer.json["checks"]["database"] == "schema is not at the newest migration"


@pytest.fixture
def draining(app: Flask) -> Iterator[None]:
    path = Path(app.config["DATA_DIR"]) / DRAINING_FILE
    path.touch()
    yield
    path.unlink()


@pytest.mark.usefixtures("draining")
def test_while_it_drains_it_is_not_ready_but_serves(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "draining")
    assert client.get("/livez").status_code == 200
    assert client.get("/openapi.json").status_code == 200


def test_connections_that_were_lost_are_replaced(make_app: MakeApp, make_database: Callable[[str], Services]) -> None:
    """After a restart of the database each pool meets an error once, and the next request is served."""
    services = make_database(f"restarted_{uuid4().hex[:8]}")
    app = make_app(database_url=services.database_url)
    client = app.test_client()

    def hot_path() -> int:
        with app.app_context(), driver_connection() as connection:
            row = connection.execute("SELECT 7").fetchone()
        assert row is not None
        return int(row[0])

    assert client.get("/readyz").status_code == 200
    assert hot_path() == 7
    with psycopg.connect(services.database_owner_url, autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(psycopg.OperationalError):
        hot_path()
    assert [hot_path() for _ in range(3)] == [7] * 3
    assert [client.get("/readyz").status_code for _ in range(3)] == [503, 200, 200]
