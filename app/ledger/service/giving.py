"""Gifts between shoppers, by the code that the receiver shows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.ids import new_id
from app.ledger.service.changes import give_points
from app.members import service as members
from app.members.errors import MemberNotFound


def give(
    sender_id: UUID,
    live: bool,
    *,
    member_code: str,
    points: int,
    message: str | None,
    fingerprint: bytes,
    moment: datetime,
) -> dict[str, Any]:
    """Give ``points`` to the member of that code and return the gift.

    Raises MemberNotFound for a code of nobody, of the other mode or of somebody who is not active; GiftToOneself,
    InDebt, InsufficientPoints.
    """
    receiver_id = members.find_by_code(member_code, live)
    if receiver_id is None or members.get_member(receiver_id, live).status != "active":
        raise MemberNotFound(errors=[{"pointer": "/member_code", "detail": "No such member."}])
    gift_id = new_id()
    done = give_points(
        sender_id, receiver_id, points, key=f"gift:{gift_id}", actor=f"member:{sender_id}", reason=message,
        fingerprint=fingerprint, moment=moment,
    )  # fmt: skip
    return {
        "id": gift_id, "points": points, "message": message, "available": done.available, "given_at": moment,
    }  # fmt: skip
