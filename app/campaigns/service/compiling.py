"""Compile the rules of a campaign document; a document that has no meaning is refused with the place."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from uuid import UUID

from app.campaigns.audiences import Audience
from app.campaigns.engine import Limit, Rule, Stacking
from app.campaigns.expressions import Condition, ExpressionError, Formula
from app.campaigns.schemas import schedule_of
from app.core.errors import ValidationProblem
from app.core.evidence import RANK
from app.core.strict_json import pointer
from app.ledger.service import ExpiryTerms, PendingTerms

_NO_MERCHANTS: Mapping[str, UUID] = {}
_OF_AUDIENCE = ("member", "now")
_OF_ACTIVITY = ("activity", "member", "merchant", "now")
_OF_LINE = ("activity", "line", "member", "merchant", "now", "product")
_Expression = TypeVar("_Expression", Condition, Formula)


def compile_rules(
    document: Mapping[str, Any],
    *,
    campaign_id: UUID,
    version_id: UUID,
    version: int,
    merchants: Mapping[str, UUID] = _NO_MERCHANTS,
) -> list[Rule]:
    """Return the rules of a campaign document, as ``CampaignSchema`` reads it; raise ValidationProblem.

    ``merchants`` has the ids of merchants by key, of which the funder must be one.
    """
    of_campaign: dict[str, Any] = {
        "campaign_id": campaign_id,
        "campaign_key": document["key"],
        "version_id": version_id,
        "version": version,
        "schedule": schedule_of(document),
        "audience": _compile_audience(document["audience"]),
        "holdout_percent": document["holdout_percent"],
        "budget_points": document["budget"] and document["budget"]["points"],
        "funder": _funder(document["funder"], merchants),
        "campaign_labels": document["labels"],
        "descriptions": document["descriptions"],
    }
    return [_compile_rule(rule, place, document, of_campaign) for place, rule in enumerate(document["rules"])]


def _compile_rule(
    rule: Mapping[str, Any], place: int, document: Mapping[str, Any], of_campaign: Mapping[str, Any]
) -> Rule:
    known, scope = (_OF_LINE, "a line") if rule["scope"] == "line" else (_OF_ACTIVITY, "an activity")
    at, award, expiry = ("rules", place), rule["award"], rule["expiry"]
    return Rule(
        **of_campaign,
        key=rule["key"],
        kind=rule["kind"],
        scope=rule["scope"],
        match={dimension: frozenset(values) for dimension, values in rule["match"].items()},
        condition=_compile(Condition, rule["when"], known, f"a rule of {scope}", *at, "when"),
        award=award,
        formula=_compile(Formula, award.get("expression"), known, f"an award of {scope}", *at, "award", "expression"),
        minimum=rule["minimum"],
        maximum=rule["maximum"],
        rounding=rule["rounding"],
        pending=None if rule["pending"] is None else PendingTerms(rule["pending"].get("days")),
        expiry=None if expiry is None else ExpiryTerms(expiry["months"], expiry["round_to"]),
        minimum_rank=RANK[rule["minimum_evidence"]] if rule["minimum_evidence"] else 0,
        priority=document["priority"] if rule["priority"] is None else rule["priority"],
        stacking=rule["stacking"] and Stacking(**rule["stacking"]),
        limits=tuple(Limit(**limit) for limit in rule["limits"]),
        labels=rule["labels"],
    )


def _compile_audience(audience: Mapping[str, Any] | None) -> Audience | None:
    if audience is None:
        return None
    lists = {name: audience[name] and frozenset(audience[name]) for name in ("tiers", "regions", "tags")}
    return Audience(
        **lists,
        age_days_min=audience["age_days_min"],
        age_days_max=audience["age_days_max"],
        condition=_compile(
            Condition, audience["expression"], _OF_AUDIENCE, "an audience", "audience", "expression"
        ),
    )  # fmt: skip


def _funder(key: str | None, merchants: Mapping[str, UUID]) -> UUID | None:
    if key is None:
        return None
    if key not in merchants:
        raise ValidationProblem([{"pointer": pointer("funder"), "detail": f"{key!r} is no merchant."}])
    return merchants[key]


def _compile(
    kind: type[_Expression], text: str | None, known: Collection[str], whose: str, *place: object
) -> _Expression | None:
    if text is None:
        return None
    try:
        expression = kind(text)
    except ExpressionError as error:
        raise ValidationProblem([{"pointer": pointer(*place), "detail": str(error)}]) from error
    for name in expression.unknown_variables(known):
        detail = f"{name!r} is not known to {whose}; known are {', '.join(sorted(known))}"
        raise ValidationProblem([{"pointer": pointer(*place), "detail": detail}])
    return expression
