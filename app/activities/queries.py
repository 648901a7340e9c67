"""The SELECTs of activities: above all the one read of the award path."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, scoped_session

from app.activities.again import Stored
from app.activities.models import (
    Activity,
    ActivityCompletion,
    ActivityRegistry,
    ActivityReturn,
    Claim,
    ReturnRegistry,
)
from app.activities.outcome import Accepted
from app.activities.reading import age_days
from app.activities.remaining import Returned
from app.campaigns.service import ASKED_LIMIT, USED, LimitAsk, Member, asked_rows
from app.core.clock import format_time
from app.core.guarded_write import ARRAYS, form_of, source_text, source_values
from app.ledger.service import AccountState

_Session = Session | scoped_session[Any]

_PAIR = (("member_id", "uuid"), ("activity_id", "uuid"))
_ASKED = (("place", "integer"), ("external_id", "text"), ("id", "uuid"), ("code", "text"), ("ref", "text"))

# What an award needs to know in one round trip: has this id been seen, who is the member, does this merchant know
# them, what may rules see of them, and their account with its version. It names the tables of the rooms below.
# OFFSET 0 keeps each part a look-up by key: joined freely, a plan made for merchants of average size reads all
# customers of a large one.
_READ = """
WITH asked AS MATERIALIZED ({asked}){asked_limit}
SELECT asked.place, known.activity_id, known.member_id AS known_member_id, known.revision, known.digest,
       found.member_id, found.tier, found.region, found.tags, found.enrolled_at, found.locale,
       found.household_id, {used} AS used,
       found.version, found.last_seq, found.pending, found.available, found.held, found.debt, found.next_due_at
