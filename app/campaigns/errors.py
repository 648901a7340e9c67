"""What can go wrong with campaigns."""

from app.core.errors import Conflict, Forbidden, NotFound


class CampaignNotFound(NotFound):
    """No campaign by that id or key."""

    code, title = "campaign_not_found", "There is no such campaign"


class CampaignVersionNotFound(NotFound):
    """The campaign has no version of that number."""

    code, title = "campaign_version_not_found", "There is no such version of the campaign"


class CampaignKeyTaken(Conflict):
    """A campaign has that key; ``campaign_id`` says which: change that one."""

    code, title = "campaign_key_taken", "There is a campaign with this key"


class CampaignClosed(Conflict):
    """The campaign has ended or is archived; ``campaign_state`` says which. Nothing brings it back but a copy."""

    code, title = "campaign_closed", "The campaign is over"


class WrongCampaignState(Conflict):
    """The campaign is not up to this; ``campaign_state`` says how it stands, ``change_state`` how its change does."""

    code, title = "campaign_state", "The campaign's state does not allow this"


class ApprovalNeeded(Conflict):
    """One person alone may not put this version in force.

    It could pay ``exposure_points`` (null: without end), the programme lets one person alone put up to
    ``points_max_alone`` in force; or the check of it found what only an approver may override.
    """

    code, title = "approval_needed", "This must be approved by somebody else first"


class SecondPersonNeeded(Forbidden):
    """Who wrote any part of what nobody approved yet, or submitted it, can't approve it."""

    code, title = "second_person_needed", "Somebody else must approve this campaign"


class OverrideReasonNeeded(Conflict):
    """The check found what must not come in force without a reason; ``warnings`` say what."""

    code, title = (
        "override_reason_needed",
        "This may be approved only with a reason for overriding what the check found",
    )


class BudgetBelowPaid(Conflict):
    """The new budget is less than what the campaign has paid already; ``points_paid`` says how much."""

    code, title = "budget_below_paid", "The budget is below what is paid already"
