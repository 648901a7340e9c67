"""The words for reason codes, in the reader's language; what is stored are the codes."""

from collections.abc import Mapping

DEFAULT_LOCALE = "en"
REASONS: dict[str, dict[str, tuple[str, str | None]]] = {
    "en": {
        "matched": ("This earned “{rule}”.", None),
        "condition_not_met": ("What was bought does not meet “{rule}”.", "Look at what “{rule}” asks for."),
        "not_in_audience": ("“{rule}” is for other members.", None),
        "outside_schedule": ("“{rule}” did not run at that time.", "Look at when “{rule}” runs."),
        "below_minimum": ("This is too little to earn “{rule}”.", "A little more of it earns “{rule}”."),
        "currency_differs": ("“{rule}” counts another currency.", None),
        "limit_reached_member": (
            "You have earned as much from “{rule}” as one member can for now.",
            "Look at when “{rule}” pays again.",
        ),
        "limit_reached_household": (
            "Your household has earned as much from “{rule}” as it can for now.",
            "Look at when “{rule}” pays again.",
        ),
        "limit_reached_device": (
            "As much as one device can report for “{rule}” has been reported with this one for now.",
            "Look at when “{rule}” pays again.",
        ),
        "limit_reached_merchant": (
            "“{rule}” has paid as much at this shop as it can for now.",
            "Try another shop, or look at when “{rule}” pays again.",
        ),
        "limit_reached_station": (
            "“{rule}” has paid as much at this station as it can for now.",
            "Try another station, or look at when “{rule}” pays again.",
        ),
        "limit_reached_declared": (
            "What you declare yourself on one day has earned as much as it can; “{rule}” would have earned more.",
            "Have it confirmed where you do it: that counts without this limit.",
        ),
        "budget_exhausted": ("All that there was to give for “{rule}” has been given.", None),
        "evidence_too_weak": ("“{rule}” needs stronger evidence.", "Have it confirmed by staff or a machine."),
        "certificate_missing": (
            "Nothing here holds a certificate that “{rule}” asks for.",
            "Choose a product with such a certificate.",
        ),
        "certificate_expired": ("The certificate was not valid on that day.", "Choose a product with a valid one."),
        "beaten_in_group": ("Another reward of the same group paid more than “{rule}”.", None),
        "paused": ("“{rule}” is paused.", "Come back when it runs again."),
        "too_old": ("This was reported too late for “{rule}”.", None),
        "duplicate_claim": ("This was claimed before.", None),
        "rule_error": ("“{rule}” could not be worked out; we have been told.", None),
    },
    "zh-CN": {
        "matched": ("已获得“{rule}”。", None),
        "condition_not_met": ("所购商品不符合“{rule}”的条件。", "查看“{rule}”的要求。"),
        "not_in_audience": ("“{rule}”面向其他会员。", None),
        "outside_schedule": ("“{rule}”当时未开放。", "查看“{rule}”的开放时间。"),
        "below_minimum": ("数量不足，未能获得“{rule}”。", "再多一点即可获得“{rule}”。"),
        "currency_differs": ("“{rule}”以另一种货币计算。", None),
        "limit_reached_member": ("您目前从“{rule}”获得的积分已达个人上限。", "查看“{rule}”何时再次发放。"),
        "limit_reached_household": ("您的家庭目前从“{rule}”获得的积分已达上限。", "查看“{rule}”何时再次发放。"),
        "limit_reached_device": ("该设备目前上报的“{rule}”已达上限。", "查看“{rule}”何时再次发放。"),
        "limit_reached_merchant": ("“{rule}”目前在该商户的发放已达上限。", "换一家商户，或查看“{rule}”何时再次发放。"),
        "limit_reached_station": ("“{rule}”目前在该站点的发放已达上限。", "换一个站点，或查看“{rule}”何时再次发放。"),
        "limit_reached_declared": (
            "您当天自行申报的积分已达上限，“{rule}”未能全额计分。",
            "请在现场由店员或设备确认，则不受此上限限制。",
        ),
        "budget_exhausted": ("“{rule}”的积分已全部发完。", None),
        "evidence_too_weak": ("“{rule}”需要更可靠的凭证。", "请由店员或设备确认。"),
        "certificate_missing": ("没有符合“{rule}”所需认证的商品。", "请选择带有该认证的商品。"),
        "certificate_expired": ("该认证当日无效。", "请选择认证有效的商品。"),
        "beaten_in_group": ("同组的另一项奖励高于“{rule}”。", None),
        "paused": ("“{rule}”已暂停。", "请待其恢复后再来。"),
        "too_old": ("上报过晚，不符合“{rule}”。", None),
        "duplicate_claim": ("此前已被领取。", None),
        "rule_error": ("“{rule}”无法计算，我们已收到通知。", None),
    },
}


def label(labels: Mapping[str, str], locale: str) -> str:
    """Return the label in ``locale``, or in its language, or in English."""
    language = locale.split("-")[0]
    near = (text for key, text in labels.items() if key.split("-")[0] == language)
    return labels.get(locale) or next(near, "") or labels.get(DEFAULT_LOCALE, "")


def explain(code: str, rule: str, locale: str) -> tuple[str, str | None]:
    """Return the sentence for ``code`` and the next step for the shopper, if there is one."""
    language = locale.split("-")[0]
    words = REASONS.get(locale) or next(
        (texts for key, texts in REASONS.items() if key.split("-")[0] == language), REASONS[DEFAULT_LOCALE]
    )
    detail, step = words[code]
    return detail.format(rule=rule), None if step is None else step.format(rule=rule)
