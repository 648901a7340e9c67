"""What impact shows, and what is asked of it."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from app.core.paging import PageQuery
from app.core.schemas import Month, Schema, Text, Timestamp

_PET, _UNITS = "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10", 500
_TOTALS: list[dict[str, Any]] = [
    {"metric": "g_co2e_avoided", "method": "warm", "value": 575, "low": 402, "high": 748, "factors": [_PET],
     "notes": ["lowest of the published values"]},
    {"metric": "g_recycled", "method": "measured", "value": _UNITS, "low": _UNITS, "high": _UNITS, "factors": [],
     "notes": []},
]  # fmt: skip
FACTOR_VERSION_EXAMPLE: dict[str, Any] = {
    "id": _PET, "version": 1, "value": 1150, "low": 805, "high": 1495, "method": "warm", "year": 2023,
    "baseline": "primary production", "note": "lowest of the published values", "is_default": True,
}  # fmt: skip
_IDENTITY = {
    "subject_kind": "material", "subject": "PET", "metric": "g_co2e_avoided", "unit": "kg_recycled",
    "source": "US EPA WARM v16 (transcribed)", "region": "US",
}  # fmt: skip
FACTOR_EXAMPLE: dict[str, Any] = {**FACTOR_VERSION_EXAMPLE, **_IDENTITY}
FACTOR_PAGE_EXAMPLE: dict[str, Any] = {
    "data": [{**_IDENTITY, "versions": [FACTOR_VERSION_EXAMPLE]}], "next_cursor": None,
}  # fmt: skip
IMPACT_EXAMPLE: dict[str, Any] = {
    "from": None, "to": None, "time_zone": "Europe/Berlin", "totals": _TOTALS,
    "months": [{"month": "2026-11", "totals": _TOTALS}], "factors": [FACTOR_EXAMPLE],
    "equivalent": {
        "text": "As much as an average car emits over 2 km.", "amount": 2, "unit": "km", "metric": "g_co2e_avoided",
        "method": "warm", "of": 575, "per_unit": 249,
        "source": "US EPA, Tailpipe Greenhouse Gas Emissions from a Typical Passenger Vehicle (EPA-420-F-23-014)",
        "year": 2023, "region": "US",
        "baseline": "tailpipe CO2 of an average passenger vehicle, 22.2 miles a gallon",
        "note": "400 g of CO2 a mile as published; a kilometre is rounded up",
    },
    "as_of": "2026-11-23T09:12:01Z",
}  # fmt: skip


class ImpactQuery(Schema):
    """Which months, both included, by when the activity occurred in the programme's time zone."""

    first = Month(data_key="from", load_default=None, metadata={"example": "2026-01"})
    last = Month(data_key="to", load_default=None, metadata={"example": "2026-12"})

    @ma.validates_schema(skip_on_field_errors=True)
    def _order(self, data: dict[str, Any], **_: Any) -> None:
        if data["first"] and data["last"] and data["last"] < data["first"]:
            raise ma.ValidationError("This is before the month of `from`.", "to")


class TotalSchema(Schema):
    """Grams or items by one metric and one method; figures of two methods are not to be added up.

    ``method`` is ``measured`` for what was counted or weighed. ``notes`` is what the sources warn of: weak, proxy.
    """

    metric = fields.String()
    method = fields.String()
    value = fields.Integer()
    low = fields.Integer()
    high = fields.Integer()
    factors = fields.List(fields.UUID())
    notes = fields.List(fields.String())


class MonthTotalsSchema(Schema):
    """The totals of one month."""

    month = fields.String()
    totals = fields.List(fields.Nested(TotalSchema))


class FactorVersionSchema(Schema):
    """A version of a factor; ``is_default`` says whether it is the kind that is claimed."""

    id = fields.UUID()
    version = fields.Integer()
    value = fields.Integer()
    low = fields.Integer()
    high = fields.Integer()
    method = fields.String()
    year = fields.Integer()
    baseline = fields.String()
    note = fields.String(allow_none=True)
    is_default = fields.Boolean()


class FactorIdentitySchema(Schema):
    """What a factor is for, and who published it: that much avoided for each ``unit`` of ``subject``."""

    subject_kind = fields.String()
    subject = fields.String()
    metric = fields.String()
    unit = fields.String()
    source = fields.String()
    region = fields.String()


class FactorSchema(FactorVersionSchema, FactorIdentitySchema):
    """A version of a published factor, whole."""


class FactorVersionsSchema(FactorIdentitySchema):
    """A factor with all its versions, the newest first."""

    versions = fields.List(fields.Nested(FactorVersionSchema))


class FactorPageSchema(Schema):
    """One page of the factors."""

    data = fields.List(fields.Nested(FactorVersionsSchema))
    next_cursor = fields.String(allow_none=True)


class FactorQuery(PageQuery):
    """Which factors."""

    subject = Text(maximum=64, load_default=None, metadata={"example": "PET"})
    metric = Text(maximum=64, load_default=None, metadata={"example": "g_co2e_avoided"})


class EquivalentSchema(Schema):
    """What the largest total is as much as, by whose figure: ``of`` of the metric, at ``per_unit`` a unit."""

    text = fields.String()
    amount = fields.Integer()
    unit = fields.String()
    metric = fields.String()
    method = fields.String()
    of = fields.Integer()
    per_unit = fields.Integer()
    source = fields.String()
    year = fields.Integer()
    region = fields.String()
    baseline = fields.String()
    note = fields.String()


class ImpactSchema(Schema):
    """What activities have avoided, in all and by month, and the factors that it rests on."""

    first = fields.String(data_key="from", allow_none=True)
    last = fields.String(data_key="to", allow_none=True)
    time_zone = fields.String()
    totals = fields.List(fields.Nested(TotalSchema))
    months = fields.List(fields.Nested(MonthTotalsSchema))
    factors = fields.List(fields.Nested(FactorSchema))
    equivalent = fields.Nested(EquivalentSchema, allow_none=True)
    as_of = Timestamp()
