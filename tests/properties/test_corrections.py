"""What came back might as well never have been bought, whenever it comes back and whatever happened meanwhile."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core.clock import now
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal
from tests.corrections import faults
from tests.properties.shopping import START, Purchase, Shopper, open_shop, purchases

EXAMPLES = 300 if os.environ.get("TEST_PROFILE") == "long" else 12
quick = hypothesis_settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
Step = tuple[str, int]
# what matures does so within a few days, what expires lives a month at least
DAYS = st.sampled_from([0, 1, 3, 5])
LONG_SPANS = st.sampled_from([1, 15, 35, 100, 400])


@pytest.fixture
def shop(app: Flask) -> MerchantPrincipal:
    return open_shop()


@st.composite
def journeys(draw: st.DrawFn, extra: Sequence[st.SearchStrategy[Step]]) -> tuple[list[Purchase], list[Step]]:
    """Draw purchases, and in which order their steps and some of the ``extra`` ones are taken."""
    bought = draw(st.lists(purchases(), min_size=1, max_size=3))
    steps: list[Step] = []
    for number, purchase in enumerate(bought):
        steps += [("next", number)] * (1 + len(purchase.returns) + purchase.is_completed)
    for strategy in extra:
        steps += draw(st.lists(strategy, max_size=3))
    return bought, draw(st.permutations(steps))


class Pair:
    """The one who buys everything and gives some back, and the one who buys what the other keeps."""

    def __init__(self, shop: MerchantPrincipal, purchases: Sequence[Purchase], clock: Any) -> None:
        self.one, self.other, self.clock = Shopper(shop), Shopper(shop), clock
        self.holds: list[tuple[Any, Any, int]] = []
        self.steps = [self._steps(number, purchase) for number, purchase in enumerate(purchases)]

    def _steps(self, number: int, purchase: Purchase) -> list[Any]:
        """Return the steps of a purchase in their order: completed after the first return, where there is one."""
        kept = purchase.kept

        def buy() -> None:
            self.one.buy(number, purchase.basket)
            if kept is not None:
                self.other.buy(number, kept)

        def complete() -> None:
            self.one.complete(number)
            if kept is not None:
                self.other.complete(number)

        later = [lambda part=part: self.one.give_back(number, part) for part in purchase.returns]
        if purchase.is_completed:
            later.insert(min(1, len(later)), complete)
        return [buy, *later]

    def take(self, step: Step) -> None:
        kind, number = step
        if kind == "next":
            self.steps[number].pop(0)()
        elif kind == "again":
            self.one.again(number)
        elif kind == "days":
            self.clock.shift(timedelta(days=number))
        elif kind == "settle":
            ledger.settle_due_accounts(now())
        else:
            self._spend(kind, number)

    def _spend(self, kind: str, points: int) -> None:
        """Let both spend, hold or capture the same, no more than both have."""
        points = min(points, self.one.wallet().available, self.other.wallet().available)
        if kind == "capture" and self.holds:
            *holds, held = self.holds.pop()
            for shopper, hold_id in zip((self.one, self.other), holds, strict=True):
                ledger.capture_hold(
                    shopper.member_id, hold_id, max(1, held // 2), actor="test", fingerprint=b"", moment=now()
                )
        elif points and kind == "spend":
            self.one.spend(points)
            self.other.spend(points)
        elif points and kind == "hold":
            self.holds.append((self.one.hold(points), self.other.hold(points), points))

    def assert_same_facts(self) -> None:
        assert self.one.impact() == self.other.impact()
        assert self.one.days() == self.other.days()


def worth(wallet: ledger.Wallet) -> int:
    return wallet.pending + wallet.available + wallet.held - wallet.debt


STEPS = {
    "again": st.tuples(st.sampled_from(["again", "again", "settle"]), st.integers(0, 20)),
    "spend": st.tuples(st.sampled_from(["spend", "hold", "capture"]), st.integers(1, 60)),
    "days": st.tuples(st.just("days"), DAYS),
    "spans": st.tuples(st.just("days"), LONG_SPANS),
}


def test_whatever_was_spent_both_have_the_same(shop: MerchantPrincipal) -> None:
    @quick
    @given(journeys([STEPS["again"], STEPS["spend"], STEPS["days"]]))
    def run(journey: tuple[list[Purchase], list[Step]]) -> None:
        with time_machine.travel(START, tick=False) as clock:
            pair = Pair(shop, journey[0], clock)
            for step in journey[1]:
                pair.take(step)
            one, other = pair.one.wallet(), pair.other.wallet()
            assert one.pending == other.pending
            assert one.available - one.debt == other.available
            assert one.held == other.held
            assert one.lifetime["spent"] == other.lifetime["spent"]
            assert one.lifetime["issued"] - one.lifetime["reversed"] == (
                other.lifetime["issued"] - other.lifetime["reversed"]
            )
            pair.assert_same_facts()

    run()
    assert faults() == []


def test_whatever_has_expired_both_have_the_same(shop: MerchantPrincipal) -> None:
    @quick
    @given(journeys([STEPS["again"], STEPS["spans"]]))
    def run(journey: tuple[list[Purchase], list[Step]]) -> None:
        with time_machine.travel(START, tick=False) as clock:
            pair = Pair(shop, journey[0], clock)
            for step in journey[1]:
                pair.take(step)
            one, other = pair.one.wallet(), pair.other.wallet()
            assert (one.pending, one.available, one.debt) == (other.pending, other.available, 0)
            assert (one.expiring, one.maturing) == (other.expiring, other.maturing)
            pair.assert_same_facts()

    run()
    assert faults() == []


def test_nobody_gains_by_what_comes_back_whatever_was_spent_and_has_expired(shop: MerchantPrincipal) -> None:
    @quick
    @given(journeys([STEPS["again"], STEPS["spend"], STEPS["spans"]]))
    def run(journey: tuple[list[Purchase], list[Step]]) -> None:
        with time_machine.travel(START, tick=False) as clock:
            pair = Pair(shop, journey[0], clock)
            for step in journey[1]:
                pair.take(step)
            assert worth(pair.one.wallet()) <= worth(pair.other.wallet())
            pair.assert_same_facts()

    run()
    assert faults() == []


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Purchase], list[list[int]], list[int], int]:
    """Draw purchases, the days of the steps of each, the order in which they are told late, and the size of batches."""
    bought = draw(st.lists(purchases(), min_size=1, max_size=4))
    days = []
    for purchase in bought:
        count = 1 + purchase.is_completed + len(purchase.returns)
        days.append(sorted(draw(st.lists(st.integers(0, 29), min_size=count, max_size=count))))
    told = [number for number, steps in enumerate(days) for _ in steps]
    return bought, days, draw(st.permutations(told)), draw(st.integers(1, 5))


class Teller:
    """A shopper whose history is told step by step, each with its own time."""

    def __init__(self, shop: MerchantPrincipal, bought: Sequence[Purchase], days: Sequence[Sequence[int]]) -> None:
        self.shopper, self.bought = Shopper(shop), bought
        self.moments = [[BEGIN + timedelta(days=day, hours=1) for day in steps] for steps in days]
        self.waiting: list[tuple[int, Any]] = []

    def tell(self, number: int, step: int) -> None:
        """Tell a step of a purchase; the purchase itself waits for a batch."""
        purchase, moment = self.bought[number], self.moments[number][step]
        if step == 0:
            self.waiting.append((number, moment))
        elif purchase.is_completed and step == 1:
            self.shopper.complete(number, moment)
        else:
            self.shopper.give_back(number, purchase.returns[step - 1 - purchase.is_completed], moment)

    def flush(self) -> None:
        if self.waiting:
            self.shopper.reported([self.shopper.order(number, self.bought[number].basket, moment)
                                   for number, moment in self.waiting])  # fmt: skip
            self.waiting = []


BEGIN = START - timedelta(days=30)  # so that points that live for a month may expire before all is told


def test_what_comes_late_and_out_of_order_gives_the_same_wallet(shop: MerchantPrincipal) -> None:
    @quick
    @given(histories())
    def run(history: tuple[list[Purchase], list[list[int]], list[int], int]) -> None:
        bought, days, told, size = history
        with time_machine.travel(BEGIN, tick=False) as clock:
            prompt, late = Teller(shop, bought, days), Teller(shop, bought, days)
            in_order = sorted(
                (day, step, number) for number, steps in enumerate(days) for step, day in enumerate(steps)
            )
            for _, step, number in in_order:
                clock.move_to(prompt.moments[number][step])
                prompt.tell(number, step)
                prompt.flush()
            clock.move_to(START)
            steps = [0] * len(bought)
            for number in told:
                if steps[number] or len(late.waiting) == size:
                    late.flush()
                late.tell(number, steps[number])
                steps[number] += 1
            late.flush()
            for span in (0, 10, 30, 400):
                clock.move_to(START + timedelta(days=span))
                one, other = prompt.shopper.wallet(), late.shopper.wallet()
                assert (one.pending, one.available, one.debt) == (other.pending, other.available, other.debt)
                assert (one.expiring, one.maturing) == (other.expiring, other.maturing)
            assert prompt.shopper.impact() == late.shopper.impact()
            assert prompt.shopper.days() == late.shopper.days()

    run()
    assert faults() == []
