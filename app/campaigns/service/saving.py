"""Store campaign documents as immutable versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import cache, schemas
from app.core.clock import now
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work

_schema = CampaignSchema()


def save_campaign(document: dict[str, Any], active_from: datetime | None = None) -> UUID:
    """Store ``document`` as the newest version of the campaign of its key, active, and return the version's id.

    The version pays for activities that occurred from ``active_from`` on, by default from now. The same document as
    the newest version changes nothing. Raises ValidationProblem.
    """
    read = schemas.load(_schema, document)
    compile_rules(read, campaign_id=new_id(), version_id=new_id(), version=1, is_paused=False)
    moment = now()
    with unit_of_work() as session:
        # a row lock would not hold before the campaign's first version
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('campaign:' || :key))"), {"key": read["key"]})
        campaign = session.scalar(select(Campaign).where(Campaign.key == read["key"]))
        if campaign is None:
            campaign = Campaign(campaign_id=new_id(), key=read["key"], state="active", created_at=moment)
            session.add(campaign)
            session.flush()
        newest = session.scalar(
            select(CampaignVersion)
            .where(CampaignVersion.campaign_id == campaign.campaign_id)
            .order_by(CampaignVersion.number.desc())
            .limit(1)
        )
        if newest is not None and _schema.load(newest.document) == read:
            known_id: UUID = newest.campaign_version_id
            return known_id
        version = CampaignVersion(
            campaign_version_id=new_id(), campaign_id=campaign.campaign_id, number=(newest.number if newest else 0) + 1,
            document=document, active_from=active_from or moment, created_at=moment,
        )  # fmt: skip
        session.add(version)
        cache.bump("campaigns")
        version_id: UUID = version.campaign_version_id
        return version_id
