"""What staff send and get to try campaigns: simulations, backtests and the report of an experiment."""

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.activities.schemas import ActivityAnswerSchema, CartSchema
from app.core.schemas import ExternalId, Id, Integer, List, Schema, Text, Timestamp

PERIOD_DAYS_MAX = 731
BESIDE_MAX = 100
SCHEDULES = ("as_written", "whole_period")


class SimulatedActivitySchema(CartSchema):
    """An activity as it is reported; ``id`` and ``member`` are read and make no difference."""

    id = ExternalId(load_default=None, allow_none=True)


class SimulatedMemberSchema(Schema):
    """A real member by ``id``, with the facts of today; or facts that are made up, by default a new member's."""

    id = Id()
    tier = Text(maximum=63)
    region = Text(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z", maximum=6, allow_none=True)
    tags = List(Text(maximum=63), maximum=100)
    age_days = Integer(minimum=0, maximum=36_500)

    @validates_schema(skip_on_field_errors=True)
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if "id" in data and len(data) > 1:
            raise ValidationError("Give either an id or facts.")


def _check_beside(value: Any) -> None:
    if value in ("alone", "in_force"):
        return
    is_list = isinstance(value, list) and all(isinstance(each, str) and 1 <= len(each) <= 63 for each in value)
    if not is_list or len(value) > BESIDE_MAX:
        raise ValidationError(f"Give alone, in_force or a list of at most {BESIDE_MAX} ids or keys of campaigns.")


class SimulationSchema(Schema):
    """One activity to be tried: with the version alone, with the rules in force, or with other campaigns."""

    activity = fields.Nested(SimulatedActivitySchema, required=True)
    member = fields.Nested(SimulatedMemberSchema, load_default=dict)
    merchant = Text(maximum=63, load_default=None, allow_none=True, metadata={"description": "A merchant's key."})
    now = Timestamp(load_default=None, allow_none=True)
    version = Integer(minimum=1, maximum=10**6, load_default=None, allow_none=True)
    together_with = fields.Raw(
        load_default="alone", validate=_check_beside,
        metadata={"oneOf": [
            {"type": "string", "enum": ["alone", "in_force"]},
            {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 63}, "maxItems": BESIDE_MAX},
        ]},
    )  # fmt: skip


class SimulationAnswerSchema(ActivityAnswerSchema):
    """What the activity would earn; every rule is in ``awards`` or in ``missed``."""

    class Meta(Schema.Meta):
        exclude = ("id", "external_id", "revision", "status", "member_id", "claim_code")

    campaign = fields.String()
    version = fields.Integer()
    now = Timestamp()


class BacktestRequestSchema(Schema):
    """The period to replay, ``from`` inclusive and ``to`` exclusive, at most two years; the newest version by default.

    ``schedule``: the campaign runs as it is written, or for the whole period; by default the latter where the campaign
    as written does not run in the period at all.
    """

    version = Integer(minimum=1, maximum=10**6, load_default=None, allow_none=True)
    schedule = fields.String(validate=validate.OneOf(SCHEDULES), load_default=None, allow_none=True)

    class Meta(Schema.Meta):
        include = {"from": Timestamp(required=True), "to": Timestamp(required=True)}

    @validates_schema(skip_on_field_errors=True)
    def _period(self, data: dict[str, Any], **_: Any) -> None:
        if data["to"] <= data["from"]:
            raise ValidationError("The end must be after the start.", "to")
        if data["to"] - data["from"] > timedelta(days=PERIOD_DAYS_MAX):
            raise ValidationError(f"At most {PERIOD_DAYS_MAX} days.", "to")


class BacktestProgressSchema(Schema):
    """How many activities are read, of how many; null until it is counted."""

    activities_read = fields.Integer()
    activities_total = fields.Integer(allow_none=True)


class BacktestCostSchema(Schema):
    """The worth of the points in minor units, by the programme's point value."""

    amount = fields.Integer()
    currency = fields.String()
    point_value_micros = fields.Integer()


class ReallyPaidSchema(Schema):
    """The points that were paid in the period when the activities came in."""

    by_campaign = fields.Integer()
    by_all = fields.Integer()


class HistogramBarSchema(Schema):
    """How many paid members would get so many points, bounds inclusive."""

    to = fields.Integer()
    members = fields.Integer()

    class Meta(Schema.Meta):
        include = {"from": fields.Integer()}


class DistributionSchema(Schema):
    """The points of a paid member."""

    minimum = fields.Integer()
    p10 = fields.Integer()
    p25 = fields.Integer()
    p50 = fields.Integer()
    p75 = fields.Integer()
    p90 = fields.Integer()
    p99 = fields.Integer()
    maximum = fields.Integer()
    mean = fields.Float()
    histogram = fields.List(fields.Nested(HistogramBarSchema))


