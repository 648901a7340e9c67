"""Simulation: what one activity would earn by a version that need not be in force, with every rule explained.

Writes nothing. ``now`` is the moment of evaluation, and when the activity occurred unless it says so itself. The
campaign is tried as if it ran, whatever its state; products are the live ones of the merchant that is named. Beside it
stand the rules in force when the activity occurred, other campaigns by name, or nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.activities.errors import MemberNotFound
from app.activities.outcome import award_of, outcome_of, render
from app.activities.reading import age_days, check_against_reference, facts_of, impact_subject
from app.campaigns import service as campaigns
from app.campaigns.errors import CampaignNotFound
from app.campaigns.service import trials
from app.catalog import service as catalog
from app.core.clock import format_time, now
from app.core.errors import ValidationProblem
from app.core.evidence import GRADES
from app.core.strict_json import pointer
from app.impact import service as impact
from app.members import errors as members_errors
from app.members import service as members
from app.merchants import service as merchants
from app.programme import service as programme

EVIDENCE_DEFAULT = "staff"
NO_MERCHANT = UUID(int=0)
NEW_MEMBER: Mapping[str, Any] = {"tier": "seed", "region": None, "tags": [], "age_days": 0}


def simulate(campaign_id: UUID, asked: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Return the answer of the activity in ``asked``, without ids, by a version of the campaign.

    Of a real member it goes by what is left of limits and budgets now, of a made up one by all of them. An activity of
    no merchant meets no rule that asks for one. Raises CampaignNotFound, CampaignVersionNotFound, MemberNotFound,
    ValidationProblem, PackagingConflict.
    """
    cart, moment = asked["activity"], asked["now"] or now()
    _check(cart)
    occurred_at = cart["occurred_at"] or moment
    trial = trials.get_trial(campaign_id, asked["version"])
    book = _book(trial, asked["together_with"], occurred_at)
    merchant_id, of_merchant = _merchant(asked["merchant"])
    member = _member(asked["member"], occurred_at)
    [terms] = catalog.certificate_terms(merchant_id, True, [(cart["lines"], occurred_at)])
    facts = facts_of(cart, occurred_at, EVIDENCE_DEFAULT, terms)
    evaluation = trials.evaluate(book, facts, member, of_merchant, moment)
    headroom = _headroom(evaluation, facts, merchant_id, asked["member"].get("id"))
    settlement = campaigns.settle(evaluation, headroom)
    return _answer(settlement, facts, moment, locale) | {
        "campaign": trial.key,
        "version": trial.version,
        "occurred_at": format_time(occurred_at),
        "now": format_time(moment),
    }


def _check(cart: Mapping[str, Any]) -> None:
    try:
        check_against_reference(cart, catalog.reference(), GRADES[-1])
    except ValidationProblem as problem:
        faults = [fault | {"pointer": pointer("activity") + fault["pointer"]} for fault in problem.errors or []]
        raise type(problem)(faults) from problem


def _book(trial: trials.Trial, beside: str | list[str], occurred_at: datetime) -> trials.RuleBook:
    """Return the rules by which is evaluated; of other campaigns that are named, the versions in force then."""
    if beside == "in_force":
        return trials.Substitution(trial, is_pause_kept=True, untried_max=trials.EVERY_RULE).at(occurred_at)
    names = [] if beside == "alone" else beside
    others = [_other(any_id, place, occurred_at) for place, any_id in enumerate(names)]
    tried = {each.campaign_id: each for each in others} | {trial.campaign_id: trial}
    return trials.book_of(list(tried.values()), trials.EVERY_RULE)


def _other(any_id: str, place: int, occurred_at: datetime) -> trials.Trial:
    try:
        return trials.get_trial(campaigns.resolve_campaign(any_id), at=occurred_at)
    except CampaignNotFound as error:
        fault = {"pointer": pointer("together_with", place), "detail": f"{any_id!r} is no campaign."}
        raise ValidationProblem([fault]) from error


def _merchant(key: str | None) -> tuple[UUID | None, dict[str, str]]:
    """Return the merchant's id, and the merchant as rules see it; raise ValidationProblem for an unknown key."""
    if key is None:
        return None, {"id": "", "key": ""}
    merchant = merchants.find_merchant_by_key(key)
    if merchant is None:
        raise ValidationProblem([{"pointer": pointer("merchant"), "detail": f"{key!r} is no merchant."}])
    return merchant.merchant_id, {"id": str(merchant.merchant_id), "key": merchant.key}


def _member(asked: Mapping[str, Any], occurred_at: datetime) -> dict[str, Any]:
    """Return the member as rules see them: made up, or a real one with the facts of today; raise MemberNotFound."""
    if "id" not in asked:
        return {**NEW_MEMBER, **asked}
    try:
        found = members.get_member(asked["id"])
    except members_errors.MemberNotFound as error:
        at = pointer("member", "id")
        raise MemberNotFound(errors=[{"pointer": at, "detail": "No such member."}]) from error
    return {"id": found.member_id, "tier": found.tier, "region": found.region, "tags": list(found.tags),
            "age_days": age_days(found.enrolled_at, occurred_at)}  # fmt: skip


def _headroom(
    evaluation: campaigns.Evaluation, facts: Mapping[str, Any], merchant_id: UUID | None, member_id: UUID | None
) -> campaigns.Headroom:
    """Return what is left of the limits and budgets of the rules that want to pay: of somebody made up, all."""
    rules = [desired.rule for desired in evaluation.desired]
    budgets = {rule.campaign_id: rule.budget_points for rule in rules if rule.budget_points is not None}
    member = members.get_member(member_id) if member_id is not None else None
    is_live = member is None or member.live
    subjects = campaigns.Subjects(merchant_id or NO_MERCHANT, is_live, facts["device"], facts["station"])
    asks = campaigns.asks_of(rules, subjects, facts["occurred_at"], programme.current().zone)
    if member is None:
        return campaigns.UsageBoard(budgets).headroom(asks, None)
    counted = campaigns.Member(member.member_id, member.household_id)
    return campaigns.read_headroom(campaigns.Bounds(asks, budgets), counted, is_live)


def _answer(
    settlement: campaigns.Settlement, facts: Mapping[str, Any], moment: datetime, locale: str
) -> dict[str, Any]:
    """Return the settlement as the contract shows an activity's outcome, each award with all that bears on it."""
    settings = programme.current()
    void_at = facts["occurred_at"] + timedelta(days=settings.completion_days_max)
    awards = [award_of(granted, facts, settings.zone, void_at) for granted in settlement.granted]
    claimed = impact.claim_impact(impact_subject(facts))
    rules = [granted.desired.rule for granted in settlement.granted] + [missed.rule for missed in settlement.missed]
    return render(outcome_of(settlement, awards, claimed, moment), trials.words_for(rules, locale))
