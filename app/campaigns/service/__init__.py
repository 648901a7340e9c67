"""Use cases of campaigns: made, reviewed, run; an activity evaluated by the rules in force when it occurred."""

from app.campaigns.engine import Desired, Evaluation, Missed, Rule
from app.campaigns.schemas import KINDS
from app.campaigns.service.books import Words, evaluate, explainer, rule_words
from app.campaigns.service.lifecycle import (
    activate_campaign,
    approve_campaign,
    archive_campaign,
    end_campaign,
    estimate_exposure,
    pause_campaign,
    reject_campaign,
    submit_campaign,
)
from app.campaigns.service.reading import (
    export_campaign,
    get_campaign,
    is_of_staff,
    list_campaigns,
    list_versions,
    resolve_campaign,
)
from app.campaigns.service.saving import (
    change_campaign,
    copy_campaign,
    create_campaign,
    import_campaign,
    save_campaign,
)

__all__ = [
    "KINDS",
    "Desired",
    "Evaluation",
    "Missed",
    "Rule",
    "Words",
    "activate_campaign",
    "approve_campaign",
    "archive_campaign",
    "change_campaign",
    "copy_campaign",
    "create_campaign",
    "end_campaign",
    "estimate_exposure",
    "evaluate",
    "explainer",
    "export_campaign",
    "get_campaign",
    "import_campaign",
    "is_of_staff",
    "list_campaigns",
    "list_versions",
    "pause_campaign",
    "reject_campaign",
    "resolve_campaign",
    "rule_words",
    "save_campaign",
    "submit_campaign",
]
