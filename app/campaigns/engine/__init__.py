"""The pure evaluation: an activity, a member's facts and rules in, desired awards with reasons out.

No database, no Flask; ``now`` is passed in. The same function serves the award and the preview. The rules, in order:

1. A rule is tried if it is for the activity's kind. Of these, the prefilter picks those whose match lists meet what
   the activity holds; the others miss without being tried, and the first 20 of them are named, so that an answer does
   not grow with the number of campaigns. First in order is the lowest priority number, then campaign and rule by key.
2. A campaign pays for what occurred while it runs; a paused one pays nothing, nor does one whose audience the member
   is not in, or which holds this member out. This is asked once a campaign. Nor does evidence below the rule's grade.
3. Base rules first. A line rule looks at each line alone, an activity rule at the whole. The points of a rule are an
   exact fraction until all its lines are summed.
4. Base rules of one stacking group compete with these; see ``stacking``.
5. Rounding once a rule. Then ``minimum`` (less pays nothing) and ``maximum`` (the rest is cut). The points of
   a line rule are shared among its lines by largest remainder, earlier lines first where remainders are equal.
6. Multipliers then add (factor - 1) times the exact base points of the lines, or of the activity, that they match;
   where ``maximum`` has cut a base rule, times what that left. They compete in their groups, and are rounded and
   bounded, as base rules are; they do not multiply each other.
7. An expression that fails, or a rule that would pay more points than a ledger takes, is a ``rule_error``: it pays
   nothing, and the others go on.

What limits and budgets leave of this is worked out by ``limits.settle``.
"""

from app.campaigns.engine.arithmetic import share_by_largest_remainder
from app.campaigns.engine.book import UNTRIED_MAX, RuleBook
from app.campaigns.engine.evaluating import evaluate
from app.campaigns.engine.outcomes import Desired, Evaluation, Missed
from app.campaigns.engine.rules import Limit, Rule, Stacking

__all__ = [
    "UNTRIED_MAX",
    "Desired",
    "Evaluation",
    "Limit",
    "Missed",
    "Rule",
    "RuleBook",
    "Stacking",
    "evaluate",
    "share_by_largest_remainder",
]
