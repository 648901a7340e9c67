"""Jobs that run at set times, or soon, by procrastinate: in the worker, any number of workers beside each other.

The database sees to it that each tick is deferred once, whoever notices it first, and that a job of one name does not
queue up behind itself. A job is safe to run twice at once and takes up where it was left: one that is killed needs
nothing but its next tick. Times are UTC.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import procrastinate
import structlog
from flask import Flask, current_app
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import DeleteJobCondition, Status
from prometheus_client import Counter

from app.core import embedded
from app.core.clock import now
from app.core.database import APP_ROLE
from app.core.jobs_schema import JOBS_SCHEMA
from config import Settings

POLL_SECONDS = 2.0
STOP_SECONDS = 20.0
CONCURRENCY = 2
RETRY_SECONDS = 2.0

log = structlog.get_logger()
runs_total = Counter("greenpoints_job_runs_total", "Jobs run", ["job", "result"])


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and when (``cron``: minute, hour, day, month, weekday).

    ``run`` works in transactions of its own and ends soon after the event it is given is set.
    """

    name: str
    cron: str
    run: Callable[[threading.Event], object]


def register_job(app: Flask, job: Job) -> None:
    """Let the workers of ``app`` run ``job``."""
    app.extensions.setdefault("jobs", {})[job.name] = job


def jobs() -> dict[str, Job]:
    """Return the registered jobs by name."""
    registered: dict[str, Job] = current_app.extensions.setdefault("jobs", {})
    return registered


def run_job(job: Job, stop: threading.Event) -> object:
    """Run ``job`` now, count it and return what it returns; what it raises is logged and raised."""
    try:
        result = job.run(stop)
    except Exception as error:
        runs_total.labels(job.name, "failed").inc()
        log.error("job_failed", job=job.name, exc_info=error)
        raise
    runs_total.labels(job.name, "done").inc()
    return result


def defer_job(name: str) -> None:
    """Let a worker run the registered job ``name`` as soon as one is free; nothing where it waits already.

    In a transaction of its own: call it once what the job is to find has been committed.
    """
    settings: Settings = current_app.config["SETTINGS"]
    connector = procrastinate.SyncPsycopgConnector(
        conninfo=embedded.services_of(settings).database_url, kwargs=_connection_options(), min_size=1, max_size=1
    )
    with procrastinate.App(connector=connector).open() as scheduler, contextlib.suppress(AlreadyEnqueued):
        scheduler.configure_task(jobs()[name].name, queueing_lock=name).defer(timestamp=int(now().timestamp()))


class _Forward(logging.Handler):
    """Write what the library has to say as lines of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("procrastinate", message=record.getMessage()[:500])


def _connection_options() -> dict[str, str]:
    options = f"-c role={APP_ROLE} -c search_path={JOBS_SCHEMA} -c timezone=UTC -c lock_timeout=10s"
    return {"options": options, "application_name": "greenpoints-jobs"}


def _scheduler(app: Flask, stop: threading.Event) -> procrastinate.App:
    settings: Settings = app.config["SETTINGS"]
    connector = procrastinate.PsycopgConnector(
        conninfo=embedded.services_of(settings).database_url,
        kwargs=_connection_options(),
        min_size=1,
        max_size=CONCURRENCY + 1,
    )
    scheduler = procrastinate.App(connector=connector)
    with app.app_context():
        registered = jobs()
    for job in registered.values():
        _add_task(scheduler, app, job, stop)

    async def sweep(timestamp: int) -> None:
        for stalled in await scheduler.job_manager.get_stalled_jobs():
            await scheduler.job_manager.finish_job(stalled, Status.FAILED, delete_job=True)

    task = scheduler.task(name="sweep", queueing_lock="sweep")(sweep)
    scheduler.periodic(cron="*/10 * * * *")(task)
    return scheduler


def _add_task(scheduler: procrastinate.App, app: Flask, job: Job, stop: threading.Event) -> None:
    def run(timestamp: int) -> None:
        with app.app_context():
            run_job(job, stop)

    task: Any = scheduler.task(name=job.name, queueing_lock=job.name)(run)
    scheduler.periodic(cron=job.cron)(task)


async def _work(app: Flask, stop: threading.Event) -> None:
    scheduler = _scheduler(app, stop)
    async with scheduler.open_async():
        worker = asyncio.create_task(
            scheduler.run_worker_async(
                concurrency=CONCURRENCY,
                install_signal_handlers=False,
                listen_notify=False,
                fetch_job_polling_interval=POLL_SECONDS,
                shutdown_graceful_timeout=STOP_SECONDS,
                delete_jobs=DeleteJobCondition.ALWAYS,
            )
        )
        while not stop.is_set() and not worker.done():
            await asyncio.sleep(0.1)
        worker.cancel()  # which lets running jobs finish
        try:
            await worker
        except asyncio.CancelledError:
            return


def work_forever(app: Flask, stop: threading.Event) -> None:
    """Run the jobs of ``app`` when they are due until ``stop`` is set; a lost database is waited for."""
    logger = logging.getLogger("procrastinate")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(_Forward())
    while not stop.is_set():
        try:
            asyncio.run(_work(app, stop))
        except Exception as error:
            log.error("jobs_failed", exc_info=error)
            stop.wait(RETRY_SECONDS)
