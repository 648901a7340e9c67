"""What people do with a campaign: submit, approve, reject, activate, pause, end and archive it.

See ``app.campaigns.lifecycle`` for the rules. Every step takes what the caller has ``seen``, raises PreconditionFailed
where the campaign is another by now, CampaignNotFound, CampaignClosed where it is over and WrongCampaignState where it
is not up to this step, and returns the campaign as it is then.
"""

from typing import Any
from uuid import UUID

from app.campaigns import queries
from app.campaigns.checking.linting import Finding
from app.campaigns.errors import ApprovalNeeded, CampaignClosed, OverrideReasonNeeded, SecondPersonNeeded
from app.campaigns.lifecycle import CLOSED, RUNNING, exposure_of, may_approve
from app.campaigns.models import CampaignVersion
from app.campaigns.service.changing import Opened, changing, may_go_alone, put_in_force
from app.campaigns.service.checks import as_json, check_document, needs_override, read_document
from app.campaigns.service.reading import get_campaign
from app.core import cache
from app.core.auth import Principal
from app.core.database import db
from app.core.preconditions import Seen
from app.programme import service as programme


def submit_campaign(caller: Principal, campaign_id: UUID, seen: Seen) -> dict[str, Any]:
    """Put the newest version up for approval."""
    with changing(campaign_id, seen, "submitted", caller.id) as opened:
        version = _waiting(opened, "draft")
        _check(version)
        version.submitted_by, version.submitted_at = caller.id, opened.moment
        _review(opened, version, "submitted")
    return get_campaign(campaign_id)


def approve_campaign(
    caller: Principal, campaign_id: UUID, seen: Seen, override_reason: str | None = None
) -> dict[str, Any]:
    """Approve the submitted version, which ``seen`` names; it is in force once it is activated.

    Raises SecondPersonNeeded, and OverrideReasonNeeded where the check finds what no reason is given for.
    """
    with changing(campaign_id, seen, "approved", caller.id) as opened:
        version = _waiting(opened, "submitted")
        if not may_approve(
            caller.id, version.submitted_by, queries.list_authors_since_approved(db.session, campaign_id)
        ):
            raise SecondPersonNeeded
        if needs_override(_check(version)) and override_reason is None:
            raise OverrideReasonNeeded(warnings=version.warnings)
        version.approved_by, version.approved_at = caller.id, opened.moment
        version.override_reason = override_reason
        _review(opened, version, "approved")
    return get_campaign(campaign_id)


def reject_campaign(caller: Principal, campaign_id: UUID, seen: Seen, reason: str) -> dict[str, Any]:
    """Send the submitted version back to its author, or take the approval of one back that is not in force yet."""
    with changing(campaign_id, seen, "rejected", caller.id) as opened:
        version = _waiting(opened, "submitted", "approved")
        version.rejected_by, version.rejected_at, version.reject_reason = caller.id, opened.moment, reason
        version.submitted_by = version.submitted_at = None
        version.approved_by = version.approved_at = version.override_reason = None
        _review(opened, version, "draft")
    return get_campaign(campaign_id)


def activate_campaign(caller: Principal, campaign_id: UUID, seen: Seen) -> dict[str, Any]:
    """Put the newest version in force; a paused campaign runs again, also where no change is ready.

    Raises ApprovalNeeded where one person alone may not do it and nobody has approved.
    """
    with changing(campaign_id, seen, "activated", caller.id) as opened:
        opened.check_open()
        version, was_paused = opened.waiting, opened.campaign.state == "paused"
        if version is not None and _is_ready(version):
            opened.campaign.state = "active"
            put_in_force(opened)
        elif was_paused:
            opened.campaign.state = "active"
            cache.bump("campaigns")
        elif version is not None and version.state == "draft":
            raise _approval_needed(version)
        else:
            raise opened.wrong_state()
    return get_campaign(campaign_id)


def pause_campaign(caller: Principal, campaign_id: UUID, seen: Seen) -> dict[str, Any]:
    """Let the campaign pay nothing for what is received from now on, until it is activated again."""
    return _stop(caller, campaign_id, seen, "paused", ("active",))


def end_campaign(caller: Principal, campaign_id: UUID, seen: Seen) -> dict[str, Any]:
    """Let the campaign pay nothing for what is received from now on, for good; a change that waits is dropped."""
    return _stop(caller, campaign_id, seen, "ended", RUNNING)


def archive_campaign(caller: Principal, campaign_id: UUID, seen: Seen) -> dict[str, Any]:
    """Put a campaign away that has ended, or a draft that never ran."""
    with changing(campaign_id, seen, "archived", caller.id) as opened:
        if opened.campaign.state == "archived":
            raise CampaignClosed("The campaign is archived.", campaign_state="archived")
        if opened.campaign.state not in ("draft", "ended"):
            raise opened.wrong_state()
        opened.campaign.state = "archived"
    return get_campaign(campaign_id)


def estimate_exposure(campaign_id: UUID, number: int, points: int) -> None:
    """Store how many points the version ``number`` could pay by an estimate; it counts where there is no budget.

    Only the newest version of a campaign that is not over takes one. For a command or job: nobody has seen anything.
    """
    with changing(campaign_id, None, "estimated", None) as opened:
        if opened.campaign.state not in CLOSED and opened.newest.number == number:
            opened.newest.exposure_points = points


def _stop(caller: Principal, campaign_id: UUID, seen: Seen, state: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Bring a campaign from one of the states ``allowed`` into ``state``, in which it pays nothing."""
    with changing(campaign_id, seen, state, caller.id) as opened:
        opened.check_open()
        if opened.campaign.state not in allowed:
            raise opened.wrong_state()
        opened.campaign.state = state
        cache.bump("campaigns")
    return get_campaign(campaign_id)


def _waiting(opened: Opened, *states: str) -> CampaignVersion:
    """Return the version that is not in force yet and is in one of ``states``; raise where there is none."""
    opened.check_open()
    version = opened.waiting
    if version is None or version.state not in states:
        raise opened.wrong_state()
    return version


def _review(opened: Opened, version: CampaignVersion, state: str) -> None:
    """Bring a version, and a campaign that never ran with it, into ``state``."""
    version.state = state
    if opened.campaign.state not in (*RUNNING, *CLOSED):
        opened.campaign.state = state


def _check(version: CampaignVersion) -> list[Finding]:
    """Check a stored version anew, because what stands beside it may have changed, and keep what is found."""
    findings = check_document(read_document(version.document))
    version.warnings = as_json(findings)
    return findings


def _is_ready(version: CampaignVersion) -> bool:
    """Return whether ``version`` may come in force: approved, or a draft that one person alone may put in force."""
    findings = _check(version)
    return version.state == "approved" or (version.state == "draft" and may_go_alone(version, findings))


def _approval_needed(version: CampaignVersion) -> ApprovalNeeded:
    return ApprovalNeeded(
        exposure_points=exposure_of(version.document, version.exposure_points),
        points_max_alone=programme.current().campaign_exposure_points_max_alone,
        warnings=version.warnings,
    )
