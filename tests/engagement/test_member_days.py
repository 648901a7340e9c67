"""Member totals by day: what facts add up to, in the programme's own days."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import FactKind, OutboxRow, ParkedFact, partition_of
from app.core.projector import drain, rebuild
from app.core.unit_of_work import unit_of_work
from app.engagement.models import METRICS, MemberDay
from app.programme import service as programme

pytestmark = pytest.mark.usefixtures("app")
NOTHING = dict.fromkeys(METRICS, 0)


def tell(
    member_id: UUID,
    version: int,
    occurred_at: str = "2026-05-04T12:00:00Z",
    points: int = 10,
    impact: dict[str, int] | None = None,
    kind: str = FactKind.ACTIVITY,
) -> None:
    payload = {"kind": "purchase", "occurred_at": occurred_at, "points": points, "impact": impact or {}}
    with unit_of_work() as session:
        session.add(
            OutboxRow(
                member_id=member_id, version=version, partition=partition_of(member_id), kind=kind, payload=payload,
                recorded_at=now(),
            )
        )  # fmt: skip


def days() -> dict[tuple[UUID, date], dict[str, Any]]:
    db.session.rollback()
    return {
        (row.member_id, row.day): {"activities": row.activities, "points": row.points}
        | {metric: getattr(row, metric) for metric in METRICS}
        for row in db.session.scalars(select(MemberDay).execution_options(populate_existing=True))
    }


def test_facts_of_a_day_add_up_within_a_claim_and_over_claims() -> None:
    ada, ben = new_id(), new_id()
    tell(ada, 1, points=10, impact={"g_co2e_avoided": 100, "items_recycled": 1})
    tell(ada, 2, "2026-05-04T23:59:59Z", points=0, impact={"g_co2e_avoided": 7, "g_plastic_avoided": 3})
    tell(ada, 3, "2026-05-05T00:00:00Z", points=4)
    tell(ben, 1, points=5)
    drain()
    tell(ada, 4, points=1, impact={"items_recycled": 2})
    drain()
    assert days() == {
        (ada, date(2026, 5, 4)): NOTHING
        | {"activities": 3, "points": 11, "g_co2e_avoided": 107, "g_plastic_avoided": 3, "items_recycled": 3},
        (ada, date(2026, 5, 5)): NOTHING | {"activities": 1, "points": 4},
        (ben, date(2026, 5, 4)): NOTHING | {"activities": 1, "points": 5},
    }


@pytest.mark.parametrize(
    ("zone", "occurred_at", "day"),
    [
        ("UTC", "2026-05-04T23:30:00Z", date(2026, 5, 4)),
        ("Europe/Brussels", "2026-05-04T21:59:59Z", date(2026, 5, 4)),
        ("Europe/Brussels", "2026-05-04T22:00:00Z", date(2026, 5, 5)),
        ("Europe/Brussels", "2026-01-04T22:30:00Z", date(2026, 1, 4)),
        ("Asia/Shanghai", "2026-05-04T16:00:00Z", date(2026, 5, 5)),
        ("America/New_York", "2026-05-04T03:59:59Z", date(2026, 5, 3)),
    ],
)
def test_a_day_is_one_of_the_programme_s_zone(zone: str, occurred_at: str, day: date) -> None:
    programme.change(programme.DEFAULTS | {"time_zone": zone})
    ada = new_id()
    tell(ada, 1, occurred_at)
    drain()
    assert days().keys() == {(ada, day)}


def test_other_facts_count_nothing() -> None:
    tell(new_id(), 1, kind="settled")
    drain()
    assert days() == {}


def test_a_rebuild_comes_to_the_same() -> None:
    ids = [new_id() for _ in range(4)]
    for version in range(1, 8):
        for place, member_id in enumerate(ids):
            tell(
                member_id, version, f"2026-05-{version:02}T1{place}:00:00Z", version * place, {METRICS[place]: version}
            )
        drain()
    live = days()
    assert len(live) == 28
    rebuild("member_days")
    assert days() == live
    rebuild("member_days")
    assert days() == live


def test_a_metric_that_nobody_knows_is_parked_and_keeps_the_rest_of_the_member_waiting() -> None:
    ada, ben = new_id(), new_id()
    tell(ada, 1, impact={"g_moonlight": 1})
    tell(ada, 2)
    tell(ben, 1)
    drain()
    assert days().keys() == {(ben, date(2026, 5, 4))}
    rows = db.session.execute(select(ParkedFact.version, ParkedFact.error).order_by(ParkedFact.version)).all()
    assert [tuple(row) for row in rows] == [(1, "KeyError: 'g_moonlight'"), (2, "waits behind version 1")]
