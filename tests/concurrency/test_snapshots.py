"""Configuration is read while every connection of the pool is taken, as it is when it changes under full load."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core.unit_of_work import unit_of_work
from app.impact import service as impact
from app.merchants.service import authenticate
from app.programme import service as programme

SNAPSHOTS = {
    "campaigns": lambda shop: campaigns.explainer("en"),
    "catalog": lambda shop: catalog.reference(),
    "impact": lambda shop: impact.default_factors(),
    "keys": lambda shop: authenticate(shop.live["Authorization"].removeprefix("Bearer ")),
    "programme": lambda shop: programme.current(),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_is_read_while_every_unit_of_work_holds_a_connection(name, app, shop, settings):
    barrier = Barrier(settings.database_pool_size)

    def read():
        with app.app_context(), unit_of_work() as session:
            session.execute(text("SELECT 1"))
            barrier.wait(timeout=10)
            return SNAPSHOTS[name](shop) is not None

    app.extensions.pop("config_cache", None)
    started = time.monotonic()
    with ThreadPoolExecutor(settings.database_pool_size) as pool:
        assert all(pool.map(lambda _: read(), range(settings.database_pool_size)))
    assert time.monotonic() - started < 5
