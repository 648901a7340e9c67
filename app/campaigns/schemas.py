"""The campaign document, as admins write it."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from app.campaigns.schedules import DURATION_MINUTES_MAX, Recurrence, Schedule, validate_recurrence
from app.core.currencies import CURRENCIES
from app.core.evidence import GRADES
from app.core.schemas import Integer, List, Schema, Text, Timestamp
from app.programme.service import check_time_zone

KEY = r"^[a-z0-9][a-z0-9-]{0,62}\Z"
KINDS = ("purchase", "packaging_return", "recycling", "trade_in", "repair", "learning", "custom")
POINTS_MAX = 10**6
AMOUNT_MAX = 10**12  # of a budget or a limit
EXPRESSION_MAX = 2000
DAYS_MAX = 36_500
REGION = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z"
LOCALES = re.compile(r"^[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?\Z")
_AWARD_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "fixed": ({"points"}, set()),
    "per_unit": ({"points"}, set()),
    "per_amount": ({"points", "per", "currency"}, set()),
    "per_weight": ({"points", "per_g"}, set()),
    "multiplier": ({"factor"}, set()),
    "expression": ({"expression"}, set()),
}


def _check_labels(labels: dict[str, str]) -> None:
    if "en" not in labels:
        raise ValidationError("A label in English (en) is needed.")


def _check_descriptions(descriptions: dict[str, str]) -> None:
    if descriptions and "en" not in descriptions:
        raise ValidationError("Descriptions in other languages need one in English (en) too.")


def _labels() -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.Regexp(LOCALES)),
        values=Text(maximum=200),
        required=True,
        validate=_check_labels,
    )


def _descriptions() -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.Regexp(LOCALES)),
        values=Text(maximum=1000),
        load_default=dict,
        validate=_check_descriptions,
        metadata={"description": "What a shopper reads about the campaign, by language."},
    )


def _names() -> List:
    return List(Text(maximum=100), minimum=1, maximum=500)


def _any_of(pattern: str | None = None) -> List:
    return List(Text(maximum=63, pattern=pattern), minimum=1, maximum=500, load_default=None, allow_none=True)


def _expression() -> Text:
    return Text(maximum=EXPRESSION_MAX, load_default=None, allow_none=True, metadata={"description": "CEL."})


class MatchSchema(Schema):
    """What an activity or line must have for the rule to be tried: one of each list that is given."""

    categories = _names()
    certifications = _names()
    packaging = _names()
    materials = _names()
    merchants = _names()


class AwardSchema(Schema):
    """How many points; ``per`` is in minor units of ``currency``, ``per_g`` in grams, ``factor`` a decimal above 1.

    ``expression`` is CEL for a number of points, of the line or of the activity.
    """

    type = fields.String(required=True, validate=validate.OneOf(list(_AWARD_FIELDS)))
    points = Integer(minimum=1, maximum=POINTS_MAX)
    per = Integer(minimum=1, maximum=10**9)
    per_g = Integer(minimum=1, maximum=10**9)
    currency = fields.String(validate=validate.OneOf(sorted(CURRENCIES)))
    factor = Text(maximum=10, pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?\Z")
    expression = Text(maximum=EXPRESSION_MAX)

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


class StackingSchema(Schema):
    """A group of rules of the whole programme that compete: all pay, the best one does, or the first in order."""

    group = Text(maximum=63, pattern=KEY, required=True)
    mode = fields.String(required=True, validate=validate.OneOf(["sum", "best", "exclusive"]))


class LimitSchema(Schema):
    """The most points, or activities paid for, by a subject in a period of the programme's calendar."""

    unit = fields.String(required=True, validate=validate.OneOf(["points", "count"]))
    by = fields.String(
        required=True,
        validate=validate.OneOf(["member", "household", "device", "merchant", "station", "campaign"]),
    )
    per = fields.String(required=True, validate=validate.OneOf(["day", "week", "month", "year", "campaign"]))
    amount = Integer(minimum=1, maximum=AMOUNT_MAX, required=True)


class MemberFactsSchema(Schema):
    """Whom an example is about; what is left out is a new member's."""

    tier = Text(maximum=63, load_default="seed")
    region = Text(maximum=6, pattern=REGION, load_default=None, allow_none=True)
    tags = List(Text(maximum=63), maximum=100, load_default=list)
    age_days = Integer(minimum=0, maximum=DAYS_MAX, load_default=0)


class ExpectSchema(Schema):
    """What the rule must pay in an example, and the reason code that must be told."""

    points = Integer(minimum=0, maximum=AMOUNT_MAX, required=True)
    code = Text(maximum=63, load_default=None, allow_none=True)


class ExampleSchema(Schema):
    """An activity and what the rule must pay for it; ``base_points`` are what other rules pay, for multipliers."""

    activity = fields.Dict(required=True, metadata={"description": "As reported; id, time and member may be left out."})
    member = fields.Nested(MemberFactsSchema, load_default=lambda: MemberFactsSchema().load({}))
    now = Timestamp(load_default=None, allow_none=True)
    base_points = Integer(minimum=1, maximum=POINTS_MAX, load_default=None, allow_none=True)
    expect = fields.Nested(ExpectSchema, required=True)


