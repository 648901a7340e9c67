"""What shoppers send and get about their household."""

import unicodedata
from typing import Any

from marshmallow import ValidationError, fields, post_load

from app.core.codes import TEXT_LENGTH_MAX
from app.core.schemas import Boolean, Integer, Schema, Text, Timestamp

NAME_LENGTH_MAX = 40

HOUSEHOLD_EXAMPLE: dict[str, Any] = {
    "id": "019ab0c2-8e21-7d4b-ab63-7a3c9f2e5d21", "name": "Garden Street 5", "created_at": "2026-11-23T09:12:00Z",
    "members": [
        {"name": "Green Ada", "code_ending": "92M", "joined_at": "2026-11-23T09:12:00Z", "is_me": True},
        {"name": "member", "code_ending": "4KD", "joined_at": "2026-11-24T18:30:00Z", "is_me": False},
    ],
    "members_max": 8, "open_invites": 1,
}  # fmt: skip
NEW_HOUSEHOLD_EXAMPLE = HOUSEHOLD_EXAMPLE | {"members": HOUSEHOLD_EXAMPLE["members"][:1], "open_invites": 0}
INVITE_EXAMPLE = {"code": "W2NC-F8KN-C6TF", "expires_at": "2026-11-24T09:12:00Z"}


def check_name(name: str) -> None:
    """Raise ValidationError unless the name is one line of visible characters and inner spaces."""
    shown = unicodedata.normalize("NFC", name)
    if not 1 <= len(shown) <= NAME_LENGTH_MAX:
        raise ValidationError(f"From 1 to {NAME_LENGTH_MAX} characters.")
    if not shown.isprintable() or shown != shown.strip():
        raise ValidationError("Visible characters, with spaces between them alone.")


class _NamedSchema(Schema):
    @post_load
    def _composed(self, data: Any, **_: Any) -> Any:
        if data["name"] is not None:
            data["name"] = unicodedata.normalize("NFC", data["name"])
        return data


class NewHouseholdSchema(_NamedSchema):
    """The household to make; its name is what its members call it."""

    name = fields.String(load_default=None, allow_none=True, validate=check_name)


class HouseholdChangeSchema(_NamedSchema):
    """What of the household to change; null takes the name away."""

    name = fields.String(required=True, allow_none=True, validate=check_name)


class JoinSchema(Schema):
    """The code of an invite, however it is written."""

    code = Text(required=True, maximum=TEXT_LENGTH_MAX)


class HousemateSchema(Schema):
    """A member, as the others of the household see them."""

    name = fields.String(required=True, metadata={"description": "their alias, or `member` where they have none"})
    code_ending = fields.String(required=True, metadata={"description": "the end of their code, to tell them apart"})
    joined_at = Timestamp(required=True)
    is_me = Boolean(required=True)


class HouseholdSchema(Schema):
    """A household, as its members see it, who came first before the others."""

    id = fields.UUID(required=True, attribute="household_id")
    name = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    members = fields.List(fields.Nested(HousemateSchema), required=True)
    members_max = Integer(required=True)
    open_invites = Integer(required=True)


class InviteSchema(Schema):
    """The code of an invite: shown once, good for one member."""

    code = fields.String(required=True)
    expires_at = Timestamp(required=True)
