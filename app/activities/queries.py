"""The SELECTs of activities: above all the one read of the award path."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import select
from sqlalchemy.orm import Session, scoped_session

from app.activities.models import Activity, ActivityRegistry, Claim
from app.activities.outcome import Accepted
from app.core.guarded_write import SCALAR_ROWS_MAX, source_text, source_values
from app.ledger.service import AccountState

_Session = Session | scoped_session[Any]

_ASKED = (("place", "integer"), ("external_id", "text"), ("id", "uuid"), ("code", "text"), ("ref", "text"))

# What an award needs to know in one round trip: has this id been seen, who is the member, does this merchant know
# them, what may rules see of them, and their account with its version. It names the tables of the rooms below.
_READ = """
WITH asked AS MATERIALIZED ({asked})
SELECT asked.place, known.activity_id, known.member_id AS known_member_id, known.revision, known.digest,
       member.member_id, member.tier, member.region, member.tags, member.enrolled_at, member.locale,
       account.version, account.last_seq, account.pending, account.available, account.held, account.debt,
       account.next_due_at
FROM asked
LEFT JOIN activity_registry AS known
  ON known.merchant_id = {merchant} AND known.live = {live} AND known.external_id = asked.external_id
LEFT JOIN customer_link AS by_ref
  ON by_ref.merchant_id = {merchant} AND by_ref.live = {live} AND by_ref.ref = asked.ref
LEFT JOIN member_code AS by_code ON by_code.code = asked.code
LEFT JOIN member
  ON member.member_id = coalesce(by_ref.member_id, by_code.member_id, asked.id)
 AND member.live = {live} AND member.status = 'active'
 AND (asked.id IS NULL OR EXISTS (
   SELECT FROM customer_link AS link
   WHERE link.member_id = asked.id AND link.merchant_id = {merchant} AND link.live = {live}))
LEFT JOIN account ON account.member_id = member.member_id
"""


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What rules may see of a member."""

    member_id: UUID
    tier: str
    region: str | None
    tags: Sequence[str]
    enrolled_at: datetime
    locale: str

    def for_rules(self, now: datetime) -> dict[str, Any]:
        """Return the member as rules see them; the age is in whole days of membership."""
        return {
            "id": self.member_id,
            "tier": self.tier,
            "region": self.region,
            "tags": list(self.tags),
            "age_days": (now - self.enrolled_at).days,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What the one read says of one asked activity; each part is None where there is no such thing."""

    activity_id: UUID | None
    known_member_id: UUID | None
    revision: int | None
    digest: bytes | None
    member: MemberFacts | None
    account: AccountState | None


@functools.cache
def read_text(row_count: int) -> bytes:
    """Return the one read's statement for that many rows: merchant and mode are $1 and $2, the rows follow."""
    asked = source_text(_ASKED, row_count, 3)
    return _READ.format(asked=asked, merchant="$1::uuid", live="$2::boolean").encode()


@functools.cache
def _stored_text(row_count: int) -> bytes:
    asked = source_text((("member_id", "uuid"), ("activity_id", "uuid")), row_count, 1)
    return f"""
        SELECT activity.activity_id, known.external_id, activity.revision, activity.member_id, activity.occurred_at,
               activity.outcome
        FROM ({asked}) AS asked
        JOIN activity ON activity.member_id = asked.member_id AND activity.activity_id = asked.activity_id
        JOIN activity_registry AS known
          ON known.activity_id = activity.activity_id AND known.revision = activity.revision
        """.encode()  # noqa: S608 - the text is made of constants and placeholders


def read_for_award(
    connection: psycopg.Connection[Any], merchant_id: UUID, live: bool, asked: Sequence[tuple[Any, ...]]
) -> list[Found]:
    """Return what is known of each of ``asked``: rows of place (0, 1, …), external id and member by id, code, ref."""
    statement = read_text(min(len(asked), SCALAR_ROWS_MAX + 1))
    found: list[Found | None] = [None] * len(asked)
    with psycopg.RawCursor(connection, row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(statement, [merchant_id, live, *source_values(asked)]).fetchall()
        for row in rows:
            member = account = None
            if row.member_id is not None:
                member = MemberFacts(row.member_id, row.tier, row.region, row.tags, row.enrolled_at, row.locale)
                account = AccountState(
                    row.member_id, row.version, row.last_seq, row.pending, row.available, row.held, row.debt,
                    row.next_due_at,
                )  # fmt: skip
            found[row.place] = Found(row.activity_id, row.known_member_id, row.revision, row.digest, member, account)
    assert None not in found
    return found  # type: ignore[return-value]


def read_stored(
    connection: psycopg.Connection[Any], pairs: Sequence[tuple[UUID | None, UUID | None]]
) -> dict[UUID, Accepted]:
    """Return the stored answers, as replays, of the activities in ``pairs`` (member, activity) that have a member."""
    statement = _stored_text(min(len(pairs), SCALAR_ROWS_MAX + 1))
    with psycopg.RawCursor(connection) as cursor:
        rows = cursor.execute(statement, source_values(pairs)).fetchall()
    return {row[0]: Accepted(row[0], row[1], row[2], row[3], row[4], row[5], is_replay=True) for row in rows}


def find_registered(session: _Session, merchant_id: UUID, live: bool, any_id: str) -> ActivityRegistry | None:
    """Return a merchant's activity by the merchant's own id or by ours, or None."""
    own = session.get(ActivityRegistry, (merchant_id, live, any_id))
    if own is not None:
        return own
    try:
        activity_id = UUID(any_id)
    except ValueError:
        return None
    return session.scalar(
        select(ActivityRegistry).where(
            ActivityRegistry.activity_id == activity_id,
            ActivityRegistry.merchant_id == merchant_id,
            ActivityRegistry.live == live,
        )
    )


def find_claim(session: _Session, activity_id: UUID) -> Claim | None:
    """Return the claim under which an activity waits, or None."""
    return session.scalar(select(Claim).where(Claim.activity_id == activity_id))


def list_activities(session: _Session, member_id: UUID, before: UUID | None, limit: int) -> list[Any]:
    """Return (activity, external id), newest report first, of a member's activities before ``before``."""
    query = (
        select(Activity, ActivityRegistry.external_id)
        .join(ActivityRegistry, ActivityRegistry.activity_id == Activity.activity_id)
        .where(Activity.member_id == member_id, Activity.revision == ActivityRegistry.revision)
    )
    if before is not None:
        query = query.where(Activity.activity_id < before)
    return list(session.execute(query.order_by(Activity.activity_id.desc()).limit(limit)))
