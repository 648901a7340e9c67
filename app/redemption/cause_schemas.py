"""The contract's causes and donations: what staff write, what shoppers see and give."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.core.currencies import CURRENCIES
from app.core.schemas import Id, Integer, List, Schema, Text, Timestamp

LOCALE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z"
LINK = r"^https://[^\s/?#]+[^\s]*\Z"
POINTS_MAX = 10**12
STORIES_MAX = 50


class Translations(fields.Dict):
    """A text in some languages, by their BCP 47 tags; at least one."""

    def __init__(self, *, maximum: int, **keywords: Any) -> None:
        super().__init__(
            keys=fields.String(validate=validate.Regexp(LOCALE)),
            values=Text(maximum=maximum),
            validate=validate.Length(min=1, max=50),
            **keywords,
        )


class StorySchema(Schema):
    """What the cause did with what it was given, with its source."""

    titles = Translations(maximum=200, required=True)
    texts = Translations(maximum=4000, required=True)
    source_url = Text(pattern=LINK, maximum=500, load_default=None, allow_none=True)
    published_at = Timestamp(required=True)


class CauseSchema(Schema):
    """An organisation as staff describe it; ``goal_points`` is what it hopes for, if anything."""

    key = Text(pattern=r"^[a-z0-9][a-z0-9-]*\Z", maximum=64, required=True)
    names = Translations(maximum=200, required=True)
    descriptions = Translations(maximum=4000, required=True)
    registration_country = Text(pattern=r"^[A-Z]{2}\Z", maximum=2, required=True)
    registration_number = Text(maximum=64, required=True)
    proof_url = Text(pattern=LINK, maximum=500, load_default=None, allow_none=True)
    website = Text(pattern=LINK, maximum=500, load_default=None, allow_none=True)
    image_url = Text(pattern=LINK, maximum=500, load_default=None, allow_none=True)
    goal_points = Integer(minimum=1, maximum=POINTS_MAX, load_default=None, allow_none=True)
    stories = List(fields.Nested(StorySchema), maximum=STORIES_MAX, load_default=list)


class ReasonRequestSchema(Schema):
    """Why it is done; kept in the audit log."""

    reason = Text(maximum=500, required=True)


class TotalSchema(Schema):
    """What a cause was given: by members, by how many donations, and by sponsors beside them."""

    donations = fields.Integer()
    points = fields.Integer()
    matched_points = fields.Integer()


class StaffCauseSchema(CauseSchema):
    """A cause as staff see it."""

    id = fields.String()
    state = fields.String()
    verified_at = Timestamp(allow_none=True)
    total = fields.Nested(TotalSchema)


class StaffCausePageSchema(Schema):
    """One page of causes."""

    data = fields.List(fields.Nested(StaffCauseSchema))
    next_cursor = fields.String(allow_none=True)


class GoalSchema(Schema):
    """What a cause hopes for, and how much of it there is, in whole percent of at most 100."""

    points = fields.Integer()
    percent = fields.Integer()


class ShownStorySchema(Schema):
    """A story in the reader's language."""

    title = fields.String()
    text = fields.String()
    source_url = fields.String(allow_none=True)
    published_at = Timestamp()


class ShownPromiseSchema(Schema):
    """What a sponsor adds at present: so many percent of each donation, while there is something left."""

    sponsor = fields.String()
    percent = fields.Integer()
    points_left = fields.Integer()
    ends_at = Timestamp(allow_none=True)


class ShownCauseSchema(Schema):
    """A verified cause, in the reader's language, with its public counter."""

    id = fields.String()
    key = fields.String()
    name = fields.String()
    description = fields.String()
    registration_country = fields.String()
    registration_number = fields.String()
    website = fields.String(allow_none=True)
    image_url = fields.String(allow_none=True)
    verified_at = Timestamp()
    total = fields.Nested(TotalSchema)
    goal = fields.Nested(GoalSchema, allow_none=True)
    match = fields.Nested(ShownPromiseSchema, allow_none=True)
    stories = fields.List(fields.Nested(ShownStorySchema))


class ShownCausePageSchema(Schema):
    """One page of causes."""

    data = fields.List(fields.Nested(ShownCauseSchema))
    next_cursor = fields.String(allow_none=True)


class DonationRequestSchema(Schema):
    """Points for a cause."""

    cause_id = Id(required=True)
    points = Integer(minimum=1, maximum=POINTS_MAX, required=True)


class DonationSchema(Schema):
    """A receipt: what was given, what a sponsor added, and the worth of both."""

    id = fields.String()
    cause = fields.Dict()
    points = fields.Integer()
    matched_points = fields.Integer()
    sponsor = fields.String(allow_none=True)
    worth = fields.Dict()
    donated_at = Timestamp()


class DonationPageSchema(Schema):
    """One page of receipts, newest first."""

    data = fields.List(fields.Nested(DonationSchema))
    next_cursor = fields.String(allow_none=True)


class PromiseSchema(Schema):
    """A sponsor's promise: ``percent`` of each donation, up to ``budget_points`` in all; ``merchant`` pays for it."""

    merchant = Text(maximum=64, load_default=None, allow_none=True)
    sponsor = Text(maximum=200, required=True)
    percent = Integer(minimum=1, maximum=1000, required=True)
    budget_points = Integer(minimum=1, maximum=POINTS_MAX, required=True)
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data["ends_at"] is not None and data["ends_at"] <= data["starts_at"]:
            raise ValidationError("It ends before it starts.", "ends_at")


