"""The reward document, as staff write it."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate, validates_schema

from app.core.currencies import CURRENCIES
from app.core.schemas import Boolean, Integer, List, Schema, Text, Timestamp
from app.members.service import LOCALE, REGION
from app.redemption.models import DISCOUNTS, LIMIT_PERIODS, REWARD_KINDS, STOCK_KINDS
from app.redemption.offers import VOUCHER_KINDS

KEY = r"^[a-z0-9][a-z0-9-]{0,62}\Z"
TIER = r"^[a-z0-9][a-z0-9_-]{0,62}\Z"
POINTS_MAX = 10**9
AMOUNT_MAX = 10**9  # of money, in minor units
STOCK_MAX = 10**9
LOW_STOCK_MAX = 100_000  # free codes are counted that far
CONFIRM_HOURS_MAX = 720
VALID_DAYS_MAX = 3650
IMAGE_URL_MAX = 2000
_URL_SYMBOLS = re.compile(r"[!-~]+")


def _check_english(texts: dict[str, str]) -> None:
    if texts and "en" not in texts:
        raise ValidationError("A text in English (en) is needed.")


def _check_image_url(url: str) -> None:
    """Refuse what is no plain https address: whoever looks at the reward fetches it."""
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or not _URL_SYMBOLS.fullmatch(url):
        raise ValidationError("Not an https URL.")


def _texts(maximum: int, **keywords: Any) -> fields.Dict:
    keys = fields.String(validate=validate.Regexp(LOCALE))
    return fields.Dict(keys=keys, values=Text(maximum=maximum), validate=_check_english, **keywords)


def _optional(kind: Callable[..., Any], **keywords: Any) -> Any:
    return kind(load_default=None, allow_none=True, **keywords)


def _currency(**keywords: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(sorted(CURRENCIES)), **keywords)


def _any_of(pattern: str | None = None) -> List:
    return List(Text(maximum=100, pattern=pattern), maximum=100, load_default=list)


class PriceMoneySchema(Schema):
    """The part of the price that is paid in money, in minor units."""

    amount = Integer(minimum=1, maximum=AMOUNT_MAX, required=True)
    currency = _currency(required=True)


class StockSchema(Schema):
    """How many there are: as many as are asked for, so many in all, or so many each day of the programme's zone."""

    kind = fields.String(required=True, validate=validate.OneOf(STOCK_KINDS))
    total = _optional(Integer, minimum=0, maximum=STOCK_MAX)

    @validates_schema(skip_on_field_errors=True)
    def _counted(self, data: dict[str, Any], **_: Any) -> None:
        if (data["kind"] == "none") != (data["total"] is None):
            raise ValidationError("Names how many there are, unless the kind is none.", "total")


class RewardLimitSchema(Schema):
    """How many a member may take in a period of the programme's calendar."""

    quantity = Integer(minimum=1, maximum=10_000, required=True)
    per = fields.String(required=True, validate=validate.OneOf(LIMIT_PERIODS))


class RewardAudienceSchema(Schema):
    """Whom it is for: one of each list that is not empty; a country is all its regions."""

    tiers = _any_of(TIER)
    regions = _any_of(REGION)
    tags = _any_of()


class VoucherTermsSchema(Schema):
    """What its voucher is good for; ``value`` is in minor units of ``currency``, or percent.

    It is good for what an order holds of ``categories`` or ``skus``, where they are given, as a ``whole`` or once a
    ``line``; ``is_partial``, the rest of its value stays. It ends at ``valid_until`` or ``valid_days`` after its day.
    """

    discount = fields.String(required=True, validate=validate.OneOf(DISCOUNTS))
    value = _optional(Integer, minimum=1, maximum=AMOUNT_MAX)
    currency = _optional(_currency)
    minimum_spend = _optional(Integer, minimum=1, maximum=AMOUNT_MAX)
    certified_only = Boolean(load_default=False)
    scope = fields.String(load_default="whole", validate=validate.OneOf(["whole", "line"]))
    categories = List(Text(maximum=100), minimum=1, maximum=100, load_default=None, allow_none=True)
    skus = List(Text(maximum=64), minimum=1, maximum=500, load_default=None, allow_none=True)
    is_partial = Boolean(load_default=False)
    valid_days = _optional(Integer, minimum=1, maximum=VALID_DAYS_MAX)
    valid_until = _optional(Timestamp)
    refund_if_unused = fields.String(load_default="none", validate=validate.OneOf(["none", "full"]))

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        faults: dict[str, list[str]] = {}
        discount = data["discount"]
        if (discount == "product") != (data["value"] is None):
            faults["value"] = ["Needed for an amount or percent; what a product is worth its price says."]
        elif discount == "percent" and data["value"] > 100:
            faults["value"] = ["At most 100 percent."]
        if (discount == "amount" or data["minimum_spend"] is not None) != (data["currency"] is not None):
            faults["currency"] = ["Needed for an amount or a minimum spend, and for these alone."]
        if discount == "product" and not data["skus"] and not data["categories"]:
            faults["skus"] = ["A voucher for a product says which, by skus or categories."]
        if data["is_partial"] and discount != "amount":
            faults["is_partial"] = ["Only an amount can be used in parts."]
        if data["refund_if_unused"] == "full" and data["valid_days"] is None and data["valid_until"] is None:
            faults["refund_if_unused"] = ["A voucher that never expires is never refunded for it."]
        if faults:
            raise ValidationError(faults)


