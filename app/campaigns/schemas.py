"""The campaign document, as admins write it."""

import re
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.core.currencies import CURRENCIES
from app.core.evidence import GRADES
from app.core.schemas import Integer, List, Schema, Text, Timestamp
from app.programme.service import check_time_zone

KEY = r"^[a-z0-9][a-z0-9-]{0,62}\Z"
KINDS = ("purchase", "packaging_return", "recycling", "trade_in", "repair", "learning", "custom")
POINTS_MAX = 10**6
LOCALES = re.compile(r"^[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?\Z")
_AWARD_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "fixed": ({"points"}, set()),
    "per_unit": ({"points"}, set()),
    "per_amount": ({"points", "per", "currency"}, set()),
    "per_weight": ({"points", "per_g"}, set()),
    "multiplier": ({"factor"}, set()),
}


def _check_labels(labels: dict[str, str]) -> None:
    if "en" not in labels:
        raise ValidationError("A label in English (en) is needed.")


def _labels() -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.Regexp(LOCALES)),
        values=Text(maximum=200),
        required=True,
        validate=_check_labels,
    )


def _names() -> List:
    return List(Text(maximum=100), minimum=1, maximum=500)


class MatchSchema(Schema):
    """What an activity or line must have for the rule to be tried: one of each list that is given."""

    categories = _names()
    certifications = _names()
    packaging = _names()
    materials = _names()
    merchants = _names()


class AwardSchema(Schema):
    """How many points; ``per`` is in minor units of ``currency``, ``per_g`` in grams, ``factor`` a decimal above 1."""

    type = fields.String(required=True, validate=validate.OneOf(list(_AWARD_FIELDS)))
    points = Integer(minimum=1, maximum=POINTS_MAX)
    per = Integer(minimum=1, maximum=10**9)
    per_g = Integer(minimum=1, maximum=10**9)
    currency = fields.String(validate=validate.OneOf(sorted(CURRENCIES)))
    factor = Text(maximum=10, pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?\Z")

    @validates_schema(skip_on_field_errors=True)
    def _fits_type(self, data: dict[str, Any], **_: Any) -> None:
        needed, allowed = _AWARD_FIELDS[data["type"]]
        given = set(data) - {"type"}
        for name in sorted(needed - given):
            raise ValidationError(f"An award of type {data['type']} needs {name}.", name)
        for name in sorted(given - needed - allowed):
            raise ValidationError(f"An award of type {data['type']} has no {name}.", name)
        if "factor" in data and not 1 < Decimal(data["factor"]) <= 100:
            raise ValidationError("Must be above 1 and at most 100.", "factor")


class PendingSchema(Schema):
    """How long points stay pending: a number of days, or until the activity is completed."""

    days = Integer(minimum=0, maximum=365)
    until = fields.String(validate=validate.Equal("completed"))

    @validates_schema(skip_on_field_errors=True)
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Give either days or until.")


class ExpirySchema(Schema):
    """How long points live."""

    months = Integer(minimum=1, maximum=120, required=True)
    round_to = fields.String(validate=validate.OneOf(["month", "quarter", "year"]), load_default=None, allow_none=True)


class RuleSchema(Schema):
    """One rule."""

    key = Text(maximum=63, pattern=KEY, required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    scope = fields.String(required=True, validate=validate.OneOf(["line", "activity"]))
    match = fields.Nested(MatchSchema, load_default=dict)
    when = Text(maximum=2000, load_default=None, allow_none=True)
    award = fields.Nested(AwardSchema, required=True)
    minimum = Integer(minimum=1, maximum=POINTS_MAX, load_default=None, allow_none=True)
    maximum = Integer(minimum=1, maximum=POINTS_MAX, load_default=None, allow_none=True)
    rounding = fields.String(validate=validate.OneOf(["floor", "half_up", "ceil"]), load_default="floor")
    pending = fields.Nested(PendingSchema, load_default=None, allow_none=True)
    expiry = fields.Nested(ExpirySchema, load_default=None, allow_none=True)
    minimum_evidence = fields.String(validate=validate.OneOf(GRADES), load_default=None, allow_none=True)
    labels = _labels()


class CampaignSchema(Schema):
    """One campaign with its rules."""

    key = Text(maximum=63, pattern=KEY, required=True)
    labels = _labels()
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(load_default=None, allow_none=True)
    time_zone = fields.String(load_default="UTC", validate=check_time_zone)
    priority = Integer(minimum=0, maximum=1000, load_default=100)
    rules = List(fields.Nested(RuleSchema), minimum=1, maximum=100, required=True)

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        if data["ends_at"] is not None and data["ends_at"] <= data["starts_at"]:
            raise ValidationError("The end must be after the start.", "ends_at")
        keys = [rule["key"] for rule in data["rules"]]
        if len(set(keys)) != len(keys):
            raise ValidationError("Two rules have one key.", "rules")
