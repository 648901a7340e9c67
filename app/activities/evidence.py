"""Evidence: the pictures by which shoppers show what they did.

1. An upload is read and made anew before anything is kept; see ``evidence_pictures``.
2. Its row is written first, then the picture is kept, then the row says so: what is kept always has a row.
3. The same upload again, while no activity cites it, is the same evidence. Another picture that is like an earlier one
   is taken in all the same and names that one, for those who review it: the first of the upload itself, or of a picture
   that an activity cites, or else the most alike. Pictures alike never pass each other unseen: each locks its bands.
4. Evidence belongs to one activity. What none cites within a week is deleted.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.activities import evidence_queries as queries
from app.activities.evidence_errors import EvidenceNotFound, EvidenceUsed
from app.activities.evidence_models import Evidence, EvidenceBand
from app.activities.evidence_pictures import DISTANCE_MAX, Picture, bands_of, read_picture
from app.activities.evidence_queries import Reused
from app.core.auth import Principal
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.jobs import Job
from app.core.unit_of_work import retry_transient, unit_of_work
from app.core.uploads import new_name, uploads

UPLOAD_BYTES_MAX = 5 * 1024 * 1024
KEPT_UNCITED = timedelta(days=7)
# an upload is not taken for one that may be deleted at any moment
TAKEN_FOR_THE_SAME = KEPT_UNCITED - timedelta(days=1)
DELETED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Upload:
    """Evidence as its owner sees it; ``is_replay`` says that the same upload came before."""

    evidence_id: UUID
    width: int
    height: int
    byte_count: int
    is_reused: bool
    created_at: datetime
    is_replay: bool

    @property
    def expires_at(self) -> datetime:
        """When it is deleted unless an activity cites it."""
        return self.created_at + KEPT_UNCITED


def take_in(member: Principal, raw: bytes) -> Upload:
    """Take in a picture of the member's; raise NotAnImage, ImageTooLarge, StoreUnavailable.

    Opens transactions of its own: none stays open while the picture is kept.
    """
    picture = read_picture(raw)
    upload, name, is_stored = retry_transient(lambda: _reserve(member, picture, now()))
    if not is_stored:
        uploads().put(name, picture.data)
        with unit_of_work() as session:
            queries.note_stored(session, member.id, upload.evidence_id, now())
    return upload


def _reserve(member: Principal, picture: Picture, moment: datetime) -> tuple[Upload, str, bool]:
    """Return the evidence of a picture, made if it is new, with the name to keep it under and whether it is kept."""
    bands = bands_of(picture.dhash, member.live)
    with unit_of_work() as session:
        queries.lock_bands(session, bands)
        known = queries.find_uncited(session, member.id, picture.sha256, moment - TAKEN_FOR_THE_SAME)
        if known is not None:
            is_stored = known.stored_at is not None
            return _upload(known, is_replay=is_stored), known.object_name, is_stored
        like = queries.find_like(
            session, member.id, member.live, picture.sha256, picture.dhash, bands, DISTANCE_MAX
        )  # fmt: skip
        made = Evidence(
            member_id=member.id, evidence_id=new_id(), object_name=new_name(".jpg"), sha256=picture.sha256,
            dhash=picture.dhash, width=picture.width, height=picture.height, byte_count=len(picture.data),
            created_at=moment, reused_member_id=like and like.member_id, reused_evidence_id=like and like.evidence_id,
        )  # fmt: skip
        session.add(made)
        session.add_all(
            EvidenceBand(band=band, evidence_id=made.evidence_id, member_id=member.id, dhash=picture.dhash)
            for band in bands
        )
        session.flush()
        return _upload(made), made.object_name, False


def _upload(evidence: Evidence, is_replay: bool = False) -> Upload:
    return Upload(
        evidence.evidence_id, evidence.width, evidence.height, evidence.byte_count,
        evidence.reused_evidence_id is not None, evidence.created_at, is_replay,
    )  # fmt: skip


def read_own(member_id: UUID, evidence_id: UUID) -> bytes:
    """Return the picture of a member's evidence; raise EvidenceNotFound, StoreUnavailable."""
    return _picture_of(queries.find_evidence(db.session, member_id, evidence_id))


