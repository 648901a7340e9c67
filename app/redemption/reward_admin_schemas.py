"""What staff send and get about rewards; ``reward_schemas`` has the reward document itself."""

from typing import Any

from marshmallow import fields, validate

from app.core.paging import PageQuery
from app.core.schemas import Schema, Text, Timestamp
from app.redemption.code_rows import FAULTS
from app.redemption.models import REWARD_KINDS, REWARD_STATES
from app.redemption.reward_schemas import RewardSchema

DOCUMENT_EXAMPLE: dict[str, Any] = {
    "key": "refill-voucher",
    "kind": "voucher_generated",
    "merchant": "corner-shop",
    "names": {"en": "5 EUR off a refill", "zh-CN": "补充装立减 5 欧元"},
    "descriptions": {"en": "For whatever you bring your own container to."},
    "image_url": "https://images.example.org/refill.jpg",
    "points": 400,
    "tier_points": {"gold": 320},
    "stock": {"kind": "per_day", "total": 50},
    "low_stock_at": 5,
    "limit": {"quantity": 2, "per": "month"},
    "visible_from": "2026-11-01T00:00:00Z",
    "available_from": "2026-12-01T00:00:00Z",
    "voucher": {
        "discount": "amount",
        "value": 500,
        "currency": "EUR",
        "minimum_spend": 1000,
        "certified_only": True,
        "is_partial": True,
        "valid_days": 90,
        "refund_if_unused": "full",
    },
}
_SUMMARY: dict[str, Any] = {
    "id": "019ab0c2-8e21-7a41-9b00-3c4d5e6f7a8b",
    "key": "refill-voucher",
    "kind": "voucher_generated",
    "state": "draft",
    "merchant": "corner-shop",
    "names": DOCUMENT_EXAMPLE["names"],
    "points": 400,
    "version": 1,
    "created_at": "2026-10-20T09:00:00Z",
    "updated_at": "2026-10-20T09:00:00Z",
}
_COUNTED = {"total": 50, "taken": 12, "left": 38}
_DRAFT = _SUMMARY | {
    "document": DOCUMENT_EXAMPLE,
    "stock": {"live": _COUNTED, "test": {"total": 50, "taken": 0, "left": 50}},
    "codes": None,
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "draft": _DRAFT,
    "published": _DRAFT | {"state": "published", "version": 2},
    "changed": _DRAFT | {"state": "published", "version": 3},
    "archived": _DRAFT | {"state": "archived", "version": 4},
}
PAGE_EXAMPLE = {"data": [_SUMMARY], "next_cursor": None}


class CountedSchema(Schema):
    """All of a stock, what is taken of it, and the rest."""

    total = fields.Integer()
    taken = fields.Integer()
    left = fields.Integer()


class StocksSchema(Schema):
    """The stock, of today where it is by the day; what is done in test mode takes nothing of the live one."""

    live = fields.Nested(CountedSchema)
    test = fields.Nested(CountedSchema)


class CodeCountSchema(Schema):
    """How many codes were imported, and how many of them are nobody's yet."""

    imported = fields.Integer()
    free = fields.Integer()


class CodeCountsSchema(Schema):
    """The codes of a pool, live and test."""

    live = fields.Nested(CodeCountSchema)
    test = fields.Nested(CodeCountSchema)


class RewardSummarySchema(Schema):
    """How a reward stands; ``version`` counts its changes and is its ETag."""

    id = fields.UUID()
    key = fields.String()
    kind = fields.String(validate=validate.OneOf(REWARD_KINDS))
    state = fields.String(validate=validate.OneOf(REWARD_STATES))
    merchant = fields.String(allow_none=True)
    names = fields.Dict(keys=fields.String(), values=fields.String())
    points = fields.Integer()
    version = fields.Integer()
    created_at = Timestamp()
    updated_at = Timestamp()


class RewardAnswerSchema(RewardSummarySchema):
    """A reward with its document; ``stock`` is null where none is counted, ``codes`` of whatever is no pool."""

    document = fields.Nested(RewardSchema)
    stock = fields.Nested(StocksSchema, allow_none=True)
    codes = fields.Nested(CodeCountsSchema, allow_none=True)


class RewardAdminQuery(PageQuery):
    """Which rewards: all, or those of a state, kind or merchant."""

    state = fields.String(load_default=None, validate=validate.OneOf(REWARD_STATES))
    kind = fields.String(load_default=None, validate=validate.OneOf(REWARD_KINDS))
    merchant = Text(maximum=63, load_default=None, metadata={"description": "The merchant's key."})


class RewardAdminPageSchema(Schema):
    """One page of rewards."""

    data = fields.List(fields.Nested(RewardSummarySchema))
    next_cursor = fields.String(allow_none=True)


CODES_EXAMPLE = "code,ends\r\nSPRING-7F3K,2027-03-31\r\nSPRING-9Q2M,2027-03-31\r\nSPRING-7F3K,2027-03-31\r\n"
IMPORTED_EXAMPLE: dict[str, Any] = {
    "rows": 3,
    "imported": 2,
    "refused": 1,
    "reasons": {"repeated": 1},
    "faults": [{"line": 4, "code": "repeated", "detail": "The code stands in line 2 already."}],
}


class CodesQuery(Schema):
    """How to read the file, and whether its codes are for live members or for trying it out."""

    column = Text(
        maximum=100,
        load_default=None,
        metadata={"description": "The column of the codes, as the first row names it; without it each row is a code."},
    )
    mode = fields.String(load_default="live", validate=validate.OneOf(["live", "test"]))


class CodeFaultSchema(Schema):
    """Why a row was refused."""

    line = fields.Integer()
    code = fields.String(validate=validate.OneOf(list(FAULTS)))
    detail = fields.String()


class CodesImportedSchema(Schema):
    """What became of a file: the rows after the header, the codes added, and the rows refused, by reason.

    ``faults`` has the first thousand of these.
    """

    rows = fields.Integer()
    imported = fields.Integer()
    refused = fields.Integer()
    reasons = fields.Dict(keys=fields.String(validate=validate.OneOf(list(FAULTS))), values=fields.Integer())
    faults = fields.List(fields.Nested(CodeFaultSchema))
