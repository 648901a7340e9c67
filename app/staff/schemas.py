"""What staff send and get to sign in."""

from marshmallow import fields, validate

from app.core.schemas import Schema, Text
from app.staff.service import PASSWORD_LENGTH_MAX


class CredentialsSchema(Schema):
    """All three at once: nothing tells which of them was wrong."""

    email = Text(required=True, maximum=254)
    password = Text(required=True, maximum=PASSWORD_LENGTH_MAX)
    otp = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{6}\Z", error="Six digits."))


class StaffTokenSchema(Schema):
    """A staff access token; ``expires_in`` is its life in seconds."""

    access_token = fields.String(required=True)
    expires_in = fields.Integer(required=True)
