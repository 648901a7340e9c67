"""Fields of schemas that the catalogue knows how to read."""

from typing import Any

from marshmallow import ValidationError

from app.catalog.gtin import PATTERN, normalise_gtin
from app.core.schemas import Text


class Gtin(Text):
    """A GTIN of 8, 12, 13 or 14 digits, kept as it was sent."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(minimum=8, maximum=14, pattern=PATTERN, **keywords)

    def _validate(self, value: Any) -> None:
        super()._validate(value)
        if normalise_gtin(value) is None:
            raise ValidationError("The check digit of this GTIN is wrong.")
