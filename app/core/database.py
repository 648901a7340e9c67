"""The database: declarative base, engine and the connections of the hot path.

Every connection takes the role ``greenpoints_app``, which migrations grant no more than the application needs:
postings and entries can be added and read, never changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from flask_sqlalchemy import SQLAlchemy
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrBinaryDumper
from sqlalchemy import Engine, MetaData, event
from sqlalchemy.orm import DeclarativeBase

from app.core.binary_arrays import EncodedArray, EncodedArrayDumper
from config import Settings

APP_ROLE = "greenpoints_app"
AUTOCOMMIT = "autocommit"
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base; its naming convention keeps migrations free of made-up constraint names."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


db = SQLAlchemy(model_class=Base)


def sqlalchemy_url(url: str) -> str:
    """Return ``url`` with the psycopg driver named, as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def engine_options(settings: Settings) -> dict[str, Any]:
    """Return the engine's options: a bounded pool, prepared statements from the second use, the application's role."""
    return {
        # two more than threads: one of them may read the configuration anew while it, and all others, hold their own
        "pool_size": settings.database_pool_size + 2,
        "max_overflow": 0,
        "pool_timeout": 10,
        "pool_recycle": 1800,
        "pool_use_lifo": True,
        "connect_args": {
            "options": f"-c role={APP_ROLE} -c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s"
            " -c plan_cache_mode=force_generic_plan",
            "prepare_threshold": 1,
            "application_name": "greenpoints",
        },
    }


def database_config(settings: Settings, database_url: str) -> dict[str, Any]:
    """Return what Flask-SQLAlchemy needs to know: the engine of units of work, and that of single statements."""
    url, options = sqlalchemy_url(database_url), engine_options(settings)
    return {
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": options,
        "SQLALCHEMY_BINDS": {AUTOCOMMIT: {"url": url, "isolation_level": "AUTOCOMMIT", **options}},
    }


@event.listens_for(Engine, "connect")
def _send_binary(connection: Any, _: Any) -> None:
    """Send integers as bigint, so that a statement has one plan for all sizes, and arrays and text in binary."""
    for python_type, dumper in (
        (int, Int8BinaryDumper),
        (str, StrBinaryDumper),
        (list, ListBinaryDumper),
        (EncodedArray, EncodedArrayDumper),
    ):
        connection.adapters.register_dumper(python_type, dumper)


@contextmanager
def driver_connection() -> Iterator[psycopg.Connection[Any]]:
    """Yield a psycopg connection for the hot path.

    Inside a unit of work it is that unit's own connection and transaction. Outside, it comes from a pool of its own
    in autocommit: each statement is its own transaction, with no BEGIN and COMMIT to wait for, and no ROLLBACK, at
    which psycopg forgets what it has prepared.
    """
    from app.core.unit_of_work import in_unit_of_work

    if in_unit_of_work():
        joined = db.session.connection().connection.driver_connection
        assert isinstance(joined, psycopg.Connection)
        yield joined
        return
    pooled = db.engines[AUTOCOMMIT].raw_connection()
    try:
        connection = pooled.driver_connection
        assert isinstance(connection, psycopg.Connection)
        yield connection
    finally:
        pooled.close()
