"""The rules of a stretch of time, with the index that finds the few that an activity could meet. Pure."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.campaigns.engine.outcomes import Missed
from app.campaigns.engine.rules import DIMENSIONS, Rule
from app.campaigns.engine.subject import Held, held_by
from app.campaigns.expressions import Fields, fields_of

UNTRIED_MAX = 20
_PLANS_KEPT_MAX = 1024
_NOBODY: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with activities that meet the same rules: which are tried, which are named untried and why they
    miss if nothing bars them, and what the expressions of both may read of the whole and of a line.
    """

    bases: Sequence[Rule]
    multipliers: Sequence[Rule]
    untried: Sequence[Missed]
    whole_fields: Fields
    line_fields: Fields


class _Index:
    """The rules for one kind of activity, in order."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.always: list[int] = []
        self.anchored: dict[tuple[str, str], list[int]] = {}
        self.plans: dict[frozenset[int], Plan] = {}

    def add(self, rule: Rule) -> None:
        position = len(self.rules)
        self.rules.append(rule)
        for anchor in rule.anchors:
            self.anchored.setdefault(anchor, []).append(position)
        if not rule.anchors:
            self.always.append(position)


_EMPTY = _Index()


class RuleBook:
    """The rules of a stretch of time; ``paused`` holds the campaigns that pay nothing at present.

    Of the rules that are not tried, the first ``untried_max`` are named.
    """

    def __init__(
        self, rules: Iterable[Rule], paused: Collection[UUID] = _NOBODY, untried_max: int = UNTRIED_MAX
    ) -> None:
        self.paused = paused
        self._untried_max = untried_max
        self._by_kind: dict[str, _Index] = {}
        for rule in sorted(rules, key=lambda rule: rule.order):
            self._by_kind.setdefault(rule.kind, _Index()).add(rule)

    def rules(self, kind: str) -> Sequence[Rule]:
        """Return the rules for activities of ``kind``, in order."""
        return self._by_kind.get(kind, _EMPTY).rules

    def candidates(self, kind: str, held: Held) -> set[int]:
        """Return the positions of the rules that something in ``held`` anchors, and of those that need nothing."""
        index = self._by_kind.get(kind, _EMPTY)
        found = set(index.always)
        anchored = index.anchored
        for dimension, values in held.items():
            for value in values:
                positions = anchored.get((dimension, value))
                if positions is not None:
                    found.update(positions)
        return found

    def plan(self, kind: str, held: Held) -> Plan:
        """Return what is done with an activity of ``kind`` that holds ``held``."""
        index = self._by_kind.get(kind, _EMPTY)
        found = frozenset(self.candidates(kind, held))
        plan = index.plans.get(found)
        if plan is None:
            if len(index.plans) >= _PLANS_KEPT_MAX:
                index.plans.clear()
            plan = index.plans[found] = _make_plan(index.rules, found, self._untried_max)
        return plan

    def candidates_of(self, activity: Mapping[str, Any], merchant: Mapping[str, Any]) -> Sequence[Rule]:
        """Return the rules that ``activity`` could meet, in order: no other can pay for it."""
        rules = self.rules(activity["kind"])
        return [rules[position] for position in sorted(self.candidates(activity["kind"], held_by(activity, merchant)))]


def _make_plan(rules: Sequence[Rule], found: frozenset[int], untried_max: int) -> Plan:
    tried = [rules[position] for position in sorted(found)]
    others = (rule for position, rule in enumerate(rules) if position not in found)
    untried = list(itertools.islice(others, untried_max))
    audiences = [rule.audience_reads for rule in (*tried, *untried)]
    return Plan(
        bases=[rule for rule in tried if not rule.is_multiplier],
        multipliers=[rule for rule in tried if rule.is_multiplier],
        untried=[Missed(rule, _why_untried(rule)) for rule in untried],
        whole_fields=fields_of([*audiences, *(rule.reads for rule in tried if not rule.is_of_lines)]),
        line_fields=fields_of(rule.reads for rule in tried if rule.is_of_lines),
    )


def _why_untried(rule: Rule) -> str:
    """Return why the activity does not meet a rule that nothing in it anchors."""
    return "certificate_missing" if rule.anchors[0][0] == DIMENSIONS[0] else "condition_not_met"
