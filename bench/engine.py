"""``python -m bench.engine``: how long one evaluation takes, with what limits and budgets leave of it.

A programme of 100 active rules, of which a basket of 10 lines meets 10: each type of award, conditions on lines and on
the activity, an audience, a schedule that recurs, a stacking group, a multiplier, limits and budgets. No server, no
database. Prints the median in microseconds of this process's own time, so that what else the machine does hardly
counts, for all rules and for one alone.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.campaigns.engine import Rule, RuleBook, evaluate
from app.campaigns.explanations import explain, label
from app.campaigns.limits import Headroom, Settlement, settle
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules

GOAL_US = 300
CANDIDATES = 10
RULES = 100
LINES = 10
ROUNDS = 200
NOW = datetime(2026, 7, 8, 11, tzinfo=UTC)  # a Wednesday evening in Shanghai
MEMBER = {"id": UUID(int=7), "tier": "seed", "region": "CN-SH", "tags": ["student"], "age_days": 40}
MERCHANT = {"id": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11", "key": "corner-shop"}
EUROS = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}
DAILY = [{"unit": "points", "by": "member", "per": "day", "amount": 50}]
PRODUCE: dict[str, Any] = {"categories": ["produce"]}


def _rule(key: str, award: dict[str, Any], scope: str = "line", **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "purchase", "scope": scope, "award": award, "labels": {"en": key}} | more


def _campaign(key: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    labels = {"en": key}
    return {"key": key, "labels": labels, "starts_at": "2026-01-01T00:00:00Z", "rules": list(rules)} | more


def _met() -> list[dict[str, Any]]:
    """Return campaigns of ten rules that the basket meets."""
    group = {"group": "produce", "mode": "best"}
    organic = {"certifications": ["EU_ORGANIC", "CN_ORGANIC"]}
    evening = {"rrule": "FREQ=WEEKLY;BYDAY=WE;BYMONTH=7", "start_time": "18:00", "duration_minutes": 240}
    return [
        _campaign("certified", _rule("organic", {"type": "per_unit", "points": 10}, match=organic, limits=DAILY)),
        _campaign(
            "packaging",
            _rule("loose", {"type": "fixed", "points": 3}, match={"packaging": ["UNPACKED"]}, limits=DAILY),
            _rule("no-bag", {"type": "fixed", "points": 2}, "activity", match={"packaging": ["NO_BAG"]}),
        ),
        _campaign(
            "produce",
            _rule("by-euro", EUROS, match=PRODUCE, when="line.total >= 500", stacking=group),
            _rule("by-weight", {"type": "per_weight", "points": 1, "per_g": 250}, match=PRODUCE, stacking=group),
            _rule("formula", {"type": "expression", "expression": "double(line.total) / 250.0"}, match=PRODUCE),
            budget={"points": 10_000},
        ),
        _campaign("spend", _rule("each-euro", EUROS, "activity", when="activity.total >= 1000")),
        _campaign(
            "students",
            _rule("students", {"type": "fixed", "points": 5}, "activity"),
            audience={"tags": ["student"], "regions": ["CN"], "expression": "member.age_days >= 30"},
            holdout_percent=10,
        ),
        _campaign(
            "evenings",
            _rule("evening", {"type": "fixed", "points": 5}, "activity"),
            _rule("double", {"type": "multiplier", "factor": "2"}, match=PRODUCE),
            time_zone="Asia/Shanghai", ends_at="2027-01-01T00:00:00Z", recurrence=evening,
        ),
    ]  # fmt: skip


def _unmet() -> list[dict[str, Any]]:
    """Return campaigns of ninety rules for what is not in the basket."""
    return [
        _campaign(
            f"other-{number:02}", _rule("rule", EUROS, match={"categories": [f"category-{number}"]}, limits=DAILY)
        )
        for number in range(RULES - CANDIDATES)
    ]


def _compiled(documents: Sequence[dict[str, Any]]) -> list[Rule]:
    schema = CampaignSchema()
    return [
        rule
        for number, document in enumerate(documents, 1)
        for rule in compile_rules(
            schema.load(document), campaign_id=UUID(int=number), version_id=UUID(int=1000 + number), version=1
        )
    ]


def _basket() -> dict[str, Any]:
    lines = [
        {
            "id": str(number), "category": "produce", "quantity": 2, "total": 499 + 50 * number, "weight_g": 700,
            "material": None, "packaging": ["UNPACKED"] if number % 2 else [], "certifications": ["EU_ORGANIC"],
            "certificates": {"EU_ORGANIC": {"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}},
        }
        for number in range(LINES)
    ]  # fmt: skip
    return {
        "kind": "purchase", "occurred_at": NOW, "currency": "EUR", "region": None, "channel": "web", "completed": True,
        "packaging": ["NO_BAG"], "evidence": "staff", "total": sum(line["total"] for line in lines),
        "line_count": len(lines), "lines": lines,
    }  # fmt: skip


def _headroom(rules: Sequence[Rule]) -> Headroom:
    left = {(rule.campaign_id, rule.key, limit.key): limit.amount for rule in rules for limit in rule.limits}
    return Headroom(left, {rule.campaign_id: rule.budget_points for rule in rules if rule.budget_points is not None})


def _median_us(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(10):
            call()
        taken.append((time.process_time() - started) / 10 * 1e6)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    basket = _basket()
    met, many = _compiled(_met()), _compiled([*_met(), *_unmet()])
    assert len(met) == CANDIDATES
    assert len(many) == RULES
    for title, rules in ((f"{RULES} rules, {CANDIDATES} candidates", many), ("1 rule", _compiled(_met()[:1]))):
        book = RuleBook(rules)
        concerned = book.candidates_of(basket, MERCHANT)
        headroom = _headroom(concerned)
        evaluation = evaluate(book, basket, MEMBER, MERCHANT, NOW)
        evaluating = _median_us(lambda: evaluate(book, basket, MEMBER, MERCHANT, NOW))  # noqa: B023 - called here
        settling = _median_us(lambda: settle(evaluation, headroom))  # noqa: B023 - called here
        whole = evaluating + settling
        met_goal = "met" if whole <= GOAL_US else "MISSED"
        print(
            f"{title}, {LINES} lines: evaluate {evaluating:.0f} µs + settle {settling:.0f} µs = {whole:.0f} µs; "
            f"goal ≤ {GOAL_US} µs {met_goal}; {len(evaluation.desired)} pay, {len(evaluation.missed)} miss"
        )
    _compare_explained(many, basket)


def _compare_explained(rules: Sequence[Rule], basket: dict[str, Any]) -> None:
    """Print what it costs to name the rules that were not tried and to say each reason in words, kept as books do."""
    words: dict[tuple[UUID, str, str], tuple[str, str | None]] = {}

    def say(rule: Rule, code: str) -> tuple[str, str | None]:
        known = words.get((rule.version_id, rule.key, code))
        if known is None:
            known = words[rule.version_id, rule.key, code] = explain(code, label(rule.labels, "en"), "en")
        return known

    def pay(book: RuleBook) -> Settlement:
        return settle(evaluate(book, basket, MEMBER, MERCHANT, NOW), headroom)

    def explained() -> list[tuple[str, str | None]]:
        settlement = pay(telling)
        told = [say(granted.desired.rule, code) for granted in settlement.granted for code in granted.codes]
        return told + [say(missed.rule, missed.code) for missed in settlement.missed]

    telling, silent = RuleBook(rules), RuleBook(rules, untried_max=0)
    headroom = _headroom(telling.candidates_of(basket, MERCHANT))
    on, off = _median_us(explained), _median_us(lambda: pay(silent))
    print(f"explanations on ÷ off: {on:.0f} µs ÷ {off:.0f} µs = {on / off:.2f}; goal ≤ 1.5")


if __name__ == "__main__":
    main()
