"""What evaluation says: what each rule wants to pay, and why the others do not. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any, NamedTuple

from app.campaigns.engine.rules import Rule


class Desired(NamedTuple):
    """What a rule wants to pay: whole points, by line where it is a line rule (None is the activity).

    ``amounts`` over ``over`` are what a multiplier multiplies, line by line: the exact points before rounding, or the
    whole ones where ``maximum`` has cut them.
    """

    rule: Rule
    points: int
    lines: tuple[tuple[str | None, int], ...]
    certificates: Mapping[str, Mapping[str, Any]]
    amounts: tuple[int, ...]
    over: int


class Missed(NamedTuple):
    """A rule that did not pay, and the stable code that says why."""

    rule: Rule
    code: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The desired awards and the rules that missed, in the order of priority, campaign and rule."""

    desired: tuple[Desired, ...]
    missed: tuple[Missed, ...]


def without_duplicates(whole: Evaluation, rest: Evaluation | None) -> Evaluation:
    """Return ``rest``, the evaluation without what another activity has claimed (None: nothing is left).

    Of the rules that wanted to pay for the whole and don't for the rest it says why: ``duplicate_claim``.
    """
    desired = rest.desired if rest is not None else ()
    paying = {id(each.rule) for each in desired}
    lost = {id(each.rule): each.rule for each in whole.desired if id(each.rule) not in paying}
    others = [each for each in (rest or whole).missed if id(each.rule) not in lost]
    missed = [*others, *(Missed(rule, "duplicate_claim") for rule in lost.values())]
    return Evaluation(desired, tuple(sorted(missed, key=lambda each: each.rule.order)))


class Base:
    """The points of base rules by line and in all, over one divisor: what multipliers multiply."""

    def __init__(self, parts: Sequence[tuple[Sequence[tuple[Any, ...]], Sequence[int], int]]) -> None:
        """Sum ``parts``, each with its lines (tuples that begin with the id), their amounts and what these are over."""
        self.over = lcm(*[over for _, _, over in parts])
        self.total = 0
        self.by_line = by_line = defaultdict[str | None, int](int)
        for lines, amounts, over in parts:
            scale = self.over // over
            self.total += sum(amounts) * scale
            for line, amount in zip(lines, amounts, strict=True):
                by_line[line[0]] += amount * scale

    def multiplied(self, rule: Rule, lines: Iterable[str | None]) -> tuple[list[int], int]:
        """Return what the multiplier ``rule`` adds at ``lines``: amounts, and what they are over."""
        gain, over = rule.gain
        if rule.is_of_lines:
            return [self.by_line[line] * gain for line in lines], self.over * over
        return [self.total * gain], self.over * over
