"""The marshmallow base of every body: unknown fields refused, no silent conversion of types."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import fields, validate

from app.core.clock import format_time
from app.core.errors import ValidationProblem
from app.core.strict_json import INTEGER_MAX, pointer

EXTERNAL_ID = r"^[A-Za-z0-9._:-]{1,64}\Z"
METADATA_ITEMS_MAX = 50
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


class Schema(ma.Schema):
    """Base of every schema of the contract."""

    class Meta:
        unknown = ma.RAISE


class Integer(fields.Integer):
    """A JSON integer: no boolean, no string, no float; within ±(2^53−1) unless bounded closer."""

    def __init__(self, *, minimum: int = -INTEGER_MAX, maximum: int = INTEGER_MAX, **keywords: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=minimum, max=maximum), **keywords)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError("Not a valid integer.")
        return value


class Boolean(fields.Boolean):
    """A JSON boolean and nothing that merely looks like one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("Not a valid boolean.")
        return value


class Text(fields.String):
    """A string of bounded length."""

    def __init__(self, *, minimum: int = 1, maximum: int = 200, pattern: str | None = None, **keywords: Any) -> None:
        rules: list[Any] = [validate.Length(min=minimum, max=maximum)]
        if pattern is not None:
            rules.append(validate.Regexp(pattern))
        super().__init__(validate=rules, **keywords)


class ExternalId(Text):
    """A merchant's own id; it can stand in a path wherever ours can."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(maximum=64, pattern=EXTERNAL_ID, **keywords)


class Id(fields.UUID):
    """One of our ids."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> UUID:
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise ma.ValidationError("Not a valid UUID.")
        return UUID(value)


class Timestamp(fields.Field[datetime]):
    """An RFC 3339 time with an offset, read into UTC and written with ``Z``."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **keywords: Any) -> str | None:
        return None if value is None else format_time(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> datetime:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ma.ValidationError("Not a valid RFC 3339 time.")
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise ma.ValidationError("Not a valid RFC 3339 time.") from error
        if moment.tzinfo is None:
            raise ma.ValidationError("The time needs an offset, such as Z.")
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise ma.ValidationError("Not a valid RFC 3339 time.") from error


class Month(fields.String):
    """A month, ``2026-11``, as its first day."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> Any:
        if not _MONTH.fullmatch(value) or value < "1970":
            raise ma.ValidationError("Not a month such as 2026-11.")
        return date(int(value[:4]), int(value[5:]), 1)


class List(fields.List[Any]):
    """A list of bounded length, counted before its items are read: a million bad items are one mistake."""

    def __init__(self, inner: fields.Field[Any], *, minimum: int = 0, maximum: int, **keywords: Any) -> None:
        self._bounds = validate.Length(min=minimum, max=maximum)
        super().__init__(inner, validate=self._bounds, **keywords)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> list[Any]:
        if isinstance(value, list):
            self._bounds(value)
        return super()._deserialize(value, attr, data, **keywords)


class Metadata(fields.Dict):
    """A flat object of at most 50 strings, numbers and booleans, kept for the merchant and never read by us."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(keys=fields.String(validate=validate.Length(min=1, max=64)), **keywords)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> dict[str, Any]:
        if isinstance(value, dict) and len(value) > METADATA_ITEMS_MAX:
            raise ma.ValidationError(f"At most {METADATA_ITEMS_MAX} entries.")
        read: dict[str, Any] = super()._deserialize(value, attr, data, **keywords)  # type: ignore[no-untyped-call]
        for key, item in read.items():
            if not isinstance(item, str | int | float | bool | None) or (isinstance(item, str) and len(item) > 500):
                raise ma.ValidationError({key: ["A string of at most 500 characters, a number, a boolean or null."]})
        return read


class MemberReferenceSchema(Schema):
    """Who: one of our id, the code the shopper shows, or the merchant's own reference."""

    id = Id()
    code = Text(maximum=32)
    ref = ExternalId()

    @ma.validates_schema(skip_on_field_errors=True)
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ma.ValidationError("Give exactly one of id, code and ref.")


def problem_details(messages: Any, path: tuple[object, ...] = ()) -> list[dict[str, str]]:
    """Return marshmallow's nested ``messages`` as a flat list of pointers and details."""
    if isinstance(messages, Mapping):
        found: list[dict[str, str]] = []
        for key, inner in messages.items():
            found += problem_details(inner, path if key == "_schema" else (*path, key))
        return found
    texts = messages if isinstance(messages, list) else [messages]
    return [
        detail
        for text in texts
        for detail in (
            problem_details(text, path)
            if isinstance(text, Mapping)
            else [{"pointer": pointer(*path), "detail": str(text)}]
        )
    ]


def load(schema: ma.Schema, value: Any) -> Any:
    """Return ``value`` read by ``schema``; raise ValidationProblem with pointers where it does not fit."""
    try:
        return schema.load(value)
    except ma.ValidationError as error:
        raise ValidationProblem(problem_details(error.messages)) from error


class ProblemSchema(Schema):
    """An RFC 9457 problem, as every error answers; some codes bring members of their own."""

    class Meta:
        unknown = ma.INCLUDE

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    instance = fields.String()
    errors = fields.List(fields.Dict(keys=fields.String(), values=fields.String()))
