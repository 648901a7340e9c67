"""Use cases of campaigns: made, reviewed, run; an activity evaluated by the rules in force when it occurred."""

from app.campaigns.audiences import is_held_out
from app.campaigns.engine import Desired, Evaluation, Missed, Rule, RuleBook
from app.campaigns.engine.arithmetic import share_by_largest_remainder
from app.campaigns.engine.outcomes import without_duplicates
from app.campaigns.limits import Granted, Headroom, Limit, Settlement, period_start, settle
from app.campaigns.prospects import Prospects
from app.campaigns.schemas import KINDS
from app.campaigns.service.again import book_at, book_of_versions, bounds_in, evaluate_by, rules_of_versions
from app.campaigns.service.books import Words, candidates, evaluate, explainer, prospects_of, rule_words
from app.campaigns.service.bounds import (
    UNBOUND,
    Bounds,
    LockedBounds,
    bounds_of,
    give_back,
    new_board,
    read_headroom,
)
from app.campaigns.service.budgets import note_exhausted, notice_budgets, read_budgets, watch_budgets
from app.campaigns.service.checks import read_examples_with
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
from app.campaigns.service.ways import Position, choose_locale, list_ways
from app.campaigns.usage import (
    LimitAsk,
    Member,
    Subjects,
    Taken,
    UsageBoard,
    asks_of,
    taken_codes,
    taken_from_codes,
)
from app.campaigns.usage_queries import ASKED_LIMIT, USED, asked_rows, read_funds
from app.campaigns.usage_rows import BUDGET, budget_rows, usage_rows

__all__ = [
    "ASKED_LIMIT",
    "BUDGET",
    "KINDS",
    "UNBOUND",
    "USED",
    "Bounds",
    "Desired",
    "Evaluation",
    "Granted",
    "Headroom",
    "Limit",
    "LimitAsk",
    "LockedBounds",
    "Member",
    "Missed",
    "Position",
    "Prospects",
    "Rule",
    "RuleBook",
    "Settlement",
    "Subjects",
    "Taken",
    "UsageBoard",
    "Words",
    "activate_campaign",
    "approve_campaign",
    "archive_campaign",
    "asked_rows",
    "asks_of",
    "book_at",
    "book_of_versions",
    "bounds_in",
    "bounds_of",
    "budget_rows",
    "candidates",
    "change_campaign",
    "choose_locale",
    "copy_campaign",
    "create_campaign",
    "end_campaign",
    "estimate_exposure",
    "evaluate",
    "evaluate_by",
    "explainer",
    "export_campaign",
    "get_campaign",
    "give_back",
    "import_campaign",
    "is_held_out",
    "is_of_staff",
    "list_campaigns",
    "list_versions",
    "list_ways",
    "new_board",
    "note_exhausted",
    "notice_budgets",
    "pause_campaign",
    "period_start",
    "prospects_of",
    "read_budgets",
    "read_examples_with",
    "read_funds",
    "read_headroom",
    "reject_campaign",
    "resolve_campaign",
    "rule_words",
    "rules_of_versions",
    "save_campaign",
    "settle",
    "share_by_largest_remainder",
    "submit_campaign",
    "taken_codes",
    "taken_from_codes",
    "usage_rows",
    "watch_budgets",
    "without_duplicates",
]
