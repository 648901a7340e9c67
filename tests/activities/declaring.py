"""What the tests of self-declared activities and of their reviews share: a campaign, shoppers who declare, staff."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.campaigns.service import save_campaign
from app.core.clock import format_time
from app.programme import service as programme
from tests import world
from tests.world import AN_HOUR_AGO, LONG_AGO

DECLARE, REVIEWS, EVIDENCE = "/v1/me/activities", "/v1/admin/reviews", "/v1/me/evidence"
CUP, RIDE, MENDED, PROVEN, BOTTLES = 10, 7, 4, 25, 6


def rule_of(key: str, points: int, category: str, kind: str = "custom", **more: Any) -> dict[str, Any]:
    """Return a rule that pays so many points for a thing of that category."""
    return {
        "key": key, "kind": kind, "scope": "activity", "award": {"type": "fixed", "points": points},
        "labels": {"en": key, "zh-CN": f"规则 {key}"}, "match": {"categories": [category]},
    } | more  # fmt: skip


# a cup's points are available at once, a ride's after 14 days, what was mended when it is complete
CAMPAIGN = {
    "key": "habits", "labels": {"en": "habits", "zh-CN": "习惯"}, "starts_at": format_time(LONG_AGO),
    "rules": [
        rule_of("cup", CUP, "own-cup", expiry={"months": 12}),
        rule_of("ride", RIDE, "ride", pending={"days": 14}),
        rule_of("mended", MENDED, "mended", kind="repair", pending={"until": "completed"}),
        rule_of("bottles", BOTTLES, "bottles", kind="recycling"),
        rule_of("proven", PROVEN, "proven", minimum_evidence="photo"),
        rule_of("seen", 50, "seen", minimum_evidence="staff"),
    ],
}  # fmt: skip


def load_habits() -> None:
    """Put the campaign of habits in force."""
    save_campaign(CAMPAIGN, active_from=LONG_AGO)


def change_programme(**changes: Any) -> None:
    """Change some of the programme's settings."""
    programme.change(programme.DEFAULTS | changes)


def declared(name: str = "cup-1", category: str = "own-cup", **changes: Any) -> dict[str, Any]:
    """Return what a shopper declares: one thing of that category, an hour before the run."""
    return {
        "id": name, "kind": "custom", "occurred_at": AN_HOUR_AGO, "lines": [{"id": "1", "category": category}],
    } | changes  # fmt: skip


def bottles(name: str = "bottles-1") -> dict[str, Any]:
    """Return a kilogram of bottles that a shopper has recycled: it earns ``BOTTLES`` and books impact."""
    line = {"id": "1", "category": "bottles", "material": "PET", "weight_g": 1000, "pieces": 20}
    return declared(name, kind="recycling", lines=[line])


@dataclass(frozen=True)
class Shopper:
    """A member who is signed in, with a client."""

    client: FlaskClient
    member_id: UUID
    headers: dict[str, str]

    def declare(self, body: Any = None, **options: Any) -> TestResponse:
        """Declare something, a cup of one's own unless it is said what."""
        return self.client.post(DECLARE, json=declared() if body is None else body, headers=self.headers, **options)

    def upload(self, raw: bytes) -> str:
        """Upload a picture and return its id."""
        answer = self.client.post(EVIDENCE, data=raw, content_type="image/jpeg", headers=self.headers)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json["id"])

    def get(self, path: str) -> Any:
        """Return what is at ``path``."""
        answer = self.client.get(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    def activity(self, answer: TestResponse) -> Any:
        """Return what was declared, as it stands."""
        return self.get(f"{DECLARE}/{answer.json['id']}")

    @property
    def wallet(self) -> Any:
        """The shopper's wallet."""
        return self.get("/v1/me/wallet")


@dataclass(frozen=True)
class Desk:
    """A member of staff who reviews."""

    client: FlaskClient
    staff: world.Staff

    def queue(self, **filters: Any) -> list[Any]:
        """Return the first page of the queue."""
        answer = self.client.get(REVIEWS, query_string=filters, headers=self.staff.headers)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json["data"]
        return found

    def review_of(self, answer: TestResponse) -> Any:
        """Return the review of what was declared."""
        [found] = [each for each in self.queue(limit=100) if each["activity"]["id"] == answer.json["id"]]
        return found

    def approve(self, review: Any) -> TestResponse:
        """Approve a review."""
        return self.client.post(f"{REVIEWS}/{review['id']}/approve", headers=self.staff.headers)

    def reject(self, review: Any, reason: str = "picture_unclear", **more: Any) -> TestResponse:
        """Turn a review down."""
        body = {"reason": reason} | more
        return self.client.post(f"{REVIEWS}/{review['id']}/reject", json=body, headers=self.staff.headers)
