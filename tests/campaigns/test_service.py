"""Campaigns are checked as they are stored, and pay by the version in force when the activity occurred."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.campaigns.engine import Evaluation
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.service import evaluate, explainer, save_campaign
from app.campaigns.service.books import BOOKS_KEPT_MAX
from app.core.cache import bump
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.unit_of_work import unit_of_work
from tests.campaigns.documents import (
    MEMBER,
    MERCHANT,
    NOON,
    activity,
    campaign_document,
    line,
    missed,
    paid,
    rule_document,
)

pytestmark = pytest.mark.usefixtures("app")


def evaluated(occurred_at: datetime = NOON) -> Evaluation:
    return evaluate(activity(line("1"), occurred_at=occurred_at), MEMBER, MERCHANT, NOON)


def fixed(points: int) -> dict[str, Any]:
    return campaign_document(rule_document(award={"type": "fixed", "points": points}))


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (campaign_document(colour="green"), "/colour"),
        (campaign_document(rule_document(colour="green")), "/rules/0/colour"),
        (campaign_document(rule_document(when="activity.total >")), "/rules/0/when"),
        (campaign_document(rule_document(when="line.quantity > 1")), "/rules/0/when"),
        (campaign_document(rule_document(when="product.quantity > 1")), "/rules/0/when"),
        (campaign_document(rule_document(scope="line", when="basket.total > 1")), "/rules/0/when"),
        (campaign_document(rule_document(), rule_document(key="b", when="(")), "/rules/1/when"),
        (campaign_document(rule_document(when="x" * 2001)), "/rules/0/when"),
        (campaign_document(rule_document(), rule_document()), "/rules"),
        (campaign_document(rules=[]), "/rules"),
        (campaign_document(ends_at="2026-01-01T00:00:00Z"), "/ends_at"),
        (campaign_document(ends_at="2025-12-31T00:00:00Z"), "/ends_at"),
        (campaign_document(starts_at="2026-01-01T00:00:00"), "/starts_at"),
        (campaign_document(time_zone="Mars/Olympus"), "/time_zone"),
        (campaign_document(key="Not A Key"), "/key"),
        (campaign_document(labels={"de": "Nur deutsch"}), "/labels"),
        (campaign_document(priority=-1), "/priority"),
        (campaign_document(rule_document(kind="theft")), "/rules/0/kind"),
        (campaign_document(rule_document(scope="shop")), "/rules/0/scope"),
        (campaign_document(rule_document(match={"categories": []})), "/rules/0/match/categories"),
        (campaign_document(rule_document(match={"colours": ["red"]})), "/rules/0/match/colours"),
        (campaign_document(rule_document(award={"type": "fixed"})), "/rules/0/award/points"),
        (campaign_document(rule_document(award={"type": "fixed", "points": 0})), "/rules/0/award/points"),
        (campaign_document(rule_document(award={"type": "fixed", "points": True})), "/rules/0/award/points"),
        (campaign_document(rule_document(award={"type": "fixed", "points": 1, "per": 2})), "/rules/0/award/per"),
        (campaign_document(rule_document(award={"type": "per_amount", "points": 1, "per": 1, "currency": "EEE"})),
         "/rules/0/award/currency"),
        (campaign_document(rule_document(award={"type": "per_weight", "points": 1, "per_g": 0})),
         "/rules/0/award/per_g"),
        *(
            (campaign_document(rule_document(award={"type": "multiplier", "factor": factor})), "/rules/0/award/factor")
            for factor in ("1", "0.5", "100.01", "-2", "two", "", "NaN", "sNaN", "Infinity", "1e999999")
        ),
        (campaign_document(rule_document(minimum=0)), "/rules/0/minimum"),
        (campaign_document(rule_document(rounding="up")), "/rules/0/rounding"),
        (campaign_document(rule_document(pending={"days": 1, "until": "completed"})), "/rules/0/pending"),
        (campaign_document(rule_document(pending={})), "/rules/0/pending"),
        (campaign_document(rule_document(expiry={"months": 0})), "/rules/0/expiry/months"),
        (campaign_document(rule_document(expiry={"months": 1, "round_to": "week"})), "/rules/0/expiry/round_to"),
        (campaign_document(rule_document(minimum_evidence="hearsay")), "/rules/0/minimum_evidence"),
    ],
)  # fmt: skip
def test_a_document_that_does_not_fit_is_refused_with_its_pointer(document: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ValidationProblem) as refused:
        save_campaign(document)
    assert pointer in [error["pointer"] for error in refused.value.errors or []]
    assert db.session.scalar(select(func.count()).select_from(Campaign)) == 0


def test_every_mistake_is_told_at_once() -> None:
    document = campaign_document(rule_document(minimum=0, rounding="up"), priority=-1)
    with pytest.raises(ValidationProblem) as refused:
        save_campaign(document)
    assert {error["pointer"] for error in refused.value.errors or []} == {
        "/rules/0/minimum", "/rules/0/rounding", "/priority",
    }  # fmt: skip


def test_the_same_document_again_makes_no_new_version() -> None:
    first = save_campaign(fixed(10))
    assert save_campaign(fixed(10)) == first
    # what is left out and what is written as its default mean the same
    assert save_campaign(fixed(10) | {"priority": 100, "ends_at": None}) == first
    assert save_campaign(fixed(11)) != first
    numbers = db.session.scalars(select(CampaignVersion.number).order_by(CampaignVersion.number)).all()
    assert numbers == [1, 2]


def test_a_change_is_seen_at_once_in_this_process() -> None:
    for points in (10, 11, 12):
        save_campaign(fixed(points), active_from=NOON)
        assert paid(evaluated()) == {"rule": points}


def test_a_change_is_seen_within_a_second_in_another_application(other_app: Flask) -> None:
    save_campaign(fixed(10), active_from=NOON)
    with other_app.app_context():
        assert paid(evaluated()) == {"rule": 10}
    save_campaign(fixed(11), active_from=NOON)
    changed_at = time.monotonic()
    with other_app.app_context():
        while paid(evaluated()) == {"rule": 10}:
            assert time.monotonic() - changed_at < 1
            time.sleep(0.02)
        assert paid(evaluated()) == {"rule": 11}


def test_the_version_in_force_when_the_activity_occurred_pays() -> None:
    first = save_campaign(fixed(10), active_from=NOON - timedelta(days=10))
    second = save_campaign(fixed(20), active_from=NOON)
    assert not evaluated(NOON - timedelta(days=10, microseconds=1)).desired
    for occurred_at, version_id, number, points in (
        (NOON - timedelta(days=10), first, 1, 10),
        (NOON - timedelta(microseconds=1), first, 1, 10),
        (NOON, second, 2, 20),
        (NOON + timedelta(days=1), second, 2, 20),
    ):
        [desired] = evaluated(occurred_at).desired
        assert (desired.rule.version_id, desired.rule.version, desired.points) == (version_id, number, points)


def test_a_version_of_one_campaign_leaves_the_others_in_force() -> None:
    save_campaign(campaign_document(rule_document(key="a"), key="one"), active_from=NOON - timedelta(days=2))
    save_campaign(campaign_document(rule_document(key="b"), key="two"), active_from=NOON - timedelta(days=1))
    assert paid(evaluated(NOON - timedelta(days=2))) == {"a": 10}
    assert paid(evaluated()) == {"a": 10, "b": 10}


def set_state(state: str) -> None:
    with unit_of_work() as session:
        session.execute(update(Campaign).values(state=state))
        bump("campaigns")


def test_a_paused_campaign_says_so_and_an_ended_or_archived_one_is_not_there() -> None:
    save_campaign(fixed(10), active_from=NOON)
    set_state("paused")
    assert missed(evaluated()) == {"rule": "paused"}
    for state in ("ended", "archived", "draft"):
        set_state(state)
        assert not evaluated().desired
        assert not evaluated().missed


def test_without_an_active_from_a_version_pays_from_now_on() -> None:
    before = datetime.now(UTC)
    save_campaign(fixed(10))
    assert not evaluated(before).desired
    assert evaluated(datetime.now(UTC)).desired


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [("en", "This earned “A rule”."), ("zh-CN", "已获得“一条规则”。"), ("zh", "已获得“一条规则”。"),
     ("zh-TW", "已获得“一条规则”。"), ("de", "This earned “Eine Regel”."), ("fr", "This earned “A rule”.")],
)  # fmt: skip
def test_reasons_are_told_in_the_nearest_language(locale: str, sentence: str) -> None:
    labels = {"en": "A rule", "de": "Eine Regel", "zh-CN": "一条规则"}
    version_id = save_campaign(campaign_document(rule_document(labels=labels)))
    assert explainer(locale)(str(version_id), "rule", "matched") == (sentence, None)


def test_a_rule_that_is_gone_is_told_by_its_key() -> None:
    version_id = save_campaign(fixed(10))
    assert "gone-rule" in explainer("en")(str(version_id), "gone-rule", "matched")[0]


@pytest.mark.parametrize("state", ["ended", "archived", "draft"])
def test_a_rule_of_a_campaign_that_is_over_is_told_by_its_label(state: str) -> None:
    version_id = save_campaign(campaign_document(rule_document(labels={"en": "A rule", "zh-CN": "一条规则"})))
    set_state(state)
    assert explainer("en")(str(version_id), "rule", "matched") == ("This earned “A rule”.", None)
    assert explainer("zh-CN")(str(version_id), "rule", "matched") == ("已获得“一条规则”。", None)
    assert "gone-rule" in explainer("en")(str(version_id), "gone-rule", "matched")[0]


def test_every_one_of_many_versions_pays_in_its_own_stretch() -> None:
    hours = range(BOOKS_KEPT_MAX + 3)
    for hour in hours:
        save_campaign(fixed(hour + 1), active_from=NOON + timedelta(hours=hour))
    for hour in [*hours, *reversed(hours)]:
        assert paid(evaluated(NOON + timedelta(hours=hour, minutes=30))) == {"rule": hour + 1}
