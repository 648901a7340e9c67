"""Jobs run when they are due, under procrastinate, and stop when they are told to."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.core import jobs
from app.core.database import db
from config import Settings


@pytest.fixture
def registered(app: Flask, settings: Settings) -> Iterator[dict[str, jobs.Job]]:
    """The jobs of the application, to be changed; what was deferred is forgotten afterwards."""
    before = dict(jobs.jobs())
    jobs.jobs().clear()
    yield jobs.jobs()
    jobs.jobs().clear()
    jobs.jobs().update(before)
    db.session.remove()  # it may still read what is emptied now
    with psycopg.connect(settings.database_owner_url, options="-c lock_timeout=10s") as connection:
        connection.execute("TRUNCATE procrastinate.procrastinate_jobs, procrastinate.procrastinate_workers CASCADE")


def work(app: Flask, until: threading.Event, workers: int = 1) -> None:
    """Run workers until ``until`` is set, for a minute at most."""
    stop = threading.Event()
    threads = [threading.Thread(target=jobs.work_forever, args=(app, stop)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    was_set = until.wait(60)
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert was_set


def test_a_job_runs_when_it_is_due_and_leaves_nothing_behind(app: Flask, registered: dict[str, jobs.Job]) -> None:
    ran, seen = threading.Event(), []

    def run(stop: threading.Event) -> None:
        seen.append(db.session.scalar(text("SELECT current_user")))
        ran.set()

    jobs.register_job(app, jobs.Job("one", "* * * * *", run))
    work(app, ran, workers=2)
    assert seen == ["greenpoints_app"], "one tick, once, whoever of the two noticed it"
    left = text("SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE task_name = 'one'")
    assert db.session.scalar(left) == 0


def test_a_job_that_fails_is_counted_and_the_others_go_on(app: Flask, registered: dict[str, jobs.Job]) -> None:
    failed, ran = threading.Event(), threading.Event()

    def fail(stop: threading.Event) -> None:
        failed.set()
        raise RuntimeError("not today")

    def run(stop: threading.Event) -> None:
        assert failed.wait(10)
        ran.set()

    jobs.register_job(app, jobs.Job("failing", "* * * * *", fail))
    jobs.register_job(app, jobs.Job("running", "* * * * *", run))
    before = jobs.runs_total.labels("failing", "failed")._value.get()
    work(app, ran)
    assert jobs.runs_total.labels("failing", "failed")._value.get() == before + 1


def test_a_running_job_is_told_to_stop_and_finishes(app: Flask, registered: dict[str, jobs.Job]) -> None:
    began, finished = threading.Event(), threading.Event()

    def run(stop: threading.Event) -> None:
        began.set()
        assert stop.wait(20)
        time.sleep(0.3)
        finished.set()

    jobs.register_job(app, jobs.Job("long", "* * * * *", run))
    work(app, began)
    assert finished.is_set()


def test_a_job_that_is_deferred_runs_before_it_is_due_and_waits_once(
    app: Flask, registered: dict[str, jobs.Job]
) -> None:
    ran = threading.Event()
    jobs.register_job(app, jobs.Job("one", "0 0 29 2 *", lambda _: ran.set()))
    for _ in range(2):
        jobs.defer_job("one")
    waiting = text("SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE task_name = 'one'")
    assert db.session.scalar(waiting) == 1
    db.session.remove()
    work(app, ran)


def test_every_job_of_the_application_has_its_time(app: Flask) -> None:
    assert {job.name for job in jobs.jobs().values()} == {
        "settle_due_accounts", "take_snapshots", "warn_of_expiry", "forget_warnings", "notice_budgets",
        "notice_stocks", "close_lapsed_redemptions",
        "run_restatements", "forget_idempotency_keys", "forget_sessions_and_codes", "run_backtests",
        "forget_uncited_evidence", "close_overdue_reviews",
    }  # fmt: skip
    for job in jobs.jobs().values():
        jobs.run_job(job, threading.Event())


def test_a_job_can_be_run_by_hand(app: Flask, settings: Settings) -> None:
    result = app.test_cli_runner().invoke(args=["job", "settle_due_accounts"])
    assert (result.exit_code, result.output) == (0, "settle_due_accounts: 0\n")
    unknown = app.test_cli_runner().invoke(args=["job", "nothing"])
    assert (unknown.exit_code, "there are:" in unknown.output) == (1, True)
