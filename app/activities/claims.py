"""Activities of nobody we know: stored under a claim code that the receipt can show, until somebody claims them.

The code is derived from the activity's id and our secret, so that a repetition gets the same one although only its
hash is stored. What is claimed is evaluated by the rules of the time when it occurred, as if it had come now: nothing
of limits and budgets was kept back for it. What was completed or returned meanwhile is booked with it.

Whoever claims, completes, returns or revises what waits locks the claim first and then the account, never the other
way round.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy.orm import scoped_session

from app.activities import completing, paying, queries, returns
from app.activities.errors import ActivityClosed, ClaimExpired, ClaimNotFound, DuplicateClaimed, InvalidCode
from app.activities.evaluating import Prepared, Source, bounds_of, check_revision
from app.activities.models import ActivityRegistry, Claim
from app.activities.outcome import Accepted
from app.activities.proofs import (
    Duplicate,
    Proof,
    claim_proofs,
    find_duplicates,
    give_proofs,
    note_duplicates,
    proofs_of,
    release_proofs,
)
from app.activities.queries import MemberFacts
from app.activities.reading import Report, complete_body, digest_of, facts_of
from app.catalog import service as catalog
from app.core.clock import now
from app.core.codes import code_from_bytes, format_code, normalise_code
from app.core.database import db, driver_connection
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.members import service as members
from app.merchants import service as merchants
from app.merchants.service import MerchantPrincipal

CODE_LENGTH = 13
OPEN_FOR = timedelta(days=30)
QR_PREFIX = "GREENPOINTS:CLAIM:"
NOTHING_EARNED = {
    "points": {"awarded": 0, "available": 0, "pending": 0, "paid_debt": 0},
    "awards": [],
    "missed": [],
    "impact": [],
}


def _keyed(purpose: bytes, content: bytes) -> bytes:
    return hmac.new(current_app.config["SECRET_KEY"].encode(), purpose + b"\x00" + content, hashlib.sha256).digest()


def claim_code_of(activity_id: UUID) -> str:
    """Return the claim code of an activity, 13 characters and a check symbol."""
    return code_from_bytes(_keyed(b"claim-code", activity_id.bytes), CODE_LENGTH)


def hash_of(code: str) -> bytes:
    """Return what is stored of a claim code."""
    return _keyed(b"claim-hash", code.encode())


def read_code(text: str) -> str:
    """Return the code that ``text``, typed or scanned, spells; raise InvalidCode by its check symbol alone."""
    code = normalise_code(text.strip().upper().removeprefix(QR_PREFIX))
    if code is None or len(code) != CODE_LENGTH + 1:
        raise InvalidCode([{"pointer": "/code", "detail": "This is no claim code: look at it again."}])
    return code


def qr_payload(code: str) -> str:
    """Return what a receipt's QR code says of a claim code: capitals and digits, which make the smallest one."""
    return QR_PREFIX + code.replace("-", "")


def _waiting(claim: Claim, is_replay: bool = False) -> Accepted:
    return Accepted(
        claim.activity_id, claim.external_id, claim.revision, None, claim.occurred_at, NOTHING_EARNED, is_replay,
        claim_code=format_code(claim_code_of(claim.activity_id)),
    )  # fmt: skip


def waiting(activity_id: UUID) -> Accepted:
    """Return the answer to an activity that waits to be claimed."""
    claim = queries.find_claim(db.session, activity_id)
    assert claim is not None
    return _waiting(claim, is_replay=True)


def store(merchant: MerchantPrincipal, report: Report, proofs: Sequence[Proof], moment: datetime) -> Accepted:
    """Store an activity of nobody under its claim code; open for 30 days. It claims its receipt and serial numbers."""
    activity_id = new_id()
    read = report.read
    with unit_of_work() as session:
        duplicates = find_duplicates(session, merchant.live, proofs)
        session.add(
            ActivityRegistry(
                merchant_id=merchant.id, live=merchant.live, external_id=report.external_id, activity_id=activity_id,
                member_id=None, revision=read["revision"], digest=report.digest,
            )
        )  # fmt: skip
        claim = Claim(
            code_hash=hash_of(claim_code_of(activity_id)), activity_id=activity_id, merchant_id=merchant.id,
            live=merchant.live, external_id=report.external_id, revision=read["revision"], body=dict(report.body),
            occurred_at=read["occurred_at"], recorded_at=moment, expires_at=moment + OPEN_FOR,
            evidence=merchant.default_evidence, duplicates=_codes(duplicates), returns=[],
        )  # fmt: skip
        session.add(claim)
        session.flush()
        claim_proofs(session, merchant.live, activity_id, proofs, duplicates)
        note_duplicates(session, merchant.live, activity_id, duplicates, moment)
        return _waiting(claim)


def _codes(duplicates: Sequence[Duplicate]) -> list[dict[str, Any]]:
    return [
        {"kind": each.proof.kind, "proof": each.proof.proof, "value": each.proof.value, "line": each.proof.line,
         "first": str(each.first_activity_id)}
        for each in duplicates
    ]  # fmt: skip


