"""The sentences that tell a shopper how a reward stands, in the reader's language. Pure."""

from collections.abc import Mapping, Sequence

from app.redemption import offers

_MISSING: dict[str, tuple[str, str]] = {
    "en": ("You need 1 more point", "You need {count} more points"),
    "zh-CN": ("还差 1 分", "还差 {count} 分"),
}
_STATES: dict[str, dict[str, str]] = {
    offers.NOT_YET_AVAILABLE: {"en": "Not available yet", "zh-CN": "尚未开放兑换"},
    offers.NO_LONGER_AVAILABLE: {"en": "No longer available", "zh-CN": "兑换已结束"},
    offers.NOT_FOR_TIER: {"en": "For members of other tiers", "zh-CN": "仅限其他等级的会员"},
    offers.NOT_FOR_MEMBER: {"en": "For other members", "zh-CN": "仅限其他会员"},
    offers.LIMIT_REACHED: {"en": "You have had as many as one member can for now", "zh-CN": "您目前的兑换次数已达上限"},
    offers.SOLD_OUT: {"en": "Sold out", "zh-CN": "已兑完"},
}
AVAILABLE = "available"
STATES = (AVAILABLE, *_STATES)


def state_text(state: str, locales: Sequence[str]) -> str | None:
    """Return why a reward can't be redeemed now, None where it can."""
    return None if state == AVAILABLE else _STATES[state][_nearest(_STATES[state], locales)]


def missing_text(points: int, locales: Sequence[str]) -> str | None:
    """Return how many more points it takes, None where none are missing."""
    if points <= 0:
        return None
    one, many = _MISSING[_nearest(_MISSING, locales)]
    return one if points == 1 else many.format(count=points)


def _nearest(offered: Mapping[str, object], locales: Sequence[str]) -> str:
    """Return the first of ``locales`` that is offered, or whose language is; English where none is."""
    by_language = {offer.split("-")[0]: offer for offer in offered}
    for locale in locales:
        found = locale if locale in offered else by_language.get(locale.lower().replace("_", "-").split("-")[0])
        if found is not None:
            return found
    return "en"
