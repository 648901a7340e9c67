"""The programme's settings document."""

from zoneinfo import available_timezones

from marshmallow import ValidationError, fields, validate

from app.core.currencies import CURRENCIES
from app.core.schemas import Integer, List, Schema, Text

# not trade_in, for which a device is inspected, nor learning, which the app itself reports
DECLARABLE_KINDS = ("purchase", "packaging_return", "recycling", "repair", "custom")

CERTIFICATES_ACCEPTED = ("stated", "registered", "verified")


def check_time_zone(name: str) -> None:
    """Raise ValidationError unless ``name`` is an IANA time zone."""
    if name not in available_timezones():
        raise ValidationError("Not an IANA time zone.")


class DailyCapsSchema(Schema):
    """The most points that staff of each role may adjust in one day of the programme, by proposing and approving."""

    support = Integer(minimum=0, maximum=10**12, load_default=5_000)
    finance = Integer(minimum=0, maximum=10**12, load_default=1_000_000)
    approver = Integer(minimum=0, maximum=10**12, load_default=1_000_000)
    admin = Integer(minimum=0, maximum=10**12, load_default=1_000_000)


class ProgrammeSchema(Schema):
    """What holds for the whole programme."""

    name = Text(maximum=100, required=True)
    time_zone = fields.String(required=True, validate=check_time_zone)
    currency = fields.String(required=True, validate=validate.OneOf(sorted(CURRENCIES)))
    point_value_micros = Integer(minimum=0, maximum=10**9, required=True)
    debt_policy = fields.String(required=True, validate=validate.OneOf(["debt", "write_off"]))
    adjustment_points_max_alone = Integer(
        minimum=0,
        maximum=10**12,
        load_default=500,
        metadata={"description": "An adjustment of more points, up or down, needs a second member of staff."},
    )
    adjustment_points_max_daily = fields.Nested(
        DailyCapsSchema,
        load_default=lambda: DailyCapsSchema().load({}),
        metadata={"description": "For somebody of several roles the highest of theirs holds."},
    )
    campaign_exposure_points_max_alone = Integer(
        minimum=0,
        maximum=10**12,
        load_default=10_000,
        metadata={"description": "A campaign that could pay more points than this, or without end, needs an approver."},
    )
    activity_age_days_max = Integer(minimum=1, maximum=90, required=True)
    completion_days_max = Integer(minimum=1, maximum=365, required=True)
    household_members_max = Integer(
        minimum=1,
        maximum=100,
        load_default=8,
        metadata={"description": "The most members of one household; a lower number sends nobody away."},
    )
    certificates_accepted = fields.String(
        validate=validate.OneOf(CERTIFICATES_ACCEPTED),
        load_default="stated",
        metadata={
            "description": "Which certificates earn: those that a line states by number, those alone that a registered"
            " product holds, or those alone that staff have verified there."
        },
    )
    activity_extends_expiry_months = Integer(minimum=1, maximum=120, allow_none=True, load_default=None)
    self_declared_kinds = List(
        fields.String(validate=validate.OneOf(DECLARABLE_KINDS)),
        maximum=len(DECLARABLE_KINDS),
        load_default=lambda: ["packaging_return", "recycling", "repair", "custom"],
        metadata={"description": "What shoppers may declare themselves; purchases come from shops and their receipts."},
    )
    self_declared_activities_max_daily = Integer(
        minimum=0,
        maximum=1000,
        load_default=5,
        metadata={"description": "The most activities that a member declares in one day of the programme."},
    )
    self_declared_points_max_daily = Integer(
        minimum=0,
        maximum=10**12,
        load_default=100,
        metadata={"description": "The most points that all that a member declares in one day can earn."},
    )
    hold_points_min = Integer(
        minimum=1,
        maximum=10**9,
        load_default=1,
        metadata={"description": "The fewest points that pay for an order."},
    )
    hold_points_multiple = Integer(
        minimum=1,
        maximum=10**9,
        load_default=1,
        metadata={"description": "Orders are paid with whole multiples of so many points."},
    )
    hold_order_percent_max = Integer(
        minimum=1,
        maximum=100,
        load_default=100,
        metadata={"description": "How much of an order points may pay; below 100 a hold must name the order's total."},
    )
    hold_unconfirmed_points_max = Integer(
        minimum=0,
        maximum=10**12,
        allow_none=True,
        load_default=5_000,
        metadata={
            "description": "A linked shopper confirms in the app what pays an order with more points; null asks nobody."
        },
    )
    hold_confirmation_seconds = Integer(
        minimum=10,
        maximum=86_400,
        load_default=300,
        metadata={"description": "How long the shopper has to confirm; after that the points go back."},
    )
