"""Turn awards into the rows of one guarded write. Pure but for the SQL text of the guard; ``now`` is passed in.

An account is read with its ``version``; the rows computed from it are written only if it still has that version, owes
nothing, has nothing due, and no entry by a faster clock lies ahead. So balances, sequence numbers and limits that were
right at the read are right at the write, with one read and one statement.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.guarded_write import GuardedWrite, RowShape, form_of, source_text, source_values
from app.core.outbox import partition_of

MEMBERS = (
    ("member_id", "uuid"), ("seen", "bigint"), ("points", "bigint"), ("pending", "bigint"), ("available", "bigint"),
    ("facts", "bigint"), ("entries", "bigint"), ("due_at", "timestamptz"), ("extended_until", "timestamptz"),
)  # fmt: skip
POSTING = RowShape("posting", (
    ("member_id", "uuid"), ("idempotency_key", "text"), ("kind", "text"), ("fingerprint", "bytea"),
    ("first_seq", "bigint"), ("entry_count", "integer"), ("recorded_at", "timestamptz"), ("activity_id", "uuid"),
    ("actor", "text"),
))  # fmt: skip
ENTRY = RowShape("entry", (
    ("member_id", "uuid"), ("seq", "bigint"), ("amount", "bigint"), ("pending", "bigint"), ("available", "bigint"),
    ("held", "bigint"), ("debt", "bigint"), ("effective_at", "timestamptz"), ("recorded_at", "timestamptz"),
    ("source", "text"), ("target", "text"), ("posting_key", "text"),
))  # fmt: skip
LOT = RowShape("lot", (
    ("member_id", "uuid"), ("lot_id", "bigint"), ("amount", "bigint"), ("remaining", "bigint"),
    ("available_at", "timestamptz"), ("expires_at", "timestamptz"), ("void_at", "timestamptz"), ("funder", "uuid"),
    ("campaign_version_id", "uuid"), ("is_matured", "boolean"), ("is_open", "boolean"), ("rule", "text"),
))  # fmt: skip
OUTBOX = RowShape("outbox", (
    ("member_id", "uuid"), ("version", "bigint"), ("partition", "smallint"), ("kind", "text"), ("payload", "jsonb"),
    ("recorded_at", "timestamptz"),
))  # fmt: skip

_UPDATE = (
    "UPDATE account AS a SET issued = a.issued + m.points, pending = a.pending + m.pending,"
    " available = a.available + m.available, version = a.version + m.facts, last_seq = a.last_seq + m.entries,"
    " next_due_at = least(a.next_due_at, m.due_at), extended_until = greatest(a.extended_until, m.extended_until),"
    " last_entry_at = CASE WHEN m.entries > 0 THEN $1::timestamptz ELSE a.last_entry_at END FROM "
)


@dataclass(slots=True)
class AccountState:
    """An account as it was read; an award that is planned moves it on, so that the next one builds on it."""

    member_id: UUID
    version: int
    last_seq: int
    pending: int
    available: int
    held: int
    debt: int
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Award:
    """Points of one rule for one activity; ``points`` > 0.

    ``available_at`` is None while they wait for completion until ``void_at``; ``expires_at`` None is never.
    """

    points: int
    available_at: datetime | None
    expires_at: datetime | None
    void_at: datetime | None
    campaign_version_id: UUID | None
    rule: str | None
    funder: UUID | None


@dataclass(frozen=True, slots=True)
class AwardedActivity:
    """One activity of a member with its awards, perhaps none; ``payload`` is what projections learn of it, as JSON.

    Where the programme lets activity extend expiry, no point of the member expires before ``extends_until``.
    """

    key: str
    fingerprint: bytes
    activity_id: UUID
    actor: str
    awards: Sequence[Award]
    fact_kind: str
    payload: str
    extends_until: datetime | None = None


@dataclass(slots=True)
class MemberPlan:
    """What is to be written for one member: the change of the account and the rows."""

    account: AccountState
    seen: int
    rows: dict[RowShape, list[tuple[Any, ...]]] = field(default_factory=dict)
    pending: int = 0
    available: int = 0
    facts: int = 0
    entries: int = 0
    due_at: datetime | None = None
    extended_until: datetime | None = None

    def is_settled(self, now: datetime) -> bool:
        """Return whether the account, as it was read, owes nothing and has nothing due."""
        return self.account.debt == 0 and (self.account.next_due_at is None or self.account.next_due_at > now)

    def due(self, moment: datetime | None) -> None:
        """Note that something of this member falls due at ``moment``."""
        if moment is not None and (self.due_at is None or moment < self.due_at):
            self.due_at = moment


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two moments; None is none."""
    return max((moment for moment in (one, other) if moment is not None), default=None)


