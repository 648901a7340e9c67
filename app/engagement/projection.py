"""The projection of member totals by day."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.core.outbox import Fact, FactKind
from app.core.projector import Projection
from app.engagement.models import METRICS, MemberDay
from app.programme import service as programme

_SUMMED = ("activities", "points", *METRICS)


def _apply(session: scoped_session[Session], facts: Sequence[Fact]) -> None:
    """Add the activities among ``facts`` to the days on which they occurred, in the programme's zone."""
    zone = programme.current().zone
    days: dict[tuple[Any, Any], dict[str, Any]] = {}
    for fact in facts:
        if fact.kind != FactKind.ACTIVITY:
            continue
        day = datetime.fromisoformat(fact.payload["occurred_at"]).astimezone(zone).date()
        row = days.setdefault(
            (fact.member_id, day), {"member_id": fact.member_id, "day": day} | dict.fromkeys(_SUMMED, 0)
        )
        row["activities"] += 1
        row["points"] += fact.payload["points"]
        for metric, value in fact.payload["impact"].items():
            row[metric] += value
    if days:
        statement = insert(MemberDay)
        added = {name: getattr(MemberDay, name) + statement.excluded[name] for name in _SUMMED}
        session.execute(
            statement.on_conflict_do_update(index_elements=["member_id", "day"], set_=added),
            [days[key] for key in sorted(days)],
        )


def _clear(session: scoped_session[Session]) -> None:
    session.execute(delete(MemberDay))


MEMBER_DAYS = Projection("member_days", _apply, _clear)
