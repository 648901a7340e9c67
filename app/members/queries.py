"""What is read of the shoppers."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from app.core.database import driver_connection
from app.members.models import (
    HouseholdInvite,
    Member,
    MemberAddress,
    MemberAlias,
    MemberCode,
    MemberSession,
    SignInCode,
)

_Session = Session | scoped_session[Any]

_ACTIVE_SESSION = (
    "SELECT 1 FROM member_session AS s JOIN member AS m ON m.member_id = s.member_id"
    " WHERE s.member_id = %s AND s.session_id = %s AND s.revoked_at IS NULL AND s.expires_at > %s"
    " AND m.status = 'active' AND m.live = %s"
)
_TRY = text(
    "UPDATE sign_in_code SET tries = tries + 1, failures = failures + 1 WHERE channel = :channel AND address = :address"
    " AND code_hash IS NOT NULL AND code_expires_at > :moment AND tries < :tries_max RETURNING code_hash"
)


def find_member(session: _Session, member_id: UUID) -> Member | None:
    """Return the member as the database has it."""
    return session.get(Member, member_id, populate_existing=True)


def lock_member(session: _Session, member_id: UUID) -> Member | None:
    """Return the member, locked."""
    return session.get(Member, member_id, populate_existing=True, with_for_update=True)


def list_members(session: _Session, member_ids: Collection[UUID]) -> list[Member]:
    """Return those of the members that there are, in no order."""
    return list(session.scalars(select(Member).where(Member.member_id.in_(member_ids))))


def list_codes(session: _Session, codes: Collection[str]) -> dict[str, tuple[UUID, bool]]:
    """Return whose, and whether live, each code is that there is."""
    rows = session.execute(
        select(MemberCode.code, MemberCode.member_id, MemberCode.live).where(MemberCode.code.in_(codes))
    )
    return {code: (member_id, live) for code, member_id, live in rows}


def find_address(session: _Session, channel: str, address: str, live: bool) -> UUID | None:
    """Return whose address it is."""
    registered = session.get(MemberAddress, (channel, address, live), populate_existing=True)
    return registered.member_id if registered else None


def claim_address(session: _Session, channel: str, address: str, live: bool, member_id: UUID, moment: datetime) -> bool:
    """Register the address for the member unless it is another's; return whether it is theirs now."""
    session.execute(
        insert(MemberAddress)
        .values(channel=channel, address=address, live=live, member_id=member_id, created_at=moment)
        .on_conflict_do_nothing()
    )
    return find_address(session, channel, address, live) == member_id


def claim_alias(session: _Session, alias_key: str, live: bool, member_id: UUID) -> bool:
    """Register the alias for the member unless it is another's; return whether it is theirs now."""
    session.execute(
        insert(MemberAlias).values(alias_key=alias_key, live=live, member_id=member_id).on_conflict_do_nothing()
    )
    owner = select(MemberAlias.member_id).where(MemberAlias.alias_key == alias_key, MemberAlias.live == live)
    return session.scalar(owner) == member_id


def release_alias(session: _Session, member_id: UUID, keep: str | None) -> None:
    """Take the member's aliases, but the one to keep, out of the registry."""
    others = delete(MemberAlias).where(MemberAlias.member_id == member_id)
    session.execute(others if keep is None else others.where(MemberAlias.alias_key != keep))


def lock_sign_in_code(session: _Session, channel: str, address: str, moment: datetime) -> SignInCode:
    """Return the row of the address, made if there was none, locked."""
    session.execute(
        insert(SignInCode)
        .values(channel=channel, address=address, code_expires_at=moment, window_ends_at=moment)
        .on_conflict_do_nothing()
    )
    return session.get_one(SignInCode, (channel, address), populate_existing=True, with_for_update=True)


def count_try(session: _Session, channel: str, address: str, moment: datetime, tries_max: int) -> bytes | None:
    """Count one try on the code of the address and return the code's hash; None where no try is left or no code.

    One statement, so that guesses made at once are counted one after the other.
    """
    row = session.execute(
        _TRY, {"channel": channel, "address": address, "moment": moment, "tries_max": tries_max}
    ).first()
    return bytes(row.code_hash) if row else None


def lock_session(session: _Session, member_id: UUID, session_id: UUID) -> MemberSession | None:
    """Return the session, locked."""
    return session.get(MemberSession, (member_id, session_id), populate_existing=True, with_for_update=True)


def is_session_active(member_id: UUID, session_id: UUID, live: bool, moment: datetime) -> bool:
    """Return whether the session lives and its member is active, in one indexed read outside any transaction."""
    with driver_connection() as connection:
        return connection.execute(_ACTIVE_SESSION, [member_id, session_id, moment, live]).fetchone() is not None


def delete_ended(session: _Session, before: datetime) -> dict[str, int]:
    """Delete the sessions, sign-in codes and invites that ended before that moment; return how many of each."""
    return {
        "sessions": len(
            session.execute(
                delete(MemberSession).where(MemberSession.expires_at < before).returning(MemberSession.session_id)
            ).all()
        ),
        "sign_in_codes": len(
            session.execute(
                delete(SignInCode).where(SignInCode.window_ends_at < before).returning(SignInCode.channel)
            ).all()
        ),
        "household_invites": len(
            session.execute(
                delete(HouseholdInvite).where(HouseholdInvite.expires_at < before).returning(HouseholdInvite.live)
            ).all()
        ),
    }
