"""Campaign documents, rules and activities for the tests, each with only what a test cares about named."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.campaigns.engine import Evaluation, Rule, RuleBook, evaluate
from app.campaigns.limits import Headroom, Settlement
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MEMBER = {"tier": "seed", "region": "DE-BE", "tags": ["student"], "age_days": 40}
MERCHANT = {"id": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11", "key": "corner-shop"}


def rule_document(**changes: Any) -> dict[str, Any]:
    document = {
        "key": "rule",
        "kind": "purchase",
        "scope": "activity",
        "award": {"type": "fixed", "points": 10},
        "labels": {"en": "A rule"},
    }
    return document | changes


def campaign_document(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = {
        "key": "spring",
        "labels": {"en": "Spring"},
        "starts_at": "2026-01-01T00:00:00Z",
        "rules": list(rules) or [rule_document()],
    }
    return document | changes


def compiled(*documents: dict[str, Any]) -> list[Rule]:
    """The rules of ``documents``, whose campaigns get the ids 1, 2, …"""
    schema = CampaignSchema()
    return [
        rule
        for number, document in enumerate(documents, 1)
        for rule in compile_rules(
            schema.load(document), campaign_id=UUID(int=number), version_id=UUID(int=100 + number), version=1,
            merchants={MERCHANT["key"]: UUID(MERCHANT["id"])},
        )
    ]  # fmt: skip


def line(identity: str, **changes: Any) -> dict[str, Any]:
    """A line as the engine gets it; ``certifications`` may be given as codes."""
    codes = changes.pop("certifications", ())
    found = {
        "id": identity, "category": None, "quantity": 1, "total": 100, "weight_g": None, "material": None,
        "packaging": [], "certifications": list(codes),
        "certificates": {code: {"code": code, "number": f"{code}-1"} for code in codes},
    }  # fmt: skip
    return found | changes


def activity(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = {
        "kind": "purchase", "occurred_at": NOON, "currency": "EUR", "region": None, "channel": "web",
        "completed": True, "packaging": [], "evidence": "staff", "total": sum(each["total"] for each in lines),
        "line_count": len(lines), "lines": list(lines),
    }  # fmt: skip
    return found | changes


def evaluated(
    rules: Iterable[Rule], subject: Mapping[str, Any], paused: Iterable[UUID] = (), **member: Any
) -> Evaluation:
    """What ``MEMBER``, with ``member``'s facts in the place of theirs, earns."""
    return evaluate(RuleBook(rules, frozenset(paused)), subject, MEMBER | member, MERCHANT, NOON)


def paid(evaluation: Evaluation) -> dict[str, int]:
    """Points by rule."""
    return {desired.rule.key: desired.points for desired in evaluation.desired}


def missed(evaluation: Evaluation) -> dict[str, str]:
    """Reason codes by rule."""
    return {each.rule.key: each.code for each in evaluation.missed}


def by_line(evaluation: Evaluation, key: str) -> dict[str | None, int]:
    """The lines of one rule's award with their points."""
    return next(dict(desired.lines) for desired in evaluation.desired if desired.rule.key == key)


def granted(settlement: Settlement) -> dict[str, int]:
    """Points that are paid, by rule."""
    return {each.desired.rule.key: each.points for each in settlement.granted}


def headroom(rules: Iterable[Rule], *, left: Mapping[str, int] | None = None, funds: int | None = None) -> Headroom:
    """What is left of limits, by "rule by:unit:per", and of the budget of each campaign."""
    found = list(rules)
    named = {
        (rule.campaign_id, rule.key, limit.key): (left or {})[f"{rule.key} {limit.key}"]
        for rule in found
        for limit in rule.limits
        if f"{rule.key} {limit.key}" in (left or {})
    }
    assert len(named) == len(left or {}), "each names a limit that there is"
    return Headroom(named, {} if funds is None else {rule.campaign_id: funds for rule in found})
