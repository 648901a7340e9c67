"""The SELECTs of campaigns and their versions, and the one insert that may meet another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session, aliased, scoped_session

from app.campaigns.models import Campaign, CampaignVersion

_Session = Session | scoped_session[Any]
_Newest = aliased(CampaignVersion)
_InForce = aliased(CampaignVersion)


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign, its newest version, and the one in force at the moment asked for, if it runs."""

    campaign: Campaign
    newest: CampaignVersion
    in_force: CampaignVersion | None


def insert_campaign(session: _Session, campaign_id: UUID, key: str, by: UUID | None, moment: datetime) -> bool:
    """Insert a campaign in state draft, and wait for another of that key; return False where there is one."""
    values = {"campaign_id": campaign_id, "key": key, "state": "draft", "revision": 1, "created_by": by,
              "created_at": moment, "updated_by": by, "updated_at": moment}  # fmt: skip
    made = session.scalar(
        insert(Campaign).values(values).on_conflict_do_nothing(index_elements=["key"]).returning(Campaign.campaign_id)
    )
    return made is not None


def find_campaign_id(session: _Session, key: str) -> UUID | None:
    """Return the id of the campaign of that key."""
    return session.scalar(select(Campaign.campaign_id).where(Campaign.key == key))


def has_campaign(session: _Session, campaign_id: UUID) -> bool:
    """Return whether there is a campaign of that id."""
    return session.scalar(select(Campaign.campaign_id).where(Campaign.campaign_id == campaign_id)) is not None


def find_last_editor(session: _Session, key: str) -> UUID | None:
    """Return the last member of staff who changed the campaign of that key, None where there is none of either."""
    return session.scalar(select(Campaign.updated_by).where(Campaign.key == key))


def lock_campaign(session: _Session, campaign_id: UUID) -> Campaign | None:
    """Return the campaign, locked."""
    return session.get(Campaign, campaign_id, populate_existing=True, with_for_update=True)


def get_newest_version(session: _Session, campaign_id: UUID) -> CampaignVersion:
    """Return the campaign's newest version; each has one."""
    return session.scalars(
        select(CampaignVersion)
        .where(CampaignVersion.campaign_id == campaign_id)
        .order_by(CampaignVersion.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one()


def find_version_in_force(session: _Session, campaign_id: UUID, moment: datetime) -> CampaignVersion | None:
    """Return the version that pays for activities of ``moment``, if the campaign runs."""
    return session.scalar(
        select(CampaignVersion)
        .where(CampaignVersion.campaign_id == campaign_id, CampaignVersion.active_from <= moment)
        .order_by(CampaignVersion.active_from.desc(), CampaignVersion.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def list_documents_in_force(session: _Session, but: str, moment: datetime, limit: int) -> list[dict[str, Any]]:
    """Return the documents of active campaigns at ``moment``, put in force last first, but for the campaign ``but``."""
    newest = (
        select(CampaignVersion.document, CampaignVersion.active_from)
        .join(Campaign, Campaign.campaign_id == CampaignVersion.campaign_id)
        .where(Campaign.state == "active", Campaign.key != but, CampaignVersion.active_from <= moment)
        .ext(distinct_on(CampaignVersion.campaign_id))
        .order_by(CampaignVersion.campaign_id, CampaignVersion.active_from.desc(), CampaignVersion.number.desc())
        .subquery()
    )
    return list(session.scalars(select(newest.c.document).order_by(newest.c.active_from.desc()).limit(limit)))


def find_last_start(session: _Session, campaign_id: UUID) -> datetime | None:
    """Return the newest moment from which a version of the campaign is in force."""
    return session.scalar(
        select(func.max(CampaignVersion.active_from)).where(CampaignVersion.campaign_id == campaign_id)
    )


def list_authors_since_approved(session: _Session, campaign_id: UUID) -> Sequence[UUID | None]:
    """Return who wrote the campaign's versions after the last that was approved."""
    approved = (
        select(func.coalesce(func.max(CampaignVersion.number), 0))
        .where(CampaignVersion.campaign_id == campaign_id, CampaignVersion.state == "approved")
        .scalar_subquery()
    )
    return session.scalars(
        select(CampaignVersion.created_by).where(
            CampaignVersion.campaign_id == campaign_id, CampaignVersion.number > approved
        )
    ).all()


def list_version_ids(session: _Session, campaign_id: UUID) -> list[UUID]:
    """Return the ids of all versions of the campaign."""
    query = select(CampaignVersion.campaign_version_id).where(CampaignVersion.campaign_id == campaign_id)
    return list(session.scalars(query))


def list_versions(session: _Session, campaign_id: UUID, before: int | None, limit: int) -> Sequence[CampaignVersion]:
    """Return the campaign's versions, newest first, before the number ``before``."""
    query = select(CampaignVersion).where(CampaignVersion.campaign_id == campaign_id)
    if before is not None:
        query = query.where(CampaignVersion.number < before)
    return session.scalars(query.order_by(CampaignVersion.number.desc()).limit(limit)).all()


def find_document(session: _Session, version_id: UUID) -> dict[str, Any] | None:
    """Return the document of a version."""
    return session.scalar(select(CampaignVersion.document).where(CampaignVersion.campaign_version_id == version_id))


def find_standing(session: _Session, campaign_id: UUID, moment: datetime) -> Standing | None:
    """Return how the campaign stands at ``moment``, read at once."""
    row = session.execute(_standings(moment).where(Campaign.campaign_id == campaign_id)).first()
    return None if row is None else Standing(*row)


def list_standings(
    session: _Session, state: str | None, before: UUID | None, limit: int, moment: datetime
) -> list[Standing]:
    """Return how the campaigns in ``state``, made before ``before``, stand at ``moment``, newest first."""
    query = _standings(moment).order_by(Campaign.campaign_id.desc()).limit(limit)
    if state is not None:
        query = query.where(Campaign.state == state)
    if before is not None:
        query = query.where(Campaign.campaign_id < before)
    return [Standing(*row) for row in session.execute(query)]


def _standings(moment: datetime) -> Any:
    own = select(CampaignVersion.campaign_version_id).where(CampaignVersion.campaign_id == Campaign.campaign_id)
    newest = own.order_by(CampaignVersion.number.desc()).limit(1).correlate(Campaign).scalar_subquery()
    in_force = (
        own.where(CampaignVersion.active_from <= moment)
        .order_by(CampaignVersion.active_from.desc(), CampaignVersion.number.desc())
        .limit(1)
        .correlate(Campaign)
        .scalar_subquery()
    )
    return (
        select(Campaign, _Newest, _InForce)
        .select_from(Campaign)
        .join(_Newest, _Newest.campaign_version_id == newest)
        .outerjoin(_InForce, _InForce.campaign_version_id == in_force)
        .execution_options(populate_existing=True)
    )
