"""The projection of what each cause was given: its public counter. Donations of test members don't count."""

from collections.abc import Sequence

from sqlalchemy import delete, text
from sqlalchemy.orm import Session, scoped_session

from app.core.outbox import Fact, FactKind
from app.core.projector import Projection
from app.redemption.models import CauseTotal

_ADD = text("""
INSERT INTO cause_total (cause_id, donations, points, matched_points)
SELECT cause_id, count(*), sum(points), sum(matched_points)
FROM unnest(CAST(:causes AS uuid[]), CAST(:points AS bigint[]), CAST(:matched AS bigint[]))
     AS given(cause_id, points, matched_points)
GROUP BY cause_id ORDER BY cause_id
ON CONFLICT (cause_id) DO UPDATE SET donations = cause_total.donations + excluded.donations,
  points = cause_total.points + excluded.points,
  matched_points = cause_total.matched_points + excluded.matched_points
""")


def _apply(session: scoped_session[Session], facts: Sequence[Fact]) -> None:
    given = [fact.payload for fact in facts if fact.kind == FactKind.DONATION and fact.payload["live"]]
    if given:
        columns = {"causes": "cause", "points": "points", "matched": "matched_points"}
        session.execute(_ADD, {name: [each[key] for each in given] for name, key in columns.items()})


def _clear(session: scoped_session[Session]) -> None:
    session.execute(delete(CauseTotal))


CAUSE_TOTALS = Projection("cause_totals", _apply, _clear)