class MemberDifferenceSchema(Schema):
    """What the campaign really paid a member in the period, and what the version would."""

    member_id = fields.String()
    paid = fields.Integer()
    would_pay = fields.Integer()
    difference = fields.Integer()


class _GroupSchema(Schema):
    """What the members of a group would get, and got of the campaign."""

    members = fields.Integer()
    members_paid = fields.Integer()
    points = fields.Integer()
    really_paid = fields.Integer()


class TierTotalSchema(_GroupSchema):
    """The members of a tier."""

    tier = fields.String()


class RegionTotalSchema(_GroupSchema):
    """The members of a region."""

    region = fields.String(allow_none=True)


class RuleTotalSchema(Schema):
    """What a rule would pay, what it would without limits and budget, and for how many activities."""

    rule = fields.String()
    points = fields.Integer()
    desired_points = fields.Integer()
    activities = fields.Integer()


class ReasonTotalSchema(Schema):
    """How often a rule that was tried did not pay, or not in full, for a reason."""

    code = fields.String()
    count = fields.Integer()


class ExposureSchema(Schema):
    """An estimate of what the version would pay in ``days``, its whole run or 30 days where that has no end."""

    points = fields.Integer()
    days = fields.Float()
    replayed_days = fields.Float()


class BacktestResultSchema(Schema):
    """What the version would have paid; members are those with an activity in the period."""

    points = fields.Integer()
    desired_points = fields.Integer()
    cost = fields.Nested(BacktestCostSchema)
    really_paid = fields.Nested(ReallyPaidSchema)
    activities = fields.Integer()
    activities_paid = fields.Integer()
    members = fields.Integer()
    members_paid = fields.Integer()
    distribution = fields.Nested(DistributionSchema, allow_none=True)
    winners = fields.List(fields.Nested(MemberDifferenceSchema))
    losers = fields.List(fields.Nested(MemberDifferenceSchema))
    by_tier = fields.List(fields.Nested(TierTotalSchema))
    by_region = fields.List(fields.Nested(RegionTotalSchema))
    by_rule = fields.List(fields.Nested(RuleTotalSchema))
    reasons = fields.List(fields.Nested(ReasonTotalSchema))
    exposure = fields.Nested(ExposureSchema, allow_none=True)


class BacktestSchema(Schema):
    """A backtest: a job, and what it came to."""

    id = fields.UUID()
    campaign_id = fields.UUID()
    version = fields.Integer()
    schedule = fields.String()
    state = fields.String(metadata={"enum": ["queued", "running", "done", "failed"]})
    progress = fields.Nested(BacktestProgressSchema)
    requested_at = Timestamp()
    finished_at = Timestamp(allow_none=True)
    error = fields.String(allow_none=True)
    result = fields.Nested(BacktestResultSchema, allow_none=True)

    class Meta(Schema.Meta):
        include = {"from": Timestamp(), "to": Timestamp()}


class ArmSchema(Schema):
    """One arm: means over its members; the share of lines over those who have lines."""

    members = fields.Integer()
    active_members = fields.Integer()
    points = fields.Integer()
    activities_per_member = fields.Float(allow_none=True)
    spend_per_member = fields.Float(allow_none=True)
    points_per_member = fields.Float(allow_none=True)
    green_line_share = fields.Float(allow_none=True)


class ArmsSchema(Schema):
    """The members whom the campaign pays, and those whom it holds out."""

    paid = fields.Nested(ArmSchema)
    held_out = fields.Nested(ArmSchema)


class DifferenceSchema(Schema):
    """Paid less held out, with its confidence interval; null where an arm has fewer than two members."""

    difference = fields.Float()
    low = fields.Float()
    high = fields.Float()


class DifferencesSchema(Schema):
    """The differences of the means."""

    activities_per_member = fields.Nested(DifferenceSchema, allow_none=True)
    spend_per_member = fields.Nested(DifferenceSchema, allow_none=True)
    points_per_member = fields.Nested(DifferenceSchema, allow_none=True)
    green_line_share = fields.Nested(DifferenceSchema, allow_none=True)


class ExperimentSchema(Schema):
    """The report of a campaign's experiment; no arms where nobody is held out."""

    campaign_id = fields.UUID()
    campaign = fields.String()
    version = fields.Integer()
    holdout_percent = fields.Integer()
    since = Timestamp()
    until = Timestamp()
    currency = fields.String()
    confidence = fields.Float()
    arms = fields.Nested(ArmsSchema, allow_none=True)
    differences = fields.Nested(DifferencesSchema, allow_none=True)
