"""Enrol shoppers and find them again."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session, scoped_session

from app.core.codes import make_code, normalise_code
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.members import queries
from app.members.addresses import normalise_address
from app.members.errors import AddressTaken, MemberNotFound
from app.members.models import Member, MemberCode

CODE_LENGTH = 8
TIER_FIRST = "seed"

_Session = Session | scoped_session[Any]
EnrolmentHook = Callable[[_Session, Sequence[UUID]], None]
_hooks: list[EnrolmentHook] = []


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What other rooms may know of a member; ``household_id`` is None for one who is in no household."""

    member_id: UUID
    live: bool
    status: str
    code: str
    alias: str | None
    locale: str
    region: str | None
    time_zone: str | None
    birth_date: date | None
    has_leaderboard_consent: bool
    has_score_consent: bool
    tier: str
    tags: tuple[str, ...]
    enrolled_at: datetime
    household_id: UUID | None


def on_enrolled(hook: EnrolmentHook) -> None:
    """Call ``hook`` with the session and the new members' ids in each transaction that enrols; once a hook."""
    if hook not in _hooks:
        _hooks.append(hook)


def enrol_member(
    *,
    live: bool = True,
    locale: str = "en",
    region: str | None = None,
    time_zone: str | None = None,
    tier: str = TIER_FIRST,
    tags: Collection[str] = (),
    address: str | None = None,
    channel: str | None = None,
    moment: datetime,
) -> MemberFacts:
    """Enrol one shopper, reachable at ``address`` if one is given; raise AddressTaken where it is a member's.

    ``channel`` is told by the address; naming another is a ValueError.
    """
    with unit_of_work() as session:
        [member] = enrol_many(
            1, live=live, locale=locale, region=region, time_zone=time_zone, tier=tier, tags=tags, moment=moment
        )
        if address is not None:
            found, normalised = normalise_address(address)
            if channel not in (None, found):
                raise ValueError(f"an address of this form is reached by {found}, not by {channel}")
            if not queries.claim_address(session, found, normalised, live, member.member_id, moment):
                raise AddressTaken
        return member


def enrol_many(
    count: int,
    *,
    live: bool = True,
    locale: str = "en",
    region: str | None = None,
    time_zone: str | None = None,
    tier: str = TIER_FIRST,
    tags: Collection[str] = (),
    moment: datetime,
) -> list[MemberFacts]:
    """Enrol ``count`` shoppers without an address in one transaction and return them."""
    with unit_of_work() as session:
        members = [
            MemberFacts(
                member_id=new_id(), live=live, status="active", code=code, alias=None, locale=locale, region=region,
                time_zone=time_zone, birth_date=None, has_leaderboard_consent=False, has_score_consent=False,
                tier=tier, tags=tuple(sorted(set(tags))), enrolled_at=moment, household_id=None,
            )
            for code in _free_codes(session, count)
        ]  # fmt: skip
        if members:
            _write(session, members, moment)
            ids = [member.member_id for member in members]
            for hook in _hooks:
                hook(session, ids)
        return members


def _free_codes(session: _Session, count: int) -> list[str]:
    codes: set[str] = set()
    while len(codes) < count:
        drawn = {make_code(CODE_LENGTH) for _ in range(count - len(codes))}
        codes |= drawn - queries.list_codes(session, drawn).keys()
    return list(codes)


def _write(session: _Session, members: Sequence[MemberFacts], moment: datetime) -> None:
    session.execute(
        insert(Member),
        [
            {
                "member_id": member.member_id, "live": member.live, "status": member.status, "code": member.code,
                "locale": member.locale, "region": member.region, "time_zone": member.time_zone, "tier": member.tier,
                "tags": list(member.tags), "enrolled_at": moment, "updated_at": moment,
            }
            for member in members
        ],
    )  # fmt: skip
    session.execute(
        insert(MemberCode),
        [{"code": member.code, "live": member.live, "member_id": member.member_id} for member in members],
    )


def facts_of(member: Member) -> MemberFacts:
    """Return what others may know of ``member``."""
    return MemberFacts(
        member_id=member.member_id,
        live=member.live,
        status=member.status,
        code=member.code,
        alias=member.alias,
        locale=member.locale,
        region=member.region,
        time_zone=member.time_zone,
        birth_date=member.birth_date,
        has_leaderboard_consent=member.leaderboard_consent_at is not None,
        has_score_consent=member.score_consent_at is not None,
        tier=member.tier,
        tags=tuple(member.tags),
        enrolled_at=member.enrolled_at,
        household_id=member.household_id,
    )


def get_member(member_id: UUID, live: bool = True) -> MemberFacts:
    """Return the member; raise MemberNotFound where there is none of that mode."""
    member = queries.find_member(db.session, member_id)
    if member is None or member.live != live:
        raise MemberNotFound
    return facts_of(member)


def check_member(member_id: UUID) -> UUID:
    """Return the id; raise MemberNotFound where it is no member's, live or test."""
    if queries.find_member(db.session, member_id) is None:
        raise MemberNotFound(errors=[{"pointer": "/member_id", "detail": "No such member."}])
    return member_id


def list_members(member_ids: Collection[UUID]) -> dict[UUID, MemberFacts]:
    """Return those of the members that there are, live and test, by id."""
    return {member.member_id: facts_of(member) for member in queries.list_members(db.session, member_ids)}


def search_members(*, code: str | None = None, address: str | None = None) -> list[MemberFacts]:
    """Return the members, live and test, whose code or address it is; raise ValidationProblem for no address."""
    found: set[UUID | None] = set()
    for live in (True, False):
        if code is not None:
            found.add(find_by_code(code, live))
        if address is not None:
            found.add(queries.find_address(db.session, *normalise_address(address), live))
    ids = {member_id for member_id in found if member_id is not None}
    return sorted(list_members(ids).values(), key=lambda member: (not member.live, member.member_id))


def find_by_code(text: str, live: bool = True) -> UUID | None:
    """Return whose code ``text`` spells, whatever its case and look-alikes; None where nobody of that mode has it."""
    return ids_by_code([text], live).get(text)


def ids_by_code(texts: Collection[str], live: bool = True) -> dict[str, UUID]:
    """Return the member of each text that spells the code of one, keyed by the text as it was given."""
    codes = {text: code for text in texts if (code := normalise_code(text)) is not None}
    owners = queries.list_codes(db.session, set(codes.values())) if codes else {}
    return {text: owners[code][0] for text, code in codes.items() if code in owners and owners[code][1] == live}
