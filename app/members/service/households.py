"""Households: members who live together, for limits that hold for all of them.

A member is in one household at most and, having left one, in none for 30 days: each other household would bring
limits of its own. Locks: the member's own row first, then the household's; no use case locks a second member, and
whoever joins or leaves holds the household's lock, so that its members are counted exactly.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy.orm import Session, scoped_session

from app.core.clock import format_time
from app.core.codes import format_code, make_code, normalise_code
from app.core.database import db
from app.core.ids import new_id
from app.core.secrets import derived_key
from app.core.unit_of_work import unit_of_work
from app.members import household_queries, queries
from app.members.errors import (
    AlreadyInHousehold,
    HouseholdChangedRecently,
    HouseholdFull,
    HouseholdInviteLimit,
    HouseholdNotFound,
    InvalidInviteCode,
    InviteNotFound,
    MemberNotActive,
    MemberNotFound,
)
from app.members.models import Household, HouseholdInvite, Member
from app.programme import service as programme

INVITE_CODE_LENGTH = 11
INVITE_LIFE = timedelta(hours=24)
INVITES_OPEN_MAX = 5
CHANGE_WAIT = timedelta(days=30)
NEUTRAL_NAME = "member"
_CODE_ENDING_LENGTH = 3

_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class Housemate:
    """A member as the others of the household see them: by alias or a neutral word, and the end of their code."""

    name: str
    code_ending: str
    joined_at: datetime
    is_me: bool


@dataclass(frozen=True, slots=True)
class HouseholdFacts:
    """A household as one of its members sees it; ``open_invites`` counts those that are good now."""

    household_id: UUID
    name: str | None
    created_at: datetime
    members: tuple[Housemate, ...]
    members_max: int
    open_invites: int


@dataclass(frozen=True, slots=True)
class IssuedInvite:
    """The code of an invite, as people read it, and until when it is good."""

    code: str
    expires_at: datetime


def create_household(member_id: UUID, name: str | None, moment: datetime) -> HouseholdFacts:
    """Make a household of the member alone and return it; raise AlreadyInHousehold or HouseholdChangedRecently."""
    with unit_of_work() as session:
        member = _lock_entrant(session, member_id, moment)
        household = Household(
            household_id=new_id(), live=member.live, name=name, created_at=moment, created_by=member_id
        )
        session.add(household)
        session.flush()  # the member's foreign key needs the row
        return _enter(session, member, household, moment)


def get_household(member_id: UUID, moment: datetime) -> HouseholdFacts:
    """Return the member's household; raise HouseholdNotFound where they are in none."""
    member = queries.find_member(db.session, member_id)
    home = member.household_id if member is not None else None
    household = household_queries.find_household(db.session, home) if home is not None else None
    if household is None:
        raise HouseholdNotFound
    return _seen_by(db.session, household, member_id, moment)


def rename_household(member_id: UUID, name: str | None, moment: datetime) -> HouseholdFacts:
    """Give the member's household another name and return it; raise HouseholdNotFound where they are in none."""
    with unit_of_work() as session:
        household = _lock_home(session, member_id)
        household.name = name
        session.flush()
        return _seen_by(session, household, member_id, moment)


def invite_into_household(member_id: UUID, moment: datetime) -> IssuedInvite:
    """Return a code by which one more member may join within 24 hours.

    Raises HouseholdNotFound, HouseholdFull, HouseholdInviteLimit.
    """
    with unit_of_work() as session:
        household = _lock_home(session, member_id)
        home = household.household_id
        _check_room(session, home)
        if household_queries.count_open_invites(session, home, moment) >= INVITES_OPEN_MAX:
            raise HouseholdInviteLimit
        code = make_code(INVITE_CODE_LENGTH)
        expires_at = moment + INVITE_LIFE
        session.add(
            HouseholdInvite(
                code_hash=_hash(code), household_id=home, live=household.live, created_by=member_id,
                expires_at=expires_at,
            )
        )  # fmt: skip
        session.flush()
        return IssuedInvite(format_code(code, 4), expires_at)


def withdraw_invites(member_id: UUID) -> None:
    """Void all invites into the member's household; raise HouseholdNotFound where they are in none."""
    with unit_of_work() as session:
        household_queries.delete_invites(session, _lock_home(session, member_id).household_id)


