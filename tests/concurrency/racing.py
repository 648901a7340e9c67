"""What the tests of races share: calls at the same moment, and a transaction that holds an id."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import psycopg

from app.core.ids import new_id
from config import Settings
from tests import world


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run ``calls``, each in a thread of its own, from the same moment; return their results in order."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def held_id(settings: Settings, shop: world.Shop, external_id: str) -> Iterator[None]:
    """Hold an activity's id in a transaction of its own, which ends without it."""
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute(
            "INSERT INTO activity_registry (merchant_id, live, external_id, activity_id, revision, digest)"
            " VALUES (%s, true, %s, %s, 1, '')",
            (shop.merchant_id, external_id, new_id()),
        )
        yield
        connection.rollback()
