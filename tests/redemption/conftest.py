"""A shopper with points, and the proof of the ledger after each test that has redeemed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.redemption.models import Reward
from tests import world
from tests.redemption.till import differences, give_points, post


@dataclass(frozen=True)
class Spender:
    """A signed-in shopper with 1,000 points."""

    client: FlaskClient
    member_id: UUID
    headers: dict[str, str]

    def redeem(self, reward: Reward, quantity: int = 1, key: str | None = None) -> TestResponse:
        """Ask for a reward."""
        body = {"reward_id": str(reward.reward_id), "quantity": quantity}
        return post(self.client, "/v1/redemptions", self.headers, body, key)

    def redeemed(self, reward: Reward, quantity: int = 1) -> Any:
        """Redeem a reward and return the answer's body."""
        answer = self.redeem(reward, quantity)
        assert answer.status_code == 201, answer.text
        return answer.json

    def code(self, reward: Reward) -> str:
        """Redeem a reward and return the code of its voucher."""
        return str(self.redeemed(reward)["vouchers"][0]["code"])

    def cancel(self, redemption_id: str, key: str | None = None) -> TestResponse:
        """Cancel a redemption."""
        return post(self.client, f"/v1/redemptions/{redemption_id}/cancel", self.headers, key=key)

    def get(self, redemption_id: str) -> Any:
        """Return the body of one redemption as it is shown now."""
        answer = self.client.get(f"/v1/redemptions/{redemption_id}", headers=self.headers)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
        return answer.json


@pytest.fixture
def spender(client: FlaskClient, customer: world.Customer, shopper: Callable[[UUID], dict[str, str]]) -> Any:
    """The shop's customer with 1,000 points; whatever the test did, the ledger is sound afterwards."""
    give_points(customer.member_id, 1000)
    yield Spender(client, customer.member_id, shopper(customer.member_id))
    assert differences() == []
