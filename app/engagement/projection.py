"""The projection of member totals by day."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, text
from sqlalchemy.orm import Session, scoped_session

from app.core.outbox import Fact, FactKind
from app.core.projector import Projection
from app.engagement.models import METRICS, MemberDay
from app.programme import service as programme

_SUMMED = ("activities", "points", *METRICS)
_COLUMNS = {"member_id": "uuid", "day": "date"} | dict.fromkeys(_SUMMED, "bigint")
_ADD = text(
    f"INSERT INTO member_day ({', '.join(_COLUMNS)})"  # noqa: S608 - made of constants
    f" SELECT * FROM unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind in _COLUMNS.items())})"
    " ON CONFLICT (member_id, day) DO UPDATE SET "
    + ", ".join(f"{name} = member_day.{name} + excluded.{name}" for name in _SUMMED)
)


def _apply(session: scoped_session[Session], facts: Sequence[Fact]) -> None:
    """Add the activities among ``facts`` to the days on which they occurred, in the programme's zone.

    What is corrected later counts on that same day.
    """
    zone = programme.current().zone
    days: dict[tuple[Any, Any], dict[str, Any]] = {}
    for fact in facts:
        for change in _changes(fact):
            day = datetime.fromisoformat(change["occurred_at"]).astimezone(zone).date()
            row = days.setdefault(
                (fact.member_id, day), {"member_id": fact.member_id, "day": day} | dict.fromkeys(_SUMMED, 0)
            )
            row["activities"] += change.get("activities", 1)
            row["points"] += change["points"]
            for metric, value in change["impact"].items():
                row[metric] += value
    if days:
        rows = [days[key] for key in sorted(days)]
        session.execute(_ADD, {name: [row[name] for row in rows] for name in _COLUMNS})


def _changes(fact: Fact) -> list[dict[str, Any]]:
    """Return what a fact adds, or takes where it is negative, and when that occurred."""
    if fact.kind == FactKind.ACTIVITY:
        return [fact.payload]
    changes: list[dict[str, Any]] = fact.payload["changes"] if fact.kind == FactKind.CORRECTED else []
    return changes


def _clear(session: scoped_session[Session]) -> None:
    session.execute(delete(MemberDay))


MEMBER_DAYS = Projection("member_days", _apply, _clear)
