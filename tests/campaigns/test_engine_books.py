"""The rules in force in a process: read and compiled once a version, whatever else changes."""

import pytest
from flask import current_app
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from app.campaigns.engine import Rule
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.service import candidates, evaluate, save_campaign
from app.core.cache import bump
from app.core.clock import now
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.merchants import service as merchants
from tests.campaigns.documents import (
    MEMBER,
    MERCHANT,
    NOON,
    activity,
    campaign_document,
    line,
    missed,
    rule_document,
)

pytestmark = pytest.mark.usefixtures("app")
CAMPAIGNS = 300
BASKET = activity(line("1"))


def save_many(count: int) -> None:
    with unit_of_work():
        for number in range(count):
            save_campaign(campaign_document(rule_document(key=f"r{number}"), key=f"c{number:03}"), active_from=NOON)


def in_force() -> dict[str, Rule]:
    return {rule.key: rule for rule in candidates(BASKET, MERCHANT)}


def set_state(key: str, state: str) -> None:
    with unit_of_work() as session:
        session.execute(update(Campaign).where(Campaign.key == key).values(state=state))
        bump("campaigns")


def test_a_change_to_one_of_many_campaigns_leaves_the_compiled_rules_of_the_others() -> None:
    save_many(CAMPAIGNS)
    before = in_force()
    assert len(before) == CAMPAIGNS
    set_state("c000", "paused")
    paused = in_force()
    assert all(paused[key] is before[key] for key in before)
    assert missed(evaluate(BASKET, MEMBER, MERCHANT, NOON)) == {"r0": "paused"}
    set_state("c000", "active")
    assert missed(evaluate(BASKET, MEMBER, MERCHANT, NOON)) == {}
    save_campaign(campaign_document(rule_document(key="r0", maximum=5), key="c000"), active_from=NOON)
    changed = in_force()
    assert [key for key in before if changed[key] is not before[key]] == ["r0"]
    assert (changed["r0"].version, changed["r0"].maximum) == (2, 5)


def test_rules_of_a_campaign_that_is_over_are_let_go() -> None:
    save_many(3)
    in_force()
    set_state("c001", "ended")
    assert in_force().keys() == {"r0", "r2"}
    running = db.session.scalars(
        select(CampaignVersion.campaign_version_id).join(Campaign).where(Campaign.state == "active")
    )
    assert current_app.extensions["compiled_campaigns"].keys() == set(running)


def test_the_rules_an_activity_could_meet_are_told_without_trying_them() -> None:
    save_campaign(
        campaign_document(
            rule_document(key="any", priority=3),
            rule_document(key="toys", match={"categories": ["toys"]}),
            rule_document(key="never", when="1 / (activity.total - activity.total) > 1", priority=2),
            rule_document(key="x", kind="repair"),
        ),
        active_from=NOON,
    )  # fmt: skip
    assert [rule.key for rule in candidates(BASKET, MERCHANT)] == ["never", "any"]
    toys = activity(line("1", category="toys"))
    assert [rule.key for rule in candidates(toys, MERCHANT)] == ["never", "any", "toys"]


def test_a_rule_that_fails_is_counted() -> None:
    save_campaign(
        campaign_document(rule_document(when="1 / (activity.total - activity.total) > 1"), key="broken"),
        active_from=NOON,
    )
    labels = {"campaign": "broken", "rule": "rule"}
    before = REGISTRY.get_sample_value("greenpoints_rule_errors_total", labels) or 0
    for _ in range(2):
        assert missed(evaluate(BASKET, MEMBER, MERCHANT, NOON)) == {"rule": "rule_error"}
    assert REGISTRY.get_sample_value("greenpoints_rule_errors_total", labels) == before + 2


def test_the_funder_of_a_stored_version_is_found_again() -> None:
    shop = merchants.create_merchant(key="shop", name="Shop", time_zone="UTC", currency="EUR", moment=now())
    save_campaign(campaign_document(key="own"), active_from=NOON)
    save_campaign(campaign_document(rule_document(key="funded"), key="funded", funder="shop"), active_from=NOON)
    assert {key: rule.funder for key, rule in in_force().items()} == {"rule": None, "funded": shop.merchant_id}
