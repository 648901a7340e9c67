"""What tests of redemptions and vouchers share: members with points, rewards, and requests with a key."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.ledger.models import Account
from app.redemption import codes
from app.redemption.models import PoolCode, Reward
from tests.redemption.rows import put_reward

FIVE_EUROS: dict[str, Any] = {
    "discount": "amount", "value": 500, "currency": "EUR", "minimum_spend": None, "certified_only": False,
    "scope": "whole", "categories": None, "skus": None, "is_partial": True, "valid_days": 90, "valid_until": None,
    "refund_if_unused": "none",
}  # fmt: skip


def give_points(member_id: UUID, points: int, expires_at: datetime | None = None) -> None:
    """Give a member points that are available at once."""
    ledger.adjust_points(
        member_id, points, key=f"adjust:{new_id()}", actor="test", reason="r", expires_at=expires_at, fingerprint=b"",
        moment=now(),
    )  # fmt: skip


def reward_of(kind: str = "voucher_generated", *, voucher: dict[str, Any] | None = None, **columns: Any) -> Reward:
    """Store a published reward of 100 points; ``document`` in ``columns`` is what staff wrote beside its names."""
    document = {"names": {"en": "Five euros", "de": "Fünf Euro"}} | columns.pop("document", {})
    if kind != "product":
        document["voucher"] = FIVE_EUROS | (voucher or {})
    return put_reward(columns.pop("stock", None), kind=kind, document=document, **columns)


def put_pool(reward: Reward, texts: list[str], live: bool = True) -> None:
    """Store codes that the reward's partner has printed."""
    with unit_of_work() as session:
        for place, text in enumerate(texts, 1):
            code = codes.spell_partner(text)
            assert code is not None
            session.add(
                PoolCode(
                    reward_id=reward.reward_id, place=place, live=live,
                    code_hash=codes.hash_partner(code, reward.merchant_id, live),
                    code_cipher=codes.encrypt(code, codes.about_pool(reward.reward_id)),
                )
            )  # fmt: skip


def post(
    client: FlaskClient, path: str, headers: dict[str, str], body: Any = None, key: str | None = None
) -> TestResponse:
    """Send with an Idempotency-Key, a new one unless it is given."""
    sent = headers | {"Idempotency-Key": key or str(new_id())}
    return client.post(path, headers=sent) if body is None else client.post(path, json=body, headers=sent)


def buckets(member_id: UUID) -> tuple[int, int, int]:
    """Return what is available, held and spent, as it is booked."""
    db.session.rollback()
    account = db.session.get(Account, member_id, populate_existing=True)
    assert account is not None
    found = (account.available, account.held, account.spent)
    db.session.rollback()
    return found


def differences() -> list[str]:
    """Return what the ledger's verification finds."""
    db.session.rollback()
    return [str(each) for each in ledger.verify(ledger.Verification())]


def cart(total: int = 2000, currency: str = "EUR", **changes: Any) -> dict[str, Any]:
    """Return a cart of one line."""
    line = {"id": "1", "sku": "A-1", "category": "produce", "quantity": 2, "total": total} | changes
    return {"currency": currency, "lines": [line]}
