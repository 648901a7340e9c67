"""End a membership."""

from datetime import datetime
from uuid import UUID

from app.core.unit_of_work import unit_of_work
from app.members import queries
from app.members.errors import MemberNotFound
from app.members.service.households import leave_household


def close_member(member_id: UUID, moment: datetime) -> None:
    """Close the membership: its sessions stop at once, its alias is free, and it is in no household.

    What it earned, its code and its address stay as they are. Raises MemberNotFound. Locks the member.
    """
    with unit_of_work() as session:
        member = queries.lock_member(session, member_id)
        if member is None:
            raise MemberNotFound
        if member.household_id is not None:
            leave_household(member_id, moment)
        queries.release_alias(session, member_id, keep=None)
        member.status, member.alias, member.updated_at = "closed", None, moment
        session.flush()
