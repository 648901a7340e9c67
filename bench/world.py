"""The world that is measured: real servers with durability on, a programme of one rule, members and a merchant."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flask import Flask

from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core.clock import now
from app.impact import service as impact
from app.members import service as members
from app.merchants import service as merchants

MEMBERS = 10_000
CAMPAIGN = {
    "key": "bench",
    "labels": {"en": "A point for each unit of money"},
    "starts_at": "2020-01-01T00:00:00Z",
    "rules": [
        {
            "key": "spend",
            "kind": "purchase",
            "scope": "activity",
            "award": {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"},
            "pending": {"days": 14},
            "expiry": {"months": 12, "round_to": "month"},
            "labels": {"en": "Every euro"},
        }
    ],
}


@dataclass(frozen=True)
class World:
    """What the load needs to know: the merchant's key, and that its customers are c0, c1, … of ``members``.

    ``awarded`` are the customers' ids; ``others`` are members whom the load leaves alone.
    """

    key: str
    members: int
    awarded: list[UUID]
    others: list[UUID]


def build(app: Flask, others: int) -> World:
    """Fill the empty, migrated database of ``app``; ``others`` is the number of members beside the customers."""
    with app.app_context():
        moment = now()
        merchant = merchants.create_merchant(key="bench", name="Bench", time_zone="UTC", currency="EUR", moment=moment)
        enrolled = members.enrol_many(MEMBERS, moment=moment)
        beside = members.enrol_many(others, moment=moment)
        links = [(f"c{number}", member.member_id) for number, member in enumerate(enrolled)]
        merchants.link_customers(merchant.merchant_id, True, links, moment)
        _, key = merchants.issue_key(merchant.merchant_id, live=True, moment=moment)
        catalog.load_reference()
        impact.load_reference()
        campaigns.save_campaign(CAMPAIGN, active_from=datetime(2020, 1, 1, tzinfo=UTC))
    return World(key, MEMBERS, [member.member_id for member in enrolled], [member.member_id for member in beside])
