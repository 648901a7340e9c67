"""Why points moved, in the reader's language. What is stored are kinds and codes, never words."""

from collections.abc import Callable
from uuid import UUID

DEFAULT_LOCALE = "en"
LOCALES = ("en", "zh-CN")
# from a campaign version and the key of one of its rules to the sentence that says what was rewarded
RuleWords = Callable[[UUID, str], str]
RuleExplainer = Callable[[str], RuleWords]

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "award": "Points for what you did.",
        "mature": "Points became available.",
        "expire": "Points expired.",
        "void": "Points lapsed before they became available.",
        "hold": "Points were set aside to pay with.",
        "capture": "You paid with points.",
        "release": "Points that were set aside came back.",
        "spend": "You spent points.",
        "refund": "Spent points came back.",
        "reverse": "Points were taken back.",
        "returned": "Something was returned: the points for it were taken back.",
        "revised": "The order was changed: points for what it no longer holds were taken back.",
        "rejected": "A review did not accept this: its points were taken back.",
        "owe": "Points were to be taken back that had been used: they are owed.",
        "repay": "Points repaid what was owed.",
        "write_off": "What was owed was let go.",
        "add": "Points were added by hand.",
        "remove": "Points were removed by hand.",
        "gift_sent": "You gave points away.",
        "gift_received": "You were given points.",
    },
    "zh-CN": {
        "award": "您的行为获得了积分。",
        "mature": "积分已可使用。",
        "expire": "积分已过期。",
        "void": "积分在可使用之前已失效。",
        "hold": "积分已预留，用于支付。",
        "capture": "您使用积分支付。",
        "release": "预留的积分已退回。",
        "spend": "您使用了积分。",
        "refund": "已使用的积分已退回。",
        "reverse": "积分已被收回。",
        "returned": "商品已退回，相应积分已被收回。",
        "revised": "订单已更改，不再包含部分的积分已被收回。",
        "rejected": "审核未通过，相应积分已被收回。",
        "owe": "应收回的积分已被使用，记为欠分。",
        "repay": "积分已用于偿还欠分。",
        "write_off": "欠分已被免除。",
        "add": "积分由人工增加。",
        "remove": "积分由人工扣减。",
        "gift_sent": "您赠出了积分。",
        "gift_received": "您收到了赠送的积分。",
    },
}
# a movement that says what it is, whatever the posting that it is part of
_OF_MOVEMENT = {
    ("available", "debt"): "repay",
    ("available", "written_off"): "repay",
    ("debt", "reversed"): "owe",
    ("debt", "written_off"): "write_off",
    ("available", "expired"): "expire",
    ("pending", "expired"): "void",
    ("pending", "available"): "mature",
    ("held", "available"): "release",
}
_OF_KIND = {
    ("adjust", "issued"): "add",
    ("adjust", "available"): "remove",
    ("gift", "available"): "gift_sent",
    ("gift", "issued"): "gift_received",
    ("capture", "available"): "release",
}


# why points were taken back, by the reason of the posting
_OF_REASON = {"return": "returned", "revision": "revised", "rejected": "rejected"}


def code_of(kind: str, source: str, target: str, reason: str | None = None) -> str:
    """Return which text says why points moved from ``source`` to ``target`` in a posting of ``kind``."""
    known = _OF_MOVEMENT.get((source, target)) or _OF_KIND.get((kind, source))
    return known or (_OF_REASON.get(reason or "", kind) if kind == "reverse" else kind)


def why(code: str, locale: str) -> str:
    """Return the text of ``code`` in ``locale``, or in its language, or in English."""
    language = locale.split("-")[0]
    near = next((name for name in LOCALES if name.split("-")[0] == language), DEFAULT_LOCALE)
    return TEXTS.get(locale, TEXTS[near])[code]
