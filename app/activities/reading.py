"""Turn what a merchant sent into the facts that rules and impact work on, or say where it breaks the contract. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.activities.errors import PackagingConflict
from app.catalog.service import CatalogReference, CertificateTerms, Judged, judge_line, judge_stated
from app.core.errors import ValidationProblem
from app.core.evidence import RANK
from app.core.strict_json import pointer
from app.impact.service import ImpactLine, ImpactSubject

AHEAD_MAX = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Report:
    """One activity as it was reported: the body as sent, as read, and the digest by which a repetition is known."""

    index: int
    body: Mapping[str, Any]
    read: Mapping[str, Any]
    digest: bytes

    @property
    def external_id(self) -> str:
        """The merchant's id of the activity."""
        return str(self.read["id"])


def age_days(enrolled_at: datetime, occurred_at: datetime) -> int:
    """Return for how many whole days one had been a member when it occurred: 0 for what occurred before.

    It counts from the activity's own time, so that what comes late is judged as if it had come at once.
    """
    return max(0, (occurred_at - enrolled_at).days)


def digest_of(body: Mapping[str, Any]) -> bytes:
    """Return the digest of a body; the order of its keys does not matter."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def _fault(detail: str, *place: object) -> dict[str, str]:
    return {"pointer": pointer(*place), "detail": detail}


def _packaging_faults(
    codes: list[str], reference: CatalogReference, is_line: bool, place: tuple[object, ...]
) -> list[dict[str, str]]:
    faults = []
    for position, code in enumerate(codes):
        option = reference.packaging.get(code)
        if option is None:
            faults.append(_fault(f"{code!r} is no packaging option.", *place, position))
        elif (option.applies_to == "line") is not is_line:
            belongs = f"to a {option.applies_to}"
            faults.append(_fault(f"{code} belongs {belongs}, not here.", *place, position))
    return faults


def check_against_reference(read: Mapping[str, Any], reference: CatalogReference, evidence_max: str) -> None:
    """Raise ValidationProblem for unknown codes and evidence beyond the key's; PackagingConflict for exclusives."""
    faults = _packaging_faults(read["packaging"], reference, False, ("packaging",))
    for number, line in enumerate(read["lines"]):
        place = ("lines", number)
        for position, certificate in enumerate(line["certifications"]):
            if certificate["code"] not in reference.certifications:
                detail = f"{certificate['code']!r} is no certification."
                faults.append(_fault(detail, *place, "certifications", position, "code"))
        faults += _packaging_faults(line["packaging"], reference, True, (*place, "packaging"))
        if line["material"] is not None and line["material"] not in reference.materials:
            faults.append(_fault(f"{line['material']!r} is no material.", *place, "material"))
    if read["evidence"] is not None and RANK[read["evidence"]] > RANK[evidence_max]:
        faults.append(_fault(f"This key may claim {evidence_max} at most.", "evidence"))
    if faults:
        raise ValidationProblem(faults)
    groups: list[tuple[tuple[object, ...], list[str]]] = [(("packaging",), read["packaging"])]
    groups += [(("lines", number, "packaging"), line["packaging"]) for number, line in enumerate(read["lines"])]
    conflicts = [
        _fault(f"{first} and {second} exclude each other.", *place, codes.index(second))
        for place, codes in groups
        for first, second in reference.conflicts(codes)
    ]
    if conflicts:
        raise PackagingConflict(conflicts)


def check_time(occurred_at: datetime, now: datetime, age_days_max: int | None) -> None:
    """Raise ValidationProblem where the activity is too far ahead, or older than ``age_days_max`` (None: any age)."""
    if occurred_at > now + AHEAD_MAX:
        raise ValidationProblem([_fault("This is more than 5 minutes ahead.", "occurred_at")])
    if age_days_max is not None and occurred_at < now - timedelta(days=age_days_max):
        raise ValidationProblem([_fault(f"This is more than {age_days_max} days ago.", "occurred_at")])


def line_facts(line: Mapping[str, Any], judged: Judged) -> dict[str, Any]:
    """Return a line as rules see it."""
    total = line["total"]
    if total is None:
        total = (line["unit_price"] or 0) * line["quantity"]
    certificates = judged.certificates
    facts = {**line, "total": total, "certifications": list(certificates), "certificates": certificates}
    if judged.refused:
        facts["refused"] = judged.refused
    if not judged.is_by_statement:
        facts["is_judged"] = True
    return facts


