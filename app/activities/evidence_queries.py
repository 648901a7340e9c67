"""The SELECTs of evidence, above all the search for like pictures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text, tuple_, update
from sqlalchemy.orm import Session, scoped_session

from app.activities.evidence_models import Evidence, EvidenceBand
from app.activities.evidence_pictures import bands_of

_Session = Session | scoped_session[Any]
# so many of the newest pictures that share a quarter of the hash are compared; more share one only if they show nothing
ALIKE_MAX = 1000
_LOCK_SPACE = 0x45564944  # "EVID", to keep these locks from those of others

# Of several like it, the upload itself comes first, then pictures that an activity cites, then the most alike.
_LIKE = text("""
WITH near AS (
  SELECT b.member_id, b.evidence_id FROM unnest(CAST(:bands AS integer[])) AS asked(band)
  CROSS JOIN LATERAL (
    SELECT member_id, evidence_id, dhash FROM evidence_band
    WHERE band = asked.band ORDER BY evidence_id DESC LIMIT :alike_max
  ) AS b
  WHERE bit_count((b.dhash # :dhash)::bit(64)) <= :distance_max
  UNION SELECT same.member_id, same.evidence_id FROM evidence AS same WHERE same.sha256 = :sha256)
SELECT e.member_id, e.evidence_id FROM near JOIN evidence AS e USING (member_id, evidence_id)
JOIN member USING (member_id)
WHERE member.live = :live AND NOT (e.member_id = :member_id AND e.activity_id IS NULL)
ORDER BY e.sha256 = :sha256 DESC, e.activity_id IS NOT NULL DESC, bit_count((e.dhash # :dhash)::bit(64)), e.evidence_id
LIMIT 1
""")
_LOCK = text("""
SELECT pg_advisory_xact_lock(CAST(:space AS integer), band) FROM unnest(CAST(:bands AS integer[])) AS asked(band)
""")
_CITED_LIKE = text("""
SELECT member_id, evidence_id FROM evidence
WHERE member_id = :member_id AND activity_id IS NOT NULL AND bit_count((dhash # :dhash)::bit(64)) <= :distance_max
ORDER BY evidence_id LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Reused:
    """An earlier picture that another one is like."""

    member_id: UUID
    evidence_id: UUID


def lock_bands(session: _Session, bands: Sequence[int]) -> None:
    """Let no other picture that shares a band be looked for or added until the open unit of work ends."""
    session.execute(_LOCK, {"space": _LOCK_SPACE, "bands": sorted(bands)})


def find_uncited(session: _Session, member_id: UUID, sha256: bytes, since: datetime) -> Evidence | None:
    """Return the member's evidence of that upload since then that no activity cites, locked."""
    return session.scalar(
        select(Evidence)
        .where(
            Evidence.member_id == member_id, Evidence.sha256 == sha256, Evidence.activity_id.is_(None),
            Evidence.created_at > since,
        )
        .order_by(Evidence.evidence_id.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )  # fmt: skip


def find_like(
    session: _Session, member_id: UUID, live: bool, sha256: bytes, dhash: int, bands: Sequence[int], distance_max: int
) -> Reused | None:
    """Return the earlier picture that such a one is most like, but for the member's own that no activity cites."""
    row = session.execute(
        _LIKE,
        {
            "member_id": member_id, "live": live, "sha256": sha256, "dhash": dhash, "bands": list(bands),
            "distance_max": distance_max, "alike_max": ALIKE_MAX,
        },
    ).first()  # fmt: skip
    return None if row is None else Reused(*row)


def find_own_cited_like(session: _Session, member_id: UUID, dhash: int, distance_max: int) -> Reused | None:
    """Return the first of the member's pictures that is like such a one and that an activity cites."""
    row = session.execute(
        _CITED_LIKE, {"member_id": member_id, "dhash": dhash, "distance_max": distance_max}
    ).first()  # fmt: skip
    return None if row is None else Reused(*row)


def find_evidence(session: _Session, member_id: UUID, evidence_id: UUID) -> Evidence | None:
    """Return the member's evidence."""
    return session.get(Evidence, (member_id, evidence_id), populate_existing=True)


def find_anyones(session: _Session, evidence_id: UUID) -> Evidence | None:
    """Return evidence, whoever's it is."""
    return session.scalar(select(Evidence).where(Evidence.evidence_id == evidence_id))


def lock_evidence(session: _Session, member_id: UUID, evidence_ids: Collection[UUID]) -> list[Evidence]:
    """Return those of the evidence that are the member's, locked, by id."""
    return list(
        session.scalars(
            select(Evidence)
            .where(Evidence.member_id == member_id, Evidence.evidence_id.in_(evidence_ids))
            .order_by(Evidence.evidence_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def note_stored(session: _Session, member_id: UUID, evidence_id: UUID, moment: datetime) -> None:
    """Note that the picture is kept."""
    session.execute(
        update(Evidence)
        .where(Evidence.member_id == member_id, Evidence.evidence_id == evidence_id, Evidence.stored_at.is_(None))
        .values(stored_at=moment)
    )


def list_of_activities(session: _Session, activity_ids: Collection[UUID]) -> list[Evidence]:
    """Return the evidence that these activities cite, by id."""
    if not activity_ids:
        return []
    return list(
        session.scalars(
            select(Evidence).where(Evidence.activity_id.in_(activity_ids)).order_by(Evidence.evidence_id)
        )
    )  # fmt: skip


def activities_of(session: _Session, evidence: Collection[Reused]) -> dict[UUID, UUID]:
    """Return the activities that cite this evidence, by its id, as far as there are any."""
    if not evidence:
        return {}
    keys = [(each.member_id, each.evidence_id) for each in evidence]
    rows = session.execute(
        select(Evidence.evidence_id, Evidence.activity_id).where(
            tuple_(Evidence.member_id, Evidence.evidence_id).in_(keys), Evidence.activity_id.is_not(None)
        )
    )
    return {row.evidence_id: row.activity_id for row in rows}


def condemn_uncited(session: _Session, before: datetime, limit: int) -> list[tuple[UUID, UUID, str]]:
    """Take what no activity cites and that is older than that out of use; return its keys and where it is kept.

    What was taken out of use before and is still there is returned again.
    """
    chosen = (
        select(Evidence.member_id, Evidence.evidence_id)
        .where(Evidence.activity_id.is_(None), Evidence.created_at < before)
        .order_by(Evidence.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    rows = session.execute(
        update(Evidence)
        .where(Evidence.member_id == chosen.c.member_id, Evidence.evidence_id == chosen.c.evidence_id)
        .values(stored_at=None)
        .returning(Evidence.member_id, Evidence.evidence_id, Evidence.object_name)
    )
    return [(row.member_id, row.evidence_id, row.object_name) for row in rows]


def delete_condemned(session: _Session, keys: Collection[tuple[UUID, UUID]]) -> int:
    """Delete this evidence, as far as it is out of use, and what finds it; return how many."""
    gone = session.execute(
        delete(Evidence)
        .where(
            tuple_(Evidence.member_id, Evidence.evidence_id).in_(keys), Evidence.stored_at.is_(None),
            Evidence.activity_id.is_(None),
        )
        .returning(Evidence.evidence_id, Evidence.dhash)
    ).all()  # fmt: skip
    found_by = [(band, row.evidence_id) for row in gone for live in (True, False) for band in bands_of(row.dhash, live)]
    session.execute(delete(EvidenceBand).where(tuple_(EvidenceBand.band, EvidenceBand.evidence_id).in_(found_by)))
    return len(gone)
