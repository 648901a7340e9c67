"""Every operation of the ledger in any order, with a clock, beside a plain model: equal after every step.

Three members, real transactions. After each step balances, lots, holds and history equal the model's, and the wallet
read by the clock equals the model settled to that moment, though nothing has been booked. A refusal changes nothing.
"""

import copy
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from app.core.database import db, driver_connection
from app.core.errors import ProblemError
from app.core.ids import new_id
from app.ledger import queries, service
from app.ledger.models import Account, Entry, Hold, Lot, Posting
from app.members import service as members
from config import Settings
from tests.conftest import empty_database
from tests.properties.ledger_model import Purse, Refused

START = datetime(2026, 1, 30, 12, tzinfo=UTC)
SPANS = [timedelta(**span) for span in (
    {"seconds": 1}, {"hours": 1}, {"days": 1}, {"days": 6}, {"days": 8}, {"days": 31}, {"days": 100}
)]  # fmt: skip
RUNS, STEPS = (200, 60) if os.environ.get("TEST_PROFILE") == "long" else (8, 25)

somebody = st.integers(0, 2)
spans = st.sampled_from(SPANS)
# an amount is a number, or all that there is, or one more
amounts = st.one_of(st.integers(1, 40), st.just("all"), st.just("more"))
# points may come late: matured, expired or void before they are booked
ages = st.one_of(st.none(), st.sampled_from([timedelta(days=-40), timedelta(0), *SPANS]))
award_lists = st.lists(st.tuples(st.integers(1, 60), ages, ages), min_size=1, max_size=3)
any_of = st.integers(0, 1000)
Operation = Callable[[bytes], service.Posted]


def amount_of(given: int | str, there_is: int) -> int:
    """Return the points meant, at least one."""
    if given == "more":
        return there_is + 1
    return max(1, there_is) if given == "all" else int(given)


def refusal_of(operation: Callable[[], Any]) -> str | None:
    """Return the name of the error by which the model refuses, None where it does not."""
    try:
        operation()
    except Refused as refused:
        return str(refused)
    return None