def _judged(read: Mapping[str, Any], terms: CertificateTerms | None) -> list[Judged]:
    if terms is None:
        return [judge_stated(line["certifications"]) for line in read["lines"]]
    return [
        judge_line(line["certifications"], product, terms.day, terms.accepted)
        for line, product in zip(read["lines"], terms.products, strict=True)
    ]


def facts_of(
    read: Mapping[str, Any], occurred_at: datetime, evidence_default: str, terms: CertificateTerms | None = None
) -> dict[str, Any]:
    """Return the activity as rules see it: totals in minor units, valid certificate codes, the evidence grade.

    ``terms`` say by what certificates are judged, None: by the numbers that lines state. A line's ``refused`` are the
    reason codes of those that don't count, where there are any.
    """
    return _facts(read, occurred_at, evidence_default, _judged(read, terms))


def _facts(
    read: Mapping[str, Any], occurred_at: datetime, evidence_default: str, judged: Iterable[Judged]
) -> dict[str, Any]:
    lines = [line_facts(line, of_line) for line, of_line in zip(read["lines"], judged, strict=True)]
    return {
        "kind": read["kind"],
        "occurred_at": occurred_at,
        "currency": read["currency"],
        "region": read["region"],
        "channel": read["channel"],
        "completed": read["completed"],
        "device": read["device"],
        "station": read["station"],
        "packaging": read["packaging"],
        "evidence": read["evidence"] or evidence_default,
        "total": sum(line["total"] for line in lines),
        "line_count": len(lines),
        "lines": lines,
    }


_CERTIFICATE_ABSENT: Mapping[str, Any] = {"number": None}
_LINE_ABSENT: Mapping[str, Any] = {
    "sku": None, "gtin": None, "name": None, "category": None, "quantity": 1, "unit_price": None, "total": None,
    "weight_g": None, "material": None, "pieces": None, "serial": None,
}  # fmt: skip
_ABSENT: Mapping[str, Any] = {
    "currency": None, "region": None, "channel": None, "completed": False, "device": None, "station": None,
    "evidence": None,
}  # fmt: skip


def _complete_line(line: Mapping[str, Any]) -> dict[str, Any]:
    certifications = [{**_CERTIFICATE_ABSENT, **held} for held in line.get("certifications", ())]
    return {**_LINE_ABSENT, "packaging": [], **line, "certifications": certifications}


def complete_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body as it was sent with the defaults of what it leaves out: what ``facts_of`` reads."""
    lines = [_complete_line(line) for line in body.get("lines", ())]
    return {**_ABSENT, "packaging": [], **body, "lines": lines}


def kept_certificates(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how the certificates of ``facts`` were judged, by line, for ``facts_of_stored``; None: nobody stated any.

    Lines of which all that they state counts, and nothing else, are left out.
    """
    kept = {
        line["id"]: {"held": list(line["certificates"].values()), "refused": line.get("refused", {})}
        for line in facts["lines"]
        if "refused" in line or ("is_judged" in line and line["certificates"])
    }
    return kept if kept or any(line["certificates"] for line in facts["lines"]) else None


def _judged_then(stated: Sequence[Mapping[str, Any]], kept: Mapping[str, Any] | None) -> Judged:
    """Return how a line's certificates were judged: where nothing is kept of it, all that it states counted."""
    if kept is None:
        return Judged({each["code"]: each for each in stated if each["number"]}, {}, True)
    return Judged({held["code"]: held for held in kept["held"]}, kept["refused"], False)


def facts_of_stored(
    body: Mapping[str, Any],
    occurred_at: datetime,
    evidence_default: str,
    certificates: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what ``facts_of`` returns, of a body as it was sent: it fitted the contract when it came in.

    What was left out gets the defaults of ``ActivitySchema``; nothing is checked again. ``certificates`` is what
    ``kept_certificates`` kept when it was evaluated; without it they are judged by the numbers that lines state.
    """
    read = complete_body(body)
    if certificates is None:
        return facts_of(read, occurred_at, evidence_default)
    judged = [_judged_then(line["certifications"], certificates.get(line["id"])) for line in read["lines"]]
    return _facts(read, occurred_at, evidence_default, judged)


def impact_subject(facts: Mapping[str, Any]) -> ImpactSubject:
    """Return what of the activity bears on impact."""
    is_trade_in = facts["kind"] == "trade_in"
    return ImpactSubject(
        facts["kind"],
        tuple(facts["packaging"]),
        tuple(
            ImpactLine(
                line["id"], line["quantity"], tuple(line["packaging"]), line["material"], line["weight_g"],
                line["pieces"], (line["category"] or "").upper() or None if is_trade_in else None,
            )
            for line in facts["lines"]
        ),
    )  # fmt: skip
