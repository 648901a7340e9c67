"""The demo's rewards fit their schema, cost about what they are worth, and are offered once."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.core import schemas
from app.core.database import db
from app.demo import run
from app.demo.prepare import MERCHANT_KEY, prepare, reward_documents
from app.redemption.models import PoolCode
from app.redemption.reward_schemas import RewardSchema
from tests.demo.test_programme import SETTINGS

BASE_URL = "http://127.0.0.1:1"
REWARDS = reward_documents()
MAPPED = Path(__file__).parents[2] / "app" / "demo" / "campaigns"


@pytest.mark.parametrize("reward", REWARDS, ids=lambda reward: reward["key"])
def test_every_reward_fits_its_schema_and_is_told_in_both_languages(reward: dict[str, Any]) -> None:
    read = schemas.load(RewardSchema(), reward)
    assert read["merchant"] in (MERCHANT_KEY, None)
    for texts in (read["names"], read["descriptions"]):
        assert set(texts) == {"en", "zh-CN"}


@pytest.mark.parametrize(
    "reward", [each for each in REWARDS if (each.get("voucher") or {}).get("discount") == "amount"],
    ids=lambda reward: reward["key"],
)  # fmt: skip
def test_an_amount_costs_the_points_that_are_worth_as_much(reward: dict[str, Any]) -> None:
    """A point is worth 0.01 USD, as at Bower (100 points, GBP 1.60) about 0.02; nothing is given away nor dear."""
    worth = reward["points"] * SETTINGS["point_value_micros"] / 10**4
    assert reward["voucher"]["currency"] == SETTINGS["currency"]
    assert worth == reward["voucher"]["value"]


def test_vouchers_are_good_for_categories_that_the_demo_has() -> None:
    named = {category for each in REWARDS for category in (each.get("voucher") or {}).get("categories") or ()}
    known = (MAPPED / "fresh-produce.json").read_text(encoding="utf-8")
    assert named
    assert [category for category in named if f'"{category}"' not in known] == []


def test_every_kind_that_needs_no_cause_is_shown_once() -> None:
    kinds = {reward["kind"] for reward in REWARDS}
    assert kinds == {"voucher_generated", "voucher_pool", "product", "checkout_discount"}
    assert len({reward["key"] for reward in REWARDS}) == len(REWARDS)


def test_the_demo_offers_them_once_and_leaves_what_staff_changed(context: Flask) -> None:
    data_dir = context.config["DATA_DIR"]
    prepare(data_dir, BASE_URL, [])
    found = run.read_credentials(context.config["SETTINGS"])
    client = context.test_client()
    editor = {"Authorization": f"Bearer {found['editor_token']}"}
    path = "/v1/admin/rewards/steel-bottle"
    seen = client.get(path, headers=editor)
    assert client.post(f"{path}/unpublish", headers=editor | {"If-Match": seen.headers["ETag"]}).status_code == 200
    prepare(data_dir, BASE_URL, [])
    assert client.get(path, headers=editor).json["state"] == "draft"
    codes = client.get("/v1/admin/rewards/repair-cafe-ticket", headers=editor).json["codes"]
    assert codes == {"live": {"imported": 200, "free": 200}, "test": {"imported": 50, "free": 50}}
    assert db.session.query(PoolCode).count() == 250
    member = {"Authorization": f"Bearer {found['member_token']}"}
    shown = client.get("/v1/rewards", headers=member).json["data"]
    assert {each["key"] for each in shown} == {each["key"] for each in REWARDS} - {"steel-bottle"}
    assert {each["state"] for each in shown} == {"available"}