class RewardSchema(Schema):
    """One reward; ``merchant`` and ``cause`` are keys, ``merchant`` null for the programme's own.

    It is seen within one window and can be redeemed within the other; ``tier_points`` are prices by tier in the place
    of ``points``. With ``needs_confirmation`` the merchant confirms each redemption, or the points go back.
    """

    key = Text(maximum=63, pattern=KEY, required=True)
    kind = fields.String(required=True, validate=validate.OneOf(REWARD_KINDS))
    merchant = _optional(Text, maximum=63)
    cause = _optional(Text, maximum=63)
    names = _texts(200, required=True)
    descriptions = _texts(2000, load_default=dict)
    image_url = _optional(Text, maximum=IMAGE_URL_MAX)
    points = Integer(minimum=1, maximum=POINTS_MAX, required=True)
    tier_points = fields.Dict(
        keys=fields.String(validate=validate.Regexp(TIER)),
        values=Integer(minimum=1, maximum=POINTS_MAX),
        validate=validate.Length(max=20),
        load_default=dict,
    )
    money = fields.Nested(PriceMoneySchema, load_default=None, allow_none=True)
    stock = fields.Nested(StockSchema, load_default=lambda: {"kind": "none", "total": None})
    low_stock_at = _optional(Integer, minimum=0, maximum=LOW_STOCK_MAX)
    limit = fields.Nested(RewardLimitSchema, load_default=None, allow_none=True)
    audience = fields.Nested(RewardAudienceSchema, load_default=None, allow_none=True)
    visible_from = _optional(Timestamp)
    visible_until = _optional(Timestamp)
    available_from = _optional(Timestamp)
    available_until = _optional(Timestamp)
    needs_confirmation = Boolean(load_default=False)
    confirm_within_hours = _optional(Integer, minimum=1, maximum=CONFIRM_HOURS_MAX)
    voucher = fields.Nested(VoucherTermsSchema, load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _consistent(self, data: dict[str, Any], **_: Any) -> None:
        faults = {**_of_kind(data), **_of_stock(data), **_of_windows(data)}
        if not data["names"]:
            faults["names"] = ["A name in English (en) is needed."]
        if data["image_url"] is not None:
            try:
                _check_image_url(data["image_url"])
            except ValidationError as error:
                faults["image_url"] = [str(message) for message in error.messages]
        if faults:
            raise ValidationError(faults)


def _of_kind(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what does not go with the reward's kind."""
    faults: dict[str, Any] = {}
    kind, voucher = data["kind"], data["voucher"]
    if (kind in VOUCHER_KINDS) != (voucher is not None):
        faults["voucher"] = ["Needed for a voucher or a discount at checkout, and for these alone."]
    elif kind == "checkout_discount" and voucher["discount"] == "product":
        faults["voucher"] = {"discount": ["A discount at checkout takes off an amount or percent."]}
    if (kind == "donation") != (data["cause"] is not None):
        faults["cause"] = ["Needed for a donation, and for that alone."]
    if kind == "donation" and data["merchant"] is not None:
        faults["merchant"] = ["A donation goes to a cause."]
    if kind == "donation" and data["money"] is not None:
        faults["money"] = ["A donation is of points alone."]
    if data["needs_confirmation"] and data["merchant"] is None:
        faults["needs_confirmation"] = ["Only a merchant's redemptions are confirmed, by that merchant."]
    if data["confirm_within_hours"] is not None and not data["needs_confirmation"]:
        faults["confirm_within_hours"] = ["Nothing is confirmed here."]
    return faults


def _of_stock(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what does not go with how the reward's stock is counted."""
    faults: dict[str, Any] = {}
    is_pool, counted = data["kind"] == "voucher_pool", data["stock"]["kind"] != "none"
    if is_pool and counted:
        faults["stock"] = {"kind": ["Its codes are its stock."]}
    if data["low_stock_at"] is not None and not is_pool and not counted:
        faults["low_stock_at"] = ["No stock is counted that could be low."]
    return faults


def _of_windows(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return which windows are the wrong way round, or leave no moment in which it could be redeemed."""
    faults: dict[str, Any] = {}
    for window in ("visible", "available"):
        if not _in_order(data[f"{window}_from"], data[f"{window}_until"]):
            faults[f"{window}_until"] = [f"Must be after {window}_from."]
    if faults:
        return faults
    if not _in_order(data["available_from"], data["visible_until"]):
        faults["available_from"] = ["Must be before visible_until: what is not seen can't be redeemed."]
    if not _in_order(data["visible_from"], data["available_until"]):
        faults["available_until"] = ["Must be after visible_from: what is not seen can't be redeemed."]
    ends_at = data["voucher"] and data["voucher"]["valid_until"]
    for start in ("visible_from", "available_from"):
        if not _in_order(data[start], ends_at):
            faults["voucher"] = {"valid_until": [f"Must be after {start}."]}
    return faults


def _in_order(start: Any, end: Any) -> bool:
    return start is None or end is None or start < end
