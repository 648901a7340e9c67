"""Donations: points that members give to a cause, what sponsors add, receipts, reports, and what finance pays out.

A donation is one transaction: the account is locked, then the sponsor's promise; the points are spent, the promise is
drawn on as far as it goes, and the fact for the public counter is written with the posting.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import format_time
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import FactKind
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.merchants import service as merchants
from app.programme import service as programme
from app.redemption import cause_queries as queries
from app.redemption.causes import find_given_to, in_language
from app.redemption.errors import (
    CauseNotFound,
    CauseNotVerified,
    DonationNotFound,
    MatchBelowMatched,
    MatchNotFound,
    NothingToPayOut,
)
from app.redemption.models import Cause, CauseMatch, CausePayout, Donation
from app.staff import service as staff


def donate(member_id: UUID, live: bool, cause_id: UUID, points: int, fingerprint: bytes, moment: datetime) -> Donation:
    """Give ``points`` of the member to a cause; return the donation.

    Raises CauseNotFound, CauseNotVerified, InDebt, InsufficientPoints, InvalidPoints.
    """
    donation_id = new_id()
    programme.current()  # read before anything is locked: who holds a lock must not wait for a connection
    with unit_of_work():
        ledger.spend_points(
            member_id, points, key=f"donation:{donation_id}", actor=f"member:{member_id}", reason="donation",
            fingerprint=fingerprint, moment=moment,
        )  # fmt: skip
        return book_donation(member_id, live, cause_id, points, donation_id, moment)


def book_donation(
    member_id: UUID, live: bool, cause_id: UUID, points: int, donation_id: UUID, moment: datetime
) -> Donation:
    """Store a donation of points that are spent in the open unit of work, with what a sponsor adds to it.

    Raises CauseNotFound, CauseNotVerified.
    """
    settings = programme.current()
    with unit_of_work() as session:
        if queries.find_cause(session, cause_id) is None:
            raise CauseNotFound(errors=[{"pointer": "/cause_id", "detail": "No such cause."}])
        if find_given_to(cause_id) is None:
            raise CauseNotVerified
        match = None
        if live and queries.has_matches(session, cause_id):
            match = queries.lock_open_match(session, cause_id, moment)
        matched = 0
        if match is not None:
            matched = min(points * match.percent // 100, match.budget_points - match.matched_points)
            match.matched_points += matched
        donation = Donation(
            member_id=member_id, donation_id=donation_id, cause_id=cause_id, live=live, points=points,
            matched_points=matched, match_id=match.match_id if match is not None and matched else None,
            worth_amount=settings.worth(points + matched), currency=settings.currency, donated_at=moment,
        )  # fmt: skip
        session.add(donation)
        session.flush()
        fact = {"cause": cause_id, "donation": donation_id, "points": points, "matched_points": matched, "live": live}
        ledger.add_facts({member_id: [(FactKind.DONATION, fact)]}, moment)
        return donation


def list_own(member_id: UUID, before: UUID | None, limit: int) -> Sequence[Donation]:
    """Return one page of a member's donations, newest first."""
    return queries.list_donations(db.session, member_id, before, limit)


def get_own(member_id: UUID, donation_id: UUID) -> Donation:
    """Return a member's donation; raise DonationNotFound for another's too."""
    donation = db.session.get(Donation, (member_id, donation_id))
    if donation is None:
        raise DonationNotFound
    return donation


def receipts_of(donations: Sequence[Donation], locales: Sequence[str]) -> list[dict[str, Any]]:
    """Return donations as their receipts show them."""
    causes = {each: db.session.get_one(Cause, each) for each in {donation.cause_id for donation in donations}}
    sponsors = {
        match_id: db.session.get_one(CauseMatch, match_id).sponsor
        for match_id in {donation.match_id for donation in donations if donation.match_id is not None}
    }
    return [
        {
            "id": str(donation.donation_id),
            "cause": {
                "id": str(donation.cause_id), "key": causes[donation.cause_id].key,
                "name": in_language(causes[donation.cause_id].document["names"], locales),
            },
            "points": donation.points, "matched_points": donation.matched_points,
            "sponsor": sponsors[donation.match_id] if donation.match_id is not None else None,
            "worth": {"amount": donation.worth_amount, "currency": donation.currency},
            "donated_at": format_time(donation.donated_at),
        }
        for donation in donations
    ]  # fmt: skip


