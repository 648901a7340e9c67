"""A rule of one campaign version, compiled: what evaluation needs of it, worked out once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from app.campaigns.audiences import Audience
from app.campaigns.expressions import Condition, Formula, Reads
from app.campaigns.schedules import Schedule
from app.ledger.service import ExpiryTerms, PendingTerms

DIMENSIONS = ("certifications", "packaging", "materials", "categories", "merchants")
_NOTHING: Reads = frozenset()
# What a point is paid for, by type of award: the field of a line, and what the points are over.
_MEASURES = {"per_unit": ("quantity", None), "per_amount": ("total", "per"), "per_weight": ("weight_g", "per_g")}


@dataclass(frozen=True)
class Limit:
    """At most ``amount`` points, or activities paid for (``count``), by a subject in each period of its calendar."""

    unit: str
    by: str
    per: str
    amount: int

    @cached_property
    def key(self) -> str:
        """What the limit is known by within its rule, whatever the version of the campaign."""
        return f"{self.by}:{self.unit}:{self.per}"

    @cached_property
    def code(self) -> str:
        """The reason code of what it cuts."""
        return "budget_exhausted" if self.by == "campaign" else f"limit_reached_{self.by}"


@dataclass(frozen=True, slots=True)
class Stacking:
    """The group in which a rule competes with others of the programme, and how: ``sum``, ``best`` or ``exclusive``."""

    group: str
    mode: str


@dataclass(frozen=True)
class Rule:
    """A rule of one campaign version, compiled.

    ``descriptions``, ``audience``, ``schedule``, ``holdout_percent``, ``budget_points`` and ``funder`` are the
    campaign's; ``priority`` is the rule's own, or the campaign's where it has none. ``funder`` None is the programme.
    """

    campaign_id: UUID
    campaign_key: str
    version_id: UUID
    version: int
    key: str
    kind: str
    scope: str
    match: Mapping[str, frozenset[str]]
    condition: Condition | None
    award: Mapping[str, Any]
    formula: Formula | None
    minimum: int | None
    maximum: int | None
    rounding: str
    pending: PendingTerms | None
    expiry: ExpiryTerms | None
    minimum_rank: int
    priority: int
    stacking: Stacking | None
    limits: tuple[Limit, ...]
    schedule: Schedule
    audience: Audience | None
    holdout_percent: int
    budget_points: int | None
    funder: UUID | None
    labels: Mapping[str, str]
    campaign_labels: Mapping[str, str]
    descriptions: Mapping[str, str]

    @cached_property
    def order(self) -> tuple[int, str, str]:
        """The place of the rule among all: lower first."""
        return self.priority, self.campaign_key, self.key

    @cached_property
    def is_of_lines(self) -> bool:
        """Whether it looks at each line alone."""
        return self.scope == "line"

    @cached_property
    def is_multiplier(self) -> bool:
        """Whether it adds to what other rules pay."""
        return bool(self.award["type"] == "multiplier")

    @cached_property
    def gain(self) -> tuple[int, int]:
        """A multiplier's factor less one, as a whole amount and what it is over."""
        return (Decimal(self.award["factor"]) - 1).as_integer_ratio()

    @cached_property
    def rate(self) -> tuple[int, int]:
        """The points of a base rule for one of its ``measure``, as a whole amount and what it is over."""
        _, over = _MEASURES.get(self.award["type"], (None, None))
        return self.award["points"], 1 if over is None else self.award[over]

    @cached_property
    def measure(self) -> str | None:
        """The field of a line that a base rule counts, None where it pays the same for any."""
        return _MEASURES.get(self.award["type"], (None, None))[0]

    @cached_property
    def currency(self) -> str | None:
        """The currency in which it counts amounts, if it does."""
        return self.award.get("currency")

    @cached_property
    def reads(self) -> Reads:
        """What its condition and its formula may read."""
        return _NOTHING.union(*(each.reads for each in (self.condition, self.formula) if each is not None))

    @cached_property
    def audience_reads(self) -> Reads:
        """What the condition of its audience may read."""
        return _NOTHING if self.audience is None or self.audience.condition is None else self.audience.condition.reads

    @cached_property
    def anchors(self) -> tuple[tuple[str, str], ...]:
        """What the prefilter indexes: the values of the rule's most selective list."""
        for dimension in DIMENSIONS:
            if dimension in self.match:
                return tuple((dimension, value) for value in sorted(self.match[dimension]))
        return ()
