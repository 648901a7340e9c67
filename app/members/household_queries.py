"""What is read and changed of households and their invites."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, scoped_session

from app.members.models import Household, HouseholdInvite, Member

_Session = Session | scoped_session[Any]


def find_household(session: _Session, household_id: UUID) -> Household | None:
    """Return the household as the database has it."""
    return session.get(Household, household_id, populate_existing=True)


def lock_household(session: _Session, household_id: UUID) -> Household | None:
    """Return the household, locked; None where the last one has left it meanwhile."""
    return session.get(Household, household_id, populate_existing=True, with_for_update=True)


def list_household_members(session: _Session, household_id: UUID) -> list[Member]:
    """Return who lives in the household, who came first before the others."""
    query = select(Member).where(Member.household_id == household_id)
    return list(session.scalars(query.order_by(Member.household_joined_at, Member.member_id)))


def count_household_members(session: _Session, household_id: UUID) -> int:
    """Return how many live in the household."""
    return session.scalar(select(func.count()).where(Member.household_id == household_id)) or 0


def delete_household(session: _Session, household_id: UUID) -> None:
    """Delete the household and its invites."""
    delete_invites(session, household_id)
    session.execute(delete(Household).where(Household.household_id == household_id))


def count_open_invites(session: _Session, household_id: UUID, moment: datetime) -> int:
    """Return how many invites into the household are good at that moment."""
    is_open = HouseholdInvite.expires_at > moment
    return session.scalar(select(func.count()).where(HouseholdInvite.household_id == household_id, is_open)) or 0


def find_invite(session: _Session, code_hash: bytes, live: bool, moment: datetime) -> UUID | None:
    """Return the household that the code invites into; None where it is unknown, used, too old or of the other mode."""
    return session.scalar(
        select(HouseholdInvite.household_id).where(
            HouseholdInvite.code_hash == code_hash, HouseholdInvite.live == live, HouseholdInvite.expires_at > moment
        )
    )


def take_invite(session: _Session, code_hash: bytes) -> bool:
    """Use the invite up; return whether it was there still."""
    taken = delete(HouseholdInvite).where(HouseholdInvite.code_hash == code_hash)
    return session.scalar(taken.returning(HouseholdInvite.code_hash)) is not None


def delete_invites(session: _Session, household_id: UUID, created_by: UUID | None = None) -> None:
    """Delete the invites into the household, those of one member where one is named."""
    invites = delete(HouseholdInvite).where(HouseholdInvite.household_id == household_id)
    session.execute(invites if created_by is None else invites.where(HouseholdInvite.created_by == created_by))
