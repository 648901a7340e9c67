"""API keys: issued once in plain, known afterwards by their SHA-256 alone.

A key carries 256 random bits, so a plain hash is as good as a slow one. The usable keys stand in a snapshot: a
request with a valid key costs no query, and one with an unknown key none either.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core import cache
from app.core.auth import Principal
from app.core.clock import now
from app.core.database import db
from app.core.errors import Unauthorized
from app.core.evidence import GRADES
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.merchants import queries
from app.merchants.errors import KeyNotFound, MerchantNotFound
from app.merchants.models import MerchantKey
from app.merchants.service.merchants import PROGRAMME_ID
from app.staff import service as staff

LIVE_PREFIX = "gp_live_"
TEST_PREFIX = "gp_test_"
SCOPES = (
    "activities", "returns", "customers", "previews", "holds", "vouchers", "products", "statements", "stations",
)  # fmt: skip
_SNAPSHOT = "merchant_keys"


@dataclass(frozen=True, kw_only=True)
class MerchantPrincipal(Principal):
    """A merchant's key; ``merchant_key`` is the merchant's readable name, ``max_evidence`` the grade it may claim."""

    key_id: UUID
    merchant_key: str
    max_evidence: str

    @property
    def default_evidence(self) -> str:
        """The grade of what the key reports without naming one; a serial number is never taken for granted."""
        return self.max_evidence if self.max_evidence != "serialised" else "staff"


def _load() -> dict[bytes, tuple[MerchantPrincipal, datetime | None]]:
    with db.engine.connect() as connection:
        rows = queries.list_usable_keys(connection)
    return {
        bytes(row.key_hash): (
            MerchantPrincipal(
                kind="merchant", id=row.merchant_id, live=row.live, grants=frozenset(row.scopes), key_id=row.key_id,
                merchant_key=row.key, max_evidence=row.max_evidence,
            ),
            row.expires_at,
        )
        for row in rows
    }  # fmt: skip


_usable = cache.Snapshot(_SNAPSHOT, _load)


def authenticate(key: str) -> MerchantPrincipal:
    """Return who holds ``key``; raise Unauthorized where it is unknown, revoked or over its time."""
    found = _usable.get().get(hash_key(key))
    if found is None or (found[1] is not None and found[1] <= now()):
        raise Unauthorized("This API key is not valid.")
    return found[0]


def principal_of(merchant_id: UUID, live: bool, evidence: str) -> MerchantPrincipal:
    """Return a merchant as the key that reported something before; ``evidence`` is the grade of what names none.

    It is good for evaluating that again, not for a request: it has no scope. Raises MerchantNotFound.
    """
    merchant = queries.find_merchant(db.session, merchant_id)
    if merchant is None:
        raise MerchantNotFound
    return MerchantPrincipal(
        kind="merchant", id=merchant_id, live=live, key_id=merchant_id, merchant_key=merchant.key, max_evidence=evidence
    )


def hash_key(key: str) -> bytes:
    """Return what is kept of ``key``."""
    return hashlib.sha256(key.encode()).digest()


def issue_key(
    merchant_id: UUID,
    *,
    live: bool,
    scopes: Collection[str] = SCOPES,
    max_evidence: str = "staff",
    label: str = "",
    moment: datetime,
) -> tuple[UUID, str]:
    """Make a key for the merchant and return its id and, this once, the key itself.

    Raises MerchantNotFound, also for the programme itself, and ValueError for a scope or grade that there is none of.
    """
    if not set(scopes) <= set(SCOPES) or max_evidence not in GRADES:
        raise ValueError("no such scope or grade of evidence")
    plain = (LIVE_PREFIX if live else TEST_PREFIX) + secrets.token_urlsafe(32)
    with unit_of_work() as session:
        if merchant_id == PROGRAMME_ID or queries.find_merchant(session, merchant_id) is None:
            raise MerchantNotFound
        made = MerchantKey(
            key_id=new_id(), merchant_id=merchant_id, key_hash=hash_key(plain), last4=plain[-4:], label=label,
            live=live, scopes=sorted(set(scopes)), max_evidence=max_evidence, created_at=moment,
        )  # fmt: skip
        session.add(made)
        session.flush()
        state = {"merchant_id": merchant_id, "label": label, "live": live, "scopes": made.scopes, "last4": made.last4}
        staff.record_audit("merchant_key.issued", "merchant_key", made.key_id, before=None, after=state, moment=moment)
        cache.bump(_SNAPSHOT)
        return made.key_id, plain


def rotate_key(merchant_id: UUID, key_id: UUID, *, overlap: timedelta, moment: datetime) -> tuple[UUID, str]:
    """Make a key like ``key_id``, which itself stays good for ``overlap``, and return its id and the key.

    Raises KeyNotFound. A key that ends sooner anyway still does.
    """
    with unit_of_work() as session:
        old = queries.lock_key(session, merchant_id, key_id)
        if old is None or (old.expires_at is not None and old.expires_at <= moment):
            raise KeyNotFound
        old.expires_at = min(old.expires_at or moment + overlap, moment + overlap)
        return issue_key(
            merchant_id, live=old.live, scopes=old.scopes, max_evidence=old.max_evidence, label=old.label,
            moment=moment,
        )  # fmt: skip


def revoke_key(merchant_id: UUID, key_id: UUID, moment: datetime) -> None:
    """End the key: at once in this process, within half a second in the others. Raises KeyNotFound."""
    with unit_of_work() as session:
        key = queries.lock_key(session, merchant_id, key_id)
        if key is None:
            raise KeyNotFound
        was_revoked_at, key.revoked_at = key.revoked_at, moment
        staff.record_audit(
            "merchant_key.revoked", "merchant_key", key_id, before={"revoked_at": was_revoked_at},
            after={"revoked_at": moment}, moment=moment,
        )  # fmt: skip
        cache.bump(_SNAPSHOT)
