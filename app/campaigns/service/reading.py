"""What staff see of campaigns: one, a page of them, and the history of one."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.campaigns import lifecycle, queries
from app.campaigns.errors import CampaignNotFound
from app.campaigns.models import CampaignVersion
from app.campaigns.schemas import KEY
from app.campaigns.service.budgets import read_budgets
from app.core.clock import now
from app.core.database import db
from app.programme import service as programme

EXPORT_FORMAT = "greenpoints-campaign/1"


def resolve_campaign(any_id: str) -> UUID:
    """Return the id of the campaign of that id or, where there is none, of that key; raise CampaignNotFound."""
    try:
        campaign_id: UUID | None = UUID(any_id)
    except ValueError:
        campaign_id = None
    if campaign_id is None or not queries.has_campaign(db.session, campaign_id):
        campaign_id = queries.find_campaign_id(db.session, any_id) if re.match(KEY, any_id) else None
    if campaign_id is None:
        raise CampaignNotFound
    return campaign_id


def is_of_staff(key: str) -> bool:
    """Return whether staff made the campaign of that key or ever changed it: a command leaves such a one alone."""
    return queries.find_last_editor(db.session, key) is not None


def get_campaign(campaign_id: UUID) -> dict[str, Any]:
    """Return the campaign as staff see it, with its newest document and its ``revision``; raise CampaignNotFound."""
    standing = _find(campaign_id)
    newest = standing.newest
    return _summary(standing, budget_left([standing])) | {
        "document": newest.document,
        "exposure_points": lifecycle.exposure_of(newest.document, newest.exposure_points),
        "needs_approval": _needs_approval(standing),
        "warnings": newest.warnings,
        "override_reason": newest.override_reason,
        "rejection": None
        if newest.rejected_at is None
        else {"reason": newest.reject_reason, "by": newest.rejected_by, "at": newest.rejected_at},
        "revision": standing.campaign.revision,
    }


def list_campaigns(state: str | None, before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return one page of campaigns, newest first, without their documents."""
    standings = queries.list_standings(db.session, state, before, limit, now())
    budgets = budget_left(standings)
    return [_summary(standing, budgets) for standing in standings]


def list_versions(campaign_id: UUID, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return one page of the campaign's versions, newest first: who did what to each and when, and its document."""
    standing = _find(campaign_id)
    found = queries.list_versions(db.session, campaign_id, before, limit)
    return [_version(standing, version, now()) for version in found]


def export_campaign(campaign_id: UUID) -> dict[str, Any]:
    """Return the newest version as a document that another installation can import."""
    return {"format": EXPORT_FORMAT, "campaign": _find(campaign_id).newest.document}


def budget_left(standings: Sequence[queries.Standing]) -> dict[UUID, dict[str, int] | None]:
    """Return the budget of each campaign with what is paid and left of it, None where it has none.

    It is that of the version in force, from which is paid, or of the newest where none was in force yet.
    """
    budgets = read_budgets([standing.campaign.campaign_id for standing in standings])
    found: dict[UUID, dict[str, int] | None] = {}
    for standing in standings:
        points = lifecycle.budget_points((standing.in_force or standing.newest).document)
        paid = budgets.get(standing.campaign.campaign_id)
        shown = None if points is None else {"points": points, "paid": 0, "left": points}
        if paid is not None:
            shown = {"points": paid.points, "paid": paid.paid, "left": paid.left}
        found[standing.campaign.campaign_id] = shown
    return found


def _find(campaign_id: UUID) -> queries.Standing:
    standing = queries.find_standing(db.session, campaign_id, now())
    if standing is None:
        raise CampaignNotFound
    return standing


def _summary(standing: queries.Standing, budgets: dict[UUID, dict[str, int] | None]) -> dict[str, Any]:
    campaign, newest, in_force = standing.campaign, standing.newest, standing.in_force
    is_running = campaign.state in lifecycle.RUNNING
    is_change = is_running and newest.active_from is None
    return {
        "id": campaign.campaign_id,
        "key": campaign.key,
        "labels": newest.document["labels"],
        "state": campaign.state,
        "version": newest.number,
        "in_force_version": in_force.number if is_running and in_force is not None else None,
        "change": {"version": newest.number, "state": newest.state} if is_change else None,
        "budget": budgets[campaign.campaign_id],
        "created_by": campaign.created_by,
        "created_at": campaign.created_at,
        "updated_by": campaign.updated_by,
        "updated_at": campaign.updated_at,
    }


def _needs_approval(standing: queries.Standing) -> bool:
    """Return whether the newest version can come in force by the approval of a second person alone."""
    newest = standing.newest
    is_settled = newest.active_from is not None or newest.state == "approved"
    if is_settled or standing.campaign.state in lifecycle.CLOSED:
        return False
    exposure = lifecycle.exposure_of(newest.document, newest.exposure_points)
    is_within = lifecycle.is_within(exposure, programme.current().campaign_exposure_points_max_alone)
    return not is_within or any(finding["severity"] == "error" for finding in newest.warnings)


def _version(standing: queries.Standing, version: CampaignVersion, moment: datetime) -> dict[str, Any]:
    return {
        "version": version.number,
        "state": _version_state(standing, version, moment),
        "document": version.document,
        "exposure_points": lifecycle.exposure_of(version.document, version.exposure_points),
        "warnings": version.warnings,
        "created_by": version.created_by,
        "created_at": version.created_at,
        "submitted_by": version.submitted_by,
        "submitted_at": version.submitted_at,
        "approved_by": version.approved_by,
        "approved_at": version.approved_at,
        "override_reason": version.override_reason,
        "rejected_by": version.rejected_by,
        "rejected_at": version.rejected_at,
        "reject_reason": version.reject_reason,
        "activated_by": version.activated_by,
        "active_from": version.active_from,
    }


def _version_state(standing: queries.Standing, version: CampaignVersion, moment: datetime) -> str:
    """Return how a version stands: in force, to come, over, dropped before it ever was in force, or in review."""
    campaign, in_force = standing.campaign, standing.in_force
    is_running = campaign.state in lifecycle.RUNNING
    if version.active_from is not None:
        if is_running and in_force is not None and version.number == in_force.number:
            return "in_force"
        return "scheduled" if is_running and version.active_from > moment else "past"
    if version.number < standing.newest.number or (campaign.state in lifecycle.CLOSED and in_force is not None):
        return "dropped"
    return version.state
