"""What has no route yet is refused by its own code too, and nothing is written."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.errors import ProblemError
from app.ledger import service
from app.ledger.models import Posting
from tests.ledger.conftest import GiveAward, NewMember, account_of, point_award

Watch = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def awarded(new_member: NewMember, give: GiveAward) -> tuple[UUID, str]:
    """A member with one award of 10 points, and the award's posting."""
    member_id = new_member()
    give(member_id, point_award(10))
    key = db.session.scalar(select(Posting.idempotency_key).where(Posting.member_id == member_id))
    return member_id, str(key)


@pytest.mark.parametrize(
    ("posting", "shares", "code"),
    [(None, {99: 1}, "lot_not_found"), (None, {1: 11}, "reversal_exceeds_award"), (None, {1: 0}, "invalid_points"),
     (None, {1: -1}, "invalid_points"), ("activity:none", None, "posting_not_found")],
)  # fmt: skip
def test_a_reversal_that_can_not_be_is_refused(
    awarded: tuple[UUID, str], posting: str | None, shares: dict[int, int] | None, code: str, writes_nothing: Watch
) -> None:
    member_id, key = awarded
    with writes_nothing(), pytest.raises(ProblemError) as refusal:
        service.reverse_points(
            member_id, posting or key, shares, key="return:1", actor="test", fingerprint=b"", moment=now()
        )
    assert refusal.value.code == code
    assert account_of(member_id).version == 1


def test_a_reversal_twice_is_more_than_is_left(awarded: tuple[UUID, str], writes_nothing: Watch) -> None:
    member_id, key = awarded
    moment = now()
    service.reverse_points(member_id, key, {1: 6}, key="return:1", actor="test", fingerprint=b"a", moment=moment)
    for again, fingerprint, points, code in (
        ("return:2", b"a", 5, "reversal_exceeds_award"), ("return:1", b"b", 1, "posting_key_reused"),
    ):  # fmt: skip
        with writes_nothing(), pytest.raises(ProblemError) as refusal:
            service.reverse_points(
                member_id, key, {1: points}, key=again, actor="test", fingerprint=fingerprint, moment=moment
            )
        assert refusal.value.code == code
    assert account_of(member_id).available == 4
