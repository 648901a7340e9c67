"""What a plugin's author sends and gets in test mode."""

from typing import Any

from marshmallow import fields

from app.core.schemas import ExternalId, Integer, List, Schema, Text
from app.members.service import LOCALE, REGION

STARTING_POINTS_MAX = 10**6

TEST_MEMBER_REQUEST_EXAMPLE: dict[str, Any] = {
    "ref": "customer-17850", "points": 200, "locale": "de", "region": "DE-BE", "tier": "seed", "tags": ["student"],
}  # fmt: skip
TEST_MEMBER_EXAMPLE: dict[str, Any] = {
    "member_id": "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10", "member_code": "7ZK3QF92M", "ref": "customer-17850",
    "points": 200, "access_token": "eyJ…", "refresh_token": "gpr_…", "expires_in": 900,
}  # fmt: skip


class TestMemberRequestSchema(Schema):
    """The made-up shopper that is wanted; nothing of it is needed.

    ``ref`` links the shopper under the merchant's own reference, in the place of another; ``points`` are available at
    once and never expire.
    """

    ref = ExternalId(load_default=None, allow_none=True)
    points = Integer(minimum=0, maximum=STARTING_POINTS_MAX, load_default=0)
    locale = Text(maximum=20, pattern=LOCALE, load_default="en")
    region = Text(maximum=10, pattern=REGION, load_default=None, allow_none=True)
    tier = Text(maximum=63, load_default="seed")
    tags = List(Text(maximum=63), maximum=100, load_default=list)


class TestMemberSchema(Schema):
    """A made-up shopper, signed in: the tokens are good on the shopper's routes, as those of a sign-in are."""

    member_id = fields.UUID()
    member_code = fields.String(metadata={"description": "what the shopper shows at a till"})
    ref = fields.String(allow_none=True)
    points = fields.Integer()
    access_token = fields.String()
    refresh_token = fields.String()
    expires_in = fields.Integer()
