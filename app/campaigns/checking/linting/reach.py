"""Rules that never pay, never pay in full, or have a limit or a condition that does nothing."""

from collections.abc import Iterator

from app.campaigns.checking.faults import quoted
from app.campaigns.checking.linting.findings import Finding, Rule, Subject, warning

# By what a kind of activity is reported: a till or an app has a device, a collection point is a station.
CARRIERS = {
    "device": frozenset({"purchase", "packaging_return", "recycling", "trade_in", "repair"}),
    "station": frozenset({"packaging_return", "recycling", "trade_in"}),
}


def check_reach(subject: Subject, is_ever_open: bool) -> Iterator[Finding]:
    """Yield the warnings about the campaign as a whole and about each of its rules by itself."""
    if not is_ever_open:
        detail = "No window of the recurrence is open between the campaign's start and its end."
        yield warning("never_open", "/recurrence", detail)
    audience = subject.document.get("audience") or {}
    least, most = audience.get("age_days_min"), audience.get("age_days_max")
    if least is not None and most is not None and least > most:
        detail = f"Nobody has been a member for at least {least} and at most {most} days."
        yield warning("audience_empty", "/audience/age_days_max", detail)
    for place, rule in enumerate(subject.rules):
        yield from _check_bounds(rule, f"/rules/{place}")
        yield from _check_limits(subject, rule, f"/rules/{place}")
        if place in subject.conditions and not subject.conditions[place].fields:
            detail = "The condition looks at nothing, so it comes out the same for every activity."
            yield warning("condition_constant", f"/rules/{place}/when", detail)


def _fixed_points(rule: Rule) -> int | None:
    """Return what the rule pays for an activity if that is always the same, None if it is not."""
    if rule["award"]["type"] != "fixed" or rule["scope"] != "activity":
        return None
    points: int = rule["award"]["points"]
    return points if rule["maximum"] is None else min(points, rule["maximum"])


def _check_bounds(rule: Rule, pointer: str) -> Iterator[Finding]:
    least, most = rule["minimum"], rule["maximum"]
    if least is not None and most is not None and least > most:
        detail = f"The minimum of {least} is above the maximum of {most}: the rule pays {most} points or nothing."
        yield warning("minimum_above_maximum", f"{pointer}/minimum", detail)
    if least is not None and _fixed_points(rule) is not None and rule["award"]["points"] < least:
        detail = f"The rule never pays: its {rule['award']['points']} points are below its minimum of {least}."
        yield warning("never_pays", f"{pointer}/minimum", detail)


def _check_limits(subject: Subject, rule: Rule, pointer: str) -> Iterator[Finding]:
    fixed = _fixed_points(rule)
    for place, limit in enumerate(rule.get("limits") or ()):
        at = f"{pointer}/limits/{place}"
        if limit["amount"] == 0:
            yield warning("never_pays", f"{at}/amount", "The rule never pays: its limit is 0.")
        elif limit["unit"] == "points" and fixed is not None and limit["amount"] < fixed:
            detail = f"The limit of {limit['amount']} points is below the {fixed} that the rule pays for one activity."
            yield warning("never_pays_in_full", f"{at}/amount", detail)
        carriers = CARRIERS.get(limit["by"])
        if carriers is not None and rule["kind"] not in carriers:
            detail = f"Activities of kind {rule['kind']} come from no {limit['by']}, so this limit does not hold them."
            yield warning("limit_without_subject", f"{at}/by", detail)
    budget = subject.document.get("budget")
    if budget is not None and fixed is not None and budget["points"] < fixed:
        detail = f"The budget of {budget['points']} points is below the {fixed} that {quoted(rule['key'])} pays once."
        yield warning("never_pays_in_full", "/budget/points", detail)
