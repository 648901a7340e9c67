"""A new revision of a stored activity: recomputed, and the difference booked.

1. Revisions end with completion and with the first return: 409 ``activity_closed``. The member stays who it was.
2. It is evaluated as the first revision was, with the same member facts and as if it had come at the same moment, by
   the versions in force when it occurs; what the revision before took of limits and budgets is given back to it first.
3. Rule by rule: where the terms of the award are the same, what it pays more is added and what it pays less is taken
   back; where they differ (it occurred at another time, it is complete now), the old award is taken back and the new
   one paid.
4. While it waits to be claimed, the new revision takes the place of the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session, scoped_session

from app.activities.again import Stored, funds_of, paused_then, posting_key, without_duplicates
from app.activities.correcting import lots_by_rule, shares_of, take_impact_to
from app.activities.errors import ActivityClosed
from app.activities.evaluating import (
    ACTIVITY,
    Prepared,
    Source,
    check_revision,
    duplicate_lines,
    for_rules,
    own_proofs,
    subjects_of,
)
from app.activities.models import ActivityRegistry
from app.activities.outcome import (
    Accepted,
    award_of,
    note_certificates,
    note_duplicates,
    note_kept,
    note_taken,
    outcome_of,
)
from app.activities.proofs import CLAIMED_PROOF, find_duplicates, proof_rows, proofs_of, release_proofs
from app.activities.proofs import note_duplicates as store_duplicates
from app.activities.reading import impact_subject, kept_certificates
from app.activities.remaining import RuleId
from app.campaigns import service as campaigns
from app.core.database import driver_connection
from app.core.outbox import FactKind
from app.core.strict_json import dumps
from app.impact import service as impact
from app.ledger import service as ledger
from app.programme import service as programme

_Session = Session | scoped_session[Any]


@dataclass(slots=True)
class _Evaluated:
    """What a new revision is worth."""

    outcome: dict[str, Any]
    awards: list[ledger.Award]
    claimed: impact.Impact
    taken: list[campaigns.Taken]
    empty: list[Any]


def revise(
    session: _Session, origin: Source, prepared: Prepared, stored: Stored, counted: campaigns.Member,
    book: ledger.AccountBook,
) -> Accepted:  # fmt: skip
    """Book a new revision of ``stored`` in its member's open book; see the module for the rules.

    Raises ActivityClosed, and ValidationProblem and PackagingConflict as for any report.
    """
    if stored.is_completed or stored.returns:
        raise ActivityClosed
    report, live, moment = prepared.report, origin.merchant.live, book.moment
    check_revision(origin, report, stored.occurred_at, moment)
    duplicates = find_duplicates(session, live, prepared.proofs, stored.activity_id)
    lines = duplicate_lines(prepared.proofs, duplicates, stored.activity_id)
    new = _evaluate(origin, prepared, stored, counted, lines, moment)
    _book_difference(session, origin, prepared, stored, new, book)
    changes = take_impact_to(stored, new.claimed, prepared.facts["occurred_at"], moment)
    book.add_fact(FactKind.CORRECTED, _fact(stored, prepared.facts, new, changes))
    revision, occurred_at = report.read["revision"], prepared.facts["occurred_at"]
    row = (stored.member_id, stored.activity_id, revision, origin.merchant.id, occurred_at, moment,
           dumps(report.body).decode(), dumps(new.outcome).decode())  # fmt: skip
    session.execute(
        update(ActivityRegistry)
        .where(
            ActivityRegistry.merchant_id == origin.merchant.id, ActivityRegistry.live == live,
            ActivityRegistry.external_id == report.external_id,
        )
        .values(revision=revision, digest=report.digest)
    )  # fmt: skip
    release_proofs(session, live, stored.activity_id, proofs_of(stored.body))
    store_duplicates(session, live, stored.activity_id, duplicates, moment)
    write = ledger.write_beside(stored.member_id)
    write.add(ACTIVITY, [row])
    proofs = own_proofs(prepared.proofs, duplicates)
    write.add(CLAIMED_PROOF, proof_rows(stored.member_id, live, stored.activity_id, proofs))
    for shape, rows in campaigns.usage_rows(stored.member_id, new.taken):
        write.add(shape, rows)
    with driver_connection() as connection:
        write.execute(connection)
    return Accepted(
        stored.activity_id, report.external_id, revision, stored.member_id, occurred_at, new.outcome
    )  # fmt: skip


def _evaluate(
    origin: Source,
    prepared: Prepared,
    stored: Stored,
    counted: campaigns.Member,
    duplicates: list[str | None],
    moment: datetime,
) -> _Evaluated:
    """Return what the revision is worth, with limits and budgets locked and the old revision's share given back."""
    facts, settings = prepared.facts, programme.current()
    rules, merchant = campaigns.book_at(facts, stored.versions(), paused_then(stored)), for_rules(origin.merchant)
    bounds = campaigns.bounds_in(rules, facts, merchant, subjects_of(origin.merchant, facts))
    spent = funds_of(stored, stored.paid(), origin.merchant.live)
    taken_before = campaigns.taken_from_codes(stored.outcome.get("taken", ()))
    locked = campaigns.LockedBounds(bounds, counted, origin.merchant.live, taken_before, spent)
    evaluation = campaigns.evaluate_by(rules, facts, stored.member(), merchant, stored.recorded_at)
    left: Mapping[str, Any] | None = facts
    if duplicates:
        left = without_duplicates(facts, duplicates)
        rest = None
        if left is not None:
            rest = campaigns.evaluate_by(rules, left, stored.member(), merchant, stored.recorded_at)
        evaluation = campaigns.without_duplicates(evaluation, rest)
    settlement = campaigns.settle(evaluation, locked.board.headroom(bounds.asks, counted))
    void_at = facts["occurred_at"] + timedelta(days=settings.completion_days_max)
    awards = [award_of(granted, facts, settings.zone, void_at) for granted in settlement.granted]
    claimed = impact.Impact() if left is None else impact.claim_impact(impact_subject(left))
    outcome = outcome_of(settlement, awards, claimed, moment)
    taken = locked.board.take(bounds.asks, counted, settlement)
    note_taken(outcome, taken, bounds.spent(settlement))
    note_duplicates(outcome, duplicates, is_whole=left is None)
    note_certificates(outcome, kept_certificates(facts))
    note_kept(outcome, stored.member(), facts["evidence"])
    return _Evaluated(outcome, awards, claimed, taken, locked.take_funds(settlement))


