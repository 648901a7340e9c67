"""Store when which days of the data were first replayed, so that every rerun sends equal bodies."""

from datetime import datetime

from app.core.unit_of_work import unit_of_work
from app.demo import queries
from app.demo.baskets import Mover, Window
from app.demo.models import DemoWindow


def mover_for(days: int, moment: datetime) -> Mover:
    """Return the mover for the first ``days`` days; where none of the stored windows holds them, one is added.

    A new window is anchored at ``moment``: the newest of its baskets happens then. Baskets of an earlier, narrower
    window keep the times they were first sent with.
    """
    with unit_of_work() as session:
        queries.lock_windows()
        windows = [Window(row.days, row.anchored_at) for row in queries.list_windows()]
        if all(window.days < days for window in windows):
            window = Window(days, moment.replace(microsecond=0))
            session.add(DemoWindow(days=window.days, anchored_at=window.anchored_at))
            windows.append(window)
    return Mover(windows)