class RuleSchema(Schema):
    """One rule; a ``priority`` of its own takes the place of the campaign's, lower first."""

    key = Text(maximum=63, pattern=KEY, required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    scope = fields.String(required=True, validate=validate.OneOf(["line", "activity"]))
    match = fields.Nested(MatchSchema, load_default=dict)
    when = _expression()
    award = fields.Nested(AwardSchema, required=True)
    minimum = Integer(minimum=1, maximum=POINTS_MAX, load_default=None, allow_none=True)
    maximum = Integer(minimum=1, maximum=POINTS_MAX, load_default=None, allow_none=True)
    rounding = fields.String(validate=validate.OneOf(["floor", "half_up", "ceil"]), load_default="floor")
    pending = fields.Nested(PendingSchema, load_default=None, allow_none=True)
    expiry = fields.Nested(ExpirySchema, load_default=None, allow_none=True)
    minimum_evidence = fields.String(validate=validate.OneOf(GRADES), load_default=None, allow_none=True)
    priority = Integer(minimum=0, maximum=1000, load_default=None, allow_none=True)
    stacking = fields.Nested(StackingSchema, load_default=None, allow_none=True)
    limits = List(fields.Nested(LimitSchema), maximum=10, load_default=list)
    labels = _labels()
    examples = List(fields.Nested(ExampleSchema), maximum=20, load_default=list)

    @validates_schema(skip_on_field_errors=True)
    def _limits_differ(self, data: dict[str, Any], **_: Any) -> None:
        known = [(limit["unit"], limit["by"], limit["per"]) for limit in data["limits"]]
        for place, limit in enumerate(known):
            if limit in known[:place]:
                raise ValidationError({place: ["Another limit counts the same: the lower one is enough."]}, "limits")


class RecurrenceSchema(Schema):
    """Windows within the campaign's run, by the wall clock of its time zone."""

    rrule = Text(maximum=200, required=True, metadata={"description": "An iCal RRULE of days: it has to end."})
    start_time = Text(maximum=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", required=True)
    duration_minutes = Integer(minimum=1, maximum=DURATION_MINUTES_MAX, required=True)


class AudienceSchema(Schema):
    """Whom a campaign is for: one of each list that is given, and all of the parts; a country is all its regions."""

    tiers = _any_of()
    regions = _any_of(REGION)
    tags = _any_of()
    age_days_min = Integer(minimum=0, maximum=DAYS_MAX, load_default=None, allow_none=True)
    age_days_max = Integer(minimum=0, maximum=DAYS_MAX, load_default=None, allow_none=True)
    expression = _expression()

    @validates_schema(skip_on_field_errors=True)
    def _ages_in_order(self, data: dict[str, Any], **_: Any) -> None:
        least, most = data["age_days_min"], data["age_days_max"]
        if least is not None and most is not None and most < least:
            raise ValidationError("Must not be below age_days_min.", "age_days_max")


class BudgetSchema(Schema):
    """The most points that all rules of a campaign pay."""

    points = Integer(minimum=1, maximum=AMOUNT_MAX, required=True)


def schedule_of(document: Mapping[str, Any]) -> Schedule:
    """Return when the campaign of a read ``document`` runs."""
    given = document["recurrence"]
    recurrence = given and Recurrence(
        given["rrule"], time.fromisoformat(given["start_time"]), timedelta(minutes=given["duration_minutes"])
    )
    return Schedule(document["starts_at"], document["ends_at"], ZoneInfo(document["time_zone"]), recurrence)


class CampaignSchema(Schema):
    """One campaign with its rules; ``funder`` is the key of the merchant who pays, null where the programme does.

    ``holdout_percent`` of the members get nothing from it, so that they can be compared with the others.
    """

    key = Text(maximum=63, pattern=KEY, required=True)
    labels = _labels()
    descriptions = _descriptions()
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(load_default=None, allow_none=True)
    time_zone = fields.String(load_default="UTC", validate=check_time_zone)
    recurrence = fields.Nested(RecurrenceSchema, load_default=None, allow_none=True)
    priority = Integer(minimum=0, maximum=1000, load_default=100)
    audience = fields.Nested(AudienceSchema, load_default=None, allow_none=True)
    budget = fields.Nested(BudgetSchema, load_default=None, allow_none=True)
    funder = Text(maximum=63, load_default=None, allow_none=True)
    holdout_percent = Integer(minimum=0, maximum=50, load_default=0)
    rules = List(fields.Nested(RuleSchema), minimum=1, maximum=100, required=True)

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        if data["ends_at"] is not None and data["ends_at"] <= data["starts_at"]:
            raise ValidationError("The end must be after the start.", "ends_at")
        if data["recurrence"] is not None:
            try:
                validate_recurrence(schedule_of(data))
            except ValueError as error:
                raise ValidationError({"rrule": [str(error)]}, "recurrence") from error
        keys = [rule["key"] for rule in data["rules"]]
        if len(set(keys)) != len(keys):
            raise ValidationError("Two rules have one key.", "rules")
