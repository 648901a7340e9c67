"""Change a campaign: the frame that every change shares, and the two steps that several of them take.

The campaign's row is locked first, so that changes follow each other; then what the caller has seen is checked, and
only then does anything look at the versions. What was changed is counted and goes to the audit log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.campaigns import lifecycle, queries
from app.campaigns.checking.linting import Finding
from app.campaigns.errors import CampaignClosed, CampaignNotFound, WrongCampaignState
from app.campaigns.models import Campaign, CampaignVersion
from app.campaigns.service.budgets import set_budget
from app.campaigns.service.checks import as_json, needs_override
from app.core import cache
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.preconditions import Seen
from app.core.unit_of_work import unit_of_work
from app.programme import service as programme
from app.staff import service as staff


@dataclass(slots=True)
class Opened:
    """A campaign locked for a change at ``moment`` by ``by``, null for a command."""

    campaign: Campaign
    newest: CampaignVersion
    in_force: CampaignVersion | None
    by: UUID | None
    moment: datetime

    @property
    def waiting(self) -> CampaignVersion | None:
        """The newest version where it is not in force: what may be submitted, approved, rejected and activated."""
        return self.newest if self.newest.active_from is None else None

    def wrong_state(self) -> WrongCampaignState:
        """Return the error that says how the campaign and its change stand."""
        state = self.campaign.state
        change = self.waiting.state if state in lifecycle.RUNNING and self.waiting is not None else None
        detail = f"The campaign is {state}." if change is None else f"The campaign is {state}, its change {change}."
        return WrongCampaignState(detail, campaign_state=state, change_state=change)

    def check_open(self) -> None:
        """Raise CampaignClosed where the campaign has ended or is archived."""
        if self.campaign.state in lifecycle.CLOSED:
            raise CampaignClosed(f"The campaign is {self.campaign.state}.", campaign_state=self.campaign.state)


@contextmanager
def changing(campaign_id: UUID, seen: Seen | None, verb: str, by: UUID | None) -> Iterator[Opened]:
    """Lock the campaign for what the block does to it; count and audit it afterwards, unless nothing was changed.

    ``verb`` is how the audit log names it. Raises CampaignNotFound, and PreconditionFailed where the campaign is not
    as ``seen``; a command has seen nothing and passes None.
    """
    with unit_of_work() as session:
        campaign = queries.lock_campaign(session, campaign_id)
        if campaign is None:
            raise CampaignNotFound
        if seen is not None:
            seen.check(campaign.revision)
        moment = now()  # after the wait for the lock, so that changes are dated in their order
        newest = queries.get_newest_version(session, campaign_id)
        opened = Opened(campaign, newest, queries.find_version_in_force(session, campaign_id, moment), by, moment)
        before = _state_of(opened)
        yield opened
        after = _state_of(opened)
        if after == before:
            return
        campaign.revision += 1
        campaign.updated_by, campaign.updated_at = by or campaign.updated_by, moment
        session.flush()
        if after["version"] == before["version"]:
            del before["document"], after["document"]
        audit(verb, campaign_id, before, after, moment)


def audit(verb: str, campaign_id: UUID, before: dict[str, Any] | None, after: dict[str, Any], moment: datetime) -> None:
    """Record what became of a campaign."""
    staff.record_audit(f"campaign.{verb}", "campaign", campaign_id, before=before, after=after, moment=moment)


def _state_of(opened: Opened) -> dict[str, Any]:
    """Return what the audit log keeps of the campaign; two such differ where anything was changed."""
    newest = opened.newest
    return {
        "key": opened.campaign.key,
        "state": opened.campaign.state,
        "version": newest.number,
        "version_state": newest.state,
        "in_force_version": opened.in_force.number if opened.in_force else None,
        "active_from": newest.active_from,
        "exposure_points": lifecycle.exposure_of(newest.document, newest.exposure_points),
        "submitted_by": newest.submitted_by,
        "approved_by": newest.approved_by,
        "override_reason": newest.override_reason,
        "rejected_by": newest.rejected_by,
        "rejected_at": newest.rejected_at,
        "reject_reason": newest.reject_reason,
        "document": newest.document,
    }


def new_version(
    campaign_id: UUID, number: int, document: dict[str, Any], findings: list[Finding], by: UUID | None, moment: datetime
) -> CampaignVersion:
    """Add a version in state draft."""
    version = CampaignVersion(
        campaign_version_id=new_id(), campaign_id=campaign_id, number=number, document=document, state="draft",
        warnings=as_json(findings), created_by=by, created_at=moment,
    )  # fmt: skip
    db.session.add(version)
    db.session.flush()
    return version


def may_go_alone(version: CampaignVersion, findings: list[Finding]) -> bool:
    """Return whether one person alone may put ``version`` in force."""
    exposure = lifecycle.exposure_of(version.document, version.exposure_points)
    limit = programme.current().campaign_exposure_points_max_alone
    return lifecycle.is_within(exposure, limit) and not needs_override(findings)


def put_in_force(opened: Opened, active_from: datetime | None = None) -> None:
    """Let the newest version pay from ``active_from`` on, by default from now, and the campaign run unless paused."""
    version, last = opened.newest, queries.find_last_start(db.session, opened.campaign.campaign_id)
    # whatever the clocks of two machines say, a version follows the one before it
    version.active_from = active_from or max(opened.moment, last or opened.moment)
    version.activated_by = opened.by
    if opened.campaign.state != "paused":
        opened.campaign.state = "active"
    db.session.flush()
    opened.in_force = queries.find_version_in_force(db.session, opened.campaign.campaign_id, opened.moment)
    version_ids = queries.list_version_ids(db.session, opened.campaign.campaign_id)
    set_budget(db.session, opened.campaign.campaign_id, lifecycle.budget_points(version.document), version_ids)
    cache.bump("campaigns")
