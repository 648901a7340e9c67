"""Which certificates of a purchased line count, and why the others don't. Pure. The rules, in order:

1. A line says which certificates its product holds, by code and number. Without a number, or with one that can't be
   one of that certification, it is a word on a package and earns nothing: ``certificate_missing``.
2. A certificate that a known product holds counts although the line does not state it, if it has a number, is not
   rejected, and the day lies in its validity; on other days it is ``certificate_expired``.
3. Where the merchant itself has registered the product, its certificates are all that count: one that the line states
   and the product does not hold, or holds with another number, is ``certificate_missing``.
4. ``accepted`` says how much more is asked for: ``stated`` nothing, ``registered`` that a known product holds the
   certificate, ``verified`` that staff have looked it up there. What falls short is ``certificate_missing``.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from app.catalog.numbers import is_well_formed, normalise_number

MISSING, EXPIRED = "certificate_missing", "certificate_expired"
_NOTHING: Mapping[str, str] = {}


class HeldCertificate(NamedTuple):
    """A certificate of a product that is known."""

    code: str
    number: str | None
    valid_from: date | None
    valid_to: date | None
    verification: str

    def why_not(self, day: date, accepted: str) -> str | None:
        """Return the code that says why it does not count on ``day``, None where it does."""
        if self.verification == "rejected" or self.number is None:
            return MISSING
        if (self.valid_from is not None and day < self.valid_from) or (
            self.valid_to is not None and day > self.valid_to
        ):
            return EXPIRED
        return MISSING if accepted == "verified" and self.verification != "verified" else None

    def shown(self) -> dict[str, Any]:
        """Return it as an award names what it rests on."""
        basis = "verified" if self.verification == "verified" else "registered"
        return {"code": self.code, "number": self.number, "basis": basis}


def held_of(rows: Sequence[Mapping[str, Any]] | None) -> dict[str, HeldCertificate]:
    """Return certificates, by code, as JSON has them."""
    return {
        row["code"]: HeldCertificate(
            row["code"], row["number"], _day(row["valid_from"]), _day(row["valid_to"]), row["verification"]
        )
        for row in rows or ()
    }


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


class ProductFacts(NamedTuple):
    """What bears on awards of a product that is known: the merchant's own, or one that all share."""

    product_id: UUID
    is_own: bool
    packaging: Sequence[str]
    certificates: Mapping[str, HeldCertificate]


class CertificateTerms(NamedTuple):
    """By what the certificates of an activity are judged: the day, what is asked for, and the product of each line."""

    day: date
    accepted: str
    products: Sequence[ProductFacts | None]


class Judged(NamedTuple):
    """The certificates of a line that count, by code, and the reason codes of those that don't.

    ``is_by_statement`` says that they were judged by what the line states alone.
    """

    certificates: dict[str, Mapping[str, Any]]
    refused: Mapping[str, str]
    is_by_statement: bool


def judge_stated(stated: Sequence[Mapping[str, Any]]) -> Judged:
    """Judge what a line states by its numbers alone."""
    certificates: dict[str, Mapping[str, Any]] = {}
    for each in stated:
        if each["number"] and is_well_formed(each["code"], each["number"]):
            certificates[each["code"]] = each
    if len(certificates) == len(stated):
        return Judged(certificates, _NOTHING, True)
    refused = {each["code"]: MISSING for each in stated if each["code"] not in certificates}
    return Judged(certificates, refused, True)


def judge_line(stated: Sequence[Mapping[str, Any]], product: ProductFacts | None, day: date, accepted: str) -> Judged:
    """Judge what a line states together with what is known of its product."""
    by_statement = judge_stated(stated)
    if product is None:
        if accepted == "stated" or not by_statement.certificates:
            return by_statement
        return Judged({}, {each["code"]: MISSING for each in stated}, False)
    certificates: dict[str, Mapping[str, Any]] = {}
    refused: dict[str, str] = {}
    for code, held in product.certificates.items():
        reason = held.why_not(day, accepted)
        if reason is None:
            certificates[code] = held.shown()
        else:
            refused[code] = reason
    for each in stated:
        code, number = each["code"], each["number"]
        held_here = product.certificates.get(code)
        if not product.is_own:
            if accepted == "stated" and code not in certificates and code in by_statement.certificates:
                certificates[code] = by_statement.certificates[code]
                refused.pop(code, None)
            elif code not in certificates:
                refused.setdefault(code, MISSING)
        elif held_here is None:
            refused[code] = MISSING
        elif number is not None and normalise_number(number) != normalise_number(held_here.number or ""):
            certificates.pop(code, None)
            refused[code] = MISSING
    return Judged(certificates, refused, False)
