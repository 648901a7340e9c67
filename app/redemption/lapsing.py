"""Close what the clock has ended: redemptions that nobody confirmed, and vouchers that nobody used. What the job does.

One transaction a redemption, under the lock of its member's account: it can be stopped, repeated, and run beside
itself and beside every request. It finds by the data alone what is left, whatever became of the process before.
"""

import threading

import structlog

from app.core.clock import now
from app.core.database import db
from app.core.unit_of_work import retry_transient, unit_of_work
from app.redemption import changing, redemption_queries

BATCH = 200

log = structlog.get_logger()


def close_lapsed(stop: threading.Event) -> int:
    """Close every redemption whose time is over by now; return how many. One that fails does not keep the others."""
    moment, total, failed = now(), 0, 0
    while not stop.is_set():
        with unit_of_work() as session:
            due = redemption_queries.list_lapsed(session, moment, BATCH + failed)
        closed = 0
        for member_id, redemption_id in due:
            if stop.is_set():
                break
            try:
                closed += retry_transient(lambda who=member_id, what=redemption_id: changing.lapse(who, what, moment))  # type: ignore[misc]
            except Exception as error:
                failed += 1
                log.error("lapse_failed", redemption=str(redemption_id), exc_info=error)
        db.session.expire_all()
        total += closed
        if closed == 0:
            break
    return total
