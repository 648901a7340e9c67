"""Previews: what a cart would earn by the rules of the award, what else would earn more, what can be spent.

One read says who the member is, how the account stands and what is used of all limits that the cart or a change of it
could concern; the changes are evaluated from memory, by the engine that pays.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.activities import rounds
from app.activities.evaluating import NEWCOMER, Prepared, Source, bounds_of, evaluate, for_rules
from app.activities.outcome import impact_codes, render
from app.activities.queries import Found
from app.activities.reading import Report, check_against_reference, check_time, facts_of, impact_subject
from app.activities.suggestions import (
    SUGGESTIONS_MAX,
    Change,
    Shop,
    categories_asked,
    possible_changes,
    with_everything,
)
from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core.clock import now
from app.core.database import driver_connection
from app.impact import service as impact
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal
from app.programme import service as programme


def preview(merchant: MerchantPrincipal, cart: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Return what ``cart`` would earn by the rules of the award, what else would earn more, and what can be spent.

    Writes nothing. A cart of nobody is evaluated as a new member's; an unknown id or code raises MemberNotFound. Its
    time, if it has one, keeps the bounds of an activity's.
    """
    moment = now()
    reference = catalog.reference()
    check_against_reference(cart, reference, merchant.max_evidence)
    if cart["occurred_at"] is not None:
        check_time(cart["occurred_at"], moment, programme.current().activity_age_days_max)
    facts, shop = _read_shop(merchant, cart, cart["occurred_at"] or moment)
    everything = with_everything(facts, shop, reference)
    bounds = bounds_of(merchant, everything)
    found, headroom = _read(merchant, cart, bounds)
    member = found.member if found is not None else None
    settlement, outcome, _, _ = evaluate(merchant, facts, member, headroom, moment)
    of_member = member.for_rules(facts["occurred_at"]) if member else NEWCOMER
    of_merchant = for_rules(merchant)
    prospects = campaigns.prospects_of(everything, of_merchant, settlement)
    tried = []
    for change in possible_changes(cart, facts, shop, reference, prospects, locale):
        evaluation = campaigns.evaluate(change.facts, of_member, of_merchant, moment, names_untried=False)
        tried.append((campaigns.settle(evaluation, headroom).points, change))
    return {
        **render(outcome, campaigns.explainer(locale)),
        "suggestions": _suggestions(tried, outcome, locale),
        "member_id": None if member is None else str(member.member_id),
        "spendable": None if found is None or found.account is None else _spendable(found.account, facts, moment),
    }


def read_cart(merchant: MerchantPrincipal, cart: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """Return a cart that ``CartSchema`` has read as rules see it, each line with the certificates that are valid.

    Raises ValidationProblem for codes that nobody knows and PackagingConflict, with pointers into the cart.
    """
    check_against_reference(cart, catalog.reference(), merchant.max_evidence)
    occurred_at = cart["occurred_at"] or moment
    [terms] = catalog.certificate_terms(merchant.id, merchant.live, [(cart["lines"], occurred_at)])
    return facts_of(cart, occurred_at, merchant.default_evidence, terms)


def _read_shop(
    merchant: MerchantPrincipal, cart: Mapping[str, Any], occurred_at: datetime
) -> tuple[dict[str, Any], Shop]:
    """Return the facts of ``cart``, and what the merchant has for it."""
    settings = programme.current()
    [terms] = catalog.certificate_terms(merchant.id, merchant.live, [(cart["lines"], occurred_at)])
    facts = facts_of(cart, occurred_at, merchant.default_evidence, terms)
    day, accepted = occurred_at.astimezone(settings.zone).date(), settings.certificates_accepted
    return facts, Shop(
        offers=catalog.offers_of(merchant.id, merchant.live),
        products=terms.products if terms is not None else [None] * len(cart["lines"]),
        alternatives=catalog.certified_alternatives(merchant.id, merchant.live, categories_asked(facts), day, accepted),
        day=day,
        accepted=accepted,
    )


def _read(
    merchant: MerchantPrincipal, cart: Mapping[str, Any], bounds: campaigns.Bounds
) -> tuple[Found | None, campaigns.Headroom]:
    """Return what is known of the member that the cart names, None of nobody, and what is left of limits and budgets.

    Locks nothing; of nobody's limits all is left. Raises MemberNotFound.
    """
    is_of_nobody = cart["member"] is None
    if is_of_nobody and not bounds.budgets:
        return None, campaigns.UsageBoard().headroom(bounds.asks, None)
    with driver_connection() as connection:
        board = campaigns.UsageBoard(campaigns.read_funds(connection, bounds.budgets, merchant.live))
        if is_of_nobody:
            return None, board.headroom(bounds.asks, None)
        report = Report(0, cart, dict(cart) | {"id": ""}, b"")
        [found] = rounds.read_asked(connection, Source(merchant), [Prepared(report, {}, bounds)])
    if not rounds.has_member(report, found) or found.member is None:
        return None, board.headroom(bounds.asks, None)
    board.read(bounds.asks, found.member.counted, found.used)
    return found, board.headroom(bounds.asks, found.member.counted)


def _suggestions(tried: Sequence[tuple[int, Change]], outcome: Mapping[str, Any], locale: str) -> list[dict[str, Any]]:
    """Return the changes that earn more, most first, with the impact that they have and the cart has not."""
    earned = outcome["points"]["awarded"]
    gains = [(points - earned, change) for points, change in tried if points > earned]
    gains.sort(key=lambda gain: (-gain[0], repr(gain[1].change)))
    return [
        {
            "change": change.change,
            "extra_points": extra,
            "impact": _added_impact(change, outcome),
            "text": change.text(extra, locale),
        }
        for extra, change in gains[:SUGGESTIONS_MAX]
    ]


def _added_impact(change: Change, outcome: Mapping[str, Any]) -> list[dict[str, Any]]:
    if change.avoiding is None:
        return []
    claims = impact_codes(impact.claim_impact(impact_subject(change.avoiding)))
    return [claim for claim in claims if claim not in outcome["impact"]]


def _spendable(account: ledger.AccountState, facts: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """Return what the member could spend on the cart, and its worth: what was read unless something is due."""
    settings = programme.current()
    points = account.available
    if not ledger.plan_for(account).is_settled(moment):
        wallet = ledger.read_wallet(account.member_id)
        points = 0 if wallet.debt else wallet.available
    points = ledger.spendable_points(points, facts["total"], facts["currency"])
    return {"points": points, "worth": settings.worth(points), "currency": settings.currency}
