"""Receipts, weigh tickets and serial numbers: each is claimed once, across merchants and members.

1. A receipt (of recycling, the weigh ticket) stands for the whole activity, a serial number for its line.
2. They are told apart by the kind of activity: what was bought may be repaired and traded in.
3. Case and surrounding or repeated blanks make no difference.
4. The first activity keeps it. A later one is stored, earns nothing for what it names again, and staff see both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, tuple_, update
from sqlalchemy.orm import Session, scoped_session

from app.activities.models import ClaimedProof, DuplicateClaim
from app.core.guarded_write import RowShape

CLAIMED_PROOF = RowShape("claimed_proof", (
    ("member_id", "uuid"), ("live", "boolean"), ("kind", "text"), ("proof", "text"), ("value", "text"),
    ("activity_id", "uuid"),
))  # fmt: skip
_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class Proof:
    """What an activity claims; ``line`` None is the whole of it."""

    kind: str
    proof: str
    value: str
    line: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What is claimed once."""
        return self.kind, self.proof, self.value


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A proof that ``first_activity_id`` claimed before."""

    proof: Proof
    first_activity_id: UUID


def proofs_of(body: Mapping[str, Any]) -> list[Proof]:
    """Return what an activity claims, as it was sent or as it was read."""
    kind, receipt = body["kind"], body.get("receipt")
    found = [Proof(kind, "receipt", _spelled(receipt))] if receipt is not None else []
    for line in body.get("lines", ()):
        if line.get("serial") is not None:
            found.append(Proof(kind, "serial", _spelled(line["serial"]), line["id"]))
    return found


def _spelled(text: str) -> str:
    return " ".join(text.split()).casefold()


def proof_rows(member_id: UUID, live: bool, activity_id: UUID, proofs: Iterable[Proof]) -> list[tuple[Any, ...]]:
    """Return the rows of ``CLAIMED_PROOF`` that claim ``proofs``, in the order of their keys."""
    return [(member_id, live, *key, activity_id) for key in sorted({proof.key for proof in proofs})]


def find_duplicates(
    session: _Session, live: bool, proofs: Sequence[Proof], activity_id: UUID | None = None
) -> list[Duplicate]:
    """Return those of ``proofs`` that another activity than ``activity_id`` has claimed."""
    if not proofs:
        return []
    rows = session.query(ClaimedProof.kind, ClaimedProof.proof, ClaimedProof.value, ClaimedProof.activity_id).filter(
        ClaimedProof.live == live,
        tuple_(ClaimedProof.kind, ClaimedProof.proof, ClaimedProof.value).in_([proof.key for proof in proofs]),
    )
    claimed = {(kind, proof, value): first for kind, proof, value, first in rows if first != activity_id}
    return [Duplicate(proof, claimed[proof.key]) for proof in proofs if proof.key in claimed]


def repeated_within(proofs: Sequence[Proof], activity_id: UUID) -> list[Duplicate]:
    """Return those of an activity's ``proofs`` that stand in it before: the first line with a serial keeps it."""
    seen: set[tuple[str, str, str]] = set()
    found = []
    for proof in proofs:
        if proof.key in seen:
            found.append(Duplicate(proof, activity_id))
        seen.add(proof.key)
    return found


def claim_proofs(
    session: _Session, live: bool, activity_id: UUID, proofs: Iterable[Proof], duplicates: Iterable[Duplicate]
) -> None:
    """Claim ``proofs`` but for ``duplicates`` for an activity of nobody yet."""
    taken = {each.proof.key for each in duplicates}
    for kind, proof, value in sorted({proof.key for proof in proofs} - taken):
        session.add(ClaimedProof(live=live, kind=kind, proof=proof, value=value, activity_id=activity_id))
    session.flush()


def give_proofs(session: _Session, live: bool, activity_id: UUID, proofs: Iterable[Proof], member_id: UUID) -> None:
    """Say that what the activity has claimed of ``proofs`` is this member's."""
    keys = [proof.key for proof in proofs]
    if keys:
        session.execute(update(ClaimedProof).where(*_claimed_by(live, activity_id, keys)).values(member_id=member_id))


def _claimed_by(live: bool, activity_id: UUID, keys: list[tuple[str, str, str]]) -> tuple[Any, ...]:
    named = tuple_(ClaimedProof.kind, ClaimedProof.proof, ClaimedProof.value).in_(keys)
    return ClaimedProof.live == live, named, ClaimedProof.activity_id == activity_id


def release_proofs(session: _Session, live: bool, activity_id: UUID, proofs: Iterable[Proof]) -> None:
    """Let go of those of ``proofs`` that this activity had claimed."""
    keys = [proof.key for proof in proofs]
    if keys:
        session.execute(delete(ClaimedProof).where(*_claimed_by(live, activity_id, keys)))


def note_duplicates(
    session: _Session, live: bool, activity_id: UUID, duplicates: Iterable[Duplicate], moment: datetime
) -> None:
    """Store for staff which proofs an activity named although others had claimed them."""
    by_key = {each.proof.key: each for each in duplicates}
    for (kind, proof, value), each in by_key.items():
        session.merge(
            DuplicateClaim(
                activity_id=activity_id, kind=kind, proof=proof, value=value, live=live,
                first_activity_id=each.first_activity_id, recorded_at=moment,
            )
        )  # fmt: skip
    session.flush()
