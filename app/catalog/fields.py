"""Fields of schemas that the catalogue knows how to read."""

import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from app.catalog.gtin import PATTERN, normalise_gtin
from app.core.schemas import Text

LANGUAGE_TAG = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?\Z"  # of BCP 47: language, script, region
NAMES_MAX = 50
NAME_LENGTH_MAX = 300
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NO_LINK = re.compile(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")


class Gtin(Text):
    """A GTIN of 8, 12, 13 or 14 digits, kept as it was sent."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(minimum=8, maximum=14, pattern=PATTERN, **keywords)

    def _validate(self, value: Any) -> None:
        super()._validate(value)
        if normalise_gtin(value) is None:
            raise ValidationError("The check digit of this GTIN is wrong.")


class Day(fields.Date):
    """A day as ``2026-11-23``."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> date:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValidationError("A day as YYYY-MM-DD.")
        return super()._deserialize(value, attr, data, **keywords)


class Link(Text):
    """The address of a public page, by https."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(maximum=500, pattern="^https://", **keywords)

    def _validate(self, value: Any) -> None:
        super()._validate(value)
        try:
            parts = urlsplit(value)
            is_public = bool(parts.hostname) and "@" not in parts.netloc and not _NO_LINK.search(value)
            _ = parts.port  # reading it checks it
        except ValueError:
            is_public = False
        if not is_public:
            raise ValidationError("Not the address of a public page.")


class Names(fields.Dict):
    """Names by language tag."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(
            keys=fields.String(validate=validate.Regexp(LANGUAGE_TAG)),
            values=Text(maximum=NAME_LENGTH_MAX),
            **keywords,
        )

    def _validate(self, value: Any) -> None:
        super()._validate(value)
        if len(value) > NAMES_MAX:
            raise ValidationError(f"At most {NAMES_MAX} languages.")
