"""What shoppers send and get."""

import re
import unicodedata
from datetime import date
from itertools import pairwise
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from app.core.clock import now
from app.core.schemas import Boolean, Schema, Text, Timestamp
from app.members.addresses import ADDRESS_LENGTH_MAX, channel_of
from app.members.service import LOCALE, REGION, MemberFacts
from app.programme.service import check_time_zone

ALIAS_LENGTH_MIN, ALIAS_LENGTH_MAX = 3, 24
_ALIAS_SIGNS = " ._-'"
_BIRTH_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_BIRTH_YEAR_MIN = 1900

MEMBER_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-7d10-7c3a-9a52-6f2b8f1d4e10", "code": "7ZK3QF92M", "alias": "Green Ada", "locale": "de",
    "region": "DE-BE", "time_zone": "Europe/Berlin", "birth_date": "1990-04-30",
    "consents": {"leaderboard": True, "score": False}, "tier": "seed", "enrolled_at": "2026-11-23T09:12:00Z",
}  # fmt: skip
TOKENS_EXAMPLE = {"access_token": "eyJ…", "refresh_token": "gpr_…", "expires_in": 900}
SIGN_IN_EXAMPLE = TOKENS_EXAMPLE | {"member": MEMBER_EXAMPLE, "created": True}


class CodeRequestSchema(Schema):
    """Where to send a sign-in code."""

    channel = fields.String(required=True, validate=validate.OneOf(["email", "sms"]))
    address = Text(required=True, maximum=ADDRESS_LENGTH_MAX)

    @validates_schema
    def _channel_fits(self, data: Any, **_: Any) -> None:
        if channel_of(data["address"]) != data["channel"]:
            raise ValidationError({"address": ["This address is not reached by that channel."]})


class SignInSchema(Schema):
    """An address and the code that was sent there."""

    address = Text(required=True, maximum=ADDRESS_LENGTH_MAX)
    code = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{6}\Z", error="Six digits."))


class RefreshSchema(Schema):
    """The newest refresh token of a session."""

    refresh_token = Text(required=True, maximum=200)


class TokensSchema(Schema):
    """Tokens of a session; ``expires_in`` is the access token's life in seconds."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class ConsentsSchema(Schema):
    """What the shopper agrees to."""

    leaderboard = Boolean()
    score = Boolean()


class MemberSchema(Schema):
    """A shopper, as they see themselves."""

    id = fields.UUID(required=True, attribute="member_id")
    code = fields.String(required=True, metadata={"description": "what the shopper shows at a till"})
    alias = fields.String(required=True, allow_none=True)
    locale = fields.String(required=True)
    region = fields.String(required=True, allow_none=True)
    time_zone = fields.String(required=True, allow_none=True)
    birth_date = fields.Date(required=True, allow_none=True)
    consents = fields.Nested(ConsentsSchema, required=True)
    tier = fields.String(required=True)
    enrolled_at = Timestamp(required=True)


class MemberSearchQuery(Schema):
    """Whom to look for: by the code that is shown at a till, or by the whole address of sign-in."""

    code = Text(maximum=40)
    address = Text(maximum=ADDRESS_LENGTH_MAX)

    @validates_schema(skip_on_field_errors=True)
    def _one(self, data: Any, **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Give exactly one of code and address.")


class FoundMemberSchema(Schema):
    """A shopper, as staff see them."""

    id = fields.UUID(attribute="member_id")
    live = fields.Boolean()
    status = fields.String()
    code = fields.String()
    alias = fields.String(allow_none=True)
    locale = fields.String()
    region = fields.String(allow_none=True)
    time_zone = fields.String(allow_none=True)
    tier = fields.String()
    household_id = fields.UUID(allow_none=True)
    enrolled_at = Timestamp()


class FoundMembersSchema(Schema):
    """Whom the search has found: nobody, one, or a live and a test member."""

    data = fields.List(fields.Nested(FoundMemberSchema))
    next_cursor = fields.String(allow_none=True)


FOUND_EXAMPLE: dict[str, Any] = {
    name: MEMBER_EXAMPLE[name]
    for name in ("id", "code", "alias", "locale", "region", "time_zone", "tier", "enrolled_at")
} | {"live": True, "status": "active", "household_id": "019ab0c2-8e21-7d4b-ab63-7a3c9f2e5d21"}


class SignedInSchema(TokensSchema):
    """Tokens of a new session and whose it is; ``created`` on the first sign-in."""

    member = fields.Nested(MemberSchema, required=True)
    created = fields.Boolean(required=True)


class BirthDate(fields.Date):
    """A full date, not in the future."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> date:
        if not isinstance(value, str) or not _BIRTH_DATE.fullmatch(value):
            raise ValidationError("Not a date such as 1990-04-30.")
        try:
            read = date.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("Not a date such as 1990-04-30.") from error
        if read.year < _BIRTH_YEAR_MIN or read > now().date():
            raise ValidationError(f"From {_BIRTH_YEAR_MIN} to today.")
        return read


def check_alias(alias: str) -> None:
    """Raise ValidationError unless the alias is letters and digits, with single signs between them."""
    shown = unicodedata.normalize("NFC", alias)
    if not ALIAS_LENGTH_MIN <= len(shown) <= ALIAS_LENGTH_MAX:
        raise ValidationError(f"From {ALIAS_LENGTH_MIN} to {ALIAS_LENGTH_MAX} characters.")
    signs = [not character.isalnum() for character in shown]
    if any(is_sign and character not in _ALIAS_SIGNS for character, is_sign in zip(shown, signs, strict=True)):
        raise ValidationError(f"Letters, digits, spaces and {_ALIAS_SIGNS.strip()} alone.")
    if signs[0] or signs[-1] or any(one and next_one for one, next_one in pairwise(signs)):
        raise ValidationError("Starts and ends with a letter or digit, with single signs between.")


class ProfileChangeSchema(Schema):
    """What of the profile to change; null takes a value away."""

    alias = fields.String(allow_none=True, validate=check_alias)
    locale = Text(maximum=20, pattern=LOCALE)
    region = Text(maximum=10, pattern=REGION, allow_none=True)
    time_zone = fields.String(allow_none=True, validate=check_time_zone)
    birth_date = BirthDate(allow_none=True)
    consents = fields.Nested(ConsentsSchema)

    @post_load
    def _composed(self, data: Any, **_: Any) -> Any:
        if data.get("alias") is not None:
            data["alias"] = unicodedata.normalize("NFC", data["alias"])
        return data


_without_consents = MemberSchema(exclude=["consents"])


def shown(member: MemberFacts) -> dict[str, Any]:
    """Return the member as the contract shows them to themselves."""
    consents = {"leaderboard": member.has_leaderboard_consent, "score": member.has_score_consent}
    return dict(_without_consents.dump(member)) | {"consents": consents}
