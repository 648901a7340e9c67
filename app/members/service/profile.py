"""What a shopper says of themselves."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.unit_of_work import unit_of_work
from app.members import queries
from app.members.errors import AliasTaken, MemberNotFound
from app.members.models import Member
from app.members.service.enrolment import MemberFacts, facts_of

_PLAIN = ("locale", "region", "time_zone", "birth_date")
CONSENTS = ("leaderboard", "score")
LOCALE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?\Z"  # BCP 47: language, script, region
REGION = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z"  # ISO 3166: country, or country and subdivision


def alias_key(alias: str) -> str:
    """Return how an alias is compared: without case, width or spacing, so that two look different to a reader."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", alias).casefold())
    return "".join(character for character in folded if character.isalnum())


def change_profile(member_id: UUID, changes: Mapping[str, Any], moment: datetime) -> MemberFacts:
    """Change what ``changes`` names and return the member; raise AliasTaken where another is seen under that alias.

    The moment of a consent that was given before stays. Locks the member.
    """
    with unit_of_work() as session:
        member = queries.lock_member(session, member_id)
        if member is None:
            raise MemberNotFound
        for name in _PLAIN:
            if name in changes:
                setattr(member, name, changes[name])
        if "alias" in changes and changes["alias"] != member.alias:
            _change_alias(session, member, changes["alias"])
        for name, is_given in changes.get("consents", {}).items():
            column = f"{name}_consent_at"
            setattr(member, column, (getattr(member, column) or moment) if is_given else None)
        if changes:
            member.updated_at = moment
        session.flush()
        return facts_of(member)


def _change_alias(session: Any, member: Member, alias: str | None) -> None:
    queries.release_alias(session, member.member_id, keep=alias_key(alias) if alias is not None else None)
    if alias is not None and not queries.claim_alias(session, alias_key(alias), member.live, member.member_id):
        raise AliasTaken
    member.alias = alias
