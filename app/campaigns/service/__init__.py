"""Use cases of campaigns: store a version, evaluate an activity by the rules in force when it occurred."""

from app.campaigns.audiences import is_held_out
from app.campaigns.engine import Desired, Evaluation, Missed, Rule
from app.campaigns.limits import Granted, Headroom, Limit, Settlement, period_start, settle
from app.campaigns.schemas import KINDS
from app.campaigns.service.books import Words, candidates, evaluate, explainer, rule_words
from app.campaigns.service.saving import save_campaign

__all__ = [
    "KINDS",
    "Desired",
    "Evaluation",
    "Granted",
    "Headroom",
    "Limit",
    "Missed",
    "Rule",
    "Settlement",
    "Words",
    "candidates",
    "evaluate",
    "explainer",
    "is_held_out",
    "period_start",
    "rule_words",
    "save_campaign",
    "settle",
]
