"""The sentences that tell a shopper how the review of an activity ended, in the shopper's language. Pure."""

NOT_REVIEWED = "not_reviewed"
_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "open": "We are looking at this; its points come once that is done.",
        "picture_reused": "The picture was used before.",
        "picture_unclear": "The picture does not show clearly what was done.",
        "picture_does_not_show_it": "The picture shows something else.",
        "implausible": "This can't have happened as it was reported.",
        "duplicate": "This was reported before.",
        "other": "This could not be confirmed.",
        NOT_REVIEWED: "Nobody could look at this in time.",
    },
    "zh-CN": {
        "open": "我们正在审核，审核完成后发放积分。",
        "picture_reused": "该图片此前已被使用。",
        "picture_unclear": "图片未能清楚显示所做的行为。",
        "picture_does_not_show_it": "图片显示的是其他内容。",
        "implausible": "所申报的情况不合理。",
        "duplicate": "此前已申报过。",
        "other": "未能确认该行为。",
        NOT_REVIEWED: "未能在期限内完成审核。",
    },
}
REJECT_REASONS = tuple(code for code in _WORDS["en"] if code not in ("open", NOT_REVIEWED))


def sentence(code: str, locale: str) -> str:
    """Return the sentence for a reason, or for an open review, in ``locale`` or else in English."""
    return _WORDS.get(locale, _WORDS["en"])[code]
