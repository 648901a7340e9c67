"""What is well formed in a campaign's document and still wrong: the waste hierarchy, overlaps, rules that never pay.

Pure: what it needs to know is given. Nothing here refuses a document; an error is for an approver to override with a
reason, a warning for whoever wrote the document to read.
"""

from collections.abc import Iterator, Mapping, Sequence

from app.campaigns.checking.expression import Expected, ExpressionFacts, ExpressionScope, check_expression
from app.campaigns.checking.faults import ExpressionFault
from app.campaigns.checking.linting.findings import Document, Finding, Reference, Subject, warning
from app.campaigns.checking.linting.hierarchy import check_hierarchy
from app.campaigns.checking.linting.overlaps import check_beaten, check_overlaps
from app.campaigns.checking.linting.reach import check_reach
from app.campaigns.checking.linting.references import check_references

__all__ = ["Finding", "Reference", "lint"]


def lint(
    document: Document, reference: Reference, *, others: Sequence[Document] = (), is_ever_open: bool = True
) -> list[Finding]:
    """Return what is to be said of ``document``, errors first, then by place.

    ``document`` and ``others``, the other campaigns in force, are as ``CampaignSchema`` reads them; ``reference`` is
    what the catalogue knows by code; ``is_ever_open`` says whether the campaign's schedule has a moment at all.
    Expressions that can't be used are left out: saving refuses them.
    """
    conditions = {
        place: facts
        for place, rule in enumerate(document["rules"])
        if rule["when"] is not None and (facts := _facts(rule["when"], rule["scope"], "bool")) is not None
    }
    subject = Subject(document, conditions, reference, others)
    found = [
        *check_hierarchy(subject),
        *check_overlaps(subject),
        *check_beaten(subject),
        *check_reach(subject, is_ever_open),
        *check_references(subject),
        *_check_remarks(document, conditions),
    ]
    return sorted(dict.fromkeys(found), key=lambda each: (each.severity, each.pointer, each.code, each.detail))


def _facts(text: str, scope: ExpressionScope, expects: Expected) -> ExpressionFacts | None:
    try:
        return check_expression(text, scope=scope, expects=expects)
    except ExpressionFault:
        return None


def _check_remarks(document: Document, conditions: Mapping[int, ExpressionFacts]) -> Iterator[Finding]:
    """Yield what the checks of its expressions remark upon."""
    facts: dict[str, ExpressionFacts | None] = {f"/rules/{place}/when": each for place, each in conditions.items()}
    for place, rule in enumerate(document["rules"]):
        if rule["award"]["type"] == "expression":
            facts[f"/rules/{place}/award/expression"] = _facts(rule["award"]["expression"], rule["scope"], "number")
    audience = (document.get("audience") or {}).get("expression")
    if audience is not None:
        facts["/audience/expression"] = _facts(audience, "audience", "bool")
    for pointer, each in facts.items():
        for remark in each.remarks if each else ():
            at = f"Line {remark.place.line}, column {remark.place.column}: "
            yield warning(f"expression_{remark.code}", pointer, at + remark.detail)
