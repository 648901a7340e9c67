"""Evaluate an activity by a rule book; the package says by which rules. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import lcm
from typing import Any
from uuid import UUID

from app.campaigns.audiences import is_held_out
from app.campaigns.engine.arithmetic import share_by_largest_remainder
from app.campaigns.engine.book import Plan, RuleBook
from app.campaigns.engine.contexts import Contexts
from app.campaigns.engine.outcomes import Base, Desired, Evaluation, Missed
from app.campaigns.engine.rules import Rule
from app.campaigns.engine.stacking import Offer, decide
from app.campaigns.engine.subject import WHOLE, Subject
from app.campaigns.expressions import ExpressionError
from app.campaigns.schedules import is_open
from app.core.evidence import RANK
from app.ledger.service import POINTS_MAX

_NO_CERTIFICATES: Mapping[str, Mapping[str, Any]] = {}


def evaluate(
    book: RuleBook,
    activity: Mapping[str, Any],
    member: Mapping[str, Any],
    merchant: Mapping[str, Any],
    now: datetime,
    *,
    names_untried: bool = True,
) -> Evaluation:
    """Return what ``activity`` earns by ``book``, and why the other rules do not pay; see the package for the rules.

    Rules that were not tried are left out where ``names_untried`` is false: what is paid is the same.

    ``activity`` is the read contract body with ``total`` (minor units), each line with ``total``, ``certifications``
    (valid codes) and ``certificates`` by code, and ``refused`` (reason codes of others) where there are any.
    ``member`` has tier, region, tags, age_days and, unless it is nobody, its ``id``, which decides whether a campaign
    holds it out.
    """
    subject = Subject(activity, merchant)
    plan = book.plan(activity["kind"], subject.held)
    contexts = Contexts(activity, member, merchant, now, plan.whole_fields, plan.line_fields)
    return _Run(subject, member, contexts, book.paused).evaluation(plan, names_untried)


class _Run:
    """One evaluation: what is found so far, and how each campaign stands to this activity."""

    def __init__(
        self, subject: Subject, member: Mapping[str, Any], contexts: Contexts, paused: Collection[UUID]
    ) -> None:
        self._subject = subject
        self._member = member
        self._contexts = contexts
        self._paused = paused
        self._rank = RANK[subject.activity["evidence"]]
        self._standing: dict[str, str | None] = {}
        self._desired: list[Desired] = []
        self._missed: list[Missed] = []

    def evaluation(self, plan: Plan, names_untried: bool) -> Evaluation:
        """Try the rules of ``plan``, base rules first, and say of some others why they were not tried."""
        self._pay(self._base_offers(plan.bases))
        if plan.multipliers:
            self._pay(self._multiplier_offers(plan.multipliers))
        for untried in plan.untried if names_untried else ():
            code = self._barred(untried.rule)
            if code is None:
                self._missed.append(untried)
            else:
                self._miss(untried.rule, code)
        self._desired.sort(key=lambda desired: desired.rule.order)
        self._missed.sort(key=lambda missed: missed.rule.order)
        return Evaluation(tuple(self._desired), tuple(self._missed))

    def _miss(self, rule: Rule, code: str) -> None:
        self._missed.append(Missed(rule, code))

    def _barred(self, rule: Rule) -> str | None:
        """Return the code that keeps the rule from being tried at all, or None."""
        standing, key = self._standing, rule.campaign_key
        if key not in standing:
            standing[key] = self._standing_of(rule)
        code = standing[key]
        return "evidence_too_weak" if code is None and self._rank < rule.minimum_rank else code

    def _standing_of(self, rule: Rule) -> str | None:
        """Return the code that keeps the rule's campaign from paying for this activity, or None."""
        member = self._member
        if not is_open(rule.schedule, self._subject.activity["occurred_at"]):
            return "outside_schedule"
        if self._paused and rule.campaign_id in self._paused:
            return "paused"
        if rule.holdout_percent:
            member_id = member.get("id")
            if member_id is not None and is_held_out(rule.campaign_id, member_id, rule.holdout_percent):
                return "not_in_audience"
        if rule.audience is None:
            return None
        try:
            is_meant = rule.audience.admits(member, lambda: self._contexts.at(WHOLE))
        except ExpressionError:
            return "rule_error"
        return None if is_meant else "not_in_audience"

    def _places(self, rule: Rule) -> list[int] | str:
        """Return where the rule holds, or the code that says why nowhere; raise ExpressionError."""
        code = self._barred(rule)
        if code is not None:
            return code
        subject, condition = self._subject, rule.condition
        if rule.currency is not None and rule.currency != subject.activity["currency"]:
            return "currency_differs"
        places = subject.places(rule)
        if condition is not None:
            places = [place for place in places if condition.holds(self._contexts.at(place))]
        return places or _why_no_match(rule, subject)

    def _base_offers(self, rules: Iterable[Rule]) -> list[Offer]:
        offers = []
        for rule in rules:
            try:
                places = self._places(rule)
                if isinstance(places, str):
                    self._miss(rule, places)
                else:
                    offers.append(self._base_offer(rule, places))
            except ExpressionError:
                self._miss(rule, "rule_error")
        return offers

    def _base_offer(self, rule: Rule, places: Sequence[int]) -> Offer:
        """Return the exact points of a base rule at ``places``; raise ExpressionError."""
        if rule.formula is not None:
            answers = [rule.formula.points(self._contexts.at(place)) for place in places]
            over = lcm(*[each for _, each in answers])
            return Offer(rule, places, [amount * (over // each) for amount, each in answers], over)
        points, over = rule.rate
        measure, lines = rule.measure, self._subject.lines
        if measure is None:
            return Offer(rule, places, [points] * len(places), over)
        if rule.is_of_lines:
            return Offer(rule, places, [points * (lines[place][measure] or 0) for place in places], over)
        is_total = measure == "total"
        counted = self._subject.activity["total"] if is_total else sum(line[measure] or 0 for line in lines)
        return Offer(rule, places, [points * counted], over)

    def _multiplier_offers(self, rules: Iterable[Rule]) -> list[Offer]:
        base = Base([(each.lines, each.amounts, each.over) for each in self._desired])
        offers = []
        for rule in rules:
            try:
                places = self._places(rule)
            except ExpressionError:
                places = "rule_error"
            if isinstance(places, str):
                self._miss(rule, places)
                continue
            amounts, over = base.multiplied(rule, self._subject.ids(places))
            gained = [(place, amount) for place, amount in zip(places, amounts, strict=True) if amount]
            offers.append(Offer(rule, [place for place, _ in gained], [amount for _, amount in gained], over))
        return offers

    def _pay(self, offers: Sequence[Offer]) -> None:
        """Turn the offers that win in their groups into desired awards."""
        if any(offer.rule.stacking is not None for offer in offers):
            standing, beaten = decide(offers)
            for rule in beaten:
                self._miss(rule, "beaten_in_group")
        else:
            standing = list(offers)
        for offer in standing:
            if not offer.points:
                self._miss(offer.rule, "below_minimum")
            elif offer.points > POINTS_MAX:
                self._miss(offer.rule, "rule_error")
            else:
                self._desired.append(_desire(offer, self._subject))


def _why_no_match(rule: Rule, subject: Subject) -> str:
    wanted = rule.match.get("certifications")
    if wanted is not None and not subject.holds_certificate(wanted):
        return subject.why_refused(wanted) or "certificate_missing"
    return "condition_not_met"


def _desire(offer: Offer, subject: Subject) -> Desired:
    """Share the points of ``offer`` among its lines."""
    rule, points, amounts, over = offer.rule, offer.points, offer.amounts, offer.over
    shares = [points] if len(amounts) == 1 else share_by_largest_remainder(points, amounts)
    if points == rule.maximum:
        amounts, over = _cut(amounts, shares, over)
    if not rule.is_of_lines:
        return Desired(rule, points, ((None, points),), _NO_CERTIFICATES, tuple(amounts), over)
    ids = subject.line_ids
    lines = tuple([(ids[place], share) for place, share in zip(offer.places, shares, strict=True)])
    wanted = rule.match.get("certifications")
    certificates = _NO_CERTIFICATES if wanted is None else _certificates(wanted, offer.places, subject)
    return Desired(rule, points, lines, certificates, tuple(amounts), over)


def _certificates(wanted: frozenset[str], places: Sequence[int], subject: Subject) -> dict[str, Mapping[str, Any]]:
    """Return of each line the first of its certificates that the rule asks for."""
    found = {}
    for place in places:
        line = subject.lines[place]
        for code in line["certifications"]:
            if code in wanted:
                found[line["id"]] = line["certificates"][code]
                break
    return found


def _cut(amounts: Sequence[int], shares: Sequence[int], over: int) -> tuple[Sequence[int], int]:
    """Return what multipliers multiply where ``maximum`` leaves ``shares`` of ``amounts``: the less of the two."""
    return (shares, 1) if sum(amounts) > sum(shares) * over else (amounts, over)
