"""The check of a campaign document: what refuses it, what an approver must override, and what is only worth knowing.

Each check takes a document as ``CampaignSchema`` reads it. What has no meaning at all, and an example that does not
hold, raise ValidationProblem with the place. The rest are findings: an ``error`` keeps the version from coming in force
unless an approver overrides it with a reason, a ``warning`` keeps nobody from anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flask import Flask, current_app

from app.campaigns import queries
from app.campaigns.checking import ExpressionFault, check_expression
from app.campaigns.checking.linting import Finding, lint
from app.campaigns.engine import Rule
from app.campaigns.examples import FactsOf, run_examples
from app.campaigns.schedules import next_window
from app.campaigns.schemas import CampaignSchema, schedule_of
from app.campaigns.service.books import funders_of
from app.campaigns.service.compiling import compile_rules
from app.catalog import service as catalog
from app.core import schemas
from app.core.clock import now
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.ids import new_id
from app.core.strict_json import pointer

OTHERS_MAX = 200
_schema = CampaignSchema()


def read_examples_with(app: Flask, facts_of: FactsOf) -> None:
    """Let ``facts_of`` read the activities of examples in ``app``; the activities stand above this room."""
    app.extensions["example_facts"] = facts_of


def read_document(document: Any) -> dict[str, Any]:
    """Return a campaign document as ``CampaignSchema`` reads it; raise ValidationProblem."""
    read: dict[str, Any] = schemas.load(_schema, document)
    return read


def check_document(document: Mapping[str, Any], *, beside_others: bool = True) -> list[Finding]:
    """Return what is found in a document that ``read_document`` returned; raise ValidationProblem.

    ``beside_others`` looks at it beside the 200 campaigns that were put in force last, too.
    """
    found = [finding for check in CHECKS for finding in check(document)]
    schedule = schedule_of(document)
    is_ever_open = next_window(schedule, schedule.starts_at - timedelta(microseconds=1)) is not None
    others = _others(document["key"]) if beside_others else ()
    return [*found, *lint(document, catalog.reference(), others=others, is_ever_open=is_ever_open)]


def _check_expressions(document: Mapping[str, Any]) -> Sequence[Finding]:
    """Find nothing, or raise: expressions are checked before the engine sees them."""
    faults = []
    for place, rule in enumerate(document["rules"]):
        asked = (("bool", rule["when"], ("when",)),
                 ("number", rule["award"].get("expression"), ("award", "expression")))  # fmt: skip
        faults += [_fault(text, rule["scope"], expects, ("rules", place, *at)) for expects, text, at in asked]
    if document["audience"] is not None:
        at = ("audience", "expression")
        faults.append(_fault(document["audience"]["expression"], "audience", "bool", at))
    found = [fault for fault in faults if fault is not None]
    if found:
        raise ValidationProblem(found)
    return ()


def _fault(text: str | None, scope: Any, expects: Any, at: tuple[object, ...]) -> dict[str, str] | None:
    """Return what is wrong with an expression, with its place."""
    if text is None:
        return None
    try:
        check_expression(text, scope=scope, expects=expects)
    except ExpressionFault as fault:
        return {"pointer": pointer(*at), "detail": str(fault)}
    return None


def _check_examples(document: Mapping[str, Any]) -> Sequence[Finding]:
    """Find nothing, or raise: every rule must compile, and every example hold."""
    faults = run_examples(document, _compile(document), current_app.extensions["example_facts"])
    if faults:
        raise ValidationProblem(faults)
    return ()


def _compile(document: Mapping[str, Any]) -> list[Rule]:
    funders = funders_of([document])
    return compile_rules(document, campaign_id=new_id(), version_id=new_id(), version=1, merchants=funders)


Check = Callable[[Mapping[str, Any]], Sequence[Finding]]
CHECKS: list[Check] = [_check_expressions, _check_examples]


def _others(key: str) -> list[dict[str, Any]]:
    return [_schema.load(each) for each in queries.list_documents_in_force(db.session, key, now(), OTHERS_MAX)]


def needs_override(findings: Sequence[Finding]) -> bool:
    """Return whether an approver must override one of ``findings``."""
    return any(finding.severity == "error" for finding in findings)


def as_json(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return ``findings`` as they are stored and answered."""
    return [asdict(finding) for finding in findings]
