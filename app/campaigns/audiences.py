"""Who a campaign is for: by tier, region, tag, age of membership or a condition; and who is held out of it. Pure."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import cel

from app.campaigns.expressions import Condition

_BUCKETS = 10_000


@dataclass(frozen=True)
class Audience:
    """The members that a campaign is for: one of each list that is given, and all of the parts that are.

    A region that is a country has its subdivisions in it. The days of membership are bounds inclusive.
    """

    tiers: frozenset[str] | None
    regions: frozenset[str] | None
    tags: frozenset[str] | None
    age_days_min: int | None
    age_days_max: int | None
    condition: Condition | None

    def admits(self, member: Mapping[str, Any], context: Callable[[], cel.Context]) -> bool:
        """Return whether ``member`` belongs to it; raise ExpressionError where the condition has no answer.

        ``context`` gives the condition its variables and is called only where there is one to ask.
        """
        if self.tiers is not None and member["tier"] not in self.tiers:
            return False
        if self.regions is not None and not self._has_region(member["region"]):
            return False
        if self.tags is not None and self.tags.isdisjoint(member["tags"]):
            return False
        if self.age_days_min is not None and member["age_days"] < self.age_days_min:
            return False
        if self.age_days_max is not None and member["age_days"] > self.age_days_max:
            return False
        return self.condition is None or self.condition.holds(context())

    def _has_region(self, region: str | None) -> bool:
        assert self.regions is not None
        return region is not None and (region in self.regions or region.partition("-")[0] in self.regions)


def is_held_out(campaign_id: UUID, member_id: UUID, percent: int) -> bool:
    """Return whether the member is one of the ``percent`` of members that a campaign holds out to compare with.

    The same for all time: a higher percentage holds out these and more.
    """
    digest = hashlib.sha256(campaign_id.bytes + member_id.bytes).digest()
    return int.from_bytes(digest[:4], "big") % _BUCKETS < percent * 100
