"""Use cases of campaigns: store a version, evaluate an activity by the rules in force when it occurred."""

from app.campaigns.engine import Desired, Evaluation, Missed, Rule
from app.campaigns.schemas import KINDS
from app.campaigns.service.books import Words, evaluate, explainer, rule_words
from app.campaigns.service.saving import save_campaign

__all__ = [
    "KINDS",
    "Desired",
    "Evaluation",
    "Missed",
    "Rule",
    "Words",
    "evaluate",
    "explainer",
    "rule_words",
    "save_campaign",
]