def read_anyones(evidence_id: UUID) -> bytes:
    """Return the picture of evidence, for staff; raise EvidenceNotFound, StoreUnavailable."""
    return _picture_of(queries.find_anyones(db.session, evidence_id))


def _picture_of(evidence: Evidence | None) -> bytes:
    found = None
    if evidence is not None and evidence.stored_at is not None:
        found = uploads().find(evidence.object_name)
    if found is None:
        raise EvidenceNotFound
    return found


def cite(member_id: UUID, evidence_ids: Collection[UUID], activity_id: UUID, moment: datetime) -> bool:
    """Let the activity cite the member's evidence; return whether any picture of it was used before.

    In the caller's unit of work, which has locked the member's account. Raises EvidenceNotFound for what is not the
    member's or was deleted, and EvidenceUsed.
    """
    with unit_of_work() as session:
        found = queries.lock_evidence(session, member_id, evidence_ids)
        usable = {
            each.evidence_id for each in found
            if each.stored_at is not None and (each.cited_at or each.created_at + KEPT_UNCITED > moment)
        }  # fmt: skip
        for place, evidence_id in enumerate(evidence_ids):
            if evidence_id not in usable:
                raise EvidenceNotFound(
                    errors=[{"pointer": f"/evidence_ids/{place}", "detail": "You have no such evidence."}]
                )
        for each in found:
            if each.activity_id is not None:
                raise EvidenceUsed
            if each.reused_evidence_id is None:
                like = queries.find_own_cited_like(session, member_id, each.dhash, DISTANCE_MAX)
                if like is not None:
                    each.reused_member_id, each.reused_evidence_id = like.member_id, like.evidence_id
        for each in found:
            each.activity_id, each.cited_at = activity_id, moment
        session.flush()
        return any(each.reused_evidence_id is not None for each in found)


def _url_of(evidence_id: UUID) -> str:
    return f"/v1/admin/evidence/{evidence_id}"


def of_activities(activity_ids: Collection[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return the evidence that each of these activities cites, as staff see it, with what it is like."""
    found = queries.list_of_activities(db.session, activity_ids)
    like = {
        each.evidence_id: Reused(each.reused_member_id, each.reused_evidence_id)
        for each in found
        if each.reused_member_id is not None and each.reused_evidence_id is not None
    }
    cited_by = queries.activities_of(db.session, like.values())
    shown: dict[UUID, list[dict[str, Any]]] = {}
    for each in found:
        assert each.activity_id is not None
        earlier = like.get(each.evidence_id)
        shown.setdefault(each.activity_id, []).append(
            {
                "id": each.evidence_id,
                "url": _url_of(each.evidence_id),
                "width": each.width,
                "height": each.height,
                "created_at": each.created_at,
                "reused_of": earlier
                and {
                    "id": earlier.evidence_id,
                    "url": _url_of(earlier.evidence_id),
                    "member_id": earlier.member_id,
                    "activity_id": cited_by.get(earlier.evidence_id),
                },
            }
        )
    return shown


def forget_uncited(stop: threading.Event) -> int:
    """Delete the evidence that no activity has cited within a week, with its pictures; return how many.

    What is taken out of use first is cited by nobody any more; a run that was cut short goes on where it was.
    """
    forgotten = 0
    while not stop.is_set():
        with unit_of_work() as session:
            condemned = queries.condemn_uncited(session, now() - KEPT_UNCITED, DELETED_AT_ONCE)
        if not condemned:
            break
        for _, _, name in condemned:
            uploads().remove(name)
        with unit_of_work() as session:
            keys = [(member_id, evidence_id) for member_id, evidence_id, _ in condemned]
            forgotten += queries.delete_condemned(session, keys)
    return forgotten


JOB = Job("forget_uncited_evidence", "43 * * * *", forget_uncited)
