"""Made-up members, for those who build a plugin with a test key."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.members import service as members
from app.members.errors import MemberNotFound
from app.merchants import queries
from app.merchants.models import TestMember
from app.merchants.service.customers import link_customers

TEST_MEMBERS_MAX = 1000


def make_test_member(
    merchant_id: UUID,
    *,
    ref: str | None,
    locale: str,
    region: str | None,
    tier: str,
    tags: Collection[str],
    moment: datetime,
) -> members.MemberFacts:
    """Enrol a test member, linked under ``ref``, in the place of another, where one is given; return it.

    A merchant has a thousand of them at most: the next one closes the oldest. Locks the merchant.
    """
    with unit_of_work() as session:
        queries.lock_merchant(session, merchant_id)
        for oldest in queries.list_oldest_test_members(session, merchant_id, TEST_MEMBERS_MAX - 1):
            queries.forget_test_member(session, merchant_id, oldest)
            members.close_member(oldest, moment)
        made = members.enrol_member(live=False, locale=locale, region=region, tier=tier, tags=tags, moment=moment)
        session.add(TestMember(merchant_id=merchant_id, member_id=made.member_id))
        session.flush()
        if ref is not None:
            link_customers(merchant_id, False, [(ref, made.member_id)], moment)
        return made


def check_test_member(merchant_id: UUID, member_id: UUID) -> UUID:
    """Return the id; raise MemberNotFound unless the merchant has made a test member of that id, who is not closed."""
    if queries.find_test_member(db.session, merchant_id, member_id) is None:
        raise MemberNotFound
    return member_id
