"""Alembic's environment: one transaction a migration, and no waiting behind the application's locks."""

import os

from alembic import context
from sqlalchemy import NullPool, create_engine

from app.core.database import db, sqlalchemy_url
from app.core.embedded import services_of
from app.core.migrate import import_models
from config import load_settings

LOCK_TIMEOUT = "5s"


def owner_url() -> str:
    """Return the URL that the caller gave, or the one in the environment for Alembic's own command line."""
    given = context.config.attributes.get("url")
    return given or sqlalchemy_url(services_of(load_settings(os.environ)).database_owner_url)


def run() -> None:
    """Run the migrations that Alembic has chosen."""
    import_models()
    options = f"-c lock_timeout={LOCK_TIMEOUT} -c timezone=UTC"
    engine = create_engine(owner_url(), poolclass=NullPool, connect_args={"options": options})
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
