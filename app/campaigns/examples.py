"""Run the examples that stand beside a rule: an activity, and what the rule must pay for it. Pure.

Each is evaluated and settled with the rules of its campaign alone, in the first window of the campaign unless it names
a time, with nothing yet taken of limits and budget, for a member who is held out of nothing, at the first merchant
that the rule names. ``base_points`` is what another rule pays: on the activity, or, for a rule that looks at lines, on
each line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.campaigns.engine import Rule, RuleBook, evaluate
from app.campaigns.limits import Headroom, settle
from app.campaigns.schedules import next_window
from app.core.errors import ProblemError
from app.core.strict_json import pointer

# An activity body as it is reported, and the time it gets if it names none; raises ProblemError where it does not fit.
FactsOf = Callable[[Mapping[str, Any], datetime], Mapping[str, Any]]
_NOBODY = UUID(int=0)


def run_examples(document: Mapping[str, Any], rules: Sequence[Rule], facts_of: FactsOf) -> list[dict[str, str]]:
    """Return pointer and detail of each example of a read ``document`` that does not hold; ``rules`` are its own.

    ``facts_of`` reads an activity body by the contract, with evidence of staff where it names none.
    """
    faults = []
    for place, (given, rule) in enumerate(zip(document["rules"], rules, strict=True)):
        for number, example in enumerate(given["examples"]):
            at = ("rules", place, "examples", number)
            faults += [
                {"pointer": pointer(*at) + fault["pointer"], "detail": fault["detail"]}
                for fault in _run(example, rule, rules, facts_of)
            ]
    return faults


def _run(example: Mapping[str, Any], rule: Rule, rules: Sequence[Rule], facts_of: FactsOf) -> list[dict[str, str]]:
    """Return what is wrong with one example, with pointers that begin there."""
    moment = example["now"] or _opening(rule)
    try:
        facts = facts_of({"kind": rule.kind, **example["activity"]}, moment)
    except ProblemError as problem:
        errors = problem.errors or [{"pointer": "", "detail": problem.detail}]
        return [{"pointer": f"/activity{error['pointer']}", "detail": error["detail"]} for error in errors]
    if facts["kind"] != rule.kind:
        return [{"pointer": "/activity/kind", "detail": f"The rule is for {rule.kind}."}]
    points, codes = _paid(example, rule, rules, facts, moment)
    expected = example["expect"]
    told = "" if "matched" in codes else f" ({codes[-1]})"
    faults = []
    if points != expected["points"]:
        detail = f"It pays {points} points{told}, not {expected['points']}."
        faults.append({"pointer": "/expect/points", "detail": detail})
    if expected["code"] is not None and expected["code"] not in codes:
        faults.append({"pointer": "/expect/code", "detail": f"It says {codes[-1]}, not {expected['code']}."})
    return faults


def _paid(
    example: Mapping[str, Any], rule: Rule, rules: Sequence[Rule], facts: Mapping[str, Any], moment: datetime
) -> tuple[int, Sequence[str]]:
    """Return what ``rule`` pays in the example, and the codes that it tells."""
    tried = list(rules)
    if example["base_points"] is not None:
        tried.append(_base_rule(rule, example["base_points"]))
    member = {**example["member"], "id": None}
    merchant = {"id": str(_NOBODY), "key": min(rule.match.get("merchants", ()), default="example")}
    evaluation = evaluate(RuleBook(tried, untried_max=len(tried)), facts, member, merchant, moment)
    settlement = settle(evaluation, _headroom(rules, example["activity"]))
    for granted in settlement.granted:
        if granted.desired.rule is rule:
            return granted.points, granted.codes
    return 0, [missed.code for missed in settlement.missed if missed.rule is rule]


def _opening(rule: Rule) -> datetime:
    """Return the first moment at which the rule's campaign runs."""
    window = next_window(rule.schedule, rule.schedule.starts_at)
    return rule.schedule.starts_at if window is None else window[0]


def _base_rule(rule: Rule, points: int) -> Rule:
    """Return a rule beside those of the campaign that pays ``points`` wherever ``rule`` could look."""
    return replace(
        rule, campaign_id=_NOBODY, campaign_key="", key="", match={}, condition=None, formula=None,
        award={"type": "fixed", "points": points}, minimum=None, maximum=None, minimum_rank=0, stacking=None, limits=(),
        audience=None, holdout_percent=0, budget_points=None,
    )  # fmt: skip


def _headroom(rules: Sequence[Rule], activity: Mapping[str, Any]) -> Headroom:
    """Return all that the limits and budgets of ``rules`` have; of a device or station, where the activity has one."""
    left = {
        (rule.campaign_id, rule.key, limit.key): limit.amount
        for rule in rules
        for limit in rule.limits
        if limit.by not in ("device", "station") or activity.get(limit.by)
    }
    funds = {rule.campaign_id: rule.budget_points for rule in rules if rule.budget_points is not None}
    return Headroom(left, funds)
