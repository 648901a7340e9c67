"""Codes that the catalogue does not know, and labels that claim what no certificate stands behind."""

import re
from collections.abc import Collection, Iterator, Mapping

from app.campaigns.checking.faults import quoted, suggestion
from app.campaigns.checking.linting.findings import Finding, Rule, Subject, warning
from app.core.evidence import GRADES

_WHAT = {"certifications": "certification", "packaging": "packaging option", "materials": "material"}
_CLAIMS = {
    "en": re.compile(r"\b(certified|organic|eco-?label(l?ed)?|fair ?trade)\b", re.IGNORECASE),
    "zh": re.compile("认证|有机"),
}


def check_references(subject: Subject) -> Iterator[Finding]:
    """Yield a warning for each unknown code in a match or a condition, and for each claim without a certificate."""
    known: dict[str, Collection[str]] = {
        "certifications": subject.reference.certifications,
        "packaging": subject.reference.packaging,
        "materials": subject.reference.materials,
    }
    for place, rule in enumerate(subject.rules):
        pointer = f"/rules/{place}"
        yield from _check_match(rule, known, pointer)
        yield from _check_condition(subject, place, known)
        if _claims(rule) and not _asks_for_certificate(subject, place):
            detail = "The label speaks of certified goods, but the rule asks for no certification."
            yield warning("claim_without_certificate", f"{pointer}/labels", detail)


def _check_match(rule: Rule, known: Mapping[str, Collection[str]], pointer: str) -> Iterator[Finding]:
    for dimension, codes in known.items():
        values = (rule.get("match") or {}).get(dimension, ())
        unknown = [value for value in values if value not in codes]
        for value in unknown:
            at = f"{pointer}/match/{dimension}/{list(values).index(value)}"
            yield warning("unknown_code", at, _unknown(value, dimension, codes))
        if unknown and len(unknown) == len(values):
            detail = f"The rule never pays: no {_WHAT[dimension]} that it asks for is known."
            yield warning("never_pays", f"{pointer}/match/{dimension}", detail)


def _check_condition(subject: Subject, place: int, known: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    if place not in subject.conditions:
        return
    fields: dict[str, tuple[str, Collection[str]]] = {
        "line.certifications": ("certifications", known["certifications"]),
        "line.certificates": ("certifications", known["certifications"]),
        "line.packaging": ("packaging", known["packaging"]),
        "activity.packaging": ("packaging", known["packaging"]),
        "line.material": ("materials", known["materials"]),
    }
    pointer = f"/rules/{place}/when"
    kind = subject.rules[place]["kind"]
    for path, value in sorted(subject.conditions[place].constants):
        if path in fields and value not in fields[path][1]:
            yield warning("unknown_code", pointer, _unknown(value, *fields[path]))
        if path == "activity.evidence" and value not in GRADES:
            detail = f"There is no evidence of grade {quoted(value)}{suggestion(value, GRADES)}"
            yield warning("unknown_code", pointer, detail)
        if path == "activity.kind" and value != kind:
            detail = f"The rule sees activities of kind {kind} alone, none of kind {quoted(value)}."
            yield warning("other_kind", pointer, detail)


def _unknown(value: str, dimension: str, codes: Collection[str]) -> str:
    return f"There is no {_WHAT[dimension]} {quoted(value)}{suggestion(value, codes)}"


def _claims(rule: Rule) -> bool:
    return any(
        locale.split("-")[0] in _CLAIMS and _CLAIMS[locale.split("-")[0]].search(label)
        for locale, label in rule["labels"].items()
    )


def _asks_for_certificate(subject: Subject, place: int) -> bool:
    facts = subject.conditions.get(place)
    asked = facts is not None and not facts.fields.isdisjoint({"line.certifications", "line.certificates"})
    return asked or "certifications" in (subject.rules[place].get("match") or {})