def _duplicates(claim: Claim) -> list[Duplicate]:
    return [
        Duplicate(Proof(each["kind"], each["proof"], each["value"], each["line"]), UUID(each["first"]))
        for each in claim.duplicates
    ]


def revise_waiting(
    session: scoped_session[Any],
    origin: Source,
    prepared: Prepared,
    claim: Claim,
    member: MemberFacts | None,
    moment: datetime,
) -> Accepted:
    """Put a new revision in the place of one that waits under a locked claim; a member whom it names has it at once.

    Raises ActivityClosed once it was completed or returned.
    """
    report = prepared.report
    if claim.completed_at is not None or claim.returns or claim.body.get("completed"):
        raise ActivityClosed
    check_revision(origin, report, claim.occurred_at, moment)
    live = origin.merchant.live
    release_proofs(session, live, claim.activity_id, proofs_of(claim.body))
    duplicates = find_duplicates(session, live, prepared.proofs, claim.activity_id)
    claim_proofs(session, live, claim.activity_id, prepared.proofs, duplicates)
    note_duplicates(session, live, claim.activity_id, duplicates, moment)
    claim.revision, claim.body = report.read["revision"], dict(report.body)
    claim.occurred_at, claim.evidence = report.read["occurred_at"], origin.merchant.default_evidence
    claim.duplicates = _codes(duplicates)
    registered = session.get_one(ActivityRegistry, (origin.merchant.id, live, report.external_id))
    registered.revision, registered.digest = claim.revision, report.digest
    session.flush()
    if member is None:
        return _waiting(claim)
    ledger.lock_account(member.member_id)
    return _pay(session, claim, member, moment)


def claim_activity(member_id: UUID, live: bool, text: str) -> Accepted:
    """Book what waits under a code for the member; the same member again gets the same answer.

    Raises InvalidCode without asking the database, ClaimNotFound (of the other world too), ClaimExpired, and
    DuplicateClaimed where somebody else was first.
    """
    code = read_code(text)
    moment = now()
    with unit_of_work() as session:
        known = session.get(Claim, hash_of(code))
        if known is None or known.live is not live:
            raise ClaimNotFound
        claim = queries.lock_claim(session, known.activity_id)
        assert claim is not None
        if claim.member_id == member_id:
            with driver_connection() as connection:
                return queries.read_stored(connection, [(member_id, claim.activity_id)])[claim.activity_id]
        if claim.claimed_at is not None:
            raise DuplicateClaimed
        if claim.expires_at <= moment:
            raise ClaimExpired
        ledger.lock_account(member_id)
        return _pay(session, claim, _facts_of(members.get_member(member_id, live)), moment)


def _facts_of(member: members.MemberFacts) -> MemberFacts:
    return MemberFacts(
        member.member_id, member.tier, member.region, member.tags, member.enrolled_at, member.locale,
        member.household_id,
    )  # fmt: skip


def _pay(session: scoped_session[Any], claim: Claim, member: MemberFacts, moment: datetime) -> Accepted:
    """Pay a locked claim to its member, whose account is locked, and book what became of it meanwhile."""
    merchant = merchants.principal_of(claim.merchant_id, claim.live, claim.evidence)
    origin, actor = Source(merchant), f"member:{member.member_id}"
    read = complete_body(claim.body)
    [terms] = catalog.certificate_terms(merchant.id, claim.live, [(read["lines"], claim.occurred_at)])
    facts = facts_of(read, claim.occurred_at, claim.evidence, terms)
    report = Report(0, claim.body, {"id": claim.external_id, "revision": claim.revision}, digest_of(claim.body))
    prepared = Prepared(report, facts, bounds_of(merchant, facts), proofs_of(claim.body))
    with ledger.open_book(member.member_id, moment) as (_, book), driver_connection() as connection:
        evaluated, empty = paying.pay(book, origin, prepared, member, claim.activity_id, _duplicates(claim))
        write = ledger.write_beside(member.member_id)
        for shape, rows in evaluated.rows_of_registered(origin, moment):
            write.add(shape, rows)
        ledger.write_books_of([book])
        write.execute(connection)
        claim.claimed_at, claim.member_id = moment, member.member_id
        registered = session.get_one(ActivityRegistry, (claim.merchant_id, claim.live, claim.external_id))
        registered.member_id = member.member_id
        give_proofs(session, claim.live, claim.activity_id, prepared.proofs, member.member_id)
        session.flush()
        if claim.completed_at is not None:
            stored = queries.find_stored(session, member.member_id, claim.activity_id)
            assert stored is not None
            completing.complete_in_book(session, book, stored, claim.completed_at, actor)
            ledger.write_books_of([book])
        returns.book_kept_returns(session, book, claim, member.member_id, actor)
    paying.tell_budgets(evaluated, empty, claim.live)
    return evaluated.accepted()
