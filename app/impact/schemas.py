"""What impact shows, and what is asked of it."""

import re
from datetime import date
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Month, Schema, Text, Timestamp

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
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
RESTATEMENT_REQUEST_EXAMPLE: dict[str, Any] = {
    "factor": "PET", "from": "2026-01-01", "reason": "WARM was corrected in version 16.1",
}  # fmt: skip
QUEUED_EXAMPLE: dict[str, Any] = RESTATEMENT_REQUEST_EXAMPLE | {
    "id": "019ab0c2-9e11-7d0b-9b52-6a2c8d1e4f10", "state": "queued",
    "progress": {"entries_read": 0, "entries_total": None},
    "result": {"activities_changed": 0, "entries_booked": 0, "differences": []},
    "requested_by": "019ab0c2-6a01-7b2d-8e41-5e1a7c0d3f09", "requested_at": "2026-11-23T09:12:00Z",
    "finished_at": None, "error": None,
}  # fmt: skip
RESTATEMENT_EXAMPLE: dict[str, Any] = QUEUED_EXAMPLE | {
    "state": "done", "finished_at": "2026-11-23T09:12:07Z",
    "progress": {"entries_read": 41_230, "entries_total": 41_230},
    "result": {
        "activities_changed": 1204, "entries_booked": 2408,
        "differences": [{"metric": "g_co2e_avoided", "value": -60_200, "low": -42_140, "high": -78_260}],
    },
}  # fmt: skip


class ImpactQuery(Schema):
    """Which months, both included, by when the activity occurred in the programme's time zone."""

    first = Month(data_key="from", load_default=None, metadata={"example": "2026-01"})
    last = Month(data_key="to", load_default=None, metadata={"example": "2026-12"})

    @ma.validates_schema(skip_on_field_errors=True)
    def _order(self, data: dict[str, Any], **_: Any) -> None:
        if data["first"] and data["last"] and data["last"] < data["first"]:
            raise ma.ValidationError("This is before the month of `from`.", "to")


class ImpactTotalSchema(Schema):
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


class ImpactMonthSchema(Schema):
    """The totals of one month."""

    month = fields.String()
    totals = fields.List(fields.Nested(ImpactTotalSchema))


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
    totals = fields.List(fields.Nested(ImpactTotalSchema))
    months = fields.List(fields.Nested(ImpactMonthSchema))
    factors = fields.List(fields.Nested(FactorSchema))
    equivalent = fields.Nested(EquivalentSchema, allow_none=True)
    as_of = Timestamp()


class Day(fields.String):
    """A day, ``2026-11-23``."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> Any:
        if not isinstance(value, str) or not _DAY.fullmatch(value) or value < "1970":
            raise ma.ValidationError("Not a day such as 2026-11-23.")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ma.ValidationError("Not a day such as 2026-11-23.") from error


class RestatementRequestSchema(Schema):
    """What to restate: the id of a version, for all versions of that factor, the code of a subject, or `all`."""

    factor = Text(maximum=64, required=True)
    start = Day(
        data_key="from", attribute="from", load_default=None, allow_none=True,
        metadata={"format": "date", "description": "leave out what occurred before that day in the programme's zone"},
    )  # fmt: skip
    reason = Text(maximum=500, required=True)


class RestatementDifferenceSchema(Schema):
    """What was booked of a metric in all, with its band."""

    metric = fields.String()
    value = fields.Integer()
    low = fields.Integer()
    high = fields.Integer()


class RestatementProgressSchema(Schema):
    """How many entries of the impact ledger were gone through."""

    entries_read = fields.Integer()
    entries_total = fields.Integer(allow_none=True)


class RestatementResultSchema(Schema):
    """What was booked so far."""

    activities_changed = fields.Integer()
    entries_booked = fields.Integer()
    differences = fields.List(fields.Nested(RestatementDifferenceSchema))


class RestatementSchema(Schema):
    """A restatement: how far it is, and what it has booked."""

    id = fields.UUID()
    factor = fields.String()
    start = fields.String(data_key="from", allow_none=True)
    reason = fields.String()
    state = fields.String(validate=validate.OneOf(("queued", "running", "done", "failed")))
    progress = fields.Nested(RestatementProgressSchema)
    result = fields.Nested(RestatementResultSchema)
    requested_by = fields.UUID(allow_none=True)
    requested_at = Timestamp()
    finished_at = Timestamp(allow_none=True)
    error = fields.String(allow_none=True)


class RestatementPageSchema(Schema):
    """One page of restatements."""

    data = fields.List(fields.Nested(RestatementSchema))
    next_cursor = fields.String(allow_none=True)