class StaffPromiseSchema(PromiseSchema):
    """A promise as staff see it."""

    id = fields.String()
    matched_points = fields.Integer()


class PromiseListSchema(Schema):
    """The promises for a cause, the newest first."""

    data = fields.List(fields.Nested(StaffPromiseSchema))


class PayoutRequestSchema(Schema):
    """Money that was paid to the cause for the donations up to a moment that no payout has covered."""

    up_to = Timestamp(required=True)
    amount = Integer(minimum=0, maximum=10**15, required=True)
    currency = fields.String(validate=validate.OneOf(sorted(CURRENCIES)), required=True)
    reference = Text(maximum=100, required=True)


class PayoutSchema(Schema):
    """A payout, and the points of the donations that it covers, sponsors' included."""

    id = fields.String()
    points = fields.Integer()
    donations = fields.Integer()
    amount = fields.Integer()
    currency = fields.String()
    reference = fields.String()
    paid_at = Timestamp()


class ReportQuery(Schema):
    """The days of a report; both ends included, in the programme's zone."""

    start = fields.Date(data_key="from", load_default=None, metadata={"example": "2026-11-01"})
    end = fields.Date(data_key="to", load_default=None, metadata={"example": "2026-11-30"})


class CauseReportSchema(Schema):
    """What a cause was given in a period, what of it is paid out, and what is due."""

    cause = fields.String()
    start = fields.Date(data_key="from", allow_none=True)
    end = fields.Date(data_key="to", allow_none=True)
    donations = fields.Integer()
    members = fields.Integer()
    points = fields.Integer()
    matched_points = fields.Integer()
    worth = fields.Dict()
    paid_out_points = fields.Integer()
    due_points = fields.Integer()
    payouts = fields.List(fields.Nested(PayoutSchema))


STORY = {
    "titles": {"en": "A thousand trees"},
    "texts": {"en": "The spring's donations planted a thousand alders along the river."},
    "source_url": "https://example.org/report-2026",
    "published_at": "2026-06-05T08:00:00Z",
}
CAUSE = {
    "key": "river-trees",
    "names": {"en": "Trees for the river", "zh-CN": "河岸植树"},
    "descriptions": {"en": "Plants and tends trees along rivers.", "zh-CN": "在河岸种植并养护树木。"},
    "registration_country": "DE",
    "registration_number": "VR 12345",
    "proof_url": "https://example.org/register-extract.pdf",
    "website": "https://example.org",
    "image_url": None,
    "goal_points": 100000,
    "stories": [STORY],
}
_ID, _TOTAL = "019a5f3e-7b20-7c44-9d11-0a1b2c3d4e5f", {"donations": 12, "points": 4200, "matched_points": 2100}
STAFF_CAUSE = {"id": _ID, **CAUSE, "state": "published", "verified_at": "2026-11-20T09:00:00Z", "total": _TOTAL}
SHOWN_CAUSE = {
    "id": _ID,
    "key": "river-trees",
    "name": "Trees for the river",
    "description": "Plants and tends trees along rivers.",
    "registration_country": "DE",
    "registration_number": "VR 12345",
    "website": "https://example.org",
    "image_url": None,
    "verified_at": "2026-11-20T09:00:00Z",
    "total": _TOTAL,
    "goal": {"points": 100000, "percent": 6},
    "match": {"sponsor": "Corner Shop", "percent": 50, "points_left": 7900, "ends_at": None},
    "stories": [
        {
            "title": "A thousand trees",
            "text": "The spring's donations planted a thousand alders along the river.",
            "source_url": "https://example.org/report-2026",
            "published_at": "2026-06-05T08:00:00Z",
        }
    ],
}
DONATION = {
    "id": "019a5f3e-8c31-7d55-8e22-1b2c3d4e5f60",
    "cause": {"id": _ID, "key": "river-trees", "name": "Trees for the river"},
    "points": 100,
    "matched_points": 50,
    "sponsor": "Corner Shop",
    "worth": {"amount": 150, "currency": "EUR"},
    "donated_at": "2026-11-25T10:00:00Z",
}
MATCH = {
    "merchant": "corner-shop",
    "sponsor": "Corner Shop",
    "percent": 50,
    "budget_points": 10000,
    "starts_at": "2026-11-01T00:00:00Z",
    "ends_at": None,
}
STAFF_MATCH = {"id": "019a5f3e-9d42-7e66-9f33-2c3d4e5f6071", **MATCH, "matched_points": 2100}
PAYOUT_REQUEST = {
    "up_to": "2026-11-30T23:59:59Z",
    "amount": 6300,
    "currency": "EUR",
    "reference": "SEPA 2026-12-01/4",
}
PAYOUT = {
    "id": "019a5f3e-ae53-7f77-a044-3d4e5f607182",
    "points": 6300,
    "donations": 12,
    "amount": 6300,
    "currency": "EUR",
    "reference": "SEPA 2026-12-01/4",
    "paid_at": "2026-12-01T10:00:00Z",
}
REPORT = {
    "cause": "river-trees",
    "from": "2026-11-01",
    "to": "2026-11-30",
    "donations": 12,
    "members": 9,
    "points": 4200,
    "matched_points": 2100,
    "worth": {"amount": 6300, "currency": "EUR"},
    "paid_out_points": 0,
    "due_points": 6300,
    "payouts": [],
}
