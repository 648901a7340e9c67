"""The people who make and decide campaigns, at their desk."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.campaigns import service
from tests import world
from tests.campaigns.documents import campaign_document

PATH = "/v1/admin/campaigns"


@dataclass(frozen=True)
class Desk:
    """Staff by role and a client; what is sent names the newest ``ETag`` unless a test names another."""

    client: FlaskClient
    editor: world.Staff
    second_editor: world.Staff
    approver: world.Staff
    admin: world.Staff

    def create(self, document: dict[str, Any] | None = None, by: world.Staff | None = None) -> TestResponse:
        """Create a campaign."""
        return self.client.post(PATH, json=document or campaign_document(), headers=(by or self.editor).headers)

    def get(self, key: str = "spring", by: world.Staff | None = None) -> TestResponse:
        """Read a campaign."""
        return self.client.get(f"{PATH}/{key}", headers=(by or self.editor).headers)

    def etag(self, key: str = "spring") -> str:
        """The newest ETag."""
        return self.get(key).headers["ETag"]

    def put(
        self, document: dict[str, Any], key: str = "spring", by: world.Staff | None = None, etag: str | None = None
    ) -> TestResponse:
        """Change a campaign."""
        headers = (by or self.editor).headers | {"If-Match": etag or self.etag(key)}
        return self.client.put(f"{PATH}/{key}", json=document, headers=headers)

    def act(
        self, verb: str, by: world.Staff | None = None, key: str = "spring", etag: str | None = None, **body: Any
    ) -> TestResponse:
        """Take a step; by the one whose role it is, unless a test says otherwise."""
        who = by or (self.approver if verb in ("approve", "reject") else self.editor)
        headers = who.headers | {"If-Match": etag or self.etag(key)}
        if verb == "reject":
            body = {"reason": "Not yet"} | body
        sent = {"json": body} if body else {}
        return self.client.post(f"{PATH}/{key}/{verb}", headers=headers, **sent)

    def run(self, *verbs: str, key: str = "spring") -> dict[str, Any]:
        """Take these steps and return the campaign as the last answer shows it."""
        answer = self.get(key)
        for verb in verbs:
            answer = self.act(verb, key=key)
            assert answer.status_code == 200, (verb, answer.text)
        found: dict[str, Any] = answer.json
        return found

    def estimate(self, points: int, key: str = "spring") -> None:
        """Bound the newest version, as a backtest does: it needs no approval where that is within the limit."""
        shown = self.get(key).json
        service.estimate_exposure(UUID(shown["id"]), shown["version"], points)

    def versions(self, key: str = "spring") -> list[dict[str, Any]]:
        """The history, newest first."""
        found: list[dict[str, Any]] = self.client.get(f"{PATH}/{key}/versions", headers=self.editor.headers).json[
            "data"
        ]
        return found

    def audit(self, key: str = "spring") -> list[dict[str, Any]]:
        """What the audit log says of a campaign, oldest first."""
        query = f"/v1/admin/audit?limit=100&object_kind=campaign&object_id={self.get(key).json['id']}"
        found: list[dict[str, Any]] = self.client.get(query, headers=self.admin.headers).json["data"]
        return found[::-1]


@pytest.fixture
def desk(app: Flask, client: FlaskClient) -> Desk:
    """Two editors, an approver and an admin."""
    people = [world.make_staff(role) for role in ("editor", "editor", "approver", "admin")]
    return Desk(client, *people)