def _book_difference(
    session: _Session, origin: Source, prepared: Prepared, stored: Stored, new: _Evaluated, book: ledger.AccountBook
) -> None:
    """Take back what the old awards pay too much and pay what they pay too little."""
    lots = lots_by_rule(ledger.load_paid_lots(session, book, stored.posting_keys))
    shares, extra = _difference(lots, new.awards, book.extended_until)
    actor, key = (
        f"merchant:{origin.merchant.merchant_key}",
        posting_key(stored.activity_id, prepared.report.read["revision"]),
    )
    fingerprint = prepared.report.digest[:16]
    ledger.take_back(
        session, book, shares, key=f"{key}:taken_back", reverses=stored.posting_keys[-1], fingerprint=fingerprint,
        activity_id=stored.activity_id, actor=actor, reason="revision",
    )  # fmt: skip
    paid = ledger.AwardedActivity(
        key=key, fingerprint=fingerprint, activity_id=stored.activity_id, actor=actor, awards=extra,
        fact_kind=FactKind.CORRECTED, payload="",
    )  # fmt: skip
    paid_debt = ledger.award_in_book(book, paid)
    new.outcome["points"]["paid_debt"] = paid_debt
    new.outcome["points"]["available"] = max(0, new.outcome["points"]["available"] - paid_debt)


def _difference(
    lots: Mapping[RuleId, Sequence[ledger.PaidLot]], awards: Sequence[ledger.Award], extended_until: datetime | None
) -> tuple[dict[int, int], list[ledger.Award]]:
    """Return what to take back, by lot, and what to award beside what stays."""
    shares = {paid.lot.lot_id: paid.points for of_rule in lots.values() for paid in of_rule if paid.points}
    extra = []
    for award in awards:
        rule = (str(award.campaign_version_id), award.rule or "")
        same = [paid for paid in lots.get(rule, ()) if _has_terms(paid.lot, award, extended_until)]
        stays = sum(paid.points for paid in same)
        for paid in same:
            shares.pop(paid.lot.lot_id, None)
        if award.points > stays:
            extra.append(replace(award, points=award.points - stays))
        else:
            shares |= shares_of({rule: same}, {rule: stays - award.points})
    return shares, extra


def _has_terms(lot: ledger.LotState, award: ledger.Award, extended_until: datetime | None) -> bool:
    """Return whether a lot becomes available and expires as ``award`` does; the account may have extended its life."""
    expires_at = award.expires_at
    if expires_at is not None and extended_until is not None:
        expires_at = max(expires_at, extended_until)
    return (lot.available_at, lot.void_at, lot.expires_at) == (award.available_at, award.void_at, expires_at)


def _fact(
    stored: Stored, facts: Mapping[str, Any], new: _Evaluated, changes: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what projections learn: what the activity counts less where it was, and more where it is now."""
    counts_before = 0 if None in stored.outcome.get("duplicates", ()) else 1
    counts_now = 0 if None in new.outcome.get("duplicates", ()) else 1
    gone: dict[str, int] = {}
    come: dict[str, int] = {}
    for change in changes:
        metrics = gone if change["value"] < 0 else come
        metrics[change["metric"]] = metrics.get(change["metric"], 0) + change["value"]
    return {
        "activity": stored.activity_id,
        "changes": [
            {"occurred_at": stored.occurred_at, "kind": stored.body["kind"], "activities": -counts_before,
             "points": -sum(stored.paid().values()), "impact": gone},
            {"occurred_at": facts["occurred_at"], "kind": facts["kind"], "activities": counts_now,
             "points": new.outcome["points"]["awarded"], "impact": come},
        ],
    }  # fmt: skip
