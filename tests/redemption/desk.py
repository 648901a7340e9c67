"""The people who make rewards, at their desk; and documents with only what a test cares about named."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import world

PATH = "/v1/admin/rewards"
VOUCHER = {"discount": "amount", "value": 500, "currency": "EUR"}


def reward_document(**changes: Any) -> dict[str, Any]:
    """Return a document: a voucher of 5 EUR for 100 points, with ``changes``."""
    document = {
        "key": "refill", "kind": "voucher_generated", "names": {"en": "5 EUR off"}, "points": 100, "voucher": VOUCHER,
    }  # fmt: skip
    return document | changes


def product_document(**changes: Any) -> dict[str, Any]:
    """Return a document of a product for 100 points, with ``changes``."""
    return {"key": "bottle", "kind": "product", "names": {"en": "Steel bottle"}, "points": 100} | changes


@dataclass(frozen=True)
class Desk:
    """An editor and others of the staff; what is sent names the newest ``ETag`` unless a test names another."""

    client: FlaskClient
    editor: world.Staff
    viewer: world.Staff
    admin: world.Staff

    def create(self, document: dict[str, Any] | None = None, by: world.Staff | None = None) -> TestResponse:
        """Create a reward."""
        return self.client.post(PATH, json=document or reward_document(), headers=(by or self.editor).headers)

    def get(self, key: str = "refill") -> TestResponse:
        """Read a reward."""
        return self.client.get(f"{PATH}/{key}", headers=self.viewer.headers)

    def etag(self, key: str = "refill") -> str:
        """The newest ETag."""
        return self.get(key).headers["ETag"]

    def put(
        self, document: dict[str, Any], key: str | None = None, by: world.Staff | None = None, etag: str | None = None
    ) -> TestResponse:
        """Change a reward."""
        key = key or document["key"]
        headers = (by or self.editor).headers | {"If-Match": etag or self.etag(key)}
        return self.client.put(f"{PATH}/{key}", json=document, headers=headers)

    def act(
        self, verb: str, key: str = "refill", by: world.Staff | None = None, etag: str | None = None
    ) -> TestResponse:
        """Publish, unpublish or archive a reward."""
        headers = (by or self.editor).headers | {"If-Match": etag or self.etag(key)}
        return self.client.post(f"{PATH}/{key}/{verb}", headers=headers)

    def publish(self, document: dict[str, Any] | None = None) -> dict[str, Any]:
        """Create and publish a reward and return it as staff see it."""
        made = self.create(document)
        assert made.status_code == 201, made.text
        published = self.act("publish", made.json["key"])
        assert published.status_code == 200, published.text
        found: dict[str, Any] = published.json
        return found

    def audit(self, key: str = "refill") -> list[dict[str, Any]]:
        """What the audit log says of a reward, oldest first."""
        query = f"/v1/admin/audit?limit=100&object_kind=reward&object_id={self.get(key).json['id']}"
        found: list[dict[str, Any]] = self.client.get(query, headers=self.admin.headers).json["data"]
        return found[::-1]


def make_desk(client: FlaskClient) -> Desk:
    """Return a desk with an editor, a viewer and an admin."""
    return Desk(client, *(world.make_staff(role) for role in ("editor", "viewer", "admin")))
