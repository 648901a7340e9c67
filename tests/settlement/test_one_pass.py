"""What is read in one pass over a month's entries: right for any history, and quick."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import NullPool, create_engine, select, text

from app.core.database import db, sqlalchemy_url
from app.core.errors import ProblemError
from app.core.ids import new_id
from app.ledger import service as ledger
from app.ledger.models import Entry, Lot, Posting
from app.settlement import queries, service
from app.settlement.accounts import PROGRAMME, sort_out
from config import Settings
from tests import world
from tests.settlement.conftest import APRIL, BY, NOW, award, new_member, pay, refund

SEEDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 3
STEPS = 60


class History:
    """A random history of three members within a month; what was spent where is counted beside the ledger."""

    def __init__(self, seed: int, shops: list[UUID]) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a history that comes out the same again
        self.places: list[UUID | None] = [None, *shops]
        self.members = [new_member() for _ in range(3)]
        self.moment = APRIL
        self.spends: list[tuple[UUID, str, UUID | None]] = []
        self.awards: list[tuple[UUID, str]] = []
        self.spent_at: Counter[UUID] = Counter()
        self.refunded_at: Counter[UUID] = Counter()

    def step(self) -> None:
        """Do one thing of many; what the ledger refuses has not happened."""
        self.moment += timedelta(hours=self.random.randint(0, 6))
        member, points = self.random.choice(self.members), self.random.randint(1, 60)
        doing: Callable[[UUID, int], None] = self.random.choice(
            [self.award, self.award, self.pay, self.pay, self.refund, self.reverse, self.give, self.adjust]
        )
        try:
            doing(member, points)
        except ProblemError:
            db.session.rollback()

    def award(self, member: UUID, points: int) -> None:
        lives = self.random.choice([None, timedelta(days=1), timedelta(days=4)])
        funder = self.random.choice(self.places)
        key = award(member, points, funder, self.moment, self.moment + lives if lives else None)
        self.awards.append((member, key))

    def pay(self, member: UUID, points: int) -> None:
        place = self.random.choice(self.places)
        self.spends.append((member, pay(member, points, place, self.moment), place))
        self.spent_at[place or PROGRAMME] += points

    def refund(self, _: UUID, points: int) -> None:
        if self.spends:
            member, key, place = self.random.choice(self.spends)
            refund(member, key, points, self.moment)
            self.refunded_at[place or PROGRAMME] += points

    def reverse(self, _: UUID, __: int) -> None:
        if self.awards:
            member, key = self.random.choice(self.awards)
            ledger.reverse_points(member, key, None, key=f"reverse:{new_id()}", moment=self.moment, **BY)

    def give(self, member: UUID, points: int) -> None:
        other = self.random.choice([each for each in self.members if each != member])
        ledger.give_points(member, other, points, key=f"gift:{new_id()}", reason=None, moment=self.moment, **BY)

    def adjust(self, member: UUID, points: int) -> None:
        ledger.adjust_points(
            member, self.random.choice([points, -points]), key=f"adjust:{new_id()}", reason="r", moment=self.moment,
            **BY,
        )  # fmt: skip


def by_lots() -> dict[str, Counter[UUID]]:
    """What lots say of the points of each funder, all history being in one month; gifts are lots of their receivers."""
    gifts = select(Entry.member_id, Entry.seq).join(
        Posting, (Posting.member_id == Entry.member_id) & (Posting.idempotency_key == Entry.posting_key)
    )
    given = {tuple(row) for row in db.session.execute(gifts.where(Posting.kind == "gift", Entry.source == "issued"))}
    found: dict[str, Counter[UUID]] = {name: Counter() for name in ("issued", "expired", "reversed", "spent")}
    for lot in db.session.scalars(select(Lot)):
        funder = lot.funder or PROGRAMME
        gift = lot.amount if (lot.member_id, lot.lot_id) in given else 0
        found["issued"][funder] += lot.amount - gift
        found["spent"][funder] += lot.spent - gift  # it was spent where it came from, and issued here again
        found["expired"][funder] += lot.expired
        found["reversed"][funder] += lot.reversed + lot.clawed_back
    return {name: +counted for name, counted in found.items()}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_history_is_settled_to_the_point(seed: int, mill: world.Shop, corner: world.Shop, overview: Any) -> None:
    history = History(seed, [mill.merchant_id, corner.merchant_id])
    for _ in range(STEPS):
        history.step()
    db.session.rollback()
    month = service._find(APRIL.date().replace(day=1), NOW)
    assert history.moment < month.ends_at
    spends, funds = sort_out(queries.sum_moved(db.session, month.starts_at, month.ends_at))
    lots = by_lots()
    for name in ("issued", "expired", "reversed"):
        assert +Counter({fund.funder: getattr(fund, f"{name}_points") for fund in funds}) == lots[name]
    net: Counter[UUID] = Counter()
    for spend in spends:
        net[spend.funder] += spend.spent_points - spend.refunded_points
    assert +net == lots["spent"]
    assert min(net.values()) >= 0
    for name, expected in (("spent", history.spent_at), ("refunded", history.refunded_at)):
        counted: Counter[UUID] = Counter()
        for spend in spends:
            counted[spend.place] += getattr(spend, f"{name}_points")
        assert +counted == +expected
    assert sum(history.spent_at.values()) > 0
    shown = overview()
    assert sum(each["owed"]["balance"] for each in shown.values()) == 0


MEMBERS, LOTS = 700, 121  # 35 lots are of March, 86 of April; one member in twenty is made up
# Each lot is an award of 10 points, one in two of them funded by a shop, and of each 5 are spent on rewards of another.
_FILL = (
    """INSERT INTO member (member_id, live, status, code, locale, enrolled_at, updated_at)
    SELECT gen_random_uuid(), n % 20 > 0, 'active', 'code' || n, 'en', '2031-03-01Z', '2031-03-01Z'
    FROM generate_series(1, :members) AS n""",
    """INSERT INTO account (member_id, issued, available, spent, last_seq)
    SELECT member_id, 10 * :lots, 5 * :lots, 5 * :lots, 2 * :lots FROM member""",
    """INSERT INTO redemption (member_id, redemption_id, reward_id, reward_version, merchant_id, live, quantity, points,
                            state, created_at)
    SELECT member_id, member_id, member_id, 1, :place, live, 1, 5, 'issued', '2031-03-01Z' FROM member""",
    """CREATE TEMPORARY TABLE step AS
    SELECT n, CAST('2031-03-20Z' AS timestamptz) + n * interval '8 hours' AS at FROM generate_series(1, :lots) AS n""",
    """INSERT INTO posting (member_id, idempotency_key, kind, fingerprint, first_seq, entry_count, recorded_at)
    SELECT member_id, CASE part WHEN 0 THEN 'activity:' || n ELSE 'redemption:' || member_id || ':' || n END,
           CASE part WHEN 0 THEN 'award' ELSE 'spend' END, '', 2 * n - 1 + part, 1, at
    FROM step CROSS JOIN member CROSS JOIN generate_series(0, 1) AS part ORDER BY n""",
    """INSERT INTO entry (member_id, seq, amount, pending, available, held, debt, effective_at, recorded_at, source,
                       target, posting_key)
    SELECT member_id, 2 * n - 1 + part, CASE part WHEN 0 THEN 10 ELSE 5 END, 0,
           5 * n + CASE part WHEN 0 THEN 5 ELSE 0 END, 0, 0, at, at,
           CASE part WHEN 0 THEN 'issued' ELSE 'available' END, CASE part WHEN 0 THEN 'available' ELSE 'spent' END,
           CASE part WHEN 0 THEN 'activity:' || n ELSE 'redemption:' || member_id || ':' || n END
    FROM step CROSS JOIN member CROSS JOIN generate_series(0, 1) AS part ORDER BY n""",
    """INSERT INTO lot (member_id, lot_id, amount, remaining, spent, available_at, funder, is_matured, is_open)
    SELECT member_id, 2 * n - 1, 10, 5, 5, at, CASE n % 2 WHEN 0 THEN CAST(:funder AS uuid) END, true, true
    FROM step CROSS JOIN member ORDER BY n""",
    """INSERT INTO lot_allocation (member_id, seq, lot_id, amount)
    SELECT member_id, 2 * n, 2 * n - 1, 5 FROM step CROSS JOIN member ORDER BY n""",
    "ANALYZE member, posting, entry, lot, lot_allocation",
)


def fill(settings: Settings, funder: UUID, place: UUID) -> int:
    """Store a sound history by plain SQL; return how many of a member's lots are of April."""
    given = {"members": MEMBERS, "lots": LOTS, "funder": funder, "place": place}
    engine = create_engine(sqlalchemy_url(settings.database_owner_url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # foreign keys are kept by hand
        for statement in _FILL:
            connection.execute(text(statement), given)
        return int(connection.scalar(text("SELECT count(*) FROM step WHERE at >= '2031-04-01Z'")) or 0)


def test_more_than_a_hundred_thousand_entries_are_summed_within_seconds(
    settings: Settings, mill: world.Shop, corner: world.Shop
) -> None:
    lots = fill(settings, corner.merchant_id, mill.merchant_id) * MEMBERS * 19 // 20
    assert lots * 2 > 100_000
    month = service._find(APRIL.date().replace(day=1), NOW)
    db.session.rollback()
    started = time.monotonic()
    movements = queries.sum_moved(db.session, month.starts_at, month.ends_at)
    took = time.monotonic() - started
    db.session.rollback()
    assert {(each.kind, each.funder, each.place): each.points for each in movements} == {
        ("issued", PROGRAMME, PROGRAMME): lots * 5,
        ("issued", corner.merchant_id, PROGRAMME): lots * 5,
        ("spent", PROGRAMME, mill.merchant_id): lots * 5 // 2,
        ("spent", corner.merchant_id, mill.merchant_id): lots * 5 // 2,
    }
    assert took < 10, f"{took:.1f} s, where a machine with nothing else to do takes half a second"