def join_household(member_id: UUID, text: str, moment: datetime) -> HouseholdFacts:
    """Use up the invite whose code ``text`` spells and return the household that the member is in now.

    What can't be a code is refused before anything is read. Raises InvalidInviteCode, AlreadyInHousehold,
    HouseholdChangedRecently, InviteNotFound, and HouseholdFull, which leaves the invite good.
    """
    code = normalise_code(text)
    if code is None or len(code) != INVITE_CODE_LENGTH + 1:
        raise InvalidInviteCode([{"pointer": "/code", "detail": "Not a code of an invite: a symbol is mistyped."}])
    code_hash = _hash(code)
    with unit_of_work() as session:
        member = _lock_entrant(session, member_id, moment)
        home = household_queries.find_invite(session, code_hash, member.live, moment)
        household = household_queries.lock_household(session, home) if home is not None else None
        # another may have used it, or the last one left, while this one waited for the lock
        if household is None or not household_queries.take_invite(session, code_hash):
            raise InviteNotFound
        _check_room(session, household.household_id)
        return _enter(session, member, household, moment)


def leave_household(member_id: UUID, moment: datetime) -> None:
    """Take the member out of their household, and the invites they gave; the last one takes the household along.

    For one who is suspended or about to be closed too. Raises HouseholdNotFound where they are in none.
    """
    with unit_of_work() as session:
        household = _lock_home(session, member_id)
        home = household.household_id
        member = session.get_one(Member, member_id)
        member.household_id, member.household_joined_at, member.household_left_at = None, None, moment
        session.flush()
        if household_queries.count_household_members(session, home) == 0:
            household_queries.delete_household(session, home)
        else:
            household_queries.delete_invites(session, home, created_by=member_id)


def _hash(code: str) -> bytes:
    key = derived_key(current_app.config["SECRET_KEY"], "household-invite")
    return hmac.new(key, code.encode(), hashlib.sha256).digest()


def _lock_entrant(session: _Session, member_id: UUID, moment: datetime) -> Member:
    """Return the member, locked, who may enter a household now."""
    member = queries.lock_member(session, member_id)
    if member is None:
        raise MemberNotFound
    if member.status != "active":
        raise MemberNotActive
    if member.household_id is not None:
        raise AlreadyInHousehold
    again_at = member.household_left_at and member.household_left_at + CHANGE_WAIT
    if again_at and moment < again_at:
        shown = format_time(again_at)
        raise HouseholdChangedRecently(f"You left a household; from {shown} on you can be in one.", again_at=shown)
    return member


def _lock_home(session: _Session, member_id: UUID) -> Household:
    """Return the member's household, locked behind the member: it can't go while they are in it."""
    member = queries.lock_member(session, member_id)
    if member is None:
        raise MemberNotFound
    home = household_queries.lock_household(session, member.household_id) if member.household_id is not None else None
    if home is None:
        raise HouseholdNotFound
    return home


def _check_room(session: _Session, household_id: UUID) -> None:
    members_max = programme.current().household_members_max
    if household_queries.count_household_members(session, household_id) >= members_max:
        raise HouseholdFull


def _enter(session: _Session, member: Member, household: Household, moment: datetime) -> HouseholdFacts:
    member.household_id, member.household_joined_at = household.household_id, moment
    session.flush()
    return _seen_by(session, household, member.member_id, moment)


def _seen_by(session: _Session, household: Household, member_id: UUID, moment: datetime) -> HouseholdFacts:
    home = household.household_id
    return HouseholdFacts(
        household_id=home,
        name=household.name,
        created_at=household.created_at,
        members=tuple(
            Housemate(
                name=each.alias or NEUTRAL_NAME,
                code_ending=each.code[-_CODE_ENDING_LENGTH:],
                joined_at=each.household_joined_at,  # type: ignore[arg-type]
                is_me=each.member_id == member_id,
            )
            for each in household_queries.list_household_members(session, home)
        ),
        members_max=programme.current().household_members_max,
        open_invites=household_queries.count_open_invites(session, home, moment),
    )