def plan_for(account: AccountState) -> MemberPlan:
    """Return an empty plan for ``account`` as it was read."""
    return MemberPlan(account=account, seen=account.version)


def plan_activity(plan: MemberPlan, activity: AwardedActivity, now: datetime) -> None:
    """Add one activity to ``plan``: the posting, an entry and a lot for each award, and the fact for the outbox."""
    account = plan.account
    member_id = account.member_id
    entries = plan.rows.setdefault(ENTRY, [])
    lots = plan.rows.setdefault(LOT, [])
    if activity.awards:
        plan.rows.setdefault(POSTING, []).append((
            member_id, activity.key, "award", activity.fingerprint, account.last_seq + 1, len(activity.awards), now,
            activity.activity_id, activity.actor,
        ))  # fmt: skip
    for award in activity.awards:
        is_matured = award.available_at is not None and award.available_at <= now
        account.last_seq += 1
        if is_matured:
            account.available += award.points
            plan.available += award.points
        else:
            account.pending += award.points
            plan.pending += award.points
            plan.due(award.available_at or award.void_at)
        plan.due(award.expires_at)
        entries.append((
            member_id, account.last_seq, award.points, account.pending, account.available, account.held, account.debt,
            now, now, "issued", "available" if is_matured else "pending", activity.key,
        ))  # fmt: skip
        lots.append((
            member_id, account.last_seq, award.points, award.points, award.available_at, award.expires_at,
            award.void_at, award.funder, award.campaign_version_id, is_matured, True, award.rule,
        ))  # fmt: skip
    plan.entries += len(activity.awards)
    plan.facts += 1
    plan.extended_until = later(plan.extended_until, activity.extends_until)
    account.version += 1
    plan.rows.setdefault(OUTBOX, []).append(
        (member_id, account.version, partition_of(member_id), activity.fact_kind, activity.payload, now)
    )


def guarded_write(plans: Sequence[MemberPlan], now: datetime, is_many: bool = False) -> GuardedWrite:
    """Return the statement that writes ``plans``: it locks the accounts in the order of their ids, then guards.

    It waits for no account: one that somebody else has locked is about to change, so it would not be granted anyway.
    A single account is updated directly; several are locked first, because an UPDATE promises no order. ``is_many``
    gives all numbers of members and rows one text.
    """
    ordered = sorted(plans, key=lambda plan: plan.account.member_id)
    given = [
        (plan.account.member_id, plan.seen, plan.pending + plan.available, plan.pending, plan.available, plan.facts,
         plan.entries, plan.due_at, plan.extended_until)
        for plan in ordered
    ]  # fmt: skip
    guard = guard_text(form_of(len(given), is_many))
    write = GuardedWrite(guard, [now, *source_values(MEMBERS, given, is_many)], is_many)
    for plan in ordered:
        for shape, rows in plan.rows.items():
            write.add(shape, rows)
    return write


@functools.cache
def guard_text(member_count: int) -> str:
    """Return the guard for that many members; its first parameter is the moment, the members follow."""
    given = source_text(MEMBERS, member_count, 2)
    settled = (
        "a.debt = 0 AND (a.next_due_at IS NULL OR a.next_due_at > $1::timestamptz)"
        " AND (a.last_entry_at IS NULL OR a.last_entry_at <= $1::timestamptz)"
    )
    if member_count == 1:
        return (
            f"WITH granted AS ({_UPDATE} ({given}) AS m WHERE a.member_id = m.member_id AND a.version = m.seen"
            f" AND {settled} AND EXISTS (SELECT FROM account AS free WHERE free.member_id = m.member_id"
            f" FOR NO KEY UPDATE SKIP LOCKED) RETURNING a.member_id)"
        )
    return (
        f"WITH m AS MATERIALIZED ({given}), locked AS MATERIALIZED (SELECT a.member_id FROM m"  # noqa: S608
        f" JOIN account AS a ON a.member_id = m.member_id WHERE a.version = m.seen AND {settled}"
        f" ORDER BY a.member_id FOR NO KEY UPDATE OF a SKIP LOCKED),"
        f" granted AS ({_UPDATE} m JOIN locked ON locked.member_id = m.member_id"
        f" WHERE a.member_id = m.member_id RETURNING a.member_id)"
    )
