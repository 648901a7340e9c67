"""What a merchant sends and gets to compare its own list with what is stored."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.core.schemas import ExternalId, Integer, List, Schema

ITEMS_MAX = 1000
DIGEST = r"^[0-9a-f]{64}\Z"
DIGEST_EXAMPLE = "3f1c0e6f3a9d54b1c8c7e3a2b9d05f6147e8a0c2d4f6b8091a2b3c4d5e6f7081"
_OTHER_DIGEST = DIGEST_EXAMPLE[::-1]

RECONCILIATION_EXAMPLE: dict[str, Any] = {
    "activities": [
        {"id": "order-10023", "digest": DIGEST_EXAMPLE},
        {"id": "order-10024", "revision": 2, "digest": _OTHER_DIGEST},
        {"id": "order-10025"},
    ],
    "returns": [{"id": "ret-7", "digest": DIGEST_EXAMPLE}, {"id": "ret-8", "digest": _OTHER_DIGEST}],
}  # fmt: skip
RECONCILED_EXAMPLE: dict[str, Any] = {
    "activities": {
        "missing": ["order-10025"],
        "different": [{"id": "order-10024", "revision": 1, "digest": DIGEST_EXAMPLE}],
    },
    "returns": {"missing": [], "different": [{"id": "ret-8", "digest": DIGEST_EXAMPLE}]},
}  # fmt: skip


def _digest() -> fields.String:
    return fields.String(
        load_default=None, validate=validate.Regexp(DIGEST, error="64 hexadecimal digits, in lower case."),
        metadata={"description": "SHA-256 of the body as it was sent, keys sorted and without white space"},
    )  # fmt: skip


class OwnActivitySchema(Schema):
    """An activity as the merchant knows it: what is left out is not compared."""

    id = ExternalId(required=True)
    revision = Integer(minimum=1, maximum=10**6, load_default=None)
    digest = _digest()


class OwnReturnSchema(Schema):
    """A return as the merchant knows it: a digest that is left out is not compared."""

    id = ExternalId(required=True)
    digest = _digest()


class ReconciliationSchema(Schema):
    """What the merchant has reported, by its own ids: up to 1,000 of each kind."""

    activities = List(fields.Nested(OwnActivitySchema), maximum=ITEMS_MAX, load_default=list)
    returns = List(fields.Nested(OwnReturnSchema), maximum=ITEMS_MAX, load_default=list)

    @validates_schema(skip_on_field_errors=True)
    def _ids_differ(self, data: dict[str, Any], **_: Any) -> None:
        problems: dict[str, dict[int, dict[str, list[str]]]] = {}
        for name, items in data.items():
            seen: set[str] = set()
            for place, item in enumerate(items):
                if item["id"] in seen:
                    problems.setdefault(name, {})[place] = {"id": ["Another entry has this id."]}
                seen.add(item["id"])
        if problems:
            raise ValidationError(problems)


class StoredActivitySchema(Schema):
    """An activity as it is stored: its newest revision."""

    id = fields.String()
    revision = fields.Integer()
    digest = fields.String()


class StoredReturnSchema(Schema):
    """A return as it is stored."""

    id = fields.String()
    digest = fields.String()


class ReconciledActivitiesSchema(Schema):
    """The ids that are not stored, and what is stored otherwise than the merchant says."""

    missing = fields.List(fields.String())
    different = fields.List(fields.Nested(StoredActivitySchema))


class ReconciledReturnsSchema(Schema):
    """The ids that are not stored, and what is stored otherwise than the merchant says."""

    missing = fields.List(fields.String())
    different = fields.List(fields.Nested(StoredReturnSchema))


class ReconciledSchema(Schema):
    """What is missing or different; what is not named is stored as the merchant says."""

    activities = fields.Nested(ReconciledActivitiesSchema)
    returns = fields.Nested(ReconciledReturnsSchema)
