"""The unit of work: one write request, command or job is one transaction, opened and committed here alone.

What must follow a commit (Redis, HTTP, a cache to drop) is registered with ``after_commit`` and dropped on rollback.
"""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import scoped_session

from app.core.database import db
from app.core.errors import ProblemError, ServiceUnavailable

ATTEMPTS_MAX = 4
log = structlog.get_logger()
_ACTIVE = "unit_of_work"
_P = ParamSpec("_P")
_R = TypeVar("_R")


def in_unit_of_work() -> bool:
    """Return whether a unit of work is open in this context."""
    return db.session.registry.has() and _ACTIVE in db.session.info


@contextmanager
def unit_of_work() -> Iterator[scoped_session[Any]]:
    """Open a transaction, or join the open one; commit when the outermost leaves, roll back on any exception.

    A problem that ``keeps_work`` is the one exception that commits; it is raised once that is done.
    """
    session = db.session
    if in_unit_of_work():
        yield session
        return
    session.rollback()  # a read before this one must not have pinned an older snapshot or a lock
    hooks: list[Callable[[], None]] = []
    refusal: ProblemError | None = None
    session.info[_ACTIVE] = hooks
    try:
        try:
            yield session
        except ProblemError as error:
            if not error.keeps_work:
                raise
            refusal = error
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        del session.info[_ACTIVE]
    for hook in hooks:
        try:
            hook()
        except Exception as error:  # the work is committed: what follows it can't undo it, nor keep the next from it
            log.error("after_commit_failed", exc_info=error)
    if refusal is not None:
        raise refusal


def after_commit(hook: Callable[[], None]) -> None:
    """Run ``hook`` once the open unit of work has committed; it is dropped on rollback."""
    db.session.info[_ACTIVE].append(hook)


@contextmanager
def savepoint() -> Iterator[None]:
    """Undo what is done inside, and drop the hooks registered there, when an exception leaves it."""
    hooks: list[Callable[[], None]] = db.session.info[_ACTIVE]
    registered = len(hooks)
    try:
        with db.session.begin_nested():
            yield
    except BaseException:
        del hooks[registered:]
        raise


def is_transient(error: BaseException) -> bool:
    """Return whether ``error`` is a deadlock or serialisation failure, which a new attempt can cure."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(original, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


def retry_transient(attempt: Callable[[], _R]) -> _R:
    """Return ``attempt()``; repeat it up to three times with jitter on a deadlock or serialisation failure.

    Raises ServiceUnavailable when the last one fails too. Inside an open unit of work it tries once: only the
    outermost edge may repeat, because the whole transaction is gone.
    """
    for number in range(ATTEMPTS_MAX):
        try:
            return attempt()
        except (DBAPIError, psycopg.Error) as error:
            if not is_transient(error) or in_unit_of_work():
                raise
            if number == ATTEMPTS_MAX - 1:
                raise ServiceUnavailable("The database is busy with competing changes; try again.") from error
            time.sleep(random.uniform(0.005, 0.03) * 2**number)  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def transactional(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run ``function`` as one unit of work, retried at this outermost edge as ``retry_transient`` says."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        def attempt() -> _R:
            with unit_of_work():
                return function(*args, **kwargs)

        return retry_transient(attempt)

    wrapper.__dict__["transactional"] = True
    return wrapper
