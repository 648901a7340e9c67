"""What is read of the merchants."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.merchants.models import CustomerLink, Merchant, MerchantKey, TestMember

_Session = Session | scoped_session[Any]


def list_usable_keys(connection: Connection) -> Sequence[Any]:
    """Return every key that is not revoked, of active merchants, with the merchant's readable name."""
    return connection.execute(
        select(
            MerchantKey.key_hash, MerchantKey.key_id, MerchantKey.merchant_id, Merchant.key, MerchantKey.live,
            MerchantKey.scopes, MerchantKey.max_evidence, MerchantKey.expires_at,
        )
        .join(Merchant, Merchant.merchant_id == MerchantKey.merchant_id)
        .where(MerchantKey.revoked_at.is_(None), Merchant.status == "active")
    ).all()  # fmt: skip


def find_merchant(session: _Session, merchant_id: UUID) -> Merchant | None:
    """Return the merchant."""
    return session.get(Merchant, merchant_id, populate_existing=True)


def find_merchant_by_key(session: _Session, key: str) -> Merchant | None:
    """Return the merchant of that readable name."""
    return session.scalar(select(Merchant).where(Merchant.key == key))


def list_merchants(session: _Session, ids: Collection[UUID], keys: Collection[str]) -> Sequence[Merchant]:
    """Return the merchants of these ids or readable names that there are, by readable name."""
    wanted = or_(Merchant.merchant_id.in_(ids), Merchant.key.in_(keys))
    return session.scalars(select(Merchant).where(wanted).order_by(Merchant.key)).all()


def lock_key(session: _Session, merchant_id: UUID, key_id: UUID) -> MerchantKey | None:
    """Return the merchant's API key unless it is revoked, locked."""
    return session.scalar(
        select(MerchantKey)
        .where(MerchantKey.key_id == key_id, MerchantKey.merchant_id == merchant_id, MerchantKey.revoked_at.is_(None))
        .with_for_update()
    )


def lock_link(session: _Session, merchant_id: UUID, live: bool, ref: str) -> CustomerLink | None:
    """Return the link of a customer reference, locked."""
    return session.get(CustomerLink, (merchant_id, live, ref), populate_existing=True, with_for_update=True)


def find_link(session: _Session, merchant_id: UUID, live: bool, ref: str) -> CustomerLink | None:
    """Return the link of a customer reference."""
    return session.get(CustomerLink, (merchant_id, live, ref), populate_existing=True)


def list_links(session: _Session, merchant_id: UUID, live: bool, refs: Collection[str]) -> dict[str, UUID]:
    """Return the member of each reference that is linked."""
    rows = session.execute(
        select(CustomerLink.ref, CustomerLink.member_id).where(
            CustomerLink.merchant_id == merchant_id, CustomerLink.live == live, CustomerLink.ref.in_(refs)
        )
    )
    return {row.ref: row.member_id for row in rows}


def list_linked(session: _Session, merchant_id: UUID, live: bool, member_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the members that the merchant has linked."""
    return set(
        session.scalars(
            select(CustomerLink.member_id).where(
                CustomerLink.member_id.in_(member_ids),
                CustomerLink.merchant_id == merchant_id,
                CustomerLink.live == live,
            )
        )
    )


def lock_merchant(session: _Session, merchant_id: UUID) -> None:
    """Lock the merchant's row until the transaction ends; what only refers to it does not wait."""
    query = select(Merchant.merchant_id).where(Merchant.merchant_id == merchant_id)
    session.execute(query.with_for_update(key_share=True))


def list_oldest_test_members(session: _Session, merchant_id: UUID, kept: int) -> Sequence[UUID]:
    """Return the merchant's test members but for the newest ``kept`` of them."""
    return session.scalars(
        select(TestMember.member_id)
        .where(TestMember.merchant_id == merchant_id)
        .order_by(TestMember.member_id.desc())
        .offset(kept)
    ).all()


def find_test_member(session: _Session, merchant_id: UUID, member_id: UUID) -> TestMember | None:
    """Return the merchant's test member of that id."""
    return session.get(TestMember, (merchant_id, member_id), populate_existing=True)


def forget_test_member(session: _Session, merchant_id: UUID, member_id: UUID) -> None:
    """Delete a test member from the merchant's list, and the references by which the merchant's test key names it."""
    mine = (TestMember.merchant_id == merchant_id, TestMember.member_id == member_id)
    session.execute(delete(TestMember).where(*mine))
    named = (CustomerLink.merchant_id == merchant_id, CustomerLink.member_id == member_id, ~CustomerLink.live)
    session.execute(delete(CustomerLink).where(*named))


def put_links(
    session: _Session, merchant_id: UUID, live: bool, links: Collection[tuple[str, UUID]], moment: datetime
) -> None:
    """Link each reference with its member, in the place of an older one; the moment of an unchanged one stays."""
    statement = insert(CustomerLink)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["merchant_id", "live", "ref"],
            set_={"member_id": statement.excluded.member_id, "linked_at": statement.excluded.linked_at},
            where=CustomerLink.member_id != statement.excluded.member_id,
        ),
        [
            {"merchant_id": merchant_id, "live": live, "ref": ref, "member_id": member_id, "linked_at": moment}
            for ref, member_id in sorted(links)
        ],
    )
