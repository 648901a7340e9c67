"""A member whom a campaign holds out gets nothing from it, by award and by preview; the others do."""

from sqlalchemy import select

from app.campaigns.models import Campaign
from app.campaigns.service import is_held_out, save_campaign
from app.core.database import db
from tests import world
from tests.world import LONG_AGO, basket

COMPARED = {
    "key": "compared",
    "labels": {"en": "Compared"},
    "starts_at": "2020-01-01T00:00:00Z",
    "holdout_percent": 50,
    "rules": [
        {
            "key": "compared", "kind": "purchase", "scope": "activity", "award": {"type": "fixed", "points": 500},
            "labels": {"en": "Compared"},
        }
    ],
}  # fmt: skip


def test_members_who_are_held_out_earn_nothing_and_are_told_so(client, shop):
    save_campaign(COMPARED, active_from=LONG_AGO)
    campaign_id = db.session.scalars(select(Campaign.campaign_id).where(Campaign.key == "compared")).one()
    seen = set()
    for number, customer in enumerate(world.make_customers(shop, 20)):
        held_out = is_held_out(campaign_id, customer.member_id, 50)
        seen.add(held_out)
        body = basket(customer.ref, id=f"order-{number}")
        preview = client.post("/v1/previews", json={k: body[k] for k in body if k != "id"}, headers=shop.live).json
        awarded = client.post("/v1/activities", json=body, headers=shop.live).json
        for answer in (preview, awarded):
            assert ("compared" in [award["rule"] for award in answer["awards"]]) is not held_out
            reasons = {missed["rule"]: missed["code"] for missed in answer["missed"]}
            assert reasons.get("compared") == ("not_in_audience" if held_out else None)
    assert seen == {True, False}  # of 20, all alike is as likely as 1 in 500,000
