"""The outcome of an activity: stored as codes, rendered on reading in the reader's language. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.campaigns.service import Granted, Missed, Rule, Settlement, Taken, Words, taken_codes
from app.core.clock import format_time
from app.impact.service import Impact
from app.ledger.service import Award, available_time, expiry_time


@dataclass(frozen=True, slots=True)
class Accepted:
    """An activity that is stored: now, or before (``is_replay``). ``claim_code`` is set where nobody has it yet.

    ``since`` is what has become of it, as the contract shows it.
    """

    activity_id: UUID
    external_id: str
    revision: int
    member_id: UUID | None
    occurred_at: datetime
    outcome: Mapping[str, Any]
    is_replay: bool = False
    claim_code: str | None = None
    since: Mapping[str, Any] = field(default_factory=dict)


def award_of(
    granted: Granted, facts: Mapping[str, Any], zone: ZoneInfo, void_at: datetime, waits_for_review: bool = False
) -> Award:
    """Return what the ledger books for ``granted``: the terms count from when the activity occurred."""
    rule = granted.desired.rule
    occurred_at = facts["occurred_at"]
    available_at = None if waits_for_review else available_time(rule.pending, occurred_at, facts["completed"])
    is_waiting = available_at is None
    return Award(
        points=granted.points,
        available_at=available_at,
        expires_at=None if is_waiting else expiry_time(rule.expiry, occurred_at, zone),
        void_at=void_at if is_waiting else None,
        campaign_version_id=rule.version_id,
        rule=rule.key,
        funder=rule.funder,
    )


def _rule_codes(rule: Rule) -> dict[str, Any]:
    return {
        "campaign": rule.campaign_key,
        "rule": rule.key,
        "version": rule.version,
        "version_id": str(rule.version_id),
    }


def _missed_codes(missed: Missed) -> dict[str, Any]:
    return _rule_codes(missed.rule) | {"code": missed.code}


def impact_codes(impact: Impact) -> list[dict[str, Any]]:
    """Return what is claimed, and what is not and why, as it is stored."""
    claims: list[dict[str, Any]] = [
        {
            "metric": claim.metric, "value": claim.value, "low": claim.low, "high": claim.high,
            "factor": str(claim.factor_id) if claim.factor_id else None, "subject": claim.subject_code,
            "note": claim.note or None,
        }
        for claim in impact.entries
    ]  # fmt: skip
    return claims + [
        {"metric": None, "value": 0, "low": 0, "high": 0, "factor": None, "subject": claim.subject_code,
         "code": claim.reason}
        for claim in impact.unclaimed
    ]  # fmt: skip


def outcome_of(settlement: Settlement, awards: Sequence[Award], impact: Impact, now: datetime) -> dict[str, Any]:
    """Return what is stored of a settlement: points, awards by line, missed rules and impact, all without words."""
    available = sum(a.points for a in awards if a.available_at is not None and a.available_at <= now)
    awarded = sum(award.points for award in awards)
    return {
        "points": {"awarded": awarded, "available": available, "pending": awarded - available, "paid_debt": 0},
        "awards": [
            _rule_codes(granted.desired.rule)
            | {
                "line": line,
                "points": points,
                "desired_points": desired_points,
                "certificate": granted.desired.certificates.get(line) if line is not None else None,
                "available_at": award.available_at and format_time(award.available_at),
                "expires_at": award.expires_at and format_time(award.expires_at),
                "codes": list(granted.codes),
            }
            for granted, award in zip(settlement.granted, awards, strict=True)
            for line, points, desired_points in granted.lines
        ],
        "missed": [_missed_codes(missed) for missed in settlement.missed],
        "impact": impact_codes(impact),
    }


def note_taken(outcome: dict[str, Any], taken: Sequence[Taken], spent: Mapping[UUID, int]) -> None:
    """Keep in a stored outcome what it took of limits and budgets, so that a return can give it back."""
    if taken:
        outcome["taken"] = taken_codes(taken)
    if spent:
        outcome["spent"] = {str(campaign_id): points for campaign_id, points in spent.items()}


def note_kept(outcome: dict[str, Any], member: Mapping[str, Any], evidence: str) -> None:
    """Keep in a stored outcome what rules saw of the member and of the evidence, to evaluate it again the same way."""
    outcome["facts"] = {key: value for key, value in member.items() if key != "id"} | {"evidence": evidence}


def note_duplicates(outcome: dict[str, Any], lines: Sequence[str | None], is_whole: bool) -> None:
    """Keep in a stored outcome which lines another activity had claimed; None alone where nothing is left of it."""
    if lines:
        outcome["duplicates"] = [None] if is_whole else sorted({line for line in lines if line is not None})


def note_certificates(outcome: dict[str, Any], kept: Mapping[str, Any] | None) -> None:
    """Keep in a stored outcome how certificates were judged, so that it is evaluated again by the same ones."""
    if kept is not None:
        outcome["certificates"] = kept


_HIDDEN = frozenset({"version_id", "code", "codes"})


def render(outcome: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return ``outcome`` as the contract shows it, with the sentences of ``words``."""
    awards = []
    for stored in outcome["awards"]:
        award = {key: value for key, value in stored.items() if key not in _HIDDEN}
        award["reasons"] = [
            {"code": code, "detail": words(stored["version_id"], stored["rule"], code)[0]}
            for code in (stored.get("codes") or [stored["code"]])
        ]
        awards.append(award)
    missed = []
    for stored in outcome["missed"]:
        detail, step = words(stored["version_id"], stored["rule"], stored["code"])
        missed.append(
            {"campaign": stored["campaign"], "rule": stored["rule"], "code": stored["code"], "detail": detail,
             "next_step": step}
        )  # fmt: skip
    return {"points": outcome["points"], "awards": awards, "missed": missed, "impact": outcome["impact"]}
