"""Evaluate a stored activity again as it was evaluated then: same rule versions, member facts, moment and headroom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.activities.reading import age_days, facts_of_stored
from app.activities.remaining import NOTHING, Returned, RuleId, remaining_facts
from app.campaigns import service as campaigns
from app.members import service as members
from app.merchants import service as merchants

EVIDENCE_BEFORE = "staff"  # of activities stored before the grade was kept with them


@dataclass(frozen=True, slots=True)
class Stored:
    """An activity as it is stored, in its newest revision, and what has come after it.

    ``worth`` is what each rule's award is worth after the last return, None where there was none.
    """

    member_id: UUID
    activity_id: UUID
    revision: int
    revisions: Sequence[int]
    merchant_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    body: Mapping[str, Any]
    outcome: Mapping[str, Any]
    completed_at: datetime | None = None
    returned: Returned = NOTHING
    worth: Mapping[RuleId, int] | None = None
    returns: Sequence[Any] = field(default=())

    @property
    def is_completed(self) -> bool:
        """Whether it was reported as completed, or became so."""
        return bool(self.body.get("completed")) or self.completed_at is not None

    @property
    def posting_keys(self) -> list[str]:
        """The keys under which its revisions were paid."""
        return [posting_key(self.activity_id, revision) for revision in self.revisions]

    def paid(self) -> dict[RuleId, int]:
        """Return what each rule's award is worth now."""
        if self.worth is not None:
            return dict(self.worth)
        paid: dict[RuleId, int] = {}
        for award in self.outcome["awards"]:
            rule = (award["version_id"], award["rule"])
            paid[rule] = paid.get(rule, 0) + award["points"]
        return paid

    def versions(self) -> set[UUID]:
        """Return the campaign versions that had a say."""
        return {UUID(each["version_id"]) for each in (*self.outcome["awards"], *self.outcome["missed"])}

    def rules(self) -> dict[RuleId, campaigns.Rule]:
        """Return the rules that had a say."""
        found = campaigns.rules_of_versions(self.versions())
        return {(str(rule.version_id), rule.key): rule for of_version in found.values() for rule in of_version}

    def facts(self) -> Mapping[str, Any] | None:
        """Return the facts on which it was evaluated; None where all of it had been claimed by another activity."""
        evidence, certificates = self.kept.get("evidence", EVIDENCE_BEFORE), self.outcome.get("certificates")
        facts = facts_of_stored(self.body, self.occurred_at, evidence, certificates)
        return without_duplicates(facts, self.outcome.get("duplicates", ()))

    def left(self) -> Mapping[str, Any] | None:
        """Return the facts of what is left after its returns; None where nothing is."""
        facts = self.facts()
        return None if facts is None else remaining_facts(facts, self.returned)

    @property
    def kept(self) -> Mapping[str, Any]:
        """What was kept of the member and of the evidence as they were then."""
        kept: Mapping[str, Any] = self.outcome.get("facts", {})
        return kept

    def member(self) -> dict[str, Any]:
        """Return the member as rules saw them; as they are now, where that was not kept yet."""
        seen = self.kept or _member_now(self.member_id, self.occurred_at)
        return {key: value for key, value in seen.items() if key != "evidence"} | {"id": self.member_id}


def _member_now(member_id: UUID, occurred_at: datetime) -> dict[str, Any]:
    member = members.list_members([member_id])[member_id]
    age = age_days(member.enrolled_at, occurred_at)
    return {"tier": member.tier, "region": member.region, "tags": list(member.tags), "age_days": age}


def posting_key(activity_id: UUID, revision: int) -> str:
    """Return the ledger's key of the points that a revision of an activity was paid."""
    return f"activity:{activity_id}:rev{revision}"


def without_duplicates(facts: Mapping[str, Any], lines: Sequence[str | None]) -> Mapping[str, Any] | None:
    """Return the facts without ``lines``, which another activity has claimed; None among them stands for all."""
    if not lines:
        return facts
    if None in lines:
        return None
    quantities = {line["id"]: line["quantity"] for line in facts["lines"] if line["id"] in lines}
    return remaining_facts(facts, Returned(quantities))


def worth_of(stored: Stored, facts: Mapping[str, Any] | None) -> dict[RuleId, int]:
    """Return what each rule would have paid for ``facts`` when the activity was evaluated."""
    if facts is None:
        return {}
    book = campaigns.book_of_versions(stored.versions(), paused_then(stored))
    merchant = merchants.get_merchant(stored.merchant_id)
    for_rules = {"id": str(merchant.merchant_id), "key": merchant.key}
    evaluation = campaigns.evaluate_by(book, facts, stored.member(), for_rules, stored.recorded_at)
    settlement = campaigns.settle(evaluation, headroom_then(stored))
    worth: dict[RuleId, int] = {}
    for granted in settlement.granted:
        rule = granted.desired.rule
        worth[str(rule.version_id), rule.key] = granted.points
    return worth


def funds_of(stored: Stored, points: Mapping[RuleId, int], live: bool) -> dict[UUID, int]:
    """Return ``points`` by the campaign that paid them, as far as its budget counts them.

    A budget that was given later counts what live members had been paid before; that of test mode does not.
    """
    rules, funded = stored.rules(), stored.outcome.get("spent", {})
    spent: dict[UUID, int] = {}
    for rule_id, amount in points.items():
        campaign_id = rules[rule_id].campaign_id
        if amount and (live or str(campaign_id) in funded):
            spent[campaign_id] = spent.get(campaign_id, 0) + amount
    return spent


def paused_then(stored: Stored) -> set[UUID]:
    """Return the campaigns that paid nothing when the activity was evaluated because they were paused."""
    versions = {UUID(each["version_id"]) for each in stored.outcome["missed"] if each["code"] == "paused"}
    rules = campaigns.rules_of_versions(versions)
    return {of_version[0].campaign_id for of_version in rules.values() if of_version}


def headroom_then(stored: Stored) -> campaigns.Headroom:
    """Return what limits and budgets granted then: what was taken of them, and nothing where they gave nothing.

    A limit of a rule that did not want to pay is not named: what it would have left is not known, and whatever the
    rule gains by a return is paid out of what others lose. A campaign that paid and spent nothing has no budget: what
    is said to be exhausted is a limit of the rule's, or of a rule that it multiplies.
    """
    outcome, rules = stored.outcome, stored.rules()
    left = {}
    for each in campaigns.taken_from_codes(outcome.get("taken", ())):
        left[each.campaign_id, each.rule, each.limit] = each.amount
    funds = {UUID(campaign_id): points for campaign_id, points in outcome.get("spent", {}).items()}
    paid = {rules[each["version_id"], each["rule"]].campaign_id for each in outcome["awards"]}
    for each in outcome["missed"]:
        if each["code"].startswith(("limit_reached", "budget_exhausted")):
            rule = rules[each["version_id"], each["rule"]]
            left |= {(rule.campaign_id, rule.key, limit.key): 0 for limit in rule.limits}
            if each["code"] == "budget_exhausted" and rule.campaign_id not in paid:
                funds.setdefault(rule.campaign_id, 0)
    return campaigns.Headroom(left, funds)
