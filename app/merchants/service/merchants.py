"""Take in a merchant and find it again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.merchants import queries
from app.merchants.errors import MerchantKeyTaken, MerchantNotFound
from app.merchants.models import Merchant


@dataclass(frozen=True, slots=True)
class MerchantFacts:
    """What other rooms may know of a merchant."""

    merchant_id: UUID
    key: str
    name: str
    status: str
    time_zone: str
    currency: str


# whom activities are of that shoppers declare themselves: the programme, which has no keys and is no shop
PROGRAMME_ID = UUID("00000000-0000-7000-8000-5e1fdec1a4ed")
PROGRAMME_KEY = "self-declared"


def _facts(merchant: Merchant) -> MerchantFacts:
    return MerchantFacts(
        merchant.merchant_id, merchant.key, merchant.name, merchant.status, merchant.time_zone, merchant.currency
    )


def create_merchant(*, key: str, name: str, time_zone: str, currency: str, moment: datetime) -> MerchantFacts:
    """Take in a merchant under the readable name ``key``; raise MerchantKeyTaken where another has it."""
    with unit_of_work() as session:
        values = {
            "merchant_id": new_id(), "key": key, "name": name, "status": "active", "time_zone": time_zone,
            "currency": currency, "created_at": moment,
        }  # fmt: skip
        made = session.scalar(
            insert(Merchant).values(values).on_conflict_do_nothing(index_elements=["key"]).returning(Merchant)
        )
        if made is None:
            raise MerchantKeyTaken
        return _facts(made)


def load_reference() -> None:
    """Make sure of the merchant that is the programme itself; raise MerchantKeyTaken where another has its key."""
    with unit_of_work() as session:
        values = {
            "merchant_id": PROGRAMME_ID, "key": PROGRAMME_KEY, "name": "Self-declared", "status": "active",
            "time_zone": "UTC", "currency": "EUR", "created_at": now(),
        }  # fmt: skip
        session.execute(insert(Merchant).values(values).on_conflict_do_nothing())
        if queries.find_merchant(session, PROGRAMME_ID) is None:
            raise MerchantKeyTaken


def get_merchant(merchant_id: UUID) -> MerchantFacts:
    """Return the merchant; raise MerchantNotFound."""
    merchant = queries.find_merchant(db.session, merchant_id)
    if merchant is None:
        raise MerchantNotFound
    return _facts(merchant)


def find_merchant_by_key(key: str) -> MerchantFacts | None:
    """Return the merchant of that readable name."""
    merchant = queries.find_merchant_by_key(db.session, key)
    return _facts(merchant) if merchant else None


def list_merchants(*, ids: Collection[UUID] = (), keys: Collection[str] = ()) -> list[MerchantFacts]:
    """Return the merchants of these ids or readable names that there are, by readable name."""
    return [_facts(merchant) for merchant in queries.list_merchants(db.session, ids, keys)] if ids or keys else []