def add_match(cause: Cause, body: Mapping[str, Any], merchant_id: UUID | None, moment: datetime) -> CauseMatch:
    """Store a sponsor's promise for a cause."""
    with unit_of_work() as session:
        match = CauseMatch(
            match_id=new_id(), cause_id=cause.cause_id, merchant_id=merchant_id, sponsor=body["sponsor"],
            percent=body["percent"], budget_points=body["budget_points"], matched_points=0,
            starts_at=body["starts_at"], ends_at=body["ends_at"], version=1,
        )  # fmt: skip
        session.add(match)
        session.flush()
        staff.record_audit("cause_match.created", "cause_match", match.match_id, before=None, after=_promise(match),
                           moment=moment)  # fmt: skip
        return match


def change_match(
    cause: Cause, match_id: UUID, body: Mapping[str, Any], merchant_id: UUID | None, moment: datetime
) -> CauseMatch:
    """Replace a sponsor's promise; what was added stays added. Raises MatchNotFound, MatchBelowMatched."""
    with unit_of_work() as session:
        match = session.get(CauseMatch, match_id, with_for_update=True, populate_existing=True)
        if match is None or match.cause_id != cause.cause_id:
            raise MatchNotFound
        if body["budget_points"] < match.matched_points:
            raise MatchBelowMatched(f"{match.matched_points} points were added already.")
        before = _promise(match)
        match.merchant_id, match.sponsor, match.percent = merchant_id, body["sponsor"], body["percent"]
        match.budget_points = body["budget_points"]
        match.starts_at, match.ends_at = body["starts_at"], body["ends_at"]
        match.version += 1
        session.flush()
        staff.record_audit("cause_match.changed", "cause_match", match_id, before=before, after=_promise(match),
                           moment=moment)  # fmt: skip
        return match


def _promise(match: CauseMatch) -> dict[str, Any]:
    names = ("cause_id", "merchant_id", "sponsor", "percent", "budget_points", "matched_points", "starts_at", "ends_at")
    return {name: getattr(match, name) for name in names}


def matches_of(cause: Cause) -> list[dict[str, Any]]:
    """Return the promises for a cause as staff see them, newest first."""
    matches = queries.list_matches(db.session, cause.cause_id)
    return shown_matches(matches)


def shown_matches(matches: Sequence[CauseMatch]) -> list[dict[str, Any]]:
    """Return promises as staff see them."""
    ids = {match.merchant_id for match in matches if match.merchant_id is not None}
    keys = {merchant.merchant_id: merchant.key for merchant in merchants.list_merchants(ids=ids)}
    return [
        {"id": str(match.match_id), "merchant": keys.get(match.merchant_id) if match.merchant_id else None,
         "sponsor": match.sponsor, "percent": match.percent, "budget_points": match.budget_points,
         "matched_points": match.matched_points, "starts_at": format_time(match.starts_at),
         "ends_at": match.ends_at and format_time(match.ends_at)}
        for match in matches
    ]  # fmt: skip


def pay_out(cause: Cause, body: Mapping[str, Any], staff_id: UUID, moment: datetime) -> dict[str, Any]:
    """Record money that finance paid to a cause for the donations up to a moment that no payout covers.

    Raises NothingToPayOut.
    """
    with unit_of_work() as session:
        payout_id = new_id()
        values = {name: body[name] for name in ("amount", "currency", "reference")} | {
            "payout_id": payout_id, "cause_id": cause.cause_id, "up_to": min(body["up_to"], moment), "paid_at": moment,
            "paid_by": staff_id,
        }  # fmt: skip
        count = queries.add_payout(session, values)
        if not count:
            raise NothingToPayOut
        shown = shown_payout(session.get_one(CausePayout, payout_id), count)
        staff.record_audit("cause.paid_out", "cause", cause.cause_id, before=None, after=shown, moment=moment)
        return shown


def shown_payout(payout: CausePayout, donations: int) -> dict[str, Any]:
    """Return a payout as it is shown."""
    return {
        "id": str(payout.payout_id), "points": payout.points, "donations": donations, "amount": payout.amount,
        "currency": payout.currency, "reference": payout.reference, "paid_at": format_time(payout.paid_at),
    }  # fmt: skip


def report_of(cause: Cause, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """Return what a cause was given from ``start`` to ``end``, what of it is paid out, and what is due."""
    count, members, points, matched, worth, paid = queries.sum_donations(db.session, cause.cause_id, start, end)
    return {
        "cause": cause.key, "donations": count, "members": members, "points": points, "matched_points": matched,
        "worth": {"amount": worth, "currency": programme.current().currency}, "paid_out_points": paid,
        "due_points": points + matched - paid,
        "payouts": [
            shown_payout(payout, covered)
            for payout, covered in queries.list_payouts(db.session, cause.cause_id, start, end)
        ],
    }  # fmt: skip
