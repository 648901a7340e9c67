"""What was anchored once stays, whatever is asked for later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.core.database import db
from app.demo import queries
from app.demo.baskets import window_bounds
from app.demo.windows import mover_for

FIRST_RUN = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
LATER = FIRST_RUN + timedelta(days=5)


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def _stored() -> list[int]:
    db.session.rollback()
    return [window.days for window in queries.list_windows()]


def _newest(days: int) -> datetime:
    return window_bounds(days)[1].replace(tzinfo=None)


def test_the_newest_basket_happens_at_the_first_run() -> None:
    assert mover_for(3, FIRST_RUN).moved(_newest(3)) == FIRST_RUN.replace(microsecond=0)


def test_a_rerun_keeps_the_first_runs_times() -> None:
    first = mover_for(3, FIRST_RUN).moved(_newest(3))
    assert mover_for(3, LATER).moved(_newest(3)) == first
    assert mover_for(1, LATER).moved(_newest(1)) == mover_for(3, LATER).moved(_newest(1))
    assert _stored() == [3]


def test_more_days_are_anchored_anew_and_the_earlier_ones_keep_their_times() -> None:
    first = mover_for(3, FIRST_RUN).moved(_newest(3))
    wider = mover_for(5, LATER)
    assert wider.moved(_newest(3)) == first
    assert wider.moved(_newest(5)) == LATER.replace(microsecond=0)
    assert _stored() == [3, 5]
