"""Activities of nobody we know: stored under a claim code that the receipt can show.

The code is derived from the activity's id and our secret, so that a repetition gets the same one although only its
hash is stored.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

from flask import current_app

from app.activities import queries
from app.activities.models import ActivityRegistry, Claim
from app.activities.outcome import Accepted
from app.activities.reading import Report
from app.core.codes import code_from_bytes, format_code
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.merchants.service import MerchantPrincipal

CODE_LENGTH = 13
OPEN_FOR = timedelta(days=30)
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


def waiting(activity_id: UUID) -> Accepted:
    """Return the answer to an activity that waits to be claimed."""
    claim = queries.find_claim(db.session, activity_id)
    assert claim is not None
    return Accepted(
        activity_id, claim.external_id, claim.revision, None, claim.occurred_at, NOTHING_EARNED, is_replay=True,
        claim_code=format_code(claim_code_of(activity_id)),
    )  # fmt: skip


def store(merchant: MerchantPrincipal, report: Report, moment: datetime) -> Accepted:
    """Store an activity of nobody under its claim code; open for 30 days."""
    activity_id = new_id()
    code = claim_code_of(activity_id)
    read = report.read
    with unit_of_work() as session:
        session.add(
            ActivityRegistry(
                merchant_id=merchant.id, live=merchant.live, external_id=report.external_id, activity_id=activity_id,
                member_id=None, revision=read["revision"], digest=report.digest,
            )
        )  # fmt: skip
        session.add(
            Claim(
                code_hash=hash_of(code), activity_id=activity_id, merchant_id=merchant.id, live=merchant.live,
                external_id=report.external_id, revision=read["revision"], body=dict(report.body),
                occurred_at=read["occurred_at"], recorded_at=moment, expires_at=moment + OPEN_FOR,
            )
        )  # fmt: skip
        session.flush()
    return Accepted(
        activity_id, report.external_id, read["revision"], None, read["occurred_at"], NOTHING_EARNED,
        claim_code=format_code(code),
    )  # fmt: skip
