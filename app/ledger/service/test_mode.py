"""What a plugin's author needs beside test data: a made-up shopper with points, and time that passes at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.unit_of_work import unit_of_work
from app.ledger import queries
from app.ledger.service.books import open_book
from app.ledger.service.changes import adjust_points
from app.ledger.service.reading import read_wallet
from app.members import service as members
from app.merchants import service as merchants
from app.merchants.service import MerchantPrincipal

STARTING_REASON = "Starting points of a test member"
MATURED_REASON = "Matured ahead of time, in test mode"


def make_test_member(merchant: MerchantPrincipal, wanted: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """Enrol a made-up shopper as ``wanted``, signed in, and return them. The merchant's key is a test key."""
    ref, points = wanted["ref"], wanted["points"]
    with unit_of_work():
        member = merchants.make_test_member(
            merchant.id, ref=ref, locale=wanted["locale"], region=wanted["region"], tier=wanted["tier"],
            tags=wanted["tags"], moment=moment,
        )  # fmt: skip
        if points:
            adjust_points(
                member.member_id, points, key=f"test-member:{member.member_id}", actor=_actor(merchant),
                reason=STARTING_REASON, fingerprint=hashlib.sha256(str(points).encode()).digest(), moment=moment,
            )  # fmt: skip
        tokens = members.start_session(member.member_id, moment)
        made = {"member_id": member.member_id, "member_code": member.code, "ref": ref, "points": points}
        return made | asdict(tokens)


def mature_test_member(merchant: MerchantPrincipal, member_id: UUID, moment: datetime) -> dict[str, Any]:
    """Let the pending points that wait for a day become available now, and return the wallet.

    Those that wait for a completion go on waiting. The lots keep the day that they had: a new revision of their
    activity finds the terms unchanged, and leaves them be. Raises MemberNotFound for one whom no test key of the
    merchant has made.
    """
    with open_book(merchants.check_test_member(merchant.id, member_id), moment) as (session, book):
        waiting = queries.list_waiting_lots(session, member_id, book.extended_until)
        book.add_lots(waiting)
        lots = [book.lots[lot.lot_id] for lot in waiting]
        book.open_posting(f"mature:{book.last_seq + 1}", "mature", actor=_actor(merchant), reason=MATURED_REASON)
        book.move("pending", "available", [(lot.lot_id, lot.remaining) for lot in lots])
        if lots:
            points = sum(lot.remaining for lot in lots)
            book.repay(lots)
            book.add_fact("settled", {"movements": [{"kind": "mature", "points": points, "at": moment}]})
    return asdict(read_wallet(member_id))


def _actor(merchant: MerchantPrincipal) -> str:
    return f"merchant:{merchant.merchant_key}"
