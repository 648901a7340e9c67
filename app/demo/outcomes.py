"""Account for what the server answered to each basket: every one read is awarded, accepted or refused."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

EMPTY_BASKET = "no_line_left"


@dataclass(slots=True)
class Outcomes:
    """The sums over the answers; ``read`` = ``awarded`` + ``accepted`` + the sum of ``refused``.

    ``replayed`` of them the server knew already; ``awarded_new`` and ``points_new`` are what this run made it pay.
    ``unclaimed`` counts the packaging and materials that no published factor covers: they claim 0. ``sample`` is the
    id of an awarded basket.
    """

    read: int = 0
    awarded: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    replayed: int = 0
    awarded_new: int = 0
    points_new: int = 0
    points: int = 0
    points_pending: int = 0
    sample: str = ""
    by_campaign: Counter[str] = field(default_factory=Counter)
    by_member: Counter[str] = field(default_factory=Counter)
    impact: Counter[str] = field(default_factory=Counter)
    unclaimed: Counter[str] = field(default_factory=Counter)

    def add(
        self, sent: Mapping[str, Any], status: int, answer: Mapping[str, Any] | None, code: str, now: datetime
    ) -> None:
        """Count the answer to one basket: the outcome where it was taken, the problem's ``code`` where not."""
        self.read += 1
        if answer is None:
            self.refused[code if sent["lines"] else EMPTY_BASKET] += 1
            return
        points = answer["points"]["awarded"]
        self.awarded += points > 0
        self.accepted += points == 0
        self.replayed += status == 200
        self.points += points
        if status != 200:
            self.points_new += points
            self.awarded_new += points > 0
        for award in answer["awards"]:
            self.by_campaign[award["campaign"]] += award["points"]
            if award["available_at"] is None or datetime.fromisoformat(award["available_at"]) > now:
                self.points_pending += award["points"]
        if points:
            self.sample = self.sample or sent["id"]
            self.by_member[sent["member"]["ref"]] += points
        for entry in answer["impact"]:
            if entry["metric"] is None:
                self.unclaimed[entry["subject"]] += 1
            else:
                self.impact[entry["metric"]] += entry["value"]

    def merge(self, other: "Outcomes") -> None:
        """Add the sums of ``other``."""
        self.sample = self.sample or other.sample
        for name in (
            "read",
            "awarded",
            "accepted",
            "replayed",
            "awarded_new",
            "points_new",
            "points",
            "points_pending",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("refused", "by_campaign", "by_member", "impact", "unclaimed"):
            getattr(self, name).update(getattr(other, name))
