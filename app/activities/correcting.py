"""Book what an activity is worth less than before: points, limits, budgets and impact, in its member's open book."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session, scoped_session

from app.activities.again import Stored, funds_of
from app.activities.reading import impact_subject
from app.activities.remaining import RuleId
from app.campaigns import service as campaigns
from app.core.database import driver_connection
from app.core.outbox import FactKind
from app.impact import service as impact
from app.ledger import service as ledger

_Session = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction took back: points by where they came from, and the change of each impact claim."""

    taken: ledger.TakenBack
    points: int
    claims: Sequence[Mapping[str, Any]]


def lots_by_rule(lots: Iterable[ledger.PaidLot]) -> dict[RuleId, list[ledger.PaidLot]]:
    """Return the lots of an activity by the rule that paid them, newest first."""
    found: dict[RuleId, list[ledger.PaidLot]] = {}
    for paid in lots:
        found.setdefault((str(paid.campaign_version_id), paid.rule or ""), []).insert(0, paid)
    return found


def shares_of(lots: Mapping[RuleId, Sequence[ledger.PaidLot]], losses: Mapping[RuleId, int]) -> dict[int, int]:
    """Return what is taken back of each lot so that each rule loses its points, the newest lot first.

    What was taken back of a lot by other hands already is not taken again.
    """
    shares: dict[int, int] = {}
    for rule, points in losses.items():
        for paid in lots.get(rule, ()):
            part = min(points, paid.points)
            if part:
                shares[paid.lot.lot_id] = part
                points -= part
    return shares


def reduce_worth(
    session: _Session,
    book: ledger.AccountBook,
    stored: Stored,
    worth: Mapping[RuleId, int],
    facts: Mapping[str, Any] | None,
    *,
    live: bool,
    key: str,
    actor: str,
    reason: str | None = None,
    fingerprint: bytes = b"",
) -> Corrected:
    """Take back what ``stored`` loses when its rules' awards are worth ``worth`` and ``facts`` are left of it.

    What it took of limits and budgets is given back for as much as its awards lose; impact is claimed of what is left
    by the factors by which it was claimed.
    """
    before = stored.paid()
    losses = {rule: points - worth.get(rule, 0) for rule, points in before.items()}
    lots = lots_by_rule(ledger.load_paid_lots(session, book, stored.posting_keys))
    taken = ledger.take_back(
        session, book, shares_of(lots, losses), key=key, reverses=stored.posting_keys[-1], fingerprint=fingerprint,
        activity_id=stored.activity_id, actor=actor, reason=reason,
    )  # fmt: skip
    _give_back(stored, before, worth, live)
    claims = take_impact_to(stored, _claim_of(stored, facts), stored.occurred_at, book.moment)
    lost = sum(losses.values())
    is_undone = facts is None and stored.left() is not None
    book.add_fact(FactKind.CORRECTED, correction_fact(stored, lost, claims, is_undone))
    return Corrected(taken, lost, claims)


def correction_fact(
    stored: Stored, points: int, claims: Iterable[Mapping[str, Any]], is_undone: bool
) -> dict[str, Any]:
    """Return what projections learn of a correction: by how much less the activity counts, when it occurred."""
    metrics: dict[str, int] = {}
    for claim in claims:
        metrics[claim["metric"]] = metrics.get(claim["metric"], 0) + claim["value"]
    change = {
        "occurred_at": stored.occurred_at, "kind": stored.body["kind"], "activities": -1 if is_undone else 0,
        "points": -points, "impact": metrics,
    }  # fmt: skip
    return {"activity": stored.activity_id, "changes": [change]}


def _give_back(stored: Stored, before: Mapping[RuleId, int], worth: Mapping[RuleId, int], live: bool) -> None:
    """Return to limits and budgets what the losing rules took of them."""
    rules = stored.rules()
    lost: dict[RuleId, int] = {}
    units: dict[tuple[Any, str, str], tuple[str, int, int]] = {}
    for rule_id, points in before.items():
        rule, after = rules[rule_id], worth.get(rule_id, 0)
        lost[rule_id] = points - after
        for limit in rule.limits:
            units[rule.campaign_id, rule.key, limit.key] = limit.unit, points, after
    spent = funds_of(stored, lost, live)
    back = []
    for each in campaigns.taken_from_codes(stored.outcome.get("taken", ())):
        unit, points, after = units.get((each.campaign_id, each.rule, each.limit), ("", 0, 0))
        if unit == "points":
            amount = min(each.amount, points) - min(each.amount, after)
        else:
            amount = each.amount if points and not after else 0
        if amount:
            back.append(each.of(amount))
    if back or spent:
        campaigns.give_back(stored.member_id, back, spent, live)


def _claim_of(stored: Stored, facts: Mapping[str, Any] | None) -> impact.Impact:
    """Return what is claimed of ``facts``, by the factors by which the activity is booked."""
    if facts is None:
        return impact.Impact()
    standing = impact.booked(stored.member_id, stored.activity_id)
    return impact.claim_impact_by(impact_subject(facts), impact.factor_ids_of(standing))


def take_impact_to(
    stored: Stored, claimed: impact.Impact, occurred_at: datetime, moment: datetime
) -> list[dict[str, Any]]:
    """Book the impact ``claimed`` in the place of what is booked of ``stored``; return what changes, claim by claim."""
    standing = impact.booked(stored.member_id, stored.activity_id)
    changes = impact.differences(standing, impact.booked_of(claimed, occurred_at))
    if changes:
        write = ledger.write_beside(stored.member_id)
        write.add(impact.IMPACT_ENTRY, impact.rows_of(stored.member_id, stored.activity_id, changes, moment))
        with driver_connection() as connection:
            write.execute(connection)
    return [
        {"metric": change.metric, "value": change.value, "low": change.low, "high": change.high,
         "factor": str(change.factor_id) if change.factor_id else None, "subject": change.subject_code}
        for change in changes
        if change.value or change.low or change.high
    ]  # fmt: skip
