"""The SELECTs of the demo."""

from collections.abc import Sequence

from sqlalchemy import select, text

from app.core.database import db
from app.demo.models import DemoWindow


def lock_windows() -> None:
    """Let one transaction at a time add a window."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('demo_window'))"))


def list_windows() -> Sequence[DemoWindow]:
    """Return the windows, the earliest first; each later one is wider."""
    return db.session.scalars(select(DemoWindow).order_by(DemoWindow.anchored_at, DemoWindow.days)).all()
