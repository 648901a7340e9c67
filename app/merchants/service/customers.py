"""Which member a merchant's own customer reference names.

A merchant names a member by id only once that member is linked with it, and sees none but those of its key's mode.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.members import service as members
from app.members.errors import MemberNotFound
from app.merchants import queries
from app.merchants.errors import CustomerNotFound
from app.merchants.models import CustomerLink


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A linked customer."""

    ref: str
    member_id: UUID
    linked_at: datetime


def link_customer(
    merchant_id: UUID, live: bool, ref: str, member_code: str, moment: datetime
) -> tuple[CustomerFacts, bool]:
    """Link ``ref`` with the member of ``member_code``, in the place of another; return the link and whether it is new.

    Doing it again changes nothing. Raises MemberNotFound for a code of nobody, or of the other mode.
    """
    with unit_of_work() as session:
        member_id = members.find_by_code(member_code, live)
        if member_id is None:
            raise MemberNotFound
        is_new = queries.lock_link(session, merchant_id, live, ref) is None
        queries.put_links(session, merchant_id, live, [(ref, member_id)], moment)
        return get_customer(merchant_id, live, ref), is_new


def link_customers(merchant_id: UUID, live: bool, links: Collection[tuple[str, UUID]], moment: datetime) -> None:
    """Link many references with members in one transaction; an unknown member is an integrity error."""
    if links:
        with unit_of_work() as session:
            queries.put_links(session, merchant_id, live, links, moment)


def get_customer(merchant_id: UUID, live: bool, ref: str) -> CustomerFacts:
    """Return the link of ``ref``; raise CustomerNotFound."""
    link = queries.find_link(db.session, merchant_id, live, ref)
    if link is None:
        raise CustomerNotFound
    return CustomerFacts(link.ref, link.member_id, link.linked_at)


def unlink_customer(merchant_id: UUID, live: bool, ref: str) -> None:
    """Forget the link of ``ref``; what was earned through it stays. Raises CustomerNotFound."""
    with unit_of_work() as session:
        link: CustomerLink | None = queries.lock_link(session, merchant_id, live, ref)
        if link is None:
            raise CustomerNotFound
        session.delete(link)


def ids_by_ref(merchant_id: UUID, live: bool, refs: Collection[str]) -> dict[str, UUID]:
    """Return the member of each reference that is linked."""
    return queries.list_links(db.session, merchant_id, live, refs) if refs else {}


def linked_members(merchant_id: UUID, live: bool, member_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the members that the merchant has linked, and so may name by id."""
    return queries.list_linked(db.session, merchant_id, live, member_ids) if member_ids else set()