FROM asked
LEFT JOIN LATERAL (
  SELECT r.activity_id, r.member_id, r.revision, r.digest FROM activity_registry AS r
  WHERE r.merchant_id = {merchant} AND r.live = {live} AND r.external_id = asked.external_id OFFSET 0
) AS known ON true
LEFT JOIN LATERAL (
  SELECT l.member_id FROM customer_link AS l
  WHERE l.merchant_id = {merchant} AND l.live = {live} AND l.ref = asked.ref OFFSET 0
) AS by_ref ON true
LEFT JOIN LATERAL (SELECT c.member_id FROM member_code AS c WHERE c.code = asked.code OFFSET 0) AS by_code ON true
LEFT JOIN LATERAL (
  SELECT member.member_id, member.tier, member.region, member.tags, member.enrolled_at, member.locale,
         member.household_id,
         account.version, account.last_seq, account.pending, account.available, account.held, account.debt,
         account.next_due_at
  FROM member JOIN account ON account.member_id = member.member_id
  WHERE member.member_id = coalesce(by_ref.member_id, by_code.member_id, asked.id)
    AND member.live = {live} AND member.status = 'active'
    AND (asked.id IS NULL OR EXISTS (
      SELECT FROM (SELECT l.merchant_id, l.live FROM customer_link AS l WHERE l.member_id = asked.id OFFSET 0) AS link
      WHERE link.merchant_id = {merchant} AND link.live = {live}))
  OFFSET 0
) AS found ON true
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
    household_id: UUID | None

    @property
    def counted(self) -> Member:
        """Whose limits count."""
        return Member(self.member_id, self.household_id)

    def for_rules(self, occurred_at: datetime) -> dict[str, Any]:
        """Return the member as rules see them for an activity of that time."""
        return {
            "id": self.member_id,
            "tier": self.tier,
            "region": self.region,
            "tags": list(self.tags),
            "age_days": age_days(self.enrolled_at, occurred_at),
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What the one read says of one asked activity; each part is None where there is no such thing.

    ``used`` is what is used of the limits that were asked for with it, in their order.
    """

    activity_id: UUID | None
    known_member_id: UUID | None
    revision: int | None
    digest: bytes | None
    member: MemberFacts | None
    account: AccountState | None
    used: Sequence[int] = ()


@functools.cache
def read_text(row_count: int, asks_limits: bool = False) -> bytes:
    """Return the one read's statement for that many rows: merchant and mode are $1 and $2, the rows follow.

    What is asked of limits comes last, as arrays.
    """
    asked, limits, used = source_text(_ASKED, row_count, 3), "", "NULL::bigint[]"
    if asks_limits:
        first = 3 + len(_ASKED) * (row_count if row_count < ARRAYS else 1)
        limits = f", asked_limit AS MATERIALIZED ({source_text(ASKED_LIMIT, ARRAYS, first)})"
        used = f"({USED.format(place='asked.place', member='found.member_id', household='found.household_id')})"
    text = _READ.format(asked=asked, asked_limit=limits, used=used, merchant="$1::uuid", live="$2::boolean")
    return text.encode()


@functools.cache
def _stored_text(row_count: int) -> bytes:
    asked = source_text(_PAIR, row_count, 1)
    return f"""
        SELECT activity.activity_id, known.external_id, activity.revision, activity.member_id, activity.occurred_at,
               activity.outcome
        FROM ({asked}) AS asked
        JOIN activity ON activity.member_id = asked.member_id AND activity.activity_id = asked.activity_id
        JOIN activity_registry AS known
          ON known.activity_id = activity.activity_id AND known.revision = activity.revision
        """.encode()  # noqa: S608 - the text is made of constants and placeholders


def read_for_award(
    connection: psycopg.Connection[Any],
    merchant_id: UUID,
    live: bool,
    asked: Sequence[tuple[Any, ...]],
    asks: Sequence[Sequence[LimitAsk]],
) -> list[Found]:
    """Return what is known of each of ``asked``: rows of place (0, 1, …), external id and member by id, code, ref.

    ``asks`` are the limits that bind each, whose use is read with it.
    """
    is_many = len(asked) > 1
    limits = [row for place, of_place in enumerate(asks) for row in asked_rows(place, of_place)]
    statement = read_text(form_of(len(asked), is_many), bool(limits))
    given = [merchant_id, live, *source_values(_ASKED, asked, is_many)]
    if limits:
        given += source_values(ASKED_LIMIT, limits, as_arrays=True)
    found: list[Found | None] = [None] * len(asked)
    with psycopg.RawCursor(connection, row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(statement, given).fetchall()
        for row in rows:
            member = account = None
            if row.member_id is not None:
                member = MemberFacts(
                    row.member_id, row.tier, row.region, row.tags, row.enrolled_at, row.locale, row.household_id
                )  # fmt: skip
                account = AccountState(
                    row.member_id, row.version, row.last_seq, row.pending, row.available, row.held, row.debt,
                    row.next_due_at,
                )  # fmt: skip
            found[row.place] = Found(
                row.activity_id, row.known_member_id, row.revision, row.digest, member, account, row.used or ()
            )
    assert None not in found
    return found  # type: ignore[return-value]


def read_stored(
    connection: psycopg.Connection[Any], pairs: Sequence[tuple[UUID | None, UUID | None]]
) -> dict[UUID, Accepted]:
    """Return the stored answers, as replays, of the activities in ``pairs`` (member, activity) that have a member."""
    is_many = len(pairs) > 1
    statement = _stored_text(form_of(len(pairs), is_many))
    with psycopg.RawCursor(connection) as cursor:
        rows = cursor.execute(statement, source_values(_PAIR, pairs, is_many)).fetchall()
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


def lock_claim(session: _Session, activity_id: UUID) -> Claim | None:
    """Lock and return the claim under which an activity waits or waited, or None."""
    query = select(Claim).where(Claim.activity_id == activity_id)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def find_stored(session: _Session, member_id: UUID, activity_id: UUID) -> Stored | None:
    """Return an activity as it stands, or None; the caller has locked the member's account."""
    of_this = (Activity.member_id == member_id, Activity.activity_id == activity_id)
    rows = session.scalars(select(Activity).where(*of_this).order_by(Activity.revision)).all()
    if not rows:
        return None
    row = rows[-1]
    completion = session.get(ActivityCompletion, (member_id, activity_id))
    returns = session.scalars(
        select(ActivityReturn)
        .where(ActivityReturn.member_id == member_id, ActivityReturn.activity_id == activity_id)
        .order_by(ActivityReturn.return_id)
    ).all()
    quantities: dict[str, int] = {}
    for line in (line for each in returns for line in each.lines):
        quantities[line["id"]] = quantities.get(line["id"], 0) + line["quantity"]
    worth = None
    if returns:
        # each return leaves every rule with no more than the one before it: the least is what stands
        last = min(returns, key=lambda each: sum(rule["points"] for rule in each.outcome["worth"]))
        worth = {(each["version_id"], each["rule"]): each["points"] for each in last.outcome["worth"]}
    return Stored(
        member_id, activity_id, row.revision, [each.revision for each in rows], row.merchant_id, row.occurred_at,
        rows[0].recorded_at, row.body, row.outcome, completion.completed_at if completion else None,
        Returned(quantities, any(each.is_whole for each in returns)), worth, returns,
    )  # fmt: skip


def find_return(session: _Session, merchant_id: UUID, live: bool, external_id: str) -> ReturnRegistry | None:
    """Return what is registered under a merchant's own id of a return, or None."""
    return session.get(ReturnRegistry, (merchant_id, live, external_id))


def find_return_by_any_id(session: _Session, merchant_id: UUID, live: bool, any_id: str) -> ReturnRegistry | None:
    """Return a merchant's return by the merchant's own id or by ours, or None."""
    own = find_return(session, merchant_id, live, any_id)
    if own is not None:
        return own
    try:
        return_id = UUID(any_id)
    except ValueError:
        return None
    return find_return_by_id(session, merchant_id, live, return_id)


def find_return_by_id(session: _Session, merchant_id: UUID, live: bool, return_id: UUID) -> ReturnRegistry | None:
    """Return a merchant's return by our id, whatever the merchant calls others, or None."""
    return session.scalar(
        select(ReturnRegistry).where(
            ReturnRegistry.return_id == return_id,
            ReturnRegistry.merchant_id == merchant_id,
            ReturnRegistry.live == live,
        )
    )


def find_activity_return(session: _Session, known: ReturnRegistry) -> ActivityReturn | None:
    """Return what was booked for a registered return; None while its activity waits to be claimed."""
    return session.scalar(
        select(ActivityReturn)
        .join(
            ActivityRegistry,
            (ActivityRegistry.activity_id == ActivityReturn.activity_id)
            & (ActivityRegistry.member_id == ActivityReturn.member_id),
        )
        .where(ActivityRegistry.activity_id == known.activity_id, ActivityReturn.return_id == known.return_id)
    )


def list_since(session: _Session, pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, dict[str, Any]]:
    """Return by activity what has become of each of ``pairs`` (member, activity), as the contract shows it."""
    found: dict[UUID, dict[str, Any]] = {}
    if not pairs:
        return found
    completed = tuple_(ActivityCompletion.member_id, ActivityCompletion.activity_id).in_(pairs)
    for row in session.scalars(select(ActivityCompletion).where(completed)):
        found.setdefault(row.activity_id, {})["completed_at"] = format_time(row.completed_at)
    returned = tuple_(ActivityReturn.member_id, ActivityReturn.activity_id).in_(pairs)
    for back in session.scalars(select(ActivityReturn).where(returned).order_by(ActivityReturn.return_id)):
        since = found.setdefault(back.activity_id, {})
        whole = since.setdefault("returned", {"points": 0, "is_whole": False, "lines": []})
        whole["points"] += back.outcome["reversed"]["points"]
        whole["is_whole"] = whole["is_whole"] or back.is_whole
        for line in back.lines:
            known = next((each for each in whole["lines"] if each["id"] == line["id"]), None)
            if known is None:
                whole["lines"].append(dict(line))
            else:
                known["quantity"] += line["quantity"]
    return found


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
