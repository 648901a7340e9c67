"""Compile the rules of a campaign document; a document that has no meaning is refused with the place."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.campaigns.engine import Rule
from app.campaigns.expressions import Condition, ExpressionError
from app.core.errors import ValidationProblem
from app.core.evidence import RANK
from app.core.strict_json import pointer
from app.ledger.service import ExpiryTerms, PendingTerms


def compile_rules(
    document: Mapping[str, Any], *, campaign_id: UUID, version_id: UUID, version: int, is_paused: bool
) -> list[Rule]:
    """Return the rules of a campaign document, as ``CampaignSchema`` reads it; raise ValidationProblem."""
    return [
        Rule(
            campaign_id=campaign_id,
            campaign_key=document["key"],
            version_id=version_id,
            version=version,
            key=rule["key"],
            kind=rule["kind"],
            scope=rule["scope"],
            match={dimension: frozenset(values) for dimension, values in rule["match"].items()},
            condition=_compile_condition(rule, place),
            award=rule["award"],
            minimum=rule["minimum"],
            maximum=rule["maximum"],
            rounding=rule["rounding"],
            pending=None if rule["pending"] is None else PendingTerms(rule["pending"].get("days")),
            expiry=None
            if rule["expiry"] is None
            else ExpiryTerms(rule["expiry"]["months"], rule["expiry"]["round_to"]),
            minimum_rank=RANK[rule["minimum_evidence"]] if rule["minimum_evidence"] else 0,
            priority=document["priority"],
            starts_at=document["starts_at"],
            ends_at=document["ends_at"],
            is_paused=is_paused,
            labels=rule["labels"],
        )
        for place, rule in enumerate(document["rules"])
    ]


def _compile_condition(rule: Mapping[str, Any], place: int) -> Condition | None:
    if rule["when"] is None:
        return None
    try:
        condition = Condition(rule["when"])
    except ExpressionError as error:
        raise ValidationProblem([{"pointer": pointer("rules", place, "when"), "detail": str(error)}]) from error
    known = {"activity", "member", "merchant", "now"} | ({"line", "product"} if rule["scope"] == "line" else set())
    for name in condition.unknown_variables(known):
        detail = f"{name!r} is not known to a rule of scope {rule['scope']}; known are {', '.join(sorted(known))}"
        raise ValidationProblem([{"pointer": pointer("rules", place, "when"), "detail": detail}])
    return condition