def told(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return a history with neighbours of one kind, movement and moment as one; no moment is before an earlier one."""
    found: list[list[Any]] = []
    for kind, source, target, points, at, *balances in rows:
        at = max(at, found[-1][0][3]) if found else at
        same = (kind, source, target, at)
        if found and found[-1][0] == same:
            points += found.pop()[1]
        found.append([same, points, *balances])
    return found


class LedgerMachine(RuleBasedStateMachine):
    """Drives the ledger and the model with the same operations."""

    owner_url = ""

    def __init__(self) -> None:
        super().__init__()
        db.session.rollback()
        empty_database(self.owner_url)
        self.moment = START
        with self.clock():
            self.ids = sorted(members.enrol_member(moment=START).member_id for _ in range(3))
        self.purses = [Purse() for _ in self.ids]
        self.numbers = itertools.count(1)
        self.holds: list[tuple[int, int]] = []
        self.spends: list[tuple[int, str]] = []
        self.issues: list[tuple[int, str]] = []
        self.done: list[tuple[int, datetime, Operation, service.Posted]] = []

    def clock(self) -> time_machine.travel:
        return time_machine.travel(self.moment, tick=False)

    def key(self, kind: str) -> str:
        return f"{kind}:{next(self.numbers)}"

    def both(self, who: int, model: Callable[[Purse], Any], real: Operation) -> bool:
        """Do it to the model and to the ledger; return whether it was done, False where both refuse."""
        before = self.purses[who].settled(self.moment)
        after = copy.deepcopy(before)
        refusal = refusal_of(lambda: model(after))
        if refusal is not None:
            with pytest.raises(ProblemError) as raised:
                real(b"first")
            assert type(raised.value).__name__ == refusal
            return False
        answer = real(b"first")
        self.purses[who] = after
        moved: Counter[tuple[str, str]] = Counter()
        for _, source, target, points, *_ in after.history[len(before.history) :]:
            moved[source, target] += points
        assert not answer.is_replay
        assert answer.moved == moved
        assert (answer.pending, answer.available, answer.held, answer.debt) == tuple(after.running.values())
        self.done.append((who, self.moment, real, answer))
        return True

    # time

    @rule(span=spans)
    def time_passes(self, span: timedelta) -> None:
        self.moment += span

    @rule()
    def the_job_settles_everybody(self) -> None:
        due = sum(purse.next_event(self.moment) is not None for purse in self.purses)
        assert service.settle_due_accounts(self.moment) >= due
        assert service.settle_due_accounts(self.moment) == 0
        self.purses = [purse.settled(self.moment) for purse in self.purses]

    @rule(who=somebody)
    def one_is_settled(self, who: int) -> None:
        service.settle_due(self.ids[who], self.moment)
        self.purses[who] = self.purses[who].settled(self.moment)

    # points come

    @rule(who=somebody, given=award_lists, is_fast=st.booleans())
    def award(self, who: int, given: list[Any], is_fast: bool) -> None:
        key, moment = self.key("activity"), self.moment
        lots = [
            (
                points,
                None if pending is None else moment + pending,
                None if expiry is None else moment + expiry,
                moment + timedelta(days=90) if pending is None else None,
            )
            for points, pending, expiry in given
        ]
        activity = service.AwardedActivity(
            key=key, fingerprint=b"first", activity_id=new_id(), actor="test", fact_kind="activity", payload="{}",
            awards=[service.Award(*lot, None, "a-rule", None) for lot in lots],
        )  # fmt: skip
        before = self.purses[who]
        after = before.settled(moment)
        paid = after.issue("award", key, lots, moment)
        if is_fast:
            is_written = self.award_fast(who, activity)
            # it may find more to settle than there is, never less
            assert not is_written or (before.debt == 0 and before.next_event(moment) is None)
            assert is_written or before.debt or self.is_due(who)
        if not is_fast or not is_written:
            with service.open_book(self.ids[who], moment) as (_, book):
                assert service.award_in_book(book, activity) == paid
                book.add_fact("activity", {})
        self.purses[who] = after
        self.issues.append((who, key))

    def award_fast(self, who: int, activity: service.AwardedActivity) -> bool:
        account = self.accounts()[who]
        plan = service.plan_for(service.AccountState(
            account.member_id, account.version, account.last_seq, account.pending, account.available, account.held,
            account.debt, account.next_due_at,
        ))  # fmt: skip
        service.plan_activity(plan, activity, self.moment)
        with driver_connection() as connection:
            return bool(service.start_write([plan], self.moment).execute(connection))

    def is_due(self, who: int) -> bool:
        due_at = self.accounts()[who].next_due_at
        return due_at is not None and due_at <= self.moment

    @rule(who=somebody, points=st.integers(1, 60), expiry=st.one_of(st.none(), spans))
    def adjust_up(self, who: int, points: int, expiry: timedelta | None) -> None:
        key, moment = self.key("adjust"), self.moment
        expires_at = None if expiry is None else moment + expiry
        self.both(
            who,
            lambda purse: purse.issue("adjust", key, [(points, moment, expires_at, None)], moment),
            lambda print_: service.adjust_points(
                self.ids[who], points, key=key, reason="r", expires_at=expires_at, fingerprint=print_, actor="test",
                moment=moment,
            ),
        )  # fmt: skip
        self.issues.append((who, key))

    @rule(who=somebody, amount=amounts)
    def adjust_down(self, who: int, amount: int | str) -> None:
        key, moment = self.key("adjust"), self.moment
        points = amount_of(amount, self.purses[who].settled(moment).available)
        self.both(
            who,
            lambda purse: purse.adjust_down(points, moment),
            lambda print_: service.adjust_points(
                self.ids[who], -points, key=key, reason="r", fingerprint=print_, actor="test", moment=moment
            ),
        )  # fmt: skip

    @rule(who=somebody, span=spans)
    def extend(self, who: int, span: timedelta) -> None:
        after = self.purses[who].settled(self.moment)
        after.extend(self.moment + span)
        assert service.extend_expiry(self.ids[who], self.moment + span, moment=self.moment) == after.extended_until
        self.purses[who] = after

    # points go

    @rule(who=somebody, amount=amounts, span=spans)
    def hold(self, who: int, amount: int | str, span: timedelta) -> None:
        number, moment = next(self.numbers), self.moment
        points = amount_of(amount, self.purses[who].settled(moment).available)
        if self.both(
            who,
            lambda purse: purse.hold(number, points, moment + span, moment),
            lambda print_: service.hold_points(
                self.ids[who], UUID(int=number), points, expires_at=moment + span, live=True, fingerprint=print_,
                actor="test", moment=moment,
            ),
        ):  # fmt: skip
            self.holds.append((who, number))

    @precondition(lambda self: self.holds)
    @rule(which=any_of, amount=amounts)
    def capture(self, which: int, amount: int | str) -> None:
        who, number = self.holds[which % len(self.holds)]
        moment, key = self.moment, f"hold:{UUID(int=number)}:captured"
        points = amount_of(amount, sum(self.purses[who].holds[number].parts.values()))
        if key in self.purses[who].spends:
            return
        if self.both(
            who,
            lambda purse: purse.capture(number, points, key, moment),
            lambda print_: service.capture_hold(
                self.ids[who], UUID(int=number), points, fingerprint=print_, actor="test", moment=moment
            ),
        ):
            self.spends.append((who, key))

    @precondition(lambda self: self.holds)
    @rule(which=any_of)
    def release(self, which: int) -> None:
        who, number = self.holds[which % len(self.holds)]
        moment = self.moment
        if self.purses[who].holds[number].status == "released":
            return
        self.both(
            who,
            lambda purse: purse.release(number, moment),
            lambda print_: service.release_hold(
                self.ids[who], UUID(int=number), fingerprint=print_, actor="test", moment=moment
            ),
        )

    @rule(who=somebody, amount=amounts)
    def spend(self, who: int, amount: int | str) -> None:
        key, moment = self.key("spend"), self.moment
        points = amount_of(amount, self.purses[who].settled(moment).available)
        if self.both(
            who,
            lambda purse: purse.spend(points, key, moment),
            lambda print_: service.spend_points(
                self.ids[who], points, key=key, fingerprint=print_, actor="test", moment=moment
            ),
        ):
            self.spends.append((who, key))

    @precondition(lambda self: self.spends)
    @rule(which=any_of, amount=amounts)
    def refund(self, which: int, amount: int | str) -> None:
        who, spend = self.spends[which % len(self.spends)]
        key, moment = self.key("refund"), self.moment
        points = amount_of(amount, sum(self.purses[who].spends[spend].parts.values()))
        self.both(
            who,
            lambda purse: purse.refund(spend, points, moment),
            lambda print_: service.refund_spend(
                self.ids[who], spend, points, key=key, fingerprint=print_, actor="test", moment=moment
            ),
        )

    @precondition(lambda self: self.issues)
    @rule(which=any_of, amount=amounts, is_share=st.booleans(), is_written_off=st.booleans())
    def reverse(self, which: int, amount: int | str, is_share: bool, is_written_off: bool) -> None:
        who, issued = self.issues[which % len(self.issues)]
        key, moment, purse = self.key("reverse"), self.moment, self.purses[who]
        shares = None
        if is_share:
            number = purse.issues[issued][which % len(purse.issues[issued])]
            lot = purse.lot(number)
            shares = {number: amount_of(amount, lot.amount - lot.reversed - lot.clawed_back)}
        self.both(
            who,
            lambda purse: purse.reverse(issued, shares, is_written_off, moment),
            lambda print_: service.reverse_points(
                self.ids[who], issued, shares, key=key, is_written_off=is_written_off, fingerprint=print_,
                actor="test", moment=moment,
            ),
        )  # fmt: skip

    @rule(who=somebody, amount=amounts)
    def write_off(self, who: int, amount: int | str) -> None:
        key, moment = self.key("write-off"), self.moment
        points = amount_of(amount, self.purses[who].settled(moment).debt)
        self.both(
            who,
            lambda purse: purse.write_off(points, moment),
            lambda print_: service.write_off_debt(
                self.ids[who], points, key=key, reason="r", fingerprint=print_, actor="test", moment=moment
            ),
        )

    @rule(who=somebody, step=st.integers(1, 2), amount=amounts)
    def gift(self, who: int, step: int, amount: int | str) -> None:
        key, moment, other = self.key("gift"), self.moment, (who + step) % 3
        points = amount_of(amount, self.purses[who].settled(moment).available)
        given: list[Any] = []
        if self.both(
            who,
            lambda purse: given.extend(purse.give(points, moment)),
            lambda print_: service.give_points(
                self.ids[who], self.ids[other], points, key=key, reason=None, fingerprint=print_, actor="test",
                moment=moment,
            ),
        ):  # fmt: skip
            receiver = self.purses[other] = self.purses[other].settled(moment)
            receiver.issue("gift", key, given, moment)
            self.issues.append((other, key))

    # again

    @precondition(lambda self: self.done)
    @rule(which=any_of)
    def repeat(self, which: int) -> None:
        who, moment, real, first = self.done[which % len(self.done)]
        again = real(b"first")
        if first.kind != "gift":  # which looks first whether it was given, and settles then
            self.purses[who] = self.purses[who].settled(moment)
        assert again.is_replay
        assert again.moved == first.moved
        assert (again.kind, again.pending, again.available, again.held, again.debt) == (
            first.kind, first.pending, first.available, first.held, first.debt,
        )  # fmt: skip

    @precondition(lambda self: self.done)
    @rule(which=any_of)
    def reuse_the_key(self, which: int) -> None:
        *_, real, _ = self.done[which % len(self.done)]
        with pytest.raises(ProblemError) as raised:
            real(b"other")
        assert raised.value.code == "posting_key_reused"

    # equal after every step

    def accounts(self) -> list[Account]:
        db.session.rollback()
        query = select(Account).where(Account.member_id.in_(self.ids)).order_by(Account.member_id)
        return list(db.session.scalars(query.execution_options(populate_existing=True)))

    @invariant()
    def the_ledger_is_as_the_model(self) -> None:
        accounts = self.accounts()
        lots, holds, entries = self.rows(Lot, Lot.lot_id), self.rows(Hold, Hold.hold_id), self.entries()
        for member_id, purse, account in zip(self.ids, self.purses, accounts, strict=True):
            purse.check()
            balances = purse.balances()
            assert {bucket: getattr(account, bucket) for bucket in balances} == balances
            assert account.extended_until == purse.extended_until
            assert [self.lot_row(lot, purse) for lot in lots[member_id]] == [
                (lot.number, lot.amount, *lot.places(), lot.is_matured, lot.available_at, purse.end(lot), lot.void_at)
                for lot in purse.lots
            ]
            assert [(hold.hold_id.int, hold.status, hold.captured, hold.amount) for hold in holds[member_id]] == [
                (hold.number, hold.status, hold.captured, sum(hold.parts.values())) for hold in purse.holds.values()
            ]
            assert told(entries[member_id]) == told(purse.history)
        db.session.rollback()

    def rows(self, model: Any, order: Any) -> dict[UUID, list[Any]]:
        found: dict[UUID, list[Any]] = {member_id: [] for member_id in self.ids}
        query = select(model).where(model.member_id.in_(self.ids)).order_by(order)
        for row in db.session.scalars(query.execution_options(populate_existing=True)):
            found[row.member_id].append(row)
        return found

    def lot_row(self, lot: Lot, purse: Purse) -> tuple[Any, ...]:
        return (
            lot.lot_id, lot.amount, lot.remaining, lot.held, lot.spent, lot.expired, lot.reversed, lot.repaid,
            lot.clawed_back, lot.is_matured, lot.available_at, purse.end(lot), lot.void_at,
        )  # fmt: skip

    def entries(self) -> dict[UUID, list[tuple[Any, ...]]]:
        found: dict[UUID, list[tuple[Any, ...]]] = {member_id: [] for member_id in self.ids}
        query = (
            select(Entry.member_id, Posting.kind, Entry.source, Entry.target, Entry.amount, Entry.effective_at,
                   Entry.pending, Entry.available, Entry.held, Entry.debt)
            .join(Posting, (Posting.member_id == Entry.member_id) & (Posting.idempotency_key == Entry.posting_key))
            .where(Entry.member_id.in_(self.ids)).order_by(Entry.seq)
        )  # fmt: skip
        for member_id, *row in db.session.execute(query):
            found[member_id].append(tuple(row))
        return found

    @invariant()
    def wallets_are_right_by_the_clock(self) -> None:
        for member_id, purse in zip(self.ids, self.purses, strict=True):
            by_now = purse.settled(self.moment).balances()
            with self.clock():
                wallet = service.read_wallet(member_id)
            assert {name: getattr(wallet, name) for name in ("pending", "available", "held", "debt")} == {
                name: by_now[name] for name in ("pending", "available", "held", "debt")
            }
            assert wallet.lifetime == {name: by_now[name] for name in ("issued", "spent", "expired", "reversed")}
        db.session.rollback()

    def teardown(self) -> None:
        db.session.rollback()
        assert [str(each) for each in service.verify(service.Verification())] == []


def test_every_operation_does_what_the_model_does(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LedgerMachine, "owner_url", settings.database_owner_url)
    monkeypatch.setattr(queries, "LOTS_CHUNK", 2)  # so that a few lots are more than one chunk
    run_state_machine_as_test(
        LedgerMachine,
        settings=hypothesis_settings(
            max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
